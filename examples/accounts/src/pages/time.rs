//! How far away a moment is, in words.

use std::fmt;

use tower_session_guard::{AuthenticatedSession, Timestamp};

/// "just now", "in 5 minutes", "3 days ago".
pub(crate) fn away(now: Timestamp, then: Timestamp) -> String {
    let (distance, future) = (now.since(then).max(then.since(now)), then > now);
    let words = match words(distance.as_secs()) {
        None if future => return "in less than a minute".to_owned(),
        None => return "just now".to_owned(),
        Some(words) => words,
    };
    if future {
        format!("in {words}")
    } else {
        format!("{words} ago")
    }
}

/// "5 minutes", unless it is less than one.
pub(crate) fn words(seconds: u64) -> Option<String> {
    // To the nearest unit: half an hour less a second is half an hour.
    let rounded = |unit: u64| (seconds + unit / 2) / unit;
    let (count, unit) = match seconds {
        0..60 => return None,
        60..3570 => (rounded(60), "minute"),
        3570..84_600 => (rounded(3600), "hour"),
        _ => (rounded(86_400), "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    Some(format!("{count} {unit}{plural}"))
}

/// How long a session lasts from this request on, if it is the last one.
pub(crate) struct Left {
    now: Timestamp,
    ends: Timestamp,
    /// Whether it ends then however much it is used.
    pub(crate) at_the_latest: bool,
}

impl Left {
    pub(crate) fn of(user: &AuthenticatedSession, now: Timestamp) -> Self {
        let last = user.expires_at();
        let idle = user.idle_expires_at().map(|idle| {
            // It counts from the request before; this one begins it anew.
            now.after(idle.since(user.last_seen_at()))
        });
        Self::until(now, last, idle)
    }

    /// The same for a request that is no use of the session.
    pub(crate) fn in_passing(user: &AuthenticatedSession, now: Timestamp) -> Self {
        Self::until(now, user.expires_at(), user.idle_expires_at())
    }

    fn until(now: Timestamp, last: Timestamp, idle: Option<Timestamp>) -> Self {
        let ends = idle.map_or(last, |idle| idle.min(last));
        let at_the_latest = ends == last;
        Self {
            now,
            ends,
            at_the_latest,
        }
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.ends.since(self.now).as_secs()
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&away(self.now, self.ends))?;
        if self.seconds() < 86_400 {
            let minute = self.ends.as_unix_seconds() / 60;
            write!(f, ", at {:02}:{:02} UTC", minute / 60 % 24, minute % 60)?;
        }
        Ok(())
    }
}
