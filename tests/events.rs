//! What an operator hears: by `tracing` and by an observer of one's own; and what nobody ever hears.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{Client, Events, SESSION, clock, keys};
use tower_session_guard::{EventKind, MemoryStore, SessionLayer, SessionPolicy, Severity};
use tracing_subscriber::fmt::MakeWriter;

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
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

/// What this process tells at the most talkative level.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log
});

/// Walks through every kind of use and tells the tokens that were issued.
async fn everything(
    layer: SessionLayer,
    time: &tower_session_guard::testing::ManualClock,
) -> Vec<String> {
    let client = Client::of(layer.with_clock(time.clone()));
    let mut tokens = vec![client.guest().await];
    for marks in [
        "login:alice",
        "elevate",
        "renew",
        "put:k:v",
        "step-down",
        "login:bob",
    ] {
        let cookies: Vec<_> = match tokens.len() {
            1 => vec![(common::GUEST, tokens[0].clone())],
            _ => vec![(SESSION, tokens.last().unwrap().clone())],
        };
        let cookies: Vec<_> = cookies
            .iter()
            .map(|(name, value)| (*name, &**value))
            .collect();
        let answer = client.mark(marks, &cookies).await;
        tokens.extend(answer.cookie(SESSION));
    }
    for token in &tokens {
        let mut forged = token.clone();
        forged.replace_range(30..31, if &token[30..31] == "A" { "B" } else { "A" });
        for value in [token, &forged, "short"] {
            client.get("/whoami", &[(SESSION, value)]).await;
            client
                .post("/do?marks=login:carol&status=500", &[(SESSION, value)])
                .await;
        }
    }
    let last = tokens.last().unwrap();
    client.mark("logout", &[(SESSION, last)]).await;
    time.advance(Duration::from_secs(30 * 24 * 60 * 60));
    client.whoami(&[(SESSION, last)]).await;
    tokens
}

/// R31, invariant 10: at the most talkative level, in either mode.
#[tokio::test]
async fn no_token_secret_or_key_is_ever_told() {
    for stored in [false, true] {
        let log = &*LOG;
        let mut layer = SessionLayer::new(keys());
        if stored {
            layer = layer.with_store(MemoryStore::new());
        }
        let described = format!("{layer:?}");
        let tokens = everything(layer, &clock()).await;
        let told = log.text() + &described;
        assert!(
            told.contains("logged_in") && told.contains("superseded_token"),
            "{told}"
        );
        for token in tokens {
            // Version, key id and session id may be told; what follows may not, in any spelling.
            let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
            for window in bytes[20..].windows(9).step_by(9) {
                let base64 = URL_SAFE_NO_PAD.encode(window);
                let hex: String = window.iter().map(|byte| format!("{byte:02x}")).collect();
                let list = format!("{window:?}");
                let list = list.trim_matches(['[', ']']);
                for spelling in [&*base64, &hex, list] {
                    assert!(!told.contains(spelling), "{spelling}");
                }
            }
            assert!(!told.contains(&token[token.len() - 40..]));
        }
        assert!(!told.contains("unguessable"));
    }
}

/// What anybody can cause with a made-up cookie does not fill the log.
#[tokio::test]
async fn a_flood_of_forged_cookies_is_told_at_the_debug_level_only() {
    let log = &*LOG;
    let client = Client::of(SessionLayer::new(keys()).with_clock(clock()));
    let token = client.login("alice").await;
    let forged = token.replace(&token[40..], &"A".repeat(token.len() - 40));
    client.whoami(&[(SESSION, &forged)]).await;
    client.whoami(&[(SESSION, "junk")]).await;
    client.mark("logout", &[(SESSION, &token)]).await;
    client.whoami(&[(SESSION, &token)]).await;
    let told = log.text();
    for (kind, level) in [
        ("token_forged", "DEBUG"),
        ("token_malformed", "DEBUG"),
        ("logged_in", "INFO"),
        ("revoked_token", "WARN"),
    ] {
        let kind = format!("kind=\"{kind}\"");
        let mut lines = told.lines().filter(|line| line.contains(&kind)).peekable();
        assert!(lines.peek().is_some(), "{kind}");
        assert!(lines.all(|line| line.contains(level)), "{kind}");
    }
}

/// R90, R91: each cause has an event of its own, with who and which session.
#[tokio::test]
async fn every_event_names_its_session_and_subject() {
    let events = Events::default();
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_observer(events.clone())
        .with_policy(SessionPolicy::aal2())
        .with_store(MemoryStore::new());
    let client = Client::of(layer);
    let guest = client.guest().await;
    let answer = client.mark("login:alice", &[(common::GUEST, &guest)]).await;
    let token = answer.cookie(SESSION).unwrap();
    client.mark("logout", &[(SESSION, &token)]).await;
    client.whoami(&[(SESSION, &token)]).await;
    let all = events.all();
    let kinds: Vec<_> = all.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [
            EventKind::Created,
            EventKind::LoggedIn,
            EventKind::LoggedOut,
            EventKind::UnknownSession
        ]
    );
    assert_eq!(all[0].session, all[1].session);
    assert_eq!(all[1].successor, all[2].session);
    assert_eq!(all[2].session, all[3].session);
    for event in &all[1..3] {
        assert_eq!(event.subject.as_ref().unwrap().as_str(), "alice");
    }
    assert_eq!(all[3].kind.severity(), Severity::Warning);
}

/// R17: an ordinary read leaves no event.
#[tokio::test]
async fn an_ordinary_read_is_not_told() {
    let events = Events::default();
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_observer(events.clone());
    for layer in [layer.clone(), layer.with_store(MemoryStore::new())] {
        let client = Client::of(layer);
        let token = client.login("alice").await;
        events.take();
        client.whoami(&[(SESSION, &token)]).await;
        client.mark("put:k:v", &[(SESSION, &token)]).await;
        assert_eq!(events.take(), []);
    }
}
