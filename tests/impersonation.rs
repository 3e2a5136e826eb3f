//! Acting as another subject, and the way back.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    extract::Path,
    http::StatusCode,
    routing::{get, post},
};
use common::{
    Answer, AnyLayer, Client, Events, GUEST, SESSION, Stop, app, both_modes, both_modes_under,
    clock, keys,
};
use tower_session_guard::{
    AnyBackend, AtLimit, AuthenticatedSession, DataKey, EndCause, Ended, EventKind, Impersonation,
    KeyRing, Session, SessionLayer, Sessions, Subject, testing::ManualClock,
};

struct Site {
    client: Client,
    stop: Stop,
    clock: ManualClock,
    events: Events,
    sessions: Sessions<AnyBackend>,
    /// What the last request to `/follow` waits for.
    followed: Arc<Mutex<Option<Ended>>>,
}

/// `bob@1 by alice +300`: who it is, who acts, and how old the proof is.
async fn seen(user: AuthenticatedSession) -> String {
    let actor = user.actor().map_or("-", Subject::as_str);
    let age = user.age_of_proof().as_secs();
    format!("{}@{} by {actor} +{age}", user.subject(), user.level())
}

async fn act(Path((who, seconds)): Path<(String, u64)>, session: Session) -> String {
    session.impersonate(Impersonation::of(who).lasting(Duration::from_secs(seconds)));
    session
        .actor()
        .map_or("-".to_owned(), |actor| actor.to_string())
}

async fn back(session: Session) -> String {
    session.end_impersonation();
    session
        .actor()
        .map_or("-".to_owned(), |actor| actor.to_string())
}

/// Puts a value of this length in, or answers 413.
async fn fill(Path(len): Path<usize>, session: Session) -> StatusCode {
    const K: DataKey<String> = DataKey::new("k");
    match session.insert(&K, &"x".repeat(len)) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
    }
}

impl Site {
    fn each() -> [Self; 2] {
        both_modes().map(Self::of)
    }

    fn of(layer: AnyLayer) -> Self {
        let (clock, events, stop) = (clock(), Events::default(), Stop::default());
        let layer = layer
            .with_clock(clock.clone())
            .with_observer(events.clone());
        let sessions = layer.sessions();
        let followed = Arc::new(Mutex::new(None));
        let follows = Arc::clone(&followed);
        let follow = async move |user: AuthenticatedSession| {
            *follows.lock().unwrap() = Some(user.ended());
        };
        let routes = app(stop.clone())
            .route("/follow", get(follow))
            .route("/seen", get(seen))
            .route("/act/{who}/{seconds}", post(act))
            .route("/back", post(back))
            .route("/fill/{len}", post(fill));
        Self {
            client: Client::around(routes.layer(layer)),
            stop,
            clock,
            events,
            sessions,
            followed,
        }
    }

    async fn seen(&self, token: &str) -> String {
        let answer = self.client.get("/seen", &[(SESSION, token)]).await;
        match answer.status.as_u16() {
            200 => answer.body,
            status => status.to_string(),
        }
    }

    /// Waits for the end of a token's session.
    async fn follow(&self, token: &str) -> Ended {
        self.client.get("/follow", &[(SESSION, token)]).await;
        self.followed.lock().unwrap().take().unwrap()
    }

    /// The token after a request that changes it.
    async fn next(&self, path: &str, token: &str) -> String {
        let answer = self.client.post(path, &[(SESSION, token)]).await;
        assert_eq!(answer.status, 200, "{path}");
        answer.cookie(SESSION).unwrap()
    }

    /// Sends `slow`, which is admitted and then waits for what comes meanwhile.
    async fn overlap(&self, slow: &str, token: &str, meanwhile: impl Future) -> Answer {
        let path = format!("/do?stop=before&marks={slow}");
        let cookies = [(SESSION, token)];
        let rest = async {
            self.stop.reached.notified().await;
            meanwhile.await;
            self.events.take();
            self.stop.go_on.notify_one();
        };
        tokio::join!(self.client.post(&path, &cookies), rest).0
    }

