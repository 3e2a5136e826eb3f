//! What an ending holds against: logins under way, other policies, other audiences, callers that leave and a
//! restart (S01, S02, S05, S07, S16, S17, S21, S23).

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::Query,
    http::StatusCode,
    routing::{get, post},
};
use common::{
    Answer, AnyLayer, Client, Events, GUEST, Parameters, SESSION, Stop, app, both_modes, clock,
    gated::Gated, keys, self_contained,
};
use tower_session_guard::{
    AnyBackend, AtLimit, AuthenticatedSession, Endings, EventKind, Login, MemoryStore, Session,
    SessionLayer, SessionPolicy, Sessions, Subject,
    store::{SessionStore as _, revocation::MemoryRevocations},
    testing::{ManualClock, StoreOperation},
};

fn alice() -> Subject {
    Subject::from("alice")
}

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// An application whose logins may stop between the check of the password and the mark, and the handle of its
/// layer.
struct Site {
    client: Client,
    sessions: Sessions<AnyBackend>,
    events: Events,
    stop: Stop,
}

impl Site {
    fn of(layer: AnyLayer) -> Self {
        let (stop, events) = (Stop::default(), Events::default());
        let layer = layer.with_observer(events.clone());
        let sessions = layer.sessions();
        let routes: Router = app(stop.clone())
            .route("/login", post(login))
            .route("/password", post(password_was_reset))
            .route("/end-others", post(end_others))
            .route("/id", get(id))
            .layer(Extension(stop.clone()))
            .layer(Extension(sessions.clone()));
        Self {
            client: Client::around(routes.layer(layer)),
            sessions,
            events,
            stop,
        }
    }

    /// Logs alice in with a tag, and ends what the test says after the password was checked and before the login is
    /// marked.
    async fn login_under_way(
        &self,
        cookies: &[(&str, &str)],
        meanwhile: impl AsyncFnOnce(),
    ) -> Answer {
        let login = self.client.post("/login?user=alice&tag=sid&stop", cookies);
        let ending = async {
            self.stop.reached.notified().await;
            meanwhile().await;
            self.stop.go_on.notify_one();
        };
        tokio::join!(login, ending).0
    }

    async fn login(&self, query: &str) -> String {
        let answer = self.client.post(&format!("/login?{query}"), &[]).await;
        answer.cookie(SESSION).expect("a login issues a token")
    }

    async fn whoami(&self, token: &str) -> String {
        self.client.whoami(&[(SESSION, token)]).await
    }
}

async fn login(
    session: Session,
    Extension(stop): Extension<Stop>,
    Query(parameters): Query<Parameters>,
) {
    if parameters.contains_key("stop") {
        stop.here().await;
    }
    let mut login = Login::new(&*parameters["user"]);
    if let Some(tag) = parameters.get("tag") {
        login = login.tagged(tag);
    }
    session.login(login);
}

async fn password_was_reset(
    session: Session,
    Extension(sessions): Extension<Sessions<AnyBackend>>,
) -> StatusCode {
    sessions.end_all_from(&session, &alice()).await.unwrap();
    session.login(alice());
    StatusCode::OK
}

async fn end_others(
    user: AuthenticatedSession,
    Extension(sessions): Extension<Sessions<AnyBackend>>,
) -> StatusCode {
    sessions.end_others(&user).await.unwrap();
    StatusCode::OK
}

async fn id(user: AuthenticatedSession) -> String {
    user.id().to_string()
}

/// Both modes on this clock.
fn sites(clock: &ManualClock) -> [Site; 2] {
    both_modes().map(|layer| Site::of(layer.with_clock(clock.clone())))
}

#[track_caller]
fn refused(site: &Site, answer: &Answer) {
    assert_eq!((answer.status.as_u16(), &*answer.body), (401, ""));
    assert!(answer.sets_nothing());
    let told = site.events.take();
    assert!(told.contains(&EventKind::LoginEndedUnderWay), "{told:?}");
    let began = [
        EventKind::LoggedIn,
        EventKind::Reauthenticated,
        EventKind::SubjectSwitched,
    ];
    assert!(!told.iter().any(|kind| began.contains(kind)), "{told:?}");
}

