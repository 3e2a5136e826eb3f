//! The wait for a session's end, for connections that outlive their request (R56).

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Query,
    http::{Request, header},
    routing::{get, post},
};
use common::{
    AnyLayer, Client, Events, Parameters, SESSION, Stop, app, both_modes, clock, gated::Gated,
    keys, request,
};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, timeout},
};
use tower_session_guard::{
    AnyBackend, AtLimit, AuthenticatedSession, ClientBinding, EndCause, Ended, Endings, EventKind,
    Login, MemoryStore, OnChange, Session, SessionLayer, SessionPolicy, Sessions,
    store::revocation::MemoryRevocations,
    testing::{FaultyStore, ManualClock, StoreOperation},
};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// An application whose handlers hand the sessions of their requests to the test.
struct Node {
    client: Client,
    sessions: Sessions<AnyBackend>,
    users: mpsc::UnboundedReceiver<AuthenticatedSession>,
}

fn node(layer: AnyLayer) -> Node {
    let (hand_out, users) = mpsc::unbounded_channel();
    let stop = Stop::default();
    let sessions = layer.sessions();
    let (quietly, held) = (hand_out.clone(), stop.clone());
    let routes = app(stop.clone())
        .route(
            "/user",
            get(move |user: AuthenticatedSession| async move { hand_out.send(user).unwrap() }),
        )
        .route(
            "/late",
            get(move |user: AuthenticatedSession| async move {
                held.here().await;
                let cause = user.ended().await;
                cause.as_str()
            }),
        )
        .route(
            "/in-passing",
            // No extractor, which would be a look.
            get(move |request: Request<Body>| async move {
                let user = request.extensions().get::<AuthenticatedSession>();
                quietly.send(user.unwrap().clone()).unwrap();
            }),
        )
        .route("/login", post(login));
    Node {
        client: Client::around(routes.layer(layer)).stopping_at(&stop),
        sessions,
        users,
    }
}

async fn login(session: Session, Query(parameters): Query<Parameters>) {
    let mut login = Login::new(&*parameters["user"]);
    if let Some(tag) = parameters.get("tag") {
        login = login.tagged(tag);
    }
    session.login(login);
}

impl Node {
    /// The session of a request, after its response has left.
    async fn user(&mut self, token: &str) -> AuthenticatedSession {
        let answer = self.client.get("/user", &[(SESSION, token)]).await;
        assert_eq!(answer.status, 200);
        self.users.recv().await.unwrap()
    }

    async fn follow(&mut self, token: &str) -> Ended {
        self.user(token).await.ended()
    }

    /// Logs in with a tag, and tells the token.
    async fn tagged(&self, user: &str, tag: &str) -> String {
        let path = format!("/login?user={user}&tag={tag}");
        self.client.post(&path, &[]).await.cookie(SESSION).unwrap()
    }

    /// Marks, and tells the token that left, or the one that came.
    async fn mark(&self, marks: &str, token: &str) -> String {
        let answer = self.client.mark(marks, &[(SESSION, token)]).await;
        assert_eq!(answer.status, 200, "{marks}");
        answer.cookie(SESSION).unwrap_or_else(|| token.to_owned())
    }
}

/// Within a moment, with the clocks as they stand.
#[track_caller]
fn at_once(ended: Ended) -> impl Future<Output = EndCause> {
    let asked_at = std::panic::Location::caller();
    async move {
        let cause = timeout(Duration::from_millis(900), ended).await;
        cause.unwrap_or_else(|_| panic!("it waits: {asked_at}"))
    }
}

async fn waits(ended: &mut Ended) -> bool {
    timeout(Duration::from_millis(30), ended).await.is_err()
}

/// R56: every cause that this process can know, each told at once, also to two waits for one session.
#[tokio::test]
async fn an_end_in_this_process_is_told_at_once_with_its_cause() {
    for layer in both_modes() {
        let mut node = node(layer.with_clock(clock()));
        for (marks, cause) in [
            ("logout", EndCause::Logout),
            ("login:alice", EndCause::Replaced),
            ("login:bob", EndCause::Replaced),
            ("logout,login:bob", EndCause::Logout),
        ] {
            let token = node.client.login("alice").await;
            let user = node.user(&token).await;
            let (mut one, other) = (user.ended(), user.ended());
            assert!(waits(&mut one).await, "{marks}");
            node.mark(marks, &token).await;
            assert_eq!(at_once(one).await, cause, "{marks}");
            assert_eq!(at_once(other).await, cause, "{marks}");
        }
    }
}