    async fn mark(&self, marks: &str, token: &str) -> String {
        let answer = self.client.mark(marks, &[(SESSION, token)]).await;
        assert_eq!(answer.status, 200, "{marks}");
        answer.cookie(SESSION).unwrap_or(token.to_owned())
    }
}

#[tokio::test]
async fn an_actor_acts_as_another_and_returns() {
    for site in Site::each() {
        let token = site.client.login("alice").await;
        let token = site.mark("elevate,put:list:mine", &token).await;
        site.clock.advance(Duration::from_secs(300));
        site.events.take();
        let acting = site.next("/act/bob/600", &token).await;
        let told = site.events.all();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].kind, EventKind::ImpersonationBegan);
        assert_eq!(told[0].subject, Some("bob".into()));
        assert_eq!(told[0].actor, Some("alice".into()));
        assert_eq!(site.seen(&acting).await, "bob@2 by alice +300");
        assert_eq!(site.seen(&token).await, "401", "the token before is dead");
        let read = site.client.get("/get?k=list", &[(SESSION, &acting)]).await;
        assert_eq!(read.body, "", "nobody sees the actor's data");
        // Nothing raises the actor meanwhile.
        let acting = site.mark("elevate,put:list:theirs", &acting).await;
        assert_eq!(site.seen(&acting).await, "bob@2 by alice +0");
        site.events.take();
        let token = site.next("/back", &acting).await;
        let told = site.events.all();
        assert_eq!(told[0].kind, EventKind::ImpersonationEnded);
        assert_eq!(
            (&told[0].subject, &told[0].actor),
            (&Some("bob".into()), &Some("alice".into()))
        );
        assert_eq!(site.seen(&token).await, "alice@2 by - +300");
        assert_eq!(site.seen(&acting).await, "401");
        let read = site.client.get("/get?k=list", &[(SESSION, &token)]).await;
        assert_eq!(read.body, "mine");
    }
}

/// The level is never above the actor's, whatever the application verifies while acting.
#[tokio::test]
async fn nobody_is_raised_by_acting() {
    for site in Site::each() {
        let token = site.client.login("alice").await;
        let acting = site.next("/act/bob/600", &token).await;
        let acting = site.mark("elevate", &acting).await;
        assert_eq!(site.seen(&acting).await, "bob@1 by alice +0");
        site.clock.advance(Duration::from_secs(60));
        let token = site.next("/back", &acting).await;
        assert_eq!(site.seen(&token).await, "alice@1 by - +60");
    }
}

#[tokio::test]
async fn an_impersonation_ends_with_its_time() {
    for site in Site::each() {
        let token = site.client.login("alice").await;
        let acting = site.next("/act/bob/60", &token).await;
        site.clock.advance(Duration::from_secs(59));
        assert_eq!(site.seen(&acting).await, "bob@1 by alice +59");
        site.clock.advance(Duration::from_secs(1));
        assert_eq!(site.seen(&acting).await, "401");
        let answer = site.client.post("/back", &[(SESSION, &acting)]).await;
        assert!(answer.cookie(SESSION).is_none_or(|value| value.is_empty()));
    }
}

#[tokio::test]
async fn nobody_acts_twice_over_and_nobody_returns_from_nothing() {
    for site in Site::each() {
        site.events.take();
        for path in ["/act/bob/60", "/back"] {
            site.client.post(path, &[]).await;
            assert_eq!(
                site.events.take(),
                [EventKind::ImpersonationRefused],
                "{path}"
            );
        }
        let token = site.client.login("alice").await;
        site.events.take();
        let answer = site.client.post("/back", &[(SESSION, &token)]).await;
        assert!(answer.sets_nothing());
        let acting = site.next("/act/bob/60", &token).await;
        let answer = site
            .client
            .post("/act/carol/60", &[(SESSION, &acting)])
            .await;
        assert!(answer.sets_nothing());
        assert_eq!(site.seen(&acting).await, "bob@1 by alice +0");
    }
}

