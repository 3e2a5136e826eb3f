//! A time limit for every call to a networked store, so that a slow server fails a request instead of
//! holding it.

use std::{future::Future, time::Duration};

use super::{StoreError, StoreErrorKind};

/// The limit that networked stores begin with.
pub(super) const DEFAULT: Duration = Duration::from_secs(2);

/// What `operation` comes to, or [`StoreErrorKind::Timeout`] once `limit` has passed.
///
/// A write that timed out may have been carried out all the same.
pub(super) async fn within<T>(
    limit: Duration,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, operation).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::new(StoreErrorKind::Timeout)),
    }
}
