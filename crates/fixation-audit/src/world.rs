//! What all browsers of one audit share: the way to the application, the limits, and what must not be shown.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use sha2::Sha256;

use super::plan::Plan;
use super::transport::Transport;
use super::{AuditError, Place, chance};

pub(super) struct World {
    pub(super) base: Place,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) secrets: Secrets,
    /// Sent with every request, as a proxy in front of the application would.
    headers: HeaderMap,
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

    /// Only what the user named is ever called up.
    pub(super) fn allows(&self, place: &Place) -> bool {
        self.origins.contains(&place.origin())
    }

    pub(super) async fn exchange(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, AuditError> {
        if self.start.elapsed() >= self.within {
            return Err(AuditError::TimeUp);
        }
        if self.sent.fetch_add(1, Ordering::Relaxed) >= self.most {
            return Err(AuditError::RequestsSpent(self.most));
        }
        Ok(self.transport.send(request).await?)
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
}

impl Secrets {
    fn new() -> Self {
        Self {
            key: chance::bytes(),
            known: Mutex::new(BTreeSet::new()),
        }
    }

    pub(super) fn learn(&self, value: &[u8]) {
        // Nothing secret is put into a report to begin with. A short word as a password would only blot out the same
        // word in our own sentences, and so give itself away.
        let is_word = value.len() < 16 && value.iter().all(u8::is_ascii_alphabetic);
        if value.len() >= 6 && !is_word {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.insert(String::from_utf8_lossy(value).into_owned());
        }
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