/// R56, R05: everything of a subject or a tag, and nothing else; the session that asks for it is spared.
#[tokio::test]
async fn a_revocation_is_told_to_those_whom_it_ends() {
    for layer in both_modes() {
        let mut node = node(layer.with_clock(clock()));
        let (alice, bob) = (
            node.tagged("alice", "one").await,
            node.tagged("bob", "two").await,
        );
        let (other, tagged) = (
            node.client.login("alice").await,
            node.tagged("carol", "two").await,
        );
        let mut of_bob = node.follow(&bob).await;
        let mut of_alice = node.follow(&alice).await;
        let (of_other, of_tagged) = (node.follow(&other).await, node.follow(&tagged).await);

        let keep = node.user(&alice).await;
        node.sessions.end_others(&keep).await.unwrap();
        assert_eq!(at_once(of_other).await, EndCause::Revoked);
        assert!(waits(&mut of_alice).await && waits(&mut of_bob).await);

        node.sessions.end_all(&"alice".into()).await.unwrap();
        assert_eq!(at_once(of_alice).await, EndCause::Revoked);
        assert!(waits(&mut of_bob).await);

        node.sessions.end_tagged("two").await.unwrap();
        assert_eq!(at_once(of_bob).await, EndCause::Revoked);
        assert_eq!(at_once(of_tagged).await, EndCause::Revoked);
    }
}

/// R56: one session by its id; another subject's id ends nothing.
#[tokio::test]
async fn the_revocation_of_one_session_is_told() {
    let mut node = node(SessionLayer::new(keys()).into_any());
    let sessions = node.sessions.in_store().unwrap();
    let token = node.client.login("alice").await;
    let user = node.user(&token).await;
    let mut ended = user.ended();
    assert!(!sessions.end(&"bob".into(), &user.id()).await.unwrap());
    assert!(waits(&mut ended).await);
    assert!(sessions.end(&"alice".into(), &user.id()).await.unwrap());
    assert_eq!(at_once(ended).await, EndCause::Revoked);
}

/// R56: the oldest session ends where one more than the limit logs in.
#[tokio::test]
async fn an_eviction_is_told() {
    let layer = SessionLayer::new(keys());
    let layer = layer.max_sessions(NonZeroUsize::MIN.get(), AtLimit::EndOldest);
    let mut node = node(layer.unwrap().into_any());
    let ended = node.client.login("alice").await;
    let ended = node.follow(&ended).await;
    node.client.login("alice").await;
    assert_eq!(at_once(ended).await, EndCause::Revoked);
}

/// R56, R07: a renewed token that comes again after its grace time, and a token that another client uses.
#[tokio::test]
async fn an_end_by_reuse_is_told() {
    let time = clock();
    for layer in both_modes() {
        let mut node = node(layer.with_clock(time.clone()));
        let token = node.client.login("alice").await;
        let renewed = node.mark("renew", &token).await;
        let ended = node.follow(&renewed).await;
        time.advance(MINUTE);
        assert_eq!(node.client.whoami(&[(SESSION, &token)]).await, "nobody");
        assert_eq!(at_once(ended).await, EndCause::Reused);
    }
    for layer in both_modes() {
        let binding = ClientBinding::new().user_agent(OnChange::End);
        let mut node = node(layer.with_binding(binding));
        let from = |mut request: Request<Body>, agent: &str| {
            let agent = agent.parse().unwrap();
            request.headers_mut().insert(header::USER_AGENT, agent);
            request
        };
        let login = from(request("POST", "/do?marks=login:alice", &[]), "hers");
        let token = node.client.send(login).await.cookie(SESSION).unwrap();
        let own = from(request("GET", "/user", &[(SESSION, &token)]), "hers");
        node.client.send(own).await;
        let ended = node.users.recv().await.unwrap().ended();
        let stolen = from(request("GET", "/whoami", &[(SESSION, &token)]), "a thief's");
        assert_eq!(node.client.send(stolen).await.body, "nobody");
        assert_eq!(at_once(ended).await, EndCause::Reused);
    }
}

