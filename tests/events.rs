//! What an operator hears: by `tracing` and by an observer of one's own; and what nobody ever hears.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use axum::routing::post;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{
    AnyLayer, Client, Events, SESSION, Stop, app, both_modes, clock, keys, self_contained,
};
use tower_session_guard::{AuthenticatedSession, EventKind, SessionLayer, SessionPolicy, Severity};
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
    layer: AnyLayer,
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
    for layer in both_modes() {
        let log = &*LOG;
        let described = format!("{layer:?}");
        let tokens = everything(layer, &clock()).await;
        let told = log.text() + &described;
        assert!(
            told.contains("logged_in") && told.contains("superseded_token"),
            "{told}"
        );
        let tokens: Vec<_> = tokens
            .iter()
            .map(|token| (token, URL_SAFE_NO_PAD.decode(token).unwrap()))
            .collect();
        // The family that a self-contained token names is the id of the login's first token.
        let ids: Vec<_> = tokens.iter().map(|(_, bytes)| &bytes[4..20]).collect();
        let is_in_an_id = |bytes: &[u8]| {
            let mut ids = ids.iter();
            ids.any(|id| id.windows(bytes.len()).any(|part| part == bytes))
        };
        for (token, bytes) in &tokens {
            // Version, key id and session id may be told; what follows may not, in any spelling.
            for window in bytes[20..].windows(9).step_by(9) {
                if is_in_an_id(window) {
                    continue;
                }
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
    let client = Client::of(self_contained().with_clock(clock()));
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

/// S27: a subject with line breaks begins no line of the log, in whichever event it is.
#[tokio::test]
async fn a_subject_cannot_forge_a_line_of_the_log() {
    let log = &*LOG;
    for layer in both_modes() {
        let sessions = layer.sessions();
        let client = Client::of(layer.with_clock(clock()));
        for separator in ["%0A", "%0D%0A", "%0D", "%C2%85", "%E2%80%A8", "%1B[2K"] {
            let user = format!("eve{separator}forged_line%22%20kind=logged_in");
            let answer = client.mark(&format!("login:{user}"), &[]).await;
            let token = answer.cookie(SESSION).unwrap();
            let answer = client.mark("elevate", &[(SESSION, &token)]).await;
            let token = answer.cookie(SESSION).unwrap();
            client.mark("logout", &[(SESSION, &token)]).await;
        }
        sessions.end_all(&"eve\nforged_line".into()).await.unwrap();
    }
    let told = log.text();
    let separators = ['\n', '\r', '\u{85}', '\u{2028}'];
    let lines = told.split(separators);
    let forged: Vec<_> = lines.filter(|line| line.contains("forged_line")).collect();
    assert!(forged.len() >= 2 * (6 * 3 + 1), "{}", forged.len());
    for line in forged {
        assert!(line.contains("session event"), "{line}");
        assert!(line.contains("subject=eve"), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}

/// R90: where all sessions end but one, the log says which is left.
#[tokio::test]
async fn the_log_names_the_session_that_was_spared() {
    let log = &*LOG;
    let layer = SessionLayer::new(keys()).with_clock(clock());
    let sessions = layer.sessions();
    let end_others = post(async move |user: AuthenticatedSession| {
        sessions.end_others(&user).await.unwrap();
        user.id().to_string()
    });
    let routes = app(Stop::default()).route("/end-others", end_others);
    let client = Client::around(routes.layer(layer));
    let token = client.login("alice").await;
    let spared = client.post("/end-others", &[(SESSION, &token)]).await.body;
    let told = log.text();
    let mut lines = told.lines();
    let line = lines.find(|line| line.contains("other_sessions_revoked") && line.contains(&spared));
    let line = line.expect("it is told");
    assert!(line.contains(&format!("except={spared}")), "{line}");
    assert!(!line.contains("successor"), "{line}");
}

/// R90, R91: each cause has an event of its own, with who and which session.
#[tokio::test]
async fn every_event_names_its_session_and_subject() {
    let events = Events::default();
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_observer(events.clone())
        .with_policy(SessionPolicy::aal2());
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
    // A store cannot say why a session is gone; it timed out as a rule.
    assert_eq!(all[3].kind.severity(), Severity::Info);
}

/// R17: an ordinary read leaves no event.
#[tokio::test]
async fn an_ordinary_read_is_not_told() {
    let events = Events::default();
    for layer in both_modes() {
        let layer = layer.with_clock(clock()).with_observer(events.clone());
        let client = Client::of(layer);
        let token = client.login("alice").await;
        events.take();
        client.whoami(&[(SESSION, &token)]).await;
        client.mark("put:k:v", &[(SESSION, &token)]).await;
        assert_eq!(events.take(), []);
    }
}
