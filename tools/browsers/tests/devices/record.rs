//! What the server saw, in the order in which it answered, and as a transcript.

use std::{
    env, fmt, fs,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;

/// A request as the server received it, and its answer.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Since the server's start.
    came: Duration,
    pub took: Duration,
    method: String,
    pub host: String,
    pub path: String,
    /// `Sec-Fetch-Site`.
    pub from: String,
    /// The names of the cookies that came.
    pub cookies: Vec<String>,
    /// `Sec-Secure-Session-Id` came, as it does with a refresh.
    is_identified: bool,
    /// `Secure-Session-Response` came.
    pub is_proved: bool,
    pub status: u16,
    /// The names of the cookies that were set, and those that were removed with a minus before.
    pub sets: Vec<String>,
    /// `Secure-Session-Registration` went out.
    pub offers: bool,
    /// `Secure-Session-Challenge` went out.
    pub challenges: bool,
}

/// What a server has answered so far.
#[derive(Clone, Debug)]
pub struct Record {
    start: Instant,
    /// In unix time.
    started_at: Duration,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Record {
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            started_at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap(),
            seen: Arc::default(),
        }
    }

    pub fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Writes the transcript into the folder that `DEVICE_TRANSCRIPTS` names, if it does: what the server saw, and what
    /// the browser tells.
    pub fn write(&self, name: &str, told: &[Told]) {
        let Some(folder) = env::var_os("DEVICE_TRANSCRIPTS") else {
            return;
        };
        let seen = self.all().into_iter();
        let mut lines: Vec<_> = seen.map(|seen| (seen.came, seen.to_string())).collect();
        let since = |told: &Told| told.at.saturating_sub(self.started_at);
        lines.extend(told.iter().map(|told| (since(told), told.to_string())));
        lines.sort();
        let line = |(at, line)| {
            let at: Duration = at;
            format!("{:>6} ms  {line}\n", at.as_millis())
        };
        let lines: String = lines.into_iter().map(line).collect();
        fs::create_dir_all(&folder).unwrap();
        fs::write(Path::new(&folder).join(format!("{name}.txt")), lines).unwrap();
    }
}

/// What the browser tells of its bindings.
#[derive(Clone, Debug)]
pub struct Told {
    /// In unix time.
    at: Duration,
    /// Such as `refresh`.
    event: &'static str,
    result: String,
}

impl Told {
    /// None for an event of another kind.
    pub fn of((at, event): &(u64, Value)) -> Option<Self> {
        let kinds = [
            ("creation", "fetchResult"),
            ("challenge", "challengeResult"),
            ("refresh", "refreshResult"),
            ("termination", "deletionReason"),
        ];
        kinds.into_iter().find_map(|(kind, key)| {
            let result = event.get(format!("{kind}EventDetails"))?[key].as_str()?;
            Some(Self {
                at: Duration::from_millis(*at),
                event: kind,
                result: result.to_owned(),
            })
        })
    }

    /// What it is, such as `refresh Refreshed`, unless it is of a challenge, of which Chromium tells in two ways.
    pub fn outcome(&self) -> Option<String> {
        (self.event != "challenge").then(|| format!("{} {}", self.event, self.result))
    }
}

pub async fn record(State(record): State<Record>, request: Request, next: Next) -> Response {
    if request.uri().path() == "/favicon.ico" {
        return next.run(request).await;
    }
    let (came, asked) = (Instant::now(), request.headers());
    let host = request.uri().host().map(str::to_owned);
    let mut seen = Seen {
        came: came - record.start,
        took: Duration::ZERO,
        method: request.method().to_string(),
        host: host.unwrap_or_else(|| text(asked, "host")),
        path: request.uri().path().to_owned(),
        from: text(asked, "sec-fetch-site"),
        cookies: names(asked),
        is_identified: asked.contains_key("sec-secure-session-id"),
        is_proved: asked.contains_key("secure-session-response"),
        status: 0,
        sets: Vec::new(),
        offers: false,
        challenges: false,
    };
    let response = next.run(request).await;
    let told = response.headers();
    seen.took = came.elapsed();
    seen.status = response.status().as_u16();
    seen.sets = told.get_all(header::SET_COOKIE).iter().map(set).collect();
    seen.offers = told.contains_key("secure-session-registration");
    seen.challenges = told.contains_key("secure-session-challenge");
    record.seen.lock().unwrap().push(seen);
    response
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(|value| value.to_str().unwrap());
    value.unwrap_or_default().to_owned()
}

fn names(headers: &HeaderMap) -> Vec<String> {
    let fields = headers.get_all(header::COOKIE).iter();
    let pairs = fields.flat_map(|field| field.to_str().unwrap().split("; "));
    let names = pairs.filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
    names.collect()
}

fn set(field: &HeaderValue) -> String {
    let field = field.to_str().unwrap();
    let name = field.split('=').next().unwrap();
    if field.ends_with("Max-Age=0") {
        format!("-{name}")
    } else {
        name.to_owned()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "    Chromium: {} {}", self.event, self.result)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        let took = self.took.as_secs_f64() * 1000.0;
        let (method, host, path, from) = (&self.method, &self.host, &self.path, &self.from);
        write!(f, "{method} {host}{path} ({from})")?;
        write!(f, " cookies: {}", list(&self.cookies))?;
        for (came, name) in [
            (self.is_identified, "identifier"),
            (self.is_proved, "proof"),
        ] {
            if came {
                write!(f, ", {name}")?;
            }
        }
        write!(f, " -> {} in {took:.1} ms", self.status)?;
        if !self.sets.is_empty() {
            write!(f, " sets: {}", list(&self.sets))?;
        }
        for (told, name) in [(self.offers, "offer"), (self.challenges, "challenge")] {
            if told {
                write!(f, ", {name}")?;
            }
        }
        Ok(())
    }
}
