//! What an error of the client means for a store.

use redis::{ErrorKind, RedisError};
use tower_session_guard::store::{StoreError, StoreErrorKind};

/// The error of a store, for one of the client.
pub(super) fn store_error(error: RedisError) -> StoreError {
    let kind = match error.code() {
        Some("OOM") => StoreErrorKind::Full,
        Some("WRONGTYPE") => StoreErrorKind::Corrupt,
        Some("CROSSSLOT" | "NOPERM") => StoreErrorKind::Unsupported,
        _ if error.is_timeout() => StoreErrorKind::Timeout,
        _ if error.kind() == ErrorKind::UnexpectedReturnType => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::with_source(kind, error)
}