/// S05: a password that was checked before everything of its subject ended logs nobody in, while the clock stands;
/// a login that comes after the answer works. What else the refused request came with stays.
#[tokio::test]
async fn a_login_under_way_does_not_survive_the_ending_of_its_subject() {
    for site in sites(&clock()) {
        for name in ["nothing", "guest", "alice", "bob"] {
            let (kind, token) = match name {
                "guest" => (GUEST, site.client.guest().await),
                "nothing" => (SESSION, String::new()),
                user => (SESSION, site.login(&format!("user={user}")).await),
            };
            let cookies = [(kind, &*token)];
            site.events.take();
            let answer = site
                .login_under_way(&cookies, async || {
                    site.sessions.end_all(&alice()).await.unwrap();
                })
                .await;
            refused(&site, &answer);
            if let Some(stored) = site.sessions.in_store() {
                assert_eq!(stored.list(&alice()).await.unwrap(), [], "{name}");
            }
            let who = if name == "bob" { "bob@1" } else { "nobody" };
            assert_eq!(site.client.whoami(&cookies).await, who, "{name}");
            let read = site.client.get("/get?k=k", &cookies).await.body;
            assert_eq!(read == "planted", name == "guest", "{name}");
            let later = site.login("user=alice").await;
            assert_eq!(site.whoami(&later).await, "alice@1", "{name}");
        }
    }
}

/// S05: an ending of the others, or of a tag, is one too; one of somebody else is none.
#[tokio::test]
async fn a_login_under_way_does_not_survive_the_ending_of_its_tag_or_of_the_others() {
    for site in sites(&clock()) {
        let answer = site
            .login_under_way(&[], async || {
                site.sessions.end_tagged("sid").await.unwrap();
            })
            .await;
        refused(&site, &answer);
        let later = site.login("user=alice&tag=sid").await;
        assert_eq!(site.whoami(&later).await, "alice@1");

        site.events.take();
        let answer = site
            .login_under_way(&[], async || {
                let cookies = [(SESSION, &*later)];
                let answer = site.client.post("/end-others", &cookies).await;
                assert_eq!(answer.status, StatusCode::OK);
            })
            .await;
        refused(&site, &answer);
        assert_eq!(site.whoami(&later).await, "alice@1");

        let answer = site
            .login_under_way(&[], async || {
                site.sessions.end_tagged("another").await.unwrap();
                site.sessions.end_all(&Subject::from("bob")).await.unwrap();
            })
            .await;
        let unharmed = answer.cookie(SESSION).expect("nothing of it ended");
        assert_eq!(site.whoami(&unharmed).await, "alice@1");
    }
}

/// S05: a request that ends everything of its user and then logs them in stays logged in.
#[tokio::test]
async fn a_request_that_ends_everything_may_log_in_itself() {
    for site in sites(&clock()) {
        let before = site.login("user=alice").await;
        let answer = site.client.post("/password", &[(SESSION, &before)]).await;
        let token = answer.cookie(SESSION).unwrap();
        assert_eq!(site.whoami(&token).await, "alice@1");
        assert_eq!(site.whoami(&before).await, "nobody");
    }
}

/// Two processes that share what sessions are in, or what remembers their endings.
fn processes(clock: &ManualClock) -> [[Site; 2]; 2] {
    let list = MemoryRevocations::new();
    let self_contained = [(); 2].map(|()| {
        let endings = Endings::shared(list.clone());
        SessionLayer::self_contained(keys(), endings).into_any()
    });
    let store = Arc::new(MemoryStore::new());
    let stored = [(); 2].map(|()| {
        let layer = SessionLayer::new(keys());
        layer.with_shared_store(store.clone()).into_any()
    });
    [self_contained, stored].map(|layers| {
        let site = |layer: AnyLayer| Site::of(layer.with_clock(clock.clone()));
        layers.map(site)
    })
}