/// R56, R76: a logout ends every session whose token came, and tells each.
#[tokio::test]
async fn a_session_that_ends_with_another_is_told() {
    for layer in both_modes() {
        let mut node = node(layer.with_clock(clock()));
        let (one, two) = (
            node.client.login("alice").await,
            node.client.login("bob").await,
        );
        let ends = [node.follow(&one).await, node.follow(&two).await];
        let cookies = [(SESSION, &*one), (SESSION, &*two)];
        node.client.mark("logout", &cookies).await;
        for ended in ends {
            assert_eq!(at_once(ended).await, EndCause::Logout);
        }
    }
}

/// R56: it follows the session and not its token.
#[tokio::test]
async fn a_new_token_of_the_session_is_no_end() {
    let time = clock();
    for layer in both_modes() {
        let mut node = node(layer.with_clock(time.clone()));
        let mut token = node.client.login("alice").await;
        let mut ended = node.follow(&token).await;
        for marks in ["elevate", "renew", "step-down", "put:k:v", "renew"] {
            token = node.mark(marks, &token).await;
            time.advance(MINUTE);
            assert!(waits(&mut ended).await, "{marks}");
        }
        node.mark("logout", &token).await;
        assert_eq!(at_once(ended).await, EndCause::Logout);
    }
}

/// R56, R77: also of a session that was loaded when somebody first looked.
#[tokio::test]
async fn a_lazily_loaded_session_is_followed() {
    for layer in both_modes() {
        let mut node = node(layer.with_clock(clock()).lazily());
        let mut token = node.client.login("alice").await;
        let mut ended = node.follow(&token).await;
        token = node.mark("elevate", &token).await;
        assert!(waits(&mut ended).await);
        node.mark("logout", &token).await;
        assert_eq!(at_once(ended).await, EndCause::Logout);
    }
}

/// R56: the call comes late, from a task, or after the session has ended.
#[tokio::test]
async fn an_end_before_the_call_is_found() {
    for layer in both_modes() {
        let mut node = node(layer.with_clock(clock()));
        let token = node.client.login("alice").await;
        let user = node.user(&token).await;
        let late = {
            let (client, token) = (node.client.clone(), token.clone());
            tokio::spawn(async move { client.get("/late", &[(SESSION, &token)]).await.body })
        };
        node.client.stop.reached.notified().await;
        node.mark("logout", &token).await;
        node.client.stop.go_on.notify_one();
        let late = timeout(Duration::from_secs(5), late).await;
        assert_eq!(late.expect("it is found").unwrap(), "ended");
        assert_eq!(at_once(user.ended()).await, EndCause::Ended);
    }
    // As much as a list of ended tokens knows.
    let [layer, _] = both_modes();
    let mut node = node(layer);
    let token = node.client.login("alice").await;
    let user = node.user(&token).await;
    node.mark("login:bob", &token).await;
    assert_eq!(at_once(user.ended()).await, EndCause::Replaced);
}

/// R56: an end between the call and the first poll is not lost, and a future may go anywhere.
#[tokio::test]
async fn a_wait_begins_with_its_call() {
    for layer in both_modes() {
        let mut node = node(layer.with_clock(clock()));
        let token = node.client.login("alice").await;
        let ended = node.follow(&token).await;
        node.mark("logout", &token).await;
        let elsewhere = tokio::spawn(at_once(ended));
        assert_eq!(elsewhere.await.unwrap(), EndCause::Logout);
    }
}

