//! Requests that overlap: each interleaving is forced by a stop in the handler.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::Duration;

use axum::routing::post;
use common::{Answer, Client, Events, GUEST, SESSION, Stop, app, both_modes, clock, keys};
use tower_session_guard::{
    AssuranceLevel, EventKind, Login, MemoryStore, Session, SessionLayer, SessionPolicy,
};

/// A client, and the stop at which its `stop=…` requests wait.
fn clients(events: &Events) -> [(Client, Stop); 2] {
    both_modes().map(|layer| {
        let layer = layer.with_clock(clock()).with_observer(events.clone());
        let stop = Stop::default();
        (Client::with_stop(layer, stop.clone()), stop)
    })
}

/// Sends `slow`, which is admitted and then waits; sends `meanwhile`; lets the first go on.
async fn overlap(
    (client, stop): &(Client, Stop),
    slow: &str,
    meanwhile: &str,
    cookies: &[(&str, &str)],
) -> (Answer, Answer) {
    let slow = format!("/do?stop=before&marks={slow}");
    let slow = client.post(&slow, cookies);
    let rest = async {
        stop.reached.notified().await;
        let answer = client.mark(meanwhile, cookies).await;
        stop.go_on.notify_one();
        answer
    };
    tokio::join!(slow, rest)
}

/// R15, A23: a late answer never puts an older cookie back.
#[tokio::test]
async fn a_late_anonymous_answer_does_not_touch_the_session_cookie() {
    for both in clients(&Events::default()) {
        let guest = both.0.guest().await;
        for slow in ["", "put:k:late", "remove:k", "renew"] {
            let (late, login) = overlap(&both, slow, "login:alice", &[(GUEST, &guest)]).await;
            assert!(login.cookie(SESSION).is_some());
            assert_eq!(late.cookie(SESSION), None, "{slow}");
        }
    }
}

/// R16, A24: what a slow request writes after the logout brings nothing back.
#[tokio::test]
async fn a_write_after_a_logout_revives_nothing() {
    let events = Events::default();
    for both in clients(&events) {
        for slow in ["put:k:late", "renew", "step-down", "remove:k,put:k:late"] {
            let token = both.0.login("alice").await;
            let cookies = [(SESSION, &*token)];
            events.take();
            let (late, _) = overlap(&both, slow, "logout", &cookies).await;
            assert_eq!(late.status, 200);
            assert!(late.sets_nothing(), "{slow}");
            assert_eq!(both.0.whoami(&cookies).await, "nobody", "{slow}");
        }
        assert!(events.take().contains(&EventKind::ResurrectionBlocked));
        // What would have brought it back is told, so that an attack shows; what lowers is no attack.
        for (slow, blocked) in [
            ("put:k:late", true),
            ("renew", true),
            ("step-down,put:k:late", true),
            ("step-down", false),
        ] {
            let token = both.0.login("alice").await;
            events.take();
            overlap(&both, slow, "logout", &[(SESSION, &token)]).await;
            let told = events.take().contains(&EventKind::ResurrectionBlocked);
            assert_eq!(told, blocked, "{slow}");
        }
    }
}

/// R15: a request with a retired token writes nothing, whatever dead token of a guest came beside it.
#[tokio::test]
async fn a_dead_guest_token_beside_a_retired_one_opens_no_way_to_write() {
    let events = Events::default();
    for (client, _) in clients(&events) {
        let guest = client.guest().await;
        client.mark("logout", &[(GUEST, &guest)]).await;
        let old = client.login("alice").await;
        client.mark("elevate", &[(SESSION, &old)]).await;
        events.take();
        let cookies = [(SESSION, &*old), (GUEST, &*guest)];
        let answer = client.mark("put:k:v", &cookies).await;
        assert!(answer.sets_nothing());
        let told = events.take();
        assert!(told.contains(&EventKind::SupersededToken), "{told:?}");
        assert!(
            told.contains(&EventKind::RetiredTokenDataDropped),
            "{told:?}"
        );
    }
}

/// Design 5: an elevation of a session that ended meanwhile, or that another request rotated, is 401.
#[tokio::test]
async fn an_elevation_that_lost_its_session_is_refused() {
    let events = Events::default();
    for both in clients(&events) {
        for meanwhile in ["logout", "elevate", "login:bob", "step-down"] {
            let token = both.0.login("alice").await;
            let cookies = [(SESSION, &*token)];
            events.take();
            let (late, won) = overlap(&both, "elevate", meanwhile, &cookies).await;
            assert_eq!(
                (late.status.as_u16(), &*late.body),
                (401, ""),
                "{meanwhile}"
            );
            assert!(late.sets_nothing(), "{meanwhile}");
            assert!(events.take().contains(&EventKind::ElevationRefused));
            assert_eq!(won.status, 200);
        }
    }
}

/// Design 5: data marked while another request elevates is not lost (with a store).
#[tokio::test]
async fn a_write_under_way_while_another_request_elevates_is_kept() {
    let [_, both] = clients(&Events::default());
    let token = both.0.login("alice").await;
    let (late, won) = overlap(&both, "put:k:late", "elevate", &[(SESSION, &token)]).await;
    assert!(late.sets_nothing());
    let elevated = won.cookie(SESSION).unwrap();
    let read = both.0.get("/get?k=k", &[(SESSION, &elevated)]).await;
    assert_eq!(read.body, "late");
}