/// S05, A27: between processes the order is by their clocks, and of the same moment the ending counts.
#[tokio::test]
async fn a_login_under_way_on_another_process_does_not_survive_either() {
    let clock = clock();
    for [here, there] in processes(&clock) {
        for later in [0, 1] {
            let answer = there
                .login_under_way(&[], async || {
                    clock.advance(Duration::from_millis(later));
                    here.sessions.end_all(&alice()).await.unwrap();
                })
                .await;
            refused(&there, &answer);
        }
        clock.advance(Duration::from_millis(1));
        let after = there.login("user=alice").await;
        assert_eq!(here.whoami(&after).await, "alice@1");
    }
}

/// S05: wherever a login waits for its store, one that was admitted before the ending leaves no record.
#[tokio::test]
async fn a_login_that_waits_for_its_store_does_not_survive_the_ending() {
    for held in [StoreOperation::Create, StoreOperation::Cutoff] {
        let (clock, store) = (clock(), Gated::default());
        let layer = SessionLayer::new(keys()).with_store(store.clone());
        let site = Site::of(layer.with_clock(clock.clone()).into_any());
        store.hold(held);
        let login = site.client.post("/login?user=alice", &[]);
        let ending = async {
            store.stop.reached.notified().await;
            site.sessions.end_all(&alice()).await.unwrap();
            store.stop.go_on.notify_one();
        };
        let (answer, ()) = tokio::join!(login, ending);
        refused(&site, &answer);
        let live = store.live_records(common::now(&clock)).await.unwrap();
        assert_eq!(live, Some(0), "{held:?}");
    }
}

/// S02: an ending is remembered for longer than any token lasts, also where a layer asked whose own sessions are
/// short.
#[tokio::test]
async fn an_ending_outlives_the_policy_of_the_layer_that_asked() {
    let longest = SessionPolicy::MAX_ABSOLUTE;
    let long = SessionPolicy::aal1().absolute(longest).unwrap();
    for layer in both_modes() {
        let clock = clock();
        let layer = layer.with_clock(clock.clone()).with_policy(long.clone());
        let strict = layer.clone().with_policy(SessionPolicy::high_value());
        let site = Site::of(layer);
        let ended = site.login("user=alice&tag=a").await;
        let tagged = site.login("user=carol&tag=sid").await;
        let spared = site.login("user=bob").await;
        strict.sessions().end_all(&alice()).await.unwrap();
        strict.sessions().end_tagged("sid").await.unwrap();
        for _ in 0..8 {
            clock.advance(seconds(50 * DAY) - seconds(1));
            // Writes clear away what is over.
            for user in ["dave", "erin", "frank"] {
                let token = site.login(&format!("user={user}")).await;
                site.client.mark("logout", &[(SESSION, &token)]).await;
            }
            assert_eq!(site.whoami(&ended).await, "nobody");
            assert_eq!(site.whoami(&tagged).await, "nobody");
            assert_eq!(site.whoami(&spared).await, "bob@1");
        }
    }
}

/// S07: what `new` makes forgets sessions when its process ends, never that one has ended.
#[tokio::test]
async fn a_restart_undoes_no_logout_by_default() {
    let clock = clock();
    let start = || {
        Site::of(
            SessionLayer::new(keys())
                .with_clock(clock.clone())
                .into_any(),
        )
    };
    let before = start();
    let [logged_out, revoked, elevated, alive] = [
        before.login("user=alice").await,
        before.login("user=bob").await,
        before.login("user=carol").await,
        before.login("user=dave").await,
    ];
    before
        .client
        .mark("logout", &[(SESSION, &logged_out)])
        .await;
    before
        .sessions
        .end_all(&Subject::from("bob"))
        .await
        .unwrap();
    before.client.mark("elevate", &[(SESSION, &elevated)]).await;
    assert_eq!(before.whoami(&alive).await, "dave@1");
    let after = start();
    for token in [&logged_out, &revoked, &elevated, &alive] {
        assert_eq!(after.whoami(token).await, "nobody");
        assert_eq!(after.events.take(), [EventKind::UnknownSession]);
    }
    for token in [&logged_out, &revoked, &elevated] {
        assert_eq!(before.whoami(token).await, "nobody");
    }
    // A second process does not know the first one's sessions either, so that it shows at once.
    assert_eq!(before.whoami(&alive).await, "dave@1");
    // The other choice is explicit, and does what it says: see `Endings::ThisProcess`.
    let [here, there] = [(); 2].map(|()| Site::of(self_contained().into_any()));
    let token = here.login("user=alice").await;
    assert_eq!(there.whoami(&token).await, "alice@1");
}