/// R56, R30: at the idle limit, which another request's use moves, and at the absolute one.
#[tokio::test]
async fn a_session_expires_by_the_layers_clock() {
    let time = clock();
    for layer in both_modes() {
        let policy = SessionPolicy::aal2().idle(HOUR).unwrap();
        let mut node = node(layer.with_clock(time.clone()).with_policy(policy));
        let mut token = node.client.login("alice").await;
        let mut ended = node.follow(&token).await;
        time.advance(50 * MINUTE);
        // Another request uses it.
        let answer = node.client.get("/whoami", &[(SESSION, &token)]).await;
        token = answer.cookie(SESSION).unwrap_or(token);
        time.advance(50 * MINUTE);
        assert!(waits(&mut ended).await);
        time.advance(10 * MINUTE);
        assert_eq!(at_once(ended).await, EndCause::Expired);
        assert_eq!(node.client.whoami(&[(SESSION, &token)]).await, "nobody");
    }
    for layer in both_modes() {
        let policy = SessionPolicy::aal1().absolute(HOUR).unwrap();
        let mut node = node(layer.with_clock(time.clone()).with_policy(policy));
        let token = node.client.login("alice").await;
        let mut ended = node.follow(&token).await;
        time.advance(59 * MINUTE);
        assert!(waits(&mut ended).await);
        time.advance(MINUTE);
        assert_eq!(at_once(ended).await, EndCause::Expired);
    }
}

/// R56: also by the system's clock, which wakes nobody.
#[tokio::test]
async fn a_session_expires_by_the_systems_clock() {
    for layer in both_modes() {
        let policy = SessionPolicy::aal2().absolute(Duration::from_secs(1));
        let mut node = node(layer.with_policy(policy.unwrap()));
        let token = node.client.login("alice").await;
        let ended = node.follow(&token).await;
        let cause = timeout(Duration::from_secs(5), ended).await;
        assert_eq!(cause.unwrap(), EndCause::Expired);
    }
}

/// R56, R74: an open connection is no activity, and the call no look.
#[tokio::test]
async fn a_wait_is_no_use_of_the_session() {
    let time = clock();
    for layer in both_modes() {
        let policy = SessionPolicy::aal2().idle(HOUR).unwrap();
        let mut node = node(layer.with_clock(time.clone()).with_policy(policy));
        let token = node.client.login("alice").await;
        time.advance(30 * MINUTE);
        let answer = node.client.get("/in-passing", &[(SESSION, &token)]).await;
        assert!(answer.sets_nothing());
        let ended = node.users.recv().await.unwrap().ended();
        time.advance(30 * MINUTE);
        assert_eq!(at_once(ended).await, EndCause::Expired);
        assert_eq!(node.client.whoami(&[(SESSION, &token)]).await, "nobody");
    }
}

/// S23: what a stricter policy no longer admits has ended.
#[tokio::test]
async fn what_the_policy_no_longer_admits_has_ended() {
    let (time, store) = (clock(), MemoryStore::new());
    let layer = SessionLayer::new(keys()).with_store(store);
    let layer = layer.with_clock(time.clone());
    let strict = layer.clone().with_policy(SessionPolicy::high_value());
    let (loose, mut strict) = (node(layer.into_any()), node(strict.into_any()));
    let token = loose.client.login("alice").await;
    let ended = strict.follow(&token).await;
    time.advance(6 * MINUTE);
    assert_eq!(at_once(ended).await, EndCause::Expired);
    assert_eq!(loose.client.whoami(&[(SESSION, &token)]).await, "alice@1");
}

/// Two nodes that know of each other by what they share alone, and how often they ask it.
fn nodes(time: &ManualClock, interval: Duration) -> [[Node; 2]; 2] {
    let policy = SessionPolicy::aal2().recheck_every(interval).unwrap();
    let (store, list) = (MemoryStore::new(), MemoryRevocations::new());
    let stored = [(); 2].map(|()| {
        let layer = SessionLayer::new(keys()).with_store(store.clone());
        layer.into_any()
    });
    let self_contained = [(); 2]
        .map(|()| SessionLayer::self_contained(keys(), Endings::shared(list.clone())).into_any());
    [stored, self_contained].map(|pair| {
        pair.map(|layer| node(layer.with_clock(time.clone()).with_policy(policy.clone())))
    })
}

