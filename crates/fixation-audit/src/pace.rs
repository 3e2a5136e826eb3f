//! How fast requests follow each other, and what to do when the application asks for a pause.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, StatusCode, header};

use super::jar;

/// How often one request is sent again after a pause.
pub(super) const MOST_PAUSES: u32 = 5;

/// Keeps requests apart.
pub(super) struct Pace {
    delay: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(delay: Duration) -> Self {
        Self {
            delay,
            next: Mutex::new(Instant::now()),
        }
    }

    /// Takes the next free moment, and says how far away it is.
    pub(super) fn wait(&self) -> Duration {
        if self.delay.is_zero() {
            return Duration::ZERO;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let mine = (*next).max(now);
        *next = mine + self.delay;
        mine - now
    }
}

/// The pause that an answer asks for: 429 always does, 503 where it says how long.
///
/// Without a `Retry-After` that can be read, a second, then two, four and so on.
pub(super) fn asked(status: StatusCode, headers: &HeaderMap, tried: u32) -> Option<Duration> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let told = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| read(value.to_str().ok()?.trim(), now.as_secs()));
    match status {
        StatusCode::TOO_MANY_REQUESTS => {
            let own = Duration::from_secs(1 << tried.min(6));
            // A server that says "0" and refuses all the same is not asked in a tight loop.
            Some(told.unwrap_or(own).max(Duration::from_millis(250)))
        }
        StatusCode::SERVICE_UNAVAILABLE => told,
        _ => None,
    }
}

/// Seconds, or a date.
fn read(text: &str, now: u64) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jar::date(text)?;
    let ahead = u64::try_from(date).unwrap_or(0).saturating_sub(now);
    Some(Duration::from_secs(ahead))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderMap, StatusCode, header};

    use super::{Pace, asked, read};

    #[track_caller]
    fn check(status: u16, field: Option<&str>, tried: u32, expected: Option<u64>) {
        let mut headers = HeaderMap::new();
        if let Some(field) = field {
            headers.insert(header::RETRY_AFTER, field.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let millis = expected.map(Duration::from_millis);
        assert_eq!(asked(status, &headers, tried), millis);
    }

    #[test]
    fn pauses_are_as_long_as_the_application_says() {
        check(429, Some("7"), 0, Some(7_000));
        check(429, Some("0"), 0, Some(250));
        check(429, None, 0, Some(1_000));
        check(429, Some("soon"), 2, Some(4_000));
        check(503, Some("2"), 0, Some(2_000));
        check(503, None, 0, None);
        check(403, Some("2"), 0, None);
    }

    #[test]
    fn a_date_is_read_too() {
        let date = "Thu, 01 Jan 1970 00:01:40 GMT";
        assert_eq!(read(date, 90), Some(Duration::from_secs(10)));
        assert_eq!(read(date, 200), Some(Duration::ZERO));
    }

    #[test]
    fn requests_are_kept_apart() {
        let pace = Pace::new(Duration::from_secs(5));
        assert_eq!(pace.wait(), Duration::ZERO);
        assert!(pace.wait() > Duration::from_secs(4));
        assert!(pace.wait() > Duration::from_secs(9));
        assert_eq!(Pace::new(Duration::ZERO).wait(), Duration::ZERO);
    }
}