/// S16: a logout whose client left while the store was slow is waited for, and counted where the time is too
/// short.
#[tokio::test]
async fn draining_waits_for_a_logout_whose_client_left() {
    let store = Gated::default();
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let client = Client::of(layer.clone());
    let token = client.login("alice").await;
    assert!(layer.drain(Duration::ZERO).await.is_complete());
    store.hold(StoreOperation::Remove);
    let cookies = [(SESSION, &*token)];
    tokio::select! {
        _ = client.mark("logout", &cookies) => unreachable!("the store holds it up"),
        () = store.stop.reached.notified() => {}
    }
    // The layer's clones count the same.
    let clone = layer.clone().with_policy(SessionPolicy::aal1());
    assert_eq!(clone.drain(Duration::from_millis(20)).await.left, 1);
    assert_eq!(client.whoami(&cookies).await, "alice@1");
    store.stop.go_on.notify_one();
    assert!(layer.drain(seconds(60)).await.is_complete());
    assert_eq!(client.whoami(&cookies).await, "nobody");
}

/// S16: the same for a client that left the handler.
#[tokio::test]
async fn draining_waits_for_what_a_dropped_handler_marked() {
    let store = Gated::default();
    let layer = SessionLayer::new(keys()).with_store(store.clone());
    let client = Client::of(layer.clone());
    let token = client.login("alice").await;
    store.hold(StoreOperation::Remove);
    let cookies = [(SESSION, &*token)];
    tokio::select! {
        _ = client.post("/do?stop=after&marks=logout", &cookies) => unreachable!(),
        () = client.stop.reached.notified() => {}
    }
    store.stop.reached.notified().await;
    assert_eq!(layer.drain(Duration::from_millis(20)).await.left, 1);
    store.stop.go_on.notify_one();
    assert!(layer.drain(seconds(60)).await.is_complete());
    assert_eq!(client.whoami(&cookies).await, "nobody");
}

/// S01, S16: an ending that began completes though its caller's time ran out, page by page.
#[tokio::test]
async fn an_ending_completes_without_its_caller() {
    let (clock, store) = (clock(), Gated::default());
    let layer = SessionLayer::new(keys())
        .with_store(store.clone())
        .without_session_limit()
        .with_clock(clock.clone());
    let client = Client::of(layer.clone());
    let mut tokens = Vec::new();
    for _ in 0..600 {
        tokens.push(client.login("alice").await);
    }
    let (sessions, user) = (layer.sessions(), alice());
    store.hold(StoreOperation::EndListed);
    tokio::select! {
        _ = sessions.end_all(&user) => unreachable!("the store holds it up"),
        () = store.stop.reached.notified() => {}
    }
    assert_eq!(layer.drain(Duration::from_millis(20)).await.left, 1);
    assert_eq!(client.whoami(&[(SESSION, &tokens[0])]).await, "alice@1");
    store.stop.go_on.notify_one();
    assert!(layer.drain(seconds(60)).await.is_complete());
    assert_eq!(sessions.list(&alice()).await.unwrap(), []);
    let live = store.live_records(common::now(&clock)).await.unwrap();
    assert_eq!(live, Some(0));
}

