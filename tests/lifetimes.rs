//! Idle, absolute, elevation and preset limits, on a manual clock, in both modes.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::Duration;

use axum::{
    Router,
    routing::{get, post},
};
use common::{Client, Events, GUEST, SESSION, both_modes, clock, keys, now};
use tower_session_guard::{
    AuthenticatedSession, CookiePolicy, EventKind, Login, Session, SessionLayer, SessionPolicy,
    testing::ManualClock,
};

fn clients(policy: &SessionPolicy, events: &Events) -> [(Client, ManualClock); 2] {
    both_modes().map(|layer| {
        let time = clock();
        let layer = layer
            .with_clock(time.clone())
            .with_observer(events.clone())
            .with_policy(policy.clone());
        (Client::of(layer), time)
    })
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The token that a request leaves the browser with.
async fn visit(client: &Client, token: String) -> String {
    let answer = client.get("/whoami", &[(SESSION, &token)]).await;
    assert_eq!(answer.body, "alice@1");
    answer.cookie(SESSION).unwrap_or(token)
}

/// R60.
#[tokio::test]
async fn a_session_that_is_not_used_ends_at_the_idle_timeout() {
    let events = Events::default();
    let policy = SessionPolicy::aal2().idle(seconds(600)).unwrap();
    for (client, time) in clients(&policy, &events) {
        let token = client.login("alice").await;
        time.advance(seconds(599));
        let token = visit(&client, token).await;
        time.advance(seconds(599));
        let token = visit(&client, token).await;
        time.advance(seconds(600));
        events.take();
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");
        let told = events.take();
        // A store may have dropped the record by itself.
        assert!(
            told == [EventKind::ExpiredIdle] || told == [EventKind::UnknownSession],
            "{told:?}"
        );
    }
}

/// R60: the touch is written once per interval, and a session ends at most one interval early.
#[tokio::test]
async fn the_idle_touch_is_throttled_within_its_stated_bound() {
    let policy = SessionPolicy::aal2().idle(seconds(600)).unwrap();
    let interval = policy.touch_interval().unwrap();
    assert_eq!(interval, Duration::from_millis(37_500));
    for (client, time) in clients(&policy, &Events::default()) {
        let token = client.login("alice").await;
        time.advance(interval - Duration::from_millis(1));
        assert!(
            client
                .get("/whoami", &[(SESSION, &token)])
                .await
                .sets_nothing()
        );
        // Used just before the interval was over: the session ends that much early, not later.
        time.advance(seconds(600) - interval);
        let token = visit(&client, token).await;
        time.advance(seconds(600));
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");
    }
}

/// R61: nothing but a login moves the absolute limit.
#[tokio::test]
async fn the_absolute_limit_is_moved_by_a_login_only() {
    let events = Events::default();
    let policy = SessionPolicy::aal2()
        .absolute(seconds(1000))
        .unwrap()
        .without_idle();
    for (client, time) in clients(&policy, &events) {
        for (marks, alive) in [
            ("put:k:v", false),
            ("renew", false),
            ("elevate", false),
            ("step-down", false),
            ("login:alice", true),
        ] {
            let token = client.login("alice").await;
            time.advance(seconds(999));
            let answer = client.mark(marks, &[(SESSION, &token)]).await;
            let token = answer.cookie(SESSION).unwrap_or(token);
            time.advance(seconds(1));
            let who = client.whoami(&[(SESSION, &token)]).await;
            assert_eq!(who != "nobody", alive, "{marks}");
            time.advance(seconds(998));
            let who = client.whoami(&[(SESSION, &token)]).await;
            assert_eq!(who != "nobody", alive, "{marks}");
        }
    }
}

/// R64.
#[tokio::test]
async fn an_elevation_for_a_time_falls_back_by_itself() {
    let policy = SessionPolicy::aal2();
    for (client, time) in clients(&policy, &Events::default()) {
        let token = client.login("alice").await;
        let answer = client.mark("elevate:300", &[(SESSION, &token)]).await;
        let token = answer.cookie(SESSION).unwrap();
        time.advance(seconds(299));
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@2");
        time.advance(seconds(1));
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@1");
    }
}

/// R63, R92: the presets are what the sources say and what the table in the docs says.
#[test]
fn the_presets_are_those_of_the_standards() {
    let docs = include_str!("../src/session/policy.rs");
    for (policy, idle, absolute, row) in [
        (
            SessionPolicy::aal1(),
            None,
            30 * 24 * 60,
            "| none | 30 days |",
        ),
        (
            SessionPolicy::aal2(),
            Some(60),
            24 * 60,
            "| 1 hour | 24 hours |",
        ),
        (
            SessionPolicy::aal3(),
            Some(15),
            12 * 60,
            "| 15 minutes | 12 hours |",
        ),
        (
            SessionPolicy::high_value(),
            Some(5),
            8 * 60,
            "| 5 minutes | 8 hours |",
        ),
    ] {
        assert_eq!(policy.idle_timeout(), idle.map(|m| seconds(m * 60)));
        assert_eq!(policy.absolute_timeout(), seconds(absolute * 60));
        assert!(docs.contains(row), "{row}");
    }
    assert_eq!(SessionPolicy::default(), SessionPolicy::aal2());
}

/// R92: what was set can be read, and taken back.
#[test]
fn a_policy_tells_its_limits() {
    let plain = SessionPolicy::aal2();
    assert_eq!(plain.remembered_timeout(), None);
    let set = plain.clone().remember_for(seconds(86_400 * 30)).unwrap();
    assert_eq!(set.remembered_timeout(), Some(seconds(86_400 * 30)));
    let renewing = SessionPolicy::high_value()
        .renew_every(seconds(60))
        .unwrap();
    assert_eq!(renewing.without_renewal(), SessionPolicy::high_value());
}

/// A limit that cannot work is refused when the policy is built.
#[test]
fn a_limit_outside_its_range_is_a_config_error() {
    for time in [
        Duration::ZERO,
        Duration::from_millis(999),
        SessionPolicy::MAX_ABSOLUTE + seconds(1),
    ] {
        assert!(SessionPolicy::aal2().idle(time).is_err());
        assert!(SessionPolicy::aal2().absolute(time).is_err());
        assert!(SessionPolicy::aal2().renew_every(time).is_err());
        assert!(SessionPolicy::aal2().remember_for(time).is_err());
    }
    assert!(SessionPolicy::aal2().grace(seconds(301)).is_err());
    assert!(SessionPolicy::aal2().grace(seconds(300)).is_ok());
    assert!(SessionPolicy::aal2().grace(Duration::ZERO).is_ok());
}

/// R24, S03, S09: a session from a server whose clock runs ahead is taken within a minute's difference, to the edge.
#[tokio::test]
async fn a_clock_that_runs_a_little_behind_takes_the_others_tokens() {
    for (ahead, who) in [(59_000, "alice@1"), (60_000, "alice@1"), (60_001, "nobody")] {
        for (client, time) in clients(&SessionPolicy::aal2(), &Events::default()) {
            time.advance(Duration::from_millis(ahead));
            let token = client.login("alice").await;
            time.set(now(&clock()));
            assert_eq!(client.whoami(&[(SESSION, &token)]).await, who, "{ahead}");
        }
    }
}

/// R65: what the store has not cleared away yet is expired all the same.
#[tokio::test]
async fn an_expired_guest_session_gives_nothing() {
    let policy = SessionPolicy::aal2().idle(seconds(60)).unwrap();
    for (client, time) in clients(&policy, &Events::default()) {
        let guest = client.guest().await;
        time.advance(seconds(60));
        assert_eq!(client.get("/get?k=k", &[(GUEST, &guest)]).await.body, "");
    }
}

/// R60, R61: a remembered login that asked for limits keeps to them, and its idle timer is kept as exactly as they need.
#[tokio::test]
async fn a_remembered_login_keeps_to_the_limits_that_it_asked_for() {
    async fn login(session: Session) {
        let login = Login::new("alice").remembered();
        session.login(login.idle(seconds(120)).absolute(seconds(1000)));
    }
    async fn whoami(session: Session) -> String {
        common::whoami(&session)
    }
    for layer in both_modes() {
        let time = clock();
        let policy = SessionPolicy::aal2()
            .remember_for(seconds(86_400 * 30))
            .unwrap();
        let layer = layer.with_clock(time.clone()).with_policy(policy);
        let app = Router::new().route("/login", post(login));
        let client = Client::around(app.route("/whoami", get(whoami)).layer(layer));
        for (step, uses) in [(112, 8), (120, 0)] {
            let mut token = client.post("/login", &[]).await.cookie(SESSION).unwrap();
            // A touch is due after a sixteenth of two minutes.
            for _ in 0..uses {
                time.advance(seconds(8));
                token = visit(&client, token).await;
                time.advance(seconds(step));
                token = visit(&client, token).await;
            }
            time.advance(seconds(if uses == 0 { step } else { 40 }));
            assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");
        }
    }
}

/// R46: without a wish to be remembered the cookie ends with the browser.
#[tokio::test]
async fn a_cookie_is_kept_only_where_the_login_asked_for_it() {
    let policy = SessionPolicy::aal2();
    for (client, _) in clients(&policy, &Events::default()) {
        let answer = client.mark("login:alice", &[]).await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        let attributes = cookie.split_once(';').unwrap().1;
        assert_eq!(attributes, " Path=/; Secure; HttpOnly; SameSite=Lax");
    }
}

/// R47: leaving `Secure` out takes the one constructor that is named for it.
#[tokio::test]
async fn only_the_development_cookies_are_not_secure() {
    let cookies = CookiePolicy::plain_http_for_development();
    let name = cookies.session_name().to_string();
    let client = Client::of(SessionLayer::new(keys()).with_cookies(cookies));
    let answer = client.mark("login:alice", &[]).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.starts_with(&name) && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert!(!name.starts_with("__"));
}

/// R92: what an account page says of a session is what the policy will do.
#[tokio::test]
async fn a_session_tells_when_it_began_and_when_it_ends() {
    for layer in both_modes() {
        let time = clock();
        let layer = layer.with_clock(time.clone());
        let (began, ends) = (now(&time), now(&time).after(seconds(24 * 3600)));
        let account = move |user: AuthenticatedSession| async move {
            assert_eq!(user.created_at(), began);
            assert_eq!(user.authenticated_at(), began);
            assert_eq!(user.expires_at(), ends);
            assert_eq!(user.age_of_proof(), seconds(100));
            format!("{user:?}")
        };
        let login = |session: Session| async move { session.login("alice") };
        let app = Router::new().route("/account", get(account));
        let client = Client::around(app.route("/login", post(login)).layer(layer));
        let token = client.post("/login", &[]).await.cookie(SESSION).unwrap();
        time.advance(seconds(100));
        let printed = client.get("/account", &[(SESSION, &token)]).await.body;
        // R31: it prints who, and nothing that a thief could present.
        assert!(printed.contains("alice"), "{printed}");
        assert!(!printed.contains(&token), "{printed}");
    }
}
