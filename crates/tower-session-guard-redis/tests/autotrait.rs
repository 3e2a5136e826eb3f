//! What can be sent and shared between threads: part of the public promise.

use tower_session_guard_redis::{RedisRevocations, RedisStore};

#[test]
fn public_types_cross_threads_and_are_cheap_to_clone() {
    fn is_a_handle<T: Clone + Send + Sync + 'static>() {}
    is_a_handle::<RedisStore>();
    is_a_handle::<RedisRevocations>();
}