/// One session's tokens after these marks, the present one last, with half a minute between them.
async fn rotated(client: &Client, clock: &ManualClock, marks: &[&str]) -> Vec<String> {
    let mut tokens = vec![client.login("alice").await];
    for mark in marks {
        clock.advance(seconds(30));
        let present = tokens.last().unwrap().clone();
        let answer = client.mark(mark, &[(SESSION, &present)]).await;
        tokens.push(answer.cookie(SESSION).unwrap_or(present));
    }
    clock.advance(seconds(30));
    tokens
}

/// What becomes of a session when the token comes back that was current before the mark at `position`: for
/// each mode what was told, and who the present token is.
async fn after_coming_back(marks: &[&str], position: usize) -> [(Vec<EventKind>, String); 2] {
    let mut outcomes = Vec::new();
    for layer in both_modes() {
        let (clock, events) = (clock(), Events::default());
        let layer = layer
            .with_clock(clock.clone())
            .with_observer(events.clone());
        let client = Client::of(layer);
        let tokens = rotated(&client, &clock, marks).await;
        events.take();
        let who = client.whoami(&[(SESSION, &tokens[position])]).await;
        let told = events.take();
        if tokens[position] != tokens[marks.len()] {
            assert_eq!(who, "nobody", "{marks:?} {position}");
        }
        let present = tokens.last().unwrap();
        let who = client.whoami(&[(SESSION, present)]).await;
        outcomes.push((told, who));
    }
    outcomes.try_into().unwrap()
}

/// S17: a token that an elevation or a step-down replaced never ends the session, however many rotations follow, and
/// both modes agree about every token of the past.
#[tokio::test]
async fn a_token_that_a_change_of_privilege_replaced_never_ends_the_session() {
    const MARKS: [&str; 3] = ["elevate", "step-down", "renew"];
    let mut pasts: Vec<Vec<&str>> = vec![vec![]];
    for _ in 0..3 {
        let longer = |past: &Vec<&'static str>| {
            MARKS.map(|mark| past.iter().copied().chain([mark]).collect::<Vec<_>>())
        };
        pasts = pasts.iter().flat_map(longer).collect();
    }
    pasts.extend([
        vec![
            "elevate", "renew", "renew", "renew", "renew", "renew", "renew",
        ],
        vec![
            "renew", "elevate", "renew", "elevate", "renew", "elevate", "renew",
        ],
        vec![
            "elevate", "elevate", "elevate", "elevate", "elevate", "elevate",
        ],
        vec![
            "renew", "renew", "renew", "renew", "renew", "renew", "renew",
        ],
    ]);
    // More than are remembered, before and after a renewal.
    let elevations = ["elevate"; 6];
    pasts.push([&elevations[..], &["renew", "renew"]].concat());
    pasts.push([&["renew"], &elevations[..], &["renew"]].concat());
    for marks in &pasts {
        for (position, mark) in marks.iter().enumerate() {
            let case = format!("{marks:?} {position}");
            let [self_contained, stored] = after_coming_back(marks, position).await;
            assert_eq!(self_contained, stored, "{case}");
            let (told, who) = stored;
            if *mark != "renew" {
                assert!(who.starts_with("alice@"), "{case}: {who}");
                assert!(!told.contains(&EventKind::SessionEndedByReuse), "{case}");
            }
        }
    }
    // The measure can fail: what a renewal replaced does end the session.
    let [_, (told, who)] = after_coming_back(&["elevate", "renew"], 1).await;
    assert_eq!(told, [EventKind::SessionEndedByReuse]);
    assert_eq!(who, "nobody");
}

/// Two applications under the same keys that share what sessions are in, or what remembers their endings.
fn applications(clock: &ManualClock) -> [[Site; 2]; 2] {
    let list = MemoryRevocations::new();
    let store = Arc::new(MemoryStore::new());
    let applications = |layer: &dyn Fn() -> AnyLayer| {
        ["shop", "admin"].map(|audience| {
            let layer = layer().with_audience(audience).with_clock(clock.clone());
            Site::of(layer)
        })
    };
    [
        applications(&|| {
            let endings = Endings::shared(list.clone());
            SessionLayer::self_contained(keys(), endings).into_any()
        }),
        applications(&|| {
            let layer = SessionLayer::new(keys()).with_shared_store(store.clone());
            layer
                .max_sessions(2, AtLimit::EndOldest)
                .unwrap()
                .into_any()
        }),
    ]
}

