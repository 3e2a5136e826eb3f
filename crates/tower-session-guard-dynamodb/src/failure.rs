//! What DynamoDB's errors mean to a store.

use std::{error::Error, time::Duration};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
};
use tower_session_guard::store::{StoreError, StoreErrorKind};

/// How often a write is tried that another one on the same item kept from being done.
const ATTEMPTS: u32 = 4;

/// Sends a request, and again after a moment if a transaction on the same item was under way. Nothing was
/// written then, so trying again is safe.
pub(super) async fn attempt<T, E, F>(send: impl Fn() -> F) -> Result<T, SdkError<E>>
where
    E: ProvideErrorMetadata + Conflicts,
    F: Future<Output = Result<T, SdkError<E>>>,
{
    let mut attempts = 1;
    loop {
        match send().await {
            Err(SdkError::ServiceError(refused))
                if attempts < ATTEMPTS && refused.err().is_conflict() =>
            {
                tokio::time::sleep(Duration::from_millis(20) * attempts).await;
                attempts += 1;
            }
            result => return result,
        }
    }
}

/// Tells whether a write was kept back by another one that ran at the same moment.
pub(super) trait Conflicts: ProvideErrorMetadata {
    fn is_conflict(&self) -> bool {
        self.code() == Some("TransactionConflictException")
    }
}

impl Conflicts for aws_sdk_dynamodb::operation::put_item::PutItemError {}
impl Conflicts for aws_sdk_dynamodb::operation::update_item::UpdateItemError {}
impl Conflicts for aws_sdk_dynamodb::operation::delete_item::DeleteItemError {}

impl Conflicts for TransactWriteItemsError {
    fn is_conflict(&self) -> bool {
        let Self::TransactionCanceledException(canceled) = self else {
            return false;
        };
        let mut reasons = canceled.cancellation_reasons().iter();
        reasons.any(|reason| reason.code() == Some("TransactionConflict"))
    }
}

pub(super) fn failure<E>(error: SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let kind = match &error {
        SdkError::TimeoutError(_) => StoreErrorKind::Timeout,
        SdkError::ConstructionFailure(_) => StoreErrorKind::Unsupported,
        SdkError::ServiceError(refused) => kind_of(refused.err().code()),
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::with_source(kind, error)
}

fn kind_of(code: Option<&str>) -> StoreErrorKind {
    match code {
        // No such table, no permission, or an item beyond DynamoDB's limits.
        Some("ResourceNotFoundException" | "AccessDeniedException" | "ValidationException") => {
            StoreErrorKind::Unsupported
        }
        _ => StoreErrorKind::Unavailable,
    }
}
