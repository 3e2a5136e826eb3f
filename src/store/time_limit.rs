//! A time limit for the calls of a networked store: a slow server then fails a request instead of
//! holding it up.

use std::{future::Future, time::Duration};

use super::{StoreError, StoreErrorKind};

/// The limit that the networked stores of this project begin with: two seconds.
pub const DEFAULT: Duration = Duration::from_secs(2);

/// Runs `operation` for at most `limit`, and drops it then.
///
/// A write that ran out of time may have been carried out all the same, so a store must not report it as
/// not done. A limit of zero polls the operation once.
///
/// # Errors
///
/// [`StoreErrorKind::Timeout`] once `limit` has passed, or the error of the operation.
///
/// # Panics
///
/// If the future is polled outside a Tokio runtime whose timers are enabled.
///
/// # Examples
///
/// ```
/// use std::{future, time::Duration};
/// use tower_session_guard::store::{StoreError, StoreErrorKind, time_limit};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let limit = Duration::from_millis(20);
/// let answer = async { Ok::<_, StoreError>("found") };
/// assert_eq!(time_limit::within(limit, answer).await.unwrap(), "found");
///
/// let silent = future::pending::<Result<(), StoreError>>();
/// let error = time_limit::within(limit, silent).await.unwrap_err();
/// assert_eq!(error.kind(), StoreErrorKind::Timeout);
/// # }
/// ```
pub async fn within<T>(
    limit: Duration,
    operation: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(limit, operation).await {
        Ok(result) => result,
        Err(_) => Err(StoreError::new(StoreErrorKind::Timeout)),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future,
        sync::{Arc, Weak},
        time::Duration,
    };

    use super::within;
    use crate::store::{StoreError, StoreErrorKind};

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_is_dropped_and_reported() {
        let limit = Duration::from_secs(1);
        let held = Arc::new(());
        let alive: Weak<()> = Arc::downgrade(&held);
        let silent = async move {
            let _held = held;
            future::pending::<Result<(), StoreError>>().await
        };
        let error = within(limit, silent).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
        assert!(alive.upgrade().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_or_an_error_in_time_comes_through() {
        let limit = Duration::from_secs(1);
        assert_eq!(within(limit, async { Ok(7) }).await.unwrap(), 7);
        let full = async { Err::<(), _>(StoreError::new(StoreErrorKind::Full)) };
        let error = within(limit, full).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Full);
    }
}
