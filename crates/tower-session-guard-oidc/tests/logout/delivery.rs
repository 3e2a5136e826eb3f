//! What an operator hears, and what goes wrong around a logout.

use std::{
    fmt::Write,
    io,
    sync::{Arc, Mutex},
};

use tower_session_guard::{Endings, KeyRing, SessionLayer};
use tower_session_guard_oidc::{BackchannelLogout, ConfigError};
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{CLIENT, ISSUER, SID, World};

/// The lines of the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// R31, R57: each request leaves a line of its kind, with nothing of the token in it.
#[tokio::test]
async fn every_logout_and_every_refusal_is_told_without_the_token() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false);
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let world = World::new();
    world.login("alice", SID).await;
    log.take();
    let without = |name| world.provider.token(&world.claims_with(name, None));
    let accepted = world.token();
    let rows = [
        (accepted.clone(), r#"kind="logged_out" by="sid" ended=1"#),
        (without("sid"), r#"kind="logged_out" by="sub" ended=0"#),
        (accepted, r#"kind="refused" reason="replayed""#),
        (without("jti"), r#"kind="refused" reason="token_id""#),
        (without("events"), r#"kind="refused" reason="events""#),
        ("junk".to_owned(), r#"kind="refused" reason="malformed""#),
    ];
    let mut all = String::new();
    for (token, expected) in rows {
        world.status(&token).await;
        let told = log.take();
        let own: Vec<_> = told
            .lines()
            .filter(|line| line.contains("tower_session_guard_oidc"))
            .collect();
        assert!(
            own.len() == 1 && own[0].contains(expected),
            "{expected}: {told}"
        );
        write!(all, "{told}").unwrap();
    }
    world.fail("write", 1);
    assert_eq!(world.status(&world.token()).await, 503);
    let told = log.take();
    assert!(told.contains(r#"ERROR tower_session_guard_oidc"#), "{told}");
    assert!(told.contains(r#"kind="failed" reason="store""#), "{told}");
    all += &told;
    for secret in [SID, "token-", "alice", "eyJ", CLIENT] {
        let own = all
            .lines()
            .filter(|line| line.contains("tower_session_guard_oidc"));
        assert!(
            own.clone().all(|line| !line.contains(secret)),
            "{secret}: {all}"
        );
    }
    let printed = format!("{:?}", world.logout);
    assert!(
        printed.contains(ISSUER) && !printed.contains("token-"),
        "{printed}"
    );
}

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
    sent::<tower_session_guard_oidc::LogoutFuture>();
}