/// What ends everything of the actor ends it, and so does what ends everything of the other.
#[tokio::test]
async fn whoever_is_ended_the_impersonation_ends() {
    for who in ["alice", "bob"] {
        for site in Site::each() {
            let token = site.client.login("alice").await;
            let acting = site.next("/act/bob/600", &token).await;
            site.sessions.end_all(&who.into()).await.unwrap();
            assert_eq!(site.seen(&acting).await, "401", "{who}");
            let answer = site.client.post("/back", &[(SESSION, &acting)]).await;
            assert!(answer.cookie(SESSION).is_none_or(|value| value.is_empty()));
        }
    }
}

/// It takes no place among the other's sessions, and none of theirs ends for it; a list of either has it.
#[tokio::test]
async fn an_impersonation_counts_for_nobody() {
    let layer = SessionLayer::new(keys()).max_sessions(1, AtLimit::EndOldest);
    let site = Site::of(layer.unwrap().into_any());
    let bob = site.client.login("bob").await;
    let alice = site.client.login("alice").await;
    let acting = site.next("/act/bob/600", &alice).await;
    assert_eq!(site.seen(&bob).await, "bob@1 by - +0");
    let again = site.client.login("bob").await;
    assert_eq!(site.seen(&bob).await, "401", "bob's own older one");
    assert_eq!(site.seen(&acting).await, "bob@1 by alice +0");
    let sessions = site.sessions.in_store().unwrap();
    for (who, count) in [("alice", 1), ("bob", 2)] {
        let listed = sessions.list(&who.into()).await.unwrap();
        assert_eq!(listed.len(), count, "{who}");
        let acted = listed
            .iter()
            .filter_map(|one| one.details.as_ref()?.actor.as_ref());
        assert_eq!(acted.collect::<Vec<_>>(), [&Subject::from("alice")]);
    }
    let back = site.next("/back", &acting).await;
    assert_eq!(site.seen(&back).await, "alice@1 by - +0");
    assert_eq!(site.seen(&again).await, "bob@1 by - +0");
}

/// What of the actor's level has a time keeps it, and nothing that is proved while acting outlasts it.
#[tokio::test]
async fn nobody_acts_above_the_actor_at_any_time() {
    for site in Site::each() {
        let token = site.client.login("alice").await;
        let token = site.mark("elevate:60", &token).await;
        let acting = site.mark("act:bob", &token).await;
        assert_eq!(site.seen(&acting).await, "bob@2 by alice +0");
        let acting = site.mark("elevate", &acting).await;
        site.clock.advance(Duration::from_secs(59));
        assert_eq!(site.seen(&acting).await, "bob@2 by alice +59");
        site.clock.advance(Duration::from_secs(1));
        assert_eq!(site.seen(&acting).await, "bob@1 by alice +60");
        let acting = site.mark("elevate", &acting).await;
        assert_eq!(site.seen(&acting).await, "bob@1 by alice +0");
        // A step-down while acting is the session's; the return restores what is left of the actor's.
        let acting = site.mark("step-down", &acting).await;
        let token = site.mark("return", &acting).await;
        assert_eq!(site.seen(&token).await, "alice@1 by - +60");
    }
}

/// A login while acting is nobody's act: the actor is gone, and so is what was written.
#[tokio::test]
async fn a_login_while_acting_begins_anew() {
    for user in ["alice", "bob", "carol"] {
        for site in Site::each() {
            let token = site.client.login("alice").await;
            let token = site.mark("put:k:mine", &token).await;
            let acting = site.mark("act:bob,put:k:planted", &token).await;
            site.events.take();
            let own = site.mark(&format!("login:{user}"), &acting).await;
            let told = site.events.all();
            assert_eq!(told[0].kind, EventKind::SubjectSwitched);
            assert_eq!(
                (&told[0].subject, &told[0].actor),
                (&Some(user.into()), &None)
            );
            assert_eq!(site.seen(&own).await, format!("{user}@1 by - +0"));
            let read = site.client.get("/get?k=k", &[(SESSION, &own)]).await;
            assert_eq!(read.body, "", "{user}");
            assert_eq!(site.seen(&acting).await, "401");
            let answer = site.client.mark("return", &[(SESSION, &own)]).await;
            assert!(answer.sets_nothing());
        }
    }
}

