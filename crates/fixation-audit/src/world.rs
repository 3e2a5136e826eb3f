//! What all browsers of one audit share: the way to the application, the limits, and what must not be shown.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use sha2::Sha256;

use super::browser::Used;
use super::framework::Clues;
use super::journal::Journal;
use super::pace::{self, Pace};
use super::plan::Plan;
use super::transport::Transport;
use super::{AuditError, Place, chance};

/// After this many the account may be locked, and each further try would make it worse.
const MOST_FAILED_LOGINS: usize = 3;

pub(super) struct World {
    pub(super) base: Place,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) secrets: Secrets,
    pub(super) journal: Journal,
    pub(super) clues: Clues,
    /// Sent with every request, as a proxy in front of the application would.
    headers: HeaderMap,
    pace: Pace,
    /// Set once the application wants a longer pause than there is time for: nothing more is sent then.
    throttled: Mutex<Option<Duration>>,
    /// Logins in a row that should have worked and did not.
    failed_logins: AtomicUsize,
    /// Every browser in which somebody logged in.
    used: Mutex<Vec<Used>>,
    device_bound: AtomicBool,
    origins: BTreeSet<String>,
    sent: AtomicUsize,
    most: usize,
    start: Instant,
    within: Duration,
}

impl World {
    pub(super) fn new(
        base: Place,
        transport: Arc<dyn Transport>,
        plan: &Plan,
    ) -> Result<Self, AuditError> {
        let more_origins = &plan.more_origins;
        let origins = more_origins
            .iter()
            .chain([&base])
            .map(Place::origin)
            .collect();
        let mut headers = HeaderMap::new();
        for (name, value) in &plan.headers {
            let malformed = || AuditError::Config(format!("{name} makes no valid header"));
            let name = HeaderName::try_from(name.as_str()).map_err(|_| malformed())?;
            headers.insert(name, HeaderValue::from_str(value).map_err(|_| malformed())?);
        }
        Ok(Self {
            base,
            transport,
            headers,
            origins,
            most: plan.most_requests,
            within: plan.within,
            secrets: Secrets::new(),
            device_bound: AtomicBool::new(false),
            clues: Clues::default(),
            journal: Journal::new(plan.observer.clone()),
            pace: Pace::new(plan.delay),
            throttled: Mutex::default(),
            failed_logins: AtomicUsize::new(0),
            used: Mutex::default(),
            sent: AtomicUsize::new(0),
            start: Instant::now(),
        })
    }

