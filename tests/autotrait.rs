//! What can be sent, shared and unwound across: part of the public promise.

use tower_session_guard as guard;

fn is_thread_safe<T: Send + Sync + 'static>() {}
fn is_clone<T: Clone>() {}
fn is_unpin<T: Unpin>() {}

#[test]
fn public_types_cross_threads() {
    is_thread_safe::<guard::KeyRing>();
    is_thread_safe::<guard::CookiePolicy>();
    is_thread_safe::<guard::SessionPolicy>();
    is_thread_safe::<guard::SessionLayer>();
    is_thread_safe::<guard::SessionLayer<guard::EmptyFailure, guard::SelfContained>>();
    is_thread_safe::<guard::SessionLayer<guard::EmptyFailure, guard::AnyBackend>>();
    is_thread_safe::<guard::Sessions>();
    is_thread_safe::<guard::Sessions<guard::SelfContained>>();
    is_thread_safe::<guard::Sessions<guard::AnyBackend>>();
    is_thread_safe::<guard::Endings>();
    is_thread_safe::<guard::SessionService<()>>();
    is_thread_safe::<guard::Session>();
    is_thread_safe::<guard::AuthenticatedSession>();
    is_thread_safe::<guard::DataKey<std::rc::Rc<()>>>();
    is_thread_safe::<guard::MemoryStore>();
    is_thread_safe::<guard::Sweeper>();
    is_thread_safe::<guard::SweepTask>();
    is_thread_safe::<guard::SweepStats>();
    is_thread_safe::<guard::store::revocation::MemoryRevocations>();
    is_thread_safe::<guard::Record>();
    is_thread_safe::<guard::store::RecordHead>();
    is_thread_safe::<guard::Claim>();
    is_thread_safe::<guard::SessionEvent>();
    is_thread_safe::<guard::ConfigError>();
    is_thread_safe::<guard::SessionError>();
    is_thread_safe::<guard::store::StoreError>();
    is_thread_safe::<guard::DataError>();
}

#[test]
fn handles_are_cheap_to_clone() {
    is_clone::<guard::KeyRing>();
    is_clone::<guard::SessionLayer>();
    is_clone::<guard::SessionLayer<guard::EmptyFailure, guard::SelfContained>>();
    is_clone::<guard::Sessions>();
    is_clone::<guard::Sessions<guard::AnyBackend>>();
    is_clone::<guard::Session>();
    is_clone::<guard::MemoryStore>();
    is_clone::<guard::Sweeper>();
    is_clone::<guard::SweepStats>();
}

#[test]
fn the_response_future_is_nameable_and_send() {
    use axum::{Router, body::Body};
    fn is_send<T: Send>() {}
    is_send::<guard::ResponseFuture<Router, Body, guard::EmptyFailure>>();
    is_unpin::<guard::SessionService<Router>>();
}