/// Of what changes a session at the same time one comes first; what ended or was lowered comes back by no return.
#[tokio::test]
async fn of_what_happens_at_the_same_time_one_wins() {
    // Whether the session before is one in which somebody acts, what comes late, and what comes first.
    for (acts, slow, meanwhile) in [
        (false, "act:bob", "logout"),
        (false, "act:bob", "elevate"),
        (false, "act:bob", "step-down"),
        (false, "act:bob", "act:carol"),
        (false, "act:bob", "login:alice"),
        (true, "return", "logout"),
        (true, "return", "return"),
        (true, "return", "step-down"),
        (true, "return", "login:bob"),
    ] {
        for site in Site::each() {
            let mut token = site
                .mark("elevate", &site.client.login("alice").await)
                .await;
            if acts {
                token = site.mark("act:bob", &token).await;
            }
            let cookies = [(SESSION, &*token)];
            let mut won = None;
            let first = async { won = Some(site.client.mark(meanwhile, &cookies).await) };
            let late = site.overlap(slow, &token, first).await;
            assert_eq!(late.status, 401, "{slow} after {meanwhile}");
            assert!(late.sets_nothing(), "{slow} after {meanwhile}");
            assert_eq!(site.events.take(), [EventKind::ImpersonationRefused]);
            let won = won.unwrap().cookie(SESSION).unwrap();
            let seen = site.seen(&won).await;
            assert_eq!(
                seen == "401",
                meanwhile == "logout",
                "{slow} after {meanwhile}"
            );
        }
    }
}

/// What others write meanwhile takes nothing from it, and a renewal neither.
#[tokio::test]
async fn a_write_or_a_renewal_meanwhile_is_no_obstacle() {
    for meanwhile in ["put:k:v", "renew"] {
        for site in Site::each() {
            let is_stored = site.sessions.in_store().is_some();
            let token = site.client.login("alice").await;
            let cookies = [(SESSION, &*token)];
            let first = site.client.mark(meanwhile, &cookies);
            let late = site.overlap("act:bob", &token, first).await;
            assert_eq!(late.status, 200, "{meanwhile}");
            let token = site.mark("return", &late.cookie(SESSION).unwrap()).await;
            let read = site.client.get("/get?k=k", &[(SESSION, &token)]).await;
            if meanwhile == "put:k:v" && is_stored {
                assert_eq!(read.body, "v", "a store loses no write");
            }
            assert_eq!(site.seen(&token).await, "alice@1 by - +0");
        }
    }
}

/// What is ended while an impersonation or a return is under way stays ended, whoever it was.
#[tokio::test]
async fn an_ending_meanwhile_comes_first() {
    for (acts, slow) in [(false, "act:bob"), (true, "return")] {
        for who in ["alice", "bob"] {
            for site in Site::each() {
                let mut token = site.client.login("alice").await;
                if acts {
                    token = site.mark("act:bob", &token).await;
                }
                let subject = who.into();
                let end = site.sessions.end_all(&subject);
                let late = site.overlap(slow, &token, end).await;
                assert_eq!(late.status, 401, "{slow}, {who} ended");
                assert!(late.sets_nothing());
                assert_eq!(site.events.take(), [EventKind::ImpersonationRefused]);
            }
        }
    }
}

#[tokio::test]
async fn a_failed_answer_changes_nothing() {
    for site in Site::each() {
        let token = site.client.login("alice").await;
        for (marks, seen) in [
            ("act:bob", "alice@1 by - +0"),
            ("return", "bob@1 by alice +0"),
        ] {
            let token = match marks {
                "return" => site.mark("act:bob", &token).await,
                _ => token.clone(),
            };
            site.events.take();
            let path = format!("/do?marks={marks}&status=500");
            let answer = site.client.post(&path, &[(SESSION, &token)]).await;
            assert!(answer.sets_nothing());
            assert_eq!(site.events.take(), [EventKind::ImpersonationDropped]);
            assert_eq!(site.seen(&token).await, seen);
        }
    }
}