/// S21: endings by subject and by tag reach the own audience only.
#[tokio::test]
async fn an_ending_reaches_one_audience_only() {
    let clock = clock();
    for [shop, admin] in applications(&clock) {
        let (here, there) = (
            shop.login("user=alice&tag=sid").await,
            admin.login("user=alice&tag=sid").await,
        );
        assert_eq!(shop.whoami(&there).await, "nobody");
        shop.sessions.end_all(&alice()).await.unwrap();
        assert_eq!(shop.whoami(&here).await, "nobody");
        assert_eq!(admin.whoami(&there).await, "alice@1");
        let here = shop.login("user=alice&tag=sid").await;
        shop.sessions.end_tagged("sid").await.unwrap();
        assert_eq!(shop.whoami(&here).await, "nobody");
        assert_eq!(admin.whoami(&there).await, "alice@1");
        // A login under way there has nothing to do with an ending here.
        let answer = admin
            .login_under_way(&[], async || {
                shop.sessions.end_all(&alice()).await.unwrap();
            })
            .await;
        assert!(answer.cookie(SESSION).is_some());
        admin.sessions.end_tagged("sid").await.unwrap();
        assert_eq!(admin.whoami(&there).await, "nobody");
    }
}

/// S21: neither a list nor an id nor the limit reaches another audience's sessions.
#[tokio::test]
async fn a_list_and_a_limit_reach_one_audience_only() {
    let [_, [shop, admin]] = applications(&clock());
    let there = admin.login("user=alice").await;
    let stored = shop.sessions.in_store().unwrap();
    for _ in 0..3 {
        shop.login("user=alice").await;
    }
    assert_eq!(admin.whoami(&there).await, "alice@1");
    let listed = stored.list(&alice()).await.unwrap();
    assert_eq!(listed.len(), 2);
    let id = admin.client.get("/id", &[(SESSION, &there)]).await.body;
    let id = id.parse().unwrap();
    assert!(listed.iter().all(|session| session.id != id));
    assert!(!stored.end(&alice(), &id).await.unwrap());
    assert!(!stored.is_live(&alice(), &id).await.unwrap());
    assert_eq!(admin.whoami(&there).await, "alice@1");
    let admins = admin.sessions.in_store().unwrap();
    assert!(admins.end(&alice(), &id).await.unwrap());
}

/// S23: the limits of a stricter policy count from a session's creation and last use, also for sessions that began
/// under another.
#[tokio::test]
async fn a_stricter_policy_holds_for_existing_sessions() {
    let loose = SessionPolicy::aal1();
    let absolute = loose.clone().absolute(seconds(HOUR)).unwrap();
    let idle = loose.clone().idle(seconds(300)).unwrap();
    for (strict, used_until, ends) in [(absolute, 3599, HOUR), (idle, 0, 300)] {
        for layer in both_modes() {
            let clock = clock();
            let layer = layer.with_clock(clock.clone());
            let before = Site::of(layer.clone().with_policy(loose.clone()));
            let after = Site::of(layer.with_policy(strict.clone()));
            let (token, other) = (
                before.login("user=alice").await,
                before.login("user=bob").await,
            );
            clock.advance(seconds(used_until));
            assert_eq!(before.whoami(&token).await, "alice@1");
            clock.advance(seconds(ends - used_until) - Duration::from_millis(1));
            assert_eq!(after.whoami(&token).await, "alice@1");
            clock.advance(Duration::from_millis(1));
            assert_eq!(after.whoami(&other).await, "nobody");
            // What was long over under the stricter policy is not what a looser one is for.
            let told = after.events.take();
            let expired = [EventKind::ExpiredIdle, EventKind::ExpiredAbsolute];
            assert!(told.iter().any(|kind| expired.contains(kind)), "{told:?}");
        }
    }
}
