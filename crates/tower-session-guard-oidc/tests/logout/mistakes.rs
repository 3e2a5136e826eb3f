//! What goes wrong around a logout: mistakes of a developer, and panics.

use std::io;

use tower_session_guard::{Endings, KeyRing, SessionLayer};
use tower_session_guard_oidc::{BackchannelLogout, ConfigError, LogoutFuture};

use crate::world::{CLIENT, ISSUER, World};

/// A panic of the application's code is a failure, and no answer that hangs.
#[tokio::test]
async fn a_panic_of_the_application_is_answered_with_503() {
    let world = World::new().with(|logout| {
        logout.with_subjects(|sub| async move {
            assert_ne!(sub, "alice", "the application panics");
            Ok::<_, io::Error>(None)
        })
    });
    let token = world.provider.token(&world.claims_with("sid", None));
    assert_eq!(world.status(&token).await, 503);
}

#[test]
fn what_was_left_empty_is_told_at_the_start() {
    let keys = || World::new().published.keys();
    let sessions =
        SessionLayer::self_contained(KeyRing::generate().unwrap(), Endings::this_process());
    let new = |issuer: &str, client: &str| {
        BackchannelLogout::new(issuer, client, keys(), sessions.sessions()).map(|_| ())
    };
    assert_eq!(new("", CLIENT), Err(ConfigError::NoIssuer));
    assert_eq!(new(ISSUER, ""), Err(ConfigError::NoClientId));
    let told = format!("{:?}", ConfigError::NoIssuer);
    assert!(told.contains("write the provider's"), "{told}");
}

/// The endpoint goes where services are cloned, shared and sent.
#[test]
fn the_endpoint_can_be_shared() {
    const fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<BackchannelLogout>();
    const fn sent<T: Send>() {}
    sent::<LogoutFuture>();
}