/// R11, A25: of many elevations of one token, one wins and its successor is the only one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_parallel_elevations_one_wins() {
    for (client, _) in clients(&Events::default()) {
        let token = client.login("alice").await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (client, token) = (client.clone(), token.clone());
            tasks.spawn(async move { client.mark("elevate", &[(SESSION, &token)]).await });
        }
        let answers = tasks.join_all().await;
        let mut live = 0;
        for answer in answers {
            if let Some(token) = answer.cookie(SESSION) {
                assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@2");
                live += 1;
            } else {
                assert!(
                    answer.status == 401 || answer.body == "nobody",
                    "{answer:?}"
                );
            }
        }
        assert_eq!(live, 1);
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");
    }
}

/// R11: each of many logins with one guest token gets a session of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_logins_get_distinct_sessions() {
    for (client, _) in clients(&Events::default()) {
        let guest = client.guest().await;
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (client, guest) = (client.clone(), guest.clone());
            tasks.spawn(async move { client.mark("login:alice", &[(GUEST, &guest)]).await });
        }
        let answers = tasks.join_all().await;
        let tokens: std::collections::HashSet<_> = answers
            .iter()
            .map(|answer| answer.cookie(SESSION).unwrap()[..30].to_owned())
            .collect();
        assert_eq!(tokens.len(), 50);
        assert_eq!(client.get("/get?k=k", &[(GUEST, &guest)]).await.body, "");
    }
}

/// R11: writes to different keys are all kept (with a store).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_writes_to_different_keys_are_all_kept() {
    let [_, (client, _)] = clients(&Events::default());
    let token = client.login("alice").await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (client, token) = (client.clone(), token.clone());
        tasks.spawn(async move {
            let answer = client
                .mark(&format!("put:k{n}:v"), &[(SESSION, &token)])
                .await;
            assert_eq!(answer.status, 200);
        });
    }
    tasks.join_all().await;
    for n in 0..16 {
        let read = client
            .get(&format!("/get?k=k{n}"), &[(SESSION, &token)])
            .await;
        assert_eq!(read.body, "v");
    }
}

/// Invariant 6, R05: a request that was under way when its session's token was replaced reads the guest
/// session that came beside it, may end it, and writes nothing into it.
#[tokio::test]
async fn beside_a_retired_token_a_guest_session_is_only_read_or_ended() {
    let events = Events::default();
    for (client, _) in clients(&events) {
        let retired = client.login("alice").await;
        client.mark("elevate", &[(SESSION, &retired)]).await;
        let guest = client.guest().await;
        let both = [(SESSION, &*retired), (GUEST, &*guest)];
        for marks in ["put:k:private", "renew", "remove:k"] {
            events.take();
            let answer = client.mark(marks, &both).await;
            assert!(answer.sets_nothing(), "{marks}");
            assert!(events.take().len() > 1, "{marks}");
            let kept = client.get("/get?k=k", &[(GUEST, &guest)]).await;
            assert_eq!(kept.body, "planted", "{marks}");
        }
        for marks in ["logout", "logout,put:k:afterwards"] {
            let retired = client.login("alice").await;
            client.mark("elevate", &[(SESSION, &retired)]).await;
            let guest = client.guest().await;
            let both = [(SESSION, &*retired), (GUEST, &*guest)];
            let answer = client.mark(marks, &both).await;
            assert_eq!(answer.cookie(GUEST).as_deref(), Some(""), "{marks}");
            assert_eq!(answer.cookie(SESSION).as_deref(), Some(""), "{marks}");
            let ended = client.get("/get?k=k", &[(GUEST, &guest)]).await;
            assert_eq!(ended.body, "", "{marks}");
        }
    }
}

/// R64: a write that comes first must not bring back the level of a remembered session that lapsed.
#[tokio::test]
async fn a_lapsed_session_stays_lowered_though_an_older_request_writes_first() {
    let (clock, stop) = (clock(), Stop::default());
    let policy = SessionPolicy::aal2().remember_for(Duration::from_secs(30 * 86_400));
    let layer = SessionLayer::new(keys())
        .with_store(MemoryStore::new())
        .with_clock(clock.clone())
        .with_policy(policy.unwrap());
    let remember = post(async |session: Session| {
        let login = Login::new("alice").at_level(AssuranceLevel::AAL2);
        session.login(login.remembered());
    });
    let app = app(stop.clone()).route("/remember", remember);
    let client = Client::around(app.layer(layer));
    let token = client.post("/remember", &[]).await.cookie(SESSION).unwrap();
    let cookies = [(SESSION, &*token)];
    clock.advance(Duration::from_secs(3500));
    // Admitted before the idle timeout; the use that it notes counts from then.
    let older = async {
        let answer = client.post("/do?stop=before&marks=", &cookies).await;
        assert_eq!(answer.body, "alice@2");
        stop.go_on.notify_one();
    };
    let newer = async {
        stop.reached.notified().await;
        clock.advance(Duration::from_secs(3600));
        let release = async {
            stop.reached.notified().await;
            stop.go_on.notify_one();
        };
        let write = client.post("/do?stop=before&marks=put:k:v", &cookies);
        let (answer, ()) = tokio::join!(write, release);
        assert_eq!(answer.body, "alice@1");
    };
    tokio::join!(older, newer);
    assert_eq!(client.get("/get?k=k", &cookies).await.body, "v");
    assert_eq!(client.whoami(&cookies).await, "alice@1");
}
