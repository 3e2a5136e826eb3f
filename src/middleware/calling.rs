//! [`call`]: the call of the inner service, which may panic before there is a future.

use std::sync::Arc;

use super::{
    context::{Conclusion, RequestContext},
    future::detach,
    shared::Shared,
};
use crate::session::decide::Outcome;

/// Calls the inner service. If that panics, what it marked that lowers privilege is carried out all the same.
pub(super) fn call<T>(
    context: &mut RequestContext,
    shared: &Arc<Shared>,
    inner: impl FnOnce() -> T,
) -> T {
    let mut unanswered = Unanswered {
        context,
        shared,
        returned: false,
    };
    let handler = inner();
    unanswered.returned = true;
    handler
}

struct Unanswered<'a> {
    context: &'a mut RequestContext,
    shared: &'a Arc<Shared>,
    returned: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if !self.returned
            && let Conclusion::Later(settling) =
                self.context.conclude(self.shared, Outcome::Dropped)
        {
            detach(settling);
        }
    }
}