/// R56: without a feed, within the policy's interval.
#[tokio::test(start_paused = true)]
async fn an_end_on_another_node_is_found_within_the_interval() {
    let (time, interval) = (clock(), Duration::from_secs(20));
    for (ending, in_a_list) in [
        ("logout", EndCause::Ended),
        ("login:bob", EndCause::Replaced),
        ("all", EndCause::Ended),
    ] {
        for [mut here, there] in nodes(&time, interval) {
            let token = here.client.login("alice").await;
            let mut ended = here.follow(&token).await;
            assert!(timeout(5 * interval, &mut ended).await.is_err());
            let elevated = there.mark("elevate", &token).await;
            assert!(timeout(5 * interval, &mut ended).await.is_err());
            if ending == "all" {
                there.sessions.end_all(&"alice".into()).await.unwrap();
            } else {
                there.mark(ending, &elevated).await;
            }
            let since = Instant::now();
            let expected = if there.sessions.in_store().is_some() {
                EndCause::Ended
            } else {
                in_a_list
            };
            let cause = timeout(2 * interval, ended).await;
            assert_eq!(cause.expect("it is found"), expected, "{ending}");
            assert!(since.elapsed() <= interval);
        }
    }
}

/// R56: a session that another node uses lives on past the limit that this node knows, if the store says so.
#[tokio::test(start_paused = true)]
async fn a_use_on_another_node_counts_with_a_store() {
    let time = clock();
    let [[mut here, there], [mut token_here, token_there]] = nodes(&time, HOUR);
    let token = here.client.login("alice").await;
    let mut ended = here.follow(&token).await;
    time.advance(50 * MINUTE);
    assert_eq!(there.client.whoami(&[(SESSION, &token)]).await, "alice@1");
    time.advance(50 * MINUTE);
    assert!(waits(&mut ended).await);
    // What the other node issued is not known here.
    let token = token_here.client.login("alice").await;
    let ended = token_here.follow(&token).await;
    time.advance(50 * MINUTE);
    let answer = token_there
        .client
        .get("/whoami", &[(SESSION, &token)])
        .await;
    let newer = answer.cookie(SESSION).unwrap();
    time.advance(50 * MINUTE);
    assert_eq!(at_once(ended).await, EndCause::Expired);
    assert_eq!(
        token_here.client.whoami(&[(SESSION, &newer)]).await,
        "alice@1"
    );
}

/// R56, R71: a store that fails is asked again; nobody goes on beyond the limit that was known.
#[tokio::test(start_paused = true)]
async fn while_the_store_fails_the_known_limit_holds() {
    let (time, memory) = (clock(), MemoryStore::new());
    let store = FaultyStore::new(memory.clone());
    let layer = || SessionLayer::new(keys()).with_clock(time.clone());
    let mut here = node(layer().with_store(store.clone()).into_any());
    let there = node(layer().with_store(memory).into_any());

    let token = here.client.login("alice").await;
    let user = here.user(&token).await;
    store.fail(StoreOperation::Load, u64::MAX, 0);
    let mut ended = user.ended();
    assert!(timeout(10 * MINUTE, &mut ended).await.is_err());
    // Asked again after a second, then less and less often.
    let asked = store.calls(StoreOperation::Load);
    assert!((20..40).contains(&asked), "{asked}");
    there.mark("logout", &token).await;
    store.fail(StoreOperation::Load, 0, 0);
    assert_eq!(timeout(MINUTE, ended).await.unwrap(), EndCause::Ended);

    let token = here.client.login("alice").await;
    let mut ended = here.follow(&token).await;
    assert!(waits(&mut ended).await);
    store.fail(StoreOperation::Load, u64::MAX, 0);
    time.advance(59 * MINUTE);
    assert!(timeout(MINUTE, &mut ended).await.is_err());
    time.advance(MINUTE);
    assert_eq!(at_once(ended).await, EndCause::Expired);
}