    /// Adds the headers that every request has. What a step says itself stays.
    pub(super) fn add_headers(&self, request: &mut Request<Bytes>) {
        for (name, value) in &self.headers {
            if !request.headers().contains_key(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
    }

    pub(super) fn note_device_binding(&self) {
        self.device_bound.store(true, Ordering::Relaxed);
    }

    /// What is to be said of a server that offers to bind the session to the device.
    pub(super) fn device_binding(&self) -> Option<&'static str> {
        self.device_bound.load(Ordering::Relaxed).then_some(
            "the server offers to bind the session to the device (DBSC); the audit's browsers do not take part, \
             and judge the session as it is without",
        )
    }

    /// Only what the user named is ever called up.
    pub(super) fn allows(&self, place: &Place) -> bool {
        self.origins.contains(&place.origin())
    }

    /// Where a step goes. Paths start below the path of the base, where it has one; a path that is there already, and
    /// a whole address, stay as they are.
    pub(super) fn resolve(&self, target: &str) -> Option<Place> {
        let folder = self.base.path().trim_end_matches('/');
        let is_path = target.starts_with('/') && !target.starts_with("//");
        let is_below = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?', '#', ';']);
        if !is_path || folder.is_empty() || target.strip_prefix(folder).is_some_and(is_below) {
            return self.base.join(target);
        }
        self.base.join(&format!("{folder}{target}"))
    }

    /// Sends a request, at the pace that was set. Where the application asks for a pause, it gets one, and the request
    /// is made anew, for a one-time code in it may have run out.
    pub(super) async fn exchange(
        &self,
        make: impl Fn() -> Result<Request<Bytes>, AuditError>,
    ) -> Result<Response<Bytes>, AuditError> {
        let mut tried = 0;
        loop {
            let response = self.send(make()?).await?;
            let Some(pause) = pace::asked(response.status(), response.headers(), tried) else {
                return Ok(response);
            };
            tried += 1;
            if tried > pace::MOST_PAUSES || self.start.elapsed() + pause >= self.within {
                *self
                    .throttled
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some(pause);
                return Err(AuditError::Throttled(pause));
            }
            self.transport.wait(pause).await;
        }
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, AuditError> {
        let throttled = *self
            .throttled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(pause) = throttled {
            return Err(AuditError::Throttled(pause));
        }
        if self.start.elapsed() >= self.within {
            return Err(AuditError::TimeUp);
        }
        if self.sent.fetch_add(1, Ordering::Relaxed) >= self.most {
            return Err(AuditError::RequestsSpent(self.most));
        }
        let wait = self.pace.wait();
        if !wait.is_zero() {
            self.transport.wait(wait).await;
        }
        Ok(self.transport.send(request).await?)
    }

    /// Takes note of a login that should have worked. Says whether too many did not.
    pub(super) fn locked_out(&self, worked: bool) -> bool {
        if worked {
            self.failed_logins.store(0, Ordering::Relaxed);
            return false;
        }
        self.failed_logins.fetch_add(1, Ordering::Relaxed) + 1 >= MOST_FAILED_LOGINS
    }

    /// Remembers a browser in which somebody logs in, for the logout at the end.
    pub(super) fn note_user(&self, browser: Used) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.push(browser);
    }

    /// The browsers in which somebody logged in since the last call.
    pub(super) fn users(&self) -> Vec<Used> {
        std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn requests(&self) -> usize {
        self.sent.load(Ordering::Relaxed).min(self.most)
    }

    pub(super) fn took(&self) -> Duration {
        self.start.elapsed()
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// Credentials and tokens that went by. Reports show digests under a key that dies with the audit, so equal values can
/// be told from different ones and a short value cannot be found by trying.
pub(super) struct Secrets {
    key: [u8; 32],
    known: Mutex<BTreeSet<String>>,
    /// Secrets too plain to be looked for in our own sentences.
    plain: Mutex<BTreeSet<String>>,
}

impl Secrets {
    fn new() -> Self {
        Self {
            key: chance::bytes(),
            known: Mutex::default(),
            plain: Mutex::default(),
        }
    }

    pub(super) fn learn(&self, value: &[u8]) {
        // Nothing secret is put into a report to begin with. A short word as a password would only blot out the same
        // word in our own sentences, and so give itself away.
        let is_word = value.len() < 16 && value.iter().all(u8::is_ascii_alphabetic);
        let set = match value.len() {
            0 => return,
            6.. if !is_word => &self.known,
            _ => &self.plain,
        };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        set.insert(String::from_utf8_lossy(value).into_owned());
    }

    pub(super) fn show(&self, value: &[u8]) -> String {
        self.learn(value);
        format!("‹{} characters, {}›", value.len(), self.digest(value))
    }

    fn digest(&self, value: &[u8]) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return String::new();
        };
        mac.update(value);
        mac.finalize().into_bytes()[..4]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }

    /// What the application wrote: here short and plain secrets are left out too.
    pub(super) fn scrub_foreign(&self, text: &str) -> String {
        let mut text = self.scrub(text);
        let plain = self.plain.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in plain.iter().rev() {
            text = text.replace(secret.as_str(), "‹…›");
        }
        text
    }

    /// The last net: whatever known secret is in the text gives way to its digest.
    pub(super) fn scrub(&self, text: &str) -> String {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut longest_first: Vec<_> = known
            .iter()
            .filter(|secret| text.contains(*secret))
            .collect();
        longest_first.sort_by_key(|secret| usize::MAX - secret.len());
        let mut text = text.to_owned();
        for secret in longest_first {
            text = text.replace(
                secret.as_str(),
                &format!("‹{}›", self.digest(secret.as_bytes())),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn known_secrets_are_scrubbed_and_equal_ones_look_equal() {
        let secrets = Secrets::new();
        let shown = secrets.show(b"hunter2hunter2");
        assert_eq!(shown, secrets.show(b"hunter2hunter2"));
        assert_ne!(shown, Secrets::new().show(b"hunter2hunter2"));
        secrets.learn(b"hunter2");
        secrets.learn(b"guest");
        let text = secrets.scrub("a guest: a=hunter2hunter2 b=hunter2");
        assert!(text.starts_with("a guest"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