/// A13: a token that an attacker planted next to the victim's makes nobody act, and takes nothing from the victim.
#[tokio::test]
async fn a_planted_token_makes_nobody_act() {
    for site in Site::each() {
        let own = site.client.login("alice").await;
        let planted = site.client.login("mallory").await;
        for marks in ["act:bob", "return"] {
            let both = [(SESSION, &*own), (SESSION, &*planted)];
            site.events.take();
            let answer = site.client.mark(marks, &both).await;
            assert!(answer.sets_nothing());
            assert!(
                site.events
                    .take()
                    .contains(&EventKind::ImpersonationRefused)
            );
        }
        // A guest session next to the user's own does not go over.
        let guest = site.client.guest().await;
        let answer = site
            .client
            .mark("act:bob", &[(SESSION, &own), (GUEST, &guest)])
            .await;
        let acting = answer.cookie(SESSION).unwrap();
        let read = site.client.get("/get?k=k", &[(SESSION, &acting)]).await;
        assert_eq!(read.body, "");
    }
}

/// An actor's session counts again when they return.
#[tokio::test]
async fn a_return_keeps_to_the_actors_limit() {
    for at_limit in [AtLimit::EndOldest, AtLimit::RefuseLogin] {
        let layer = SessionLayer::new(keys()).max_sessions(1, at_limit);
        let site = Site::of(layer.unwrap().into_any());
        let token = site.client.login("alice").await;
        let acting = site.mark("act:bob", &token).await;
        let other = site.client.login("alice").await;
        let answer = site.client.mark("return", &[(SESSION, &acting)]).await;
        if at_limit == AtLimit::EndOldest {
            let back = answer.cookie(SESSION).unwrap();
            assert_eq!(site.seen(&back).await, "alice@1 by - +0");
            assert_eq!(site.seen(&other).await, "401");
        } else {
            assert_eq!(answer.status, 409);
            assert_eq!(site.seen(&acting).await, "bob@1 by alice +0");
            site.mark("logout", &other).await;
            let back = site.mark("return", &acting).await;
            assert_eq!(site.seen(&back).await, "alice@1 by - +0");
        }
    }
}

/// S13: however much the actor's session holds, a list tells who acts.
#[tokio::test]
async fn a_list_tells_who_acts_whatever_the_actors_session_holds() {
    let site = Site::of(SessionLayer::new(keys()).into_any());
    let token = site.client.login("alice").await;
    let long = "x".repeat(10_000);
    let acting = site.mark(&format!("put:k:{long},act:bob"), &token).await;
    let sessions = site.sessions.in_store().unwrap();
    let listed = sessions.list(&"bob".into()).await.unwrap();
    let details = listed[0].details.as_ref().unwrap();
    assert_eq!(details.subject, Some("bob".into()));
    assert_eq!(details.actor, Some("alice".into()));
    let token = site.mark("return", &acting).await;
    let read = site.client.get("/get?k=k", &[(SESSION, &token)]).await;
    assert_eq!(read.body, long);
}

/// What the actor's session holds takes room of the session in which they act, so that a token always fits its cookie.
#[tokio::test]
async fn an_impersonation_that_does_not_fit_changes_nothing() {
    for site in Site::each() {
        let is_stored = site.sessions.in_store().is_some();
        let most = if is_stored { 65_536 } else { 2_060 };
        let token = site.client.login("alice").await;
        let mut fits = None;
        for len in (most - 200..most).rev() {
            let path = format!("/fill/{len}");
            let put = site.client.post(&path, &[(SESSION, &token)]).await;
            if put.status != 200 {
                continue;
            }
            let filled = put.cookie(SESSION).unwrap_or(token.clone());
            site.events.take();
            let acting = site.client.mark("act:bob", &[(SESSION, &filled)]).await;
            if acting.status == 200 {
                fits = Some(acting.cookie(SESSION).unwrap());
                break;
            }
            assert_eq!(acting.status, 503);
            assert_eq!(site.events.take(), [EventKind::DataTooLarge]);
            assert!(site.seen(&filled).await.starts_with("alice@1"));
        }
        let acting = fits.unwrap();
        assert_eq!(site.seen(&acting).await, "bob@1 by alice +0");
    }
}

