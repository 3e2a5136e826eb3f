//! What Firestore's errors mean to a store.

use std::{error::Error, time::Duration};

use tonic::{Code, Status};
use tower_session_guard::store::{StoreError, StoreErrorKind};

/// How often a request is sent again whose connection broke: the channel may take a moment to notice.
const RECONNECTIONS: u32 = 2;

/// Sends a request, and again if the connection broke: for one that may be carried out twice.
pub(super) async fn resending<T, F>(send: impl Fn() -> F) -> Result<Result<T, Status>, StoreError>
where
    F: Future<Output = Result<Result<T, Status>, StoreError>>,
{
    for time in 1..=RECONNECTIONS {
        match send().await? {
            Err(status) if is_lost_connection(&status) => {
                tokio::time::sleep(Duration::from_millis(20) * time).await;
            }
            answer => return Ok(answer),
        }
    }
    send().await
}

/// Whether the connection broke, as an idle one may have done long before it is used. What was asked may
/// have been done.
fn is_lost_connection(status: &Status) -> bool {
    let source = status.source();
    status.code() == Code::Unavailable
        || source.is_some_and(<dyn Error>::is::<tonic::transport::Error>)
}

/// Whether Firestore gave a write up in favour of another one. It was not done.
pub(super) fn is_contention(code: i32) -> bool {
    code == Code::Aborted as i32
}

/// Whether a write's precondition did not hold, or another write went first.
pub(super) fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::FailedPrecondition | Code::NotFound | Code::AlreadyExists | Code::Aborted
    )
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_request_is_sent_three_times_at_most_and_only_where_the_connection_broke() {
        for (code, times) in [
            (Code::Unavailable, 3),
            (Code::Aborted, 1),
            (Code::FailedPrecondition, 1),
            (Code::DeadlineExceeded, 1),
        ] {
            let sent = Cell::new(0);
            let send = || {
                sent.set(sent.get() + 1);
                async { Ok(Err::<(), _>(Status::new(code, ""))) }
            };
            let status = resending(send).await.unwrap().unwrap_err();
            assert_eq!((status.code(), sent.get()), (code, times));
        }
    }

    #[test]
    fn a_refused_precondition_is_no_failure_and_a_failure_has_its_kind() {
        for (code, refusal, kind) in [
            (Code::FailedPrecondition, true, StoreErrorKind::Unsupported),
            (Code::NotFound, true, StoreErrorKind::Unsupported),
            (Code::AlreadyExists, true, StoreErrorKind::Unavailable),
            (Code::Aborted, true, StoreErrorKind::Unavailable),
            (Code::DeadlineExceeded, false, StoreErrorKind::Timeout),
            (Code::PermissionDenied, false, StoreErrorKind::Unsupported),
            (Code::InvalidArgument, false, StoreErrorKind::Unsupported),
            (Code::ResourceExhausted, false, StoreErrorKind::Unavailable),
            (Code::Internal, false, StoreErrorKind::Unavailable),
        ] {
            let status = Status::new(code, "");
            assert_eq!(is_refusal(&status), refusal, "{code:?}");
            assert_eq!(failure(status).kind(), kind, "{code:?}");
        }
    }
}