/// R56, R71: a logout that fails ends nothing, and nothing is told; one whose answer is lost is found.
#[tokio::test]
async fn a_failed_ending_is_no_end_unless_it_was_one() {
    let store = FaultyStore::new(MemoryStore::new());
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let mut node = node(layer.into_any());
    let token = node.client.login("alice").await;
    let mut ended = node.follow(&token).await;
    assert!(waits(&mut ended).await);
    store.fail(StoreOperation::Remove, 1, 0);
    let failed = node.client.mark("logout", &[(SESSION, &token)]).await;
    assert_eq!(failed.status, 503);
    assert!(waits(&mut ended).await);
    store.fail_once_written(StoreOperation::Remove, 1, 0);
    let failed = node.client.mark("logout", &[(SESSION, &token)]).await;
    assert_eq!(failed.status, 503);
    assert_eq!(at_once(ended).await, EndCause::Ended);

    // The same where everything of a subject is to end.
    let token = node.client.login("alice").await;
    let mut ended = node.follow(&token).await;
    assert!(waits(&mut ended).await);
    store.fail(StoreOperation::EndListed, 1, 0);
    assert!(node.sessions.end_all(&"alice".into()).await.is_err());
    assert!(waits(&mut ended).await);
}

/// R56: a store that hears of changes is asked when it tells of one; the cause is there before the answer.
#[tokio::test(start_paused = true)]
async fn a_change_that_the_store_tells_of_is_followed() {
    let changes = Arc::new(Notify::new());
    let store = Gated::telling(&changes);
    let policy = SessionPolicy::aal2().recheck_every(HOUR).unwrap();
    let layer = SessionLayer::new(keys())
        .with_store(store.clone())
        .with_policy(policy);
    let (mut here, there) = (
        node(layer.clone().into_any()),
        node({
            let other = SessionLayer::new(keys()).with_store(store.clone());
            other.into_any()
        }),
    );
    let token = here.client.login("alice").await;
    let mut ended = here.follow(&token).await;
    assert!(waits(&mut ended).await);
    changes.notify_waiters();
    assert!(waits(&mut ended).await);
    there.mark("logout", &token).await;
    changes.notify_waiters();
    assert_eq!(at_once(ended).await, EndCause::Ended);

    let token = here.client.login("alice").await;
    let mut ended = here.follow(&token).await;
    assert!(waits(&mut ended).await);
    store.hold_answer(StoreOperation::Remove);
    let logout = {
        let (client, token) = (here.client.clone(), token.clone());
        tokio::spawn(async move { client.mark("logout", &[(SESSION, &token)]).await })
    };
    store.stop.reached.notified().await;
    changes.notify_waiters();
    assert_eq!(at_once(ended).await, EndCause::Logout);
    store.stop.go_on.notify_one();
    logout.await.unwrap();
}

/// R56: a request that is dropped while its logout is carried out still tells.
#[tokio::test]
async fn a_logout_without_its_request_is_told() {
    let store = Gated::default();
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let mut node = node(layer.into_any());
    let token = node.client.login("alice").await;
    let ended = node.follow(&token).await;
    store.hold(StoreOperation::Remove);
    let logout = {
        let (client, token) = (node.client.clone(), token.clone());
        tokio::spawn(async move { client.mark("logout", &[(SESSION, &token)]).await })
    };
    store.stop.reached.notified().await;
    logout.abort();
    store.stop.go_on.notify_one();
    assert_eq!(at_once(ended).await, EndCause::Logout);
}

/// R56, R60: events and connections have one list of words.
#[tokio::test]
async fn events_say_the_same_cause() {
    for layer in both_modes() {
        let events = Events::default();
        let mut node = node(layer.with_observer(events.clone()));
        for marks in ["logout", "login:alice", "login:bob"] {
            let token = node.client.login("alice").await;
            let ended = node.follow(&token).await;
            events.take();
            node.mark(marks, &token).await;
            let told: Vec<_> = events.take();
            let told: Vec<_> = told.into_iter().filter_map(EventKind::end_cause).collect();
            assert_eq!(told, [at_once(ended).await], "{marks}");
        }
    }
}

/// The interval is bounded.
#[test]
fn an_interval_that_burdens_the_store_is_refused() {
    for (seconds, holds) in [(0, false), (1, true), (3600, true), (3601, false)] {
        let policy = SessionPolicy::aal2().recheck_every(Duration::from_secs(seconds));
        assert_eq!(policy.is_ok(), holds, "{seconds}");
    }
}

#[test]
fn the_future_is_nameable_and_goes_anywhere() {
    fn goes<T: Future<Output = EndCause> + Send + Unpin + 'static>() {}
    goes::<Ended>();
}