/// R67: who acts ends the other sessions of neither by accident, and is ended by the actor's own choice.
#[tokio::test]
async fn the_actor_ends_it_from_another_session() {
    let site = Site::of(SessionLayer::new(keys()).into_any());
    let elsewhere = site.client.login("alice").await;
    let acting = site
        .mark("act:bob", &site.client.login("alice").await)
        .await;
    let sessions = site.sessions.in_store().unwrap();
    let listed = sessions.list(&"alice".into()).await.unwrap();
    let acted = listed.iter().find(|one| {
        let details = one.details.as_ref().unwrap();
        details.actor.is_some()
    });
    let acted = acted.unwrap().id;
    assert!(!sessions.end(&"carol".into(), &acted).await.unwrap());
    assert!(sessions.end(&"alice".into(), &acted).await.unwrap());
    assert_eq!(site.seen(&acting).await, "401");
    assert_eq!(site.seen(&elsewhere).await, "alice@1 by - +0");
}

/// Loaded on the first look, or before: it is the same.
#[tokio::test]
async fn a_layer_that_loads_lazily_lets_users_act_as_well() {
    for layer in both_modes() {
        let site = Site::of(layer.lazily());
        let token = site
            .mark("put:k:mine", &site.client.login("alice").await)
            .await;
        let acting = site.mark("act:bob", &token).await;
        assert_eq!(site.seen(&acting).await, "bob@1 by alice +0");
        assert_eq!(site.seen(&token).await, "401");
        let back = site.mark("return", &acting).await;
        assert_eq!(site.seen(&back).await, "alice@1 by - +0");
        let read = site.client.get("/get?k=k", &[(SESSION, &back)]).await;
        assert_eq!(read.body, "mine");
    }
}

/// R12: under a new key the session in which a user acts goes on, and so does the way back.
#[tokio::test]
async fn a_change_of_keys_while_acting_loses_nothing() {
    let next = KeyRing::from_bytes([
        *b"another key, of thirty-two bytes",
        *b"an unguessable key of 32 bytes!!",
    ]);
    let next = next.unwrap();
    for at in 0..2 {
        let keys = keys();
        let site = Site::of(both_modes_under(&keys).into_iter().nth(at).unwrap());
        let token = site.client.login("alice").await;
        let acting = site.mark("act:bob", &token).await;
        keys.replace(&next);
        assert_eq!(site.seen(&acting).await, "bob@1 by alice +0");
        let acting = site.mark("renew", &acting).await;
        let back = site.mark("return", &acting).await;
        assert_eq!(site.seen(&back).await, "alice@1 by - +0");
    }
}

/// R56: a connection that an actor's session has open ends when they begin to act, and one that was opened while they act ends with that.
#[tokio::test]
async fn connections_end_with_the_session_that_opened_them() {
    for site in Site::each() {
        let ends = |ended| tokio::time::timeout(Duration::from_millis(900), ended);
        let token = site.client.login("alice").await;
        let own = site.follow(&token).await;
        let acting = site.mark("act:bob", &token).await;
        assert_eq!(ends(own).await, Ok(EndCause::Replaced));
        let as_bob = site.follow(&acting).await;
        let back = site.mark("return", &acting).await;
        assert_eq!(ends(as_bob).await, Ok(EndCause::Replaced));
        let acting = site.mark("act:bob", &back).await;
        let as_bob = site.follow(&acting).await;
        site.sessions.end_all(&"alice".into()).await.unwrap();
        assert_eq!(ends(as_bob).await, Ok(EndCause::Revoked));
    }
}
