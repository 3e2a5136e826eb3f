//! What Firestore's errors mean to a store.

use std::{error::Error, time::Duration};

use tonic::{Code, Status};
use tower_session_guard::store::{StoreError, StoreErrorKind};

/// How often a request is sent again whose connection broke: the channel may take a moment to notice.
pub(super) const RECONNECTIONS: u32 = 2;

/// Waits before a request is sent again.
pub(super) async fn reconnecting(time: u32) {
    tokio::time::sleep(Duration::from_millis(20) * time).await;
}

/// Whether the connection broke, as an idle one may have done long before it is used. What was asked may
/// have been done.
pub(super) fn is_lost_connection(status: &Status) -> bool {
    let source = status.source();
    status.code() == Code::Unavailable
        || source.is_some_and(<dyn Error>::is::<tonic::transport::Error>)
}

/// Whether Firestore gave a write up in favour of another one. It was not done.
pub(super) fn is_contention(code: i32) -> bool {
    code == Code::Aborted as i32
}

pub(super) fn failure(status: Status) -> StoreError {
    let kind = kind_of(status.code());
    StoreError::with_source(kind, status)
}

fn kind_of(code: Code) -> StoreErrorKind {
    match code {
        Code::DeadlineExceeded => StoreErrorKind::Timeout,
        // No such database, no permission, a document beyond Firestore's limits.
        Code::NotFound
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::InvalidArgument
        | Code::FailedPrecondition
        | Code::Unimplemented => StoreErrorKind::Unsupported,
        _ => StoreErrorKind::Unavailable,
    }
}
