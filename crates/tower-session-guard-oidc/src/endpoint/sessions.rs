//! [`EndSessions`]: what a [`Sessions`] of any kind can end.

use std::{future::Future, pin::Pin};

use tower_session_guard::{SessionError, Sessions, Subject};

/// How many sessions ended, if anybody counts.
type Ended<'a> = Pin<Box<dyn Future<Output = Result<Option<usize>, SessionError>> + Send + 'a>>;

/// What a [`Sessions`] of any kind can end.
pub(super) trait EndSessions: Send + Sync {
    fn end_tagged<'a>(&'a self, tag: &'a str) -> Ended<'a>;

    fn end_all<'a>(&'a self, subject: &'a Subject) -> Ended<'a>;
}

impl<K> EndSessions for Sessions<K>
where
    K: 'static,
{
    fn end_tagged<'a>(&'a self, tag: &'a str) -> Ended<'a> {
        Box::pin(self.end_tagged(tag))
    }

    fn end_all<'a>(&'a self, subject: &'a Subject) -> Ended<'a> {
        Box::pin(self.end_all(subject))
    }
}
