//! [`SharedCacheWatch`]: tells where a handler lets shared caches keep a response that depended on a session.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::Uri;

use crate::session::time::Timestamp;

/// How many routes are told apart, and so how many events there may be in a minute.
const SLOTS: usize = 1 << u8::BITS;

const MINUTE_MILLIS: u64 = 60_000;

/// A route, as far as the watch tells them apart: by a hash of its path's length and last eight bytes.
///
/// Every request of a live session pays for it, so it takes one multiplication and no key. Paths that collide share
/// their minute, and nothing else comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route(u8);

impl Route {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn of(uri: &Uri) -> Self {
        let path = uri.path().as_bytes();
        let end = match path.last_chunk() {
            Some(end) => u64::from_le_bytes(*end),
            None => path.iter().fold(0, |end, byte| end << 8 | u64::from(*byte)),
        };
        let hash = (end ^ path.len() as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self((hash >> 56) as u8)
    }
}

/// When a route was last told of: at most once a minute.
#[derive(Debug)]
pub(crate) struct SharedCacheWatch(Box<[AtomicU64]>);

impl SharedCacheWatch {
    pub(crate) fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// Whether this route is to be told of now.
    pub(crate) fn tells(&self, route: Route, now: Timestamp) -> bool {
        let slot = &self.0[usize::from(route.0)];
        let (told, now) = (slot.load(Relaxed), now.as_unix_millis());
        // A clock that went back is no reason to keep silent.
        let is_due = told == 0 || now < told || now - told >= MINUTE_MILLIS;
        is_due && slot.compare_exchange(told, now, Relaxed, Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use http::Uri;

    use super::{Route, SharedCacheWatch};
    use crate::session::time::Timestamp;

    fn route(path: &'static str) -> Route {
        Route::of(&Uri::from_static(path))
    }

    /// R78: the query does not tell routes apart.
    #[test]
    fn a_route_is_told_of_once_a_minute() {
        let watch = SharedCacheWatch::new();
        let at = |seconds: u64| Timestamp::from_unix_seconds(1_800_000_000 + seconds);
        assert!(watch.tells(route("/style.css?v=1"), at(0)));
        assert!(!watch.tells(route("/style.css?v=2"), at(59)));
        assert!(watch.tells(route("/account/orders"), at(59)));
        assert!(watch.tells(route("/style.css"), at(60)));
        assert!(
            watch.tells(route("/style.css"), at(10)),
            "the clock went back"
        );
    }

    #[test]
    fn most_paths_are_told_apart() {
        let mut routes: Vec<_> = (0..100)
            .map(|number| Route::of(&format!("/orders/{number}").parse().unwrap()).0)
            .collect();
        routes.sort_unstable();
        routes.dedup();
        assert!(routes.len() > 70, "{}", routes.len());
    }
}
