//! What an operator hears. The log of the process is that of this one test.

#[path = "signer/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]
mod signer;
#[path = "logout/world.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]
mod world;

use std::{
    fmt::Write,
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::fmt::MakeWriter;
use world::{CLIENT, ISSUER, SID, World};

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
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone());
    subscriber.with_ansi(false).init();
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
