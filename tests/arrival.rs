//! A login at arrival: who proves who they are with the request itself is logged in before the handler runs.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderName, Request, Response, StatusCode, header, request::Parts},
    response::IntoResponse,
    routing::{get, post},
};
use common::{
    Answer, AnyLayer, Client, Events, GUEST, SESSION, Stop, clock, gated::Gated, keys,
    list::Counted, whoami,
};
use tower::{Layer, ServiceExt, service_fn};
use tower_session_guard::{
    AssuranceLevel, AtLimit, AuthenticatedSession, ClientBinding, CookiePolicy, CsrfLayer, DataKey,
    Endings, EventKind, Login, MemoryStore, OnChange, RequireAuthentication, SameSite, Session,
    SessionLayer, SessionPolicy,
    testing::{FaultyStore, ManualClock, StoreOperation},
};

const V: DataKey<String> = DataKey::new("v");

/// What keeps the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Tokens,
    TokensWithSharedList,
    Memory,
    /// A store that never answers at once.
    Store,
}

/// An application behind a proxy that says in `X-User` who the user is.
struct Site {
    client: Client,
    layer: AnyLayer,
    /// How often the hook was asked.
    asked: Arc<AtomicUsize>,
    events: Events,
    clock: ManualClock,
    mode: Mode,
    lazily: bool,
    store: FaultyStore<MemoryStore>,
}

impl Site {
    /// Whom the session's cookie of an answer opens.
    async fn opened_by(&self, answer: &Answer) -> String {
        let token = session_of(answer);
        self.client.whoami(&[(SESSION, &token)]).await
    }

    /// Every mode, loading before the handler and lazily.
    fn all() -> impl Iterator<Item = Self> {
        use Mode::{Memory, Store, Tokens, TokensWithSharedList};
        let modes = [Tokens, TokensWithSharedList, Memory, Store];
        modes
            .into_iter()
            .flat_map(|mode| [false, true].map(|lazily| Self::new(mode, lazily)))
    }

    /// Those with a store that never answers at once.
    fn stored() -> impl Iterator<Item = Self> {
        [false, true]
            .into_iter()
            .map(|lazily| Self::new(Mode::Store, lazily))
    }

    fn new(mode: Mode, lazily: bool) -> Self {
        Self::with(mode, lazily, |layer| layer)
    }

    fn with(mode: Mode, lazily: bool, set: impl FnOnce(AnyLayer) -> AnyLayer) -> Self {
        let store = FaultyStore::new(MemoryStore::new());
        let layer = match mode {
            Mode::Tokens => {
                SessionLayer::self_contained(keys(), Endings::this_process()).into_any()
            }
            Mode::TokensWithSharedList => {
                let endings = Endings::shared(Counted::default());
                SessionLayer::self_contained(keys(), endings).into_any()
            }
            Mode::Memory => SessionLayer::new(keys()).into_any(),
            Mode::Store => SessionLayer::new(keys())
                .with_store(store.clone())
                .into_any(),
        };
        let (asked, events, clock) = (Arc::<AtomicUsize>::default(), Events::default(), clock());
        let layer = set(layer)
            .with_clock(clock.clone())
            .with_observer(events.clone());
        let layer = if lazily { layer.lazily() } else { layer };
        let counted = Arc::clone(&asked);
        let layer = layer.login_at_arrival(move |request| {
            counted.fetch_add(1, SeqCst);
            async move { by_proxy(&request) }
        });
        Self {
            client: Client::around(app().layer(layer.clone())),
            layer,
            asked,
            events,
            clock,
            mode,
            lazily,
            store,
        }
    }

    fn name(&self) -> String {
        let Self { mode, lazily, .. } = self;
        format!("{mode:?}, lazily: {lazily}")
    }

    /// How often the hook was asked since the last call.
    fn asked(&self) -> usize {
        self.asked.swap(0, SeqCst)
    }

    /// A request of a user whom the proxy vouches for.
    async fn send_as(
        &self,
        user: &str,
        method: &str,
        path: &str,
        cookies: &[(&str, &str)],
    ) -> Answer {
        self.send(method, path, cookies, &[("x-user", user)]).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        cookies: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        self.client.send(with(method, path, cookies, headers)).await
    }
}

fn with(
    method: &str,
    path: &str,
    cookies: &[(&str, &str)],
    headers: &[(&str, &str)],
) -> Request<Body> {
    let mut request = common::request(method, path, cookies);
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

fn by_proxy(request: &Parts) -> Option<Login> {
    let user = request.headers.get("x-user")?.to_str().ok()?;
    let login = Login::new(user).by("sso");
    match request.headers.get("x-value") {
        Some(value) => login.insert(&V, value.to_str().ok()?).ok(),
        None => Some(login),
    }
}

/// What every test's handlers do, and those of `common::app`.
fn app() -> Router {
    Router::new()
        .route("/plain", get(async || "plain"))
        .route(
            "/user",
            get(async |user: AuthenticatedSession| user.subject().to_string()),
        )
        .route(
            "/guarded",
            get(async |request: Request<Body>| {
                let user = request.extensions().get::<AuthenticatedSession>().unwrap();
                user.subject().to_string()
            })
            .layer(RequireAuthentication::new()),
        )
        .route(
            "/echo",
            post(async |user: AuthenticatedSession, body: Bytes| {
                format!("{}: {}", user.subject(), str::from_utf8(&body).unwrap())
            }),
        )
        .route(
            "/csrf",
            get(async |session: Session| session.csrf_token().unwrap().to_string())
                .post(async || "checked")
                .layer(CsrfLayer::new()),
        )
        .route(
            "/public-page",
            get(async |session: Session| {
                let cached = [(header::CACHE_CONTROL, "public, max-age=600")];
                (cached, whoami(&session))
            }),
        )
        .route(
            "/mark/put",
            post(async |request: Request<Body>| {
                let session = request.extensions().get::<Session>().unwrap();
                session.insert(&V, "new").unwrap();
            }),
        )
        .merge(common::app(Stop::default()))
}

fn session_of(answer: &Answer) -> String {
    answer
        .cookie(SESSION)
        .filter(|token| !token.is_empty())
        .expect("a session's cookie")
}

/// R19: before the handler, whatever it finds the user by, once.
#[tokio::test]
async fn the_handler_finds_who_logged_in_at_arrival() {
    for site in Site::all() {
        let name = site.name();
        for (path, found) in [
            ("/whoami", "alice@1"),
            ("/user", "alice"),
            ("/guarded", "alice"),
        ] {
            let answer = site.send_as("alice", "GET", path, &[]).await;
            assert_eq!(
                (answer.status, &*answer.body),
                (StatusCode::OK, found),
                "{name}"
            );
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store", "{name}");
            assert_eq!(site.asked(), 1, "{name}");
            assert_eq!(site.events.take(), [EventKind::LoggedIn], "{name}");
            // From then on the cookie suffices.
            let token = session_of(&answer);
            let cookies = [(SESSION, &*token)];
            assert_eq!(site.client.get(path, &cookies).await.body, found, "{name}");
            let again = site.send_as("mallory", "GET", path, &cookies).await;
            assert_eq!(again.body, found, "{name}");
            assert!(again.sets_nothing(), "{name}");
            assert_eq!(site.asked(), 0, "{name}");
        }
    }
}

/// R19: a form that is sent without a session reaches its handler with its body, and a token of the page it answers with holds.
#[tokio::test]
async fn a_post_is_not_lost() {
    for site in Site::all() {
        let mut request = with("POST", "/echo", &[], &[("x-user", "alice")]);
        *request.body_mut() = Body::from("hello");
        let answer = site.client.send(request).await;
        assert_eq!(answer.body, "alice: hello", "{}", site.name());
        session_of(&answer);

        let page = site.send_as("alice", "GET", "/csrf", &[]).await;
        let token = session_of(&page);
        let headers = [("x-csrf-token", &*page.body)];
        let sent = site
            .send("POST", "/csrf", &[(SESSION, &token)], &headers)
            .await;
        assert_eq!(sent.body, "checked", "{}", site.name());
    }
}

/// R19: without a proof nothing changes.
#[tokio::test]
async fn who_proves_nothing_stays_anonymous() {
    for site in Site::all() {
        let answer = site.client.get("/whoami", &[]).await;
        assert_eq!(answer.body, "nobody");
        assert!(answer.sets_nothing());
        assert_eq!(site.asked(), 1, "{}", site.name());
        let answer = site.client.get("/user", &[]).await;
        assert_eq!(answer.status, 401);
        assert!(site.events.take().is_empty());
        // A guest's session begins and goes on as ever.
        let guest = site.client.guest().await;
        let put = site.client.mark("put:k:again", &[(GUEST, &guest)]).await;
        assert_eq!(put.status, 200);
        let guest = put.cookie(GUEST).unwrap_or(guest);
        let read = site.client.get("/get?k=k", &[(GUEST, &guest)]).await;
        assert_eq!(read.body, "again", "{}", site.name());
    }
}

/// R19: a failure of the handler drops what it marked, and not who came.
#[tokio::test]
async fn its_cookie_leaves_with_whatever_is_answered() {
    for site in Site::all() {
        let name = site.name();
        for status in [200, 204, 302, 304, 401, 403, 404, 422, 500, 503] {
            let path = format!("/do?marks=put:k:v&status={status}");
            let answer = site.send_as("alice", "POST", &path, &[]).await;
            assert_eq!(answer.status, status, "{name}");
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store", "{name}");
            let token = session_of(&answer);
            let cookies = [(SESSION, &*token)];
            assert_eq!(
                site.client.whoami(&cookies).await,
                "alice@1",
                "{name}, {status}"
            );
            let data = site.client.get("/get?k=k", &cookies).await.body;
            assert_eq!(
                data,
                if status < 500 { "v" } else { "" },
                "{name}, {status}"
            );
        }
        let page = site.send_as("alice", "GET", "/public-page", &[]).await;
        assert_eq!(page.body, "alice@1");
        assert_eq!(page.headers[header::CACHE_CONTROL], "no-store", "{name}");
        session_of(&page);
    }
}

/// R19: one cookie of a name leaves, and it is the last word.
#[tokio::test]
async fn what_the_handler_marks_comes_on_top() {
    for site in Site::all() {
        let name = site.name();
        for (marks, left) in [
            ("elevate", "alice@2"),
            ("step-down", "alice@1"),
            ("renew", "alice@1"),
            ("login:bob", "bob@1"),
            ("put:k:v,elevate", "alice@2"),
            ("logout,login:carol", "carol@1"),
        ] {
            let path = format!("/do?marks={marks}");
            let answer = site.send_as("alice", "POST", &path, &[]).await;
            assert_eq!(answer.body, left, "{name}, {marks}");
            assert_eq!(site.opened_by(&answer).await, left, "{name}, {marks}");
        }
        let out = site.send_as("alice", "POST", "/do?marks=logout", &[]).await;
        assert_eq!(out.cookie(SESSION).as_deref(), Some(""), "{name}");
        assert_eq!(out.cookie(GUEST), None, "{name}");
        let forgotten = site
            .send_as("alice", "POST", "/do?marks=logout,put:k:v", &[])
            .await;
        assert_eq!(forgotten.cookie(SESSION).as_deref(), Some(""), "{name}");
        assert_ne!(forgotten.cookie(GUEST).as_deref(), Some(""), "{name}");
    }
}

/// R19: a token that went unused for too long may be of a session that goes on with a newer one. It logs in as none would, and the
/// session goes on.
#[tokio::test]
async fn a_token_that_is_too_old_ends_no_session_that_goes_on() {
    for site in Site::all() {
        let name = site.name();
        let begun = site.send_as("alice", "GET", "/whoami", &[]).await;
        let old = session_of(&begun);
        site.clock.advance(Duration::from_secs(40 * 60));
        let used = site.client.get("/whoami", &[(SESSION, &old)]).await;
        let new = used.cookie(SESSION).unwrap_or_else(|| old.clone());
        site.clock.advance(Duration::from_secs(40 * 60));
        site.asked();
        let answer = site
            .send_as("bob", "GET", "/whoami", &[(SESSION, &old)])
            .await;
        let goes_on = new == old;
        assert_eq!(
            answer.body,
            if goes_on { "alice@1" } else { "bob@1" },
            "{name}"
        );
        assert_eq!(site.asked(), usize::from(!goes_on), "{name}");
        assert_eq!(
            site.client.whoami(&[(SESSION, &new)]).await,
            "alice@1",
            "{name}"
        );
    }
}

/// R19: the login brings data, which the handler finds and the session keeps; what does not fit begins no session.
#[tokio::test]
async fn what_the_login_brings_is_there_when_the_handler_runs() {
    for site in Site::all() {
        let name = site.name();
        let headers = [("x-user", "alice"), ("x-value", "brought")];
        let answer = site.send("GET", "/get?k=v", &[], &headers).await;
        assert_eq!(answer.body, "brought", "{name}");
        let token = session_of(&answer);
        let read = site.client.get("/get?k=v", &[(SESSION, &token)]).await;
        assert_eq!(read.body, "brought", "{name}");
        let long = "x".repeat(70_000);
        let headers = [("x-user", "alice"), ("x-value", &*long)];
        let refused = site.send("POST", "/echo", &[], &headers).await;
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{name}");
        assert_eq!(refused.cookie(SESSION), None, "{name}");
    }
}

/// R19, R01, R07, A01: a guest's id that somebody planted is worth nothing after the login, and its data follows the login's rule.
#[tokio::test]
async fn a_planted_guest_session_ends() {
    for site in Site::all() {
        let name = site.name();
        let planted = site.client.guest().await;
        site.asked();
        let cookies = [(GUEST, &*planted)];
        let answer = site.send_as("alice", "GET", "/whoami", &cookies).await;
        assert_eq!(answer.body, "alice@1", "{name}");
        assert_eq!(site.asked(), 1, "{name}");
        assert_eq!(answer.cookie(GUEST).as_deref(), Some(""), "{name}");
        let token = session_of(&answer);
        for (key, value) in [("locale", "de"), ("k", "")] {
            let path = format!("/get?k={key}");
            let own = site.client.get(&path, &[(SESSION, &token)]).await;
            assert_eq!(own.body, value, "{name}, {key}");
            let old = site.client.get(&path, &cookies).await;
            assert_eq!(old.body, "", "{name}, {key}: of the guest's id");
        }
    }
}

/// R19: a session that has ended is none.
#[tokio::test]
async fn after_the_sessions_end_the_hook_is_asked_again() {
    for site in Site::all() {
        let name = site.name();
        let token = session_of(&site.send_as("alice", "GET", "/whoami", &[]).await);
        let cookies = [(SESSION, &*token)];
        site.client.mark("logout", &cookies).await;
        site.asked();
        let again = site.send_as("alice", "GET", "/whoami", &cookies).await;
        assert_eq!((&*again.body, site.asked()), ("alice@1", 1), "{name}");
        let token = session_of(&again);
        site.clock.advance(Duration::from_secs(30 * 24 * 3600));
        let cookies = [(SESSION, &*token)];
        let again = site.send_as("alice", "GET", "/whoami", &cookies).await;
        assert_eq!((&*again.body, site.asked()), ("alice@1", 1), "{name}");
        assert_ne!(session_of(&again), token, "{name}");
    }
}

/// R19: a login at arrival ends no user's session: where one goes on that the request's token does not open, nothing happens.
#[tokio::test]
async fn a_session_that_goes_on_is_left_alone() {
    for site in Site::all() {
        let name = site.name();
        let old = site.client.login("alice").await;
        let elevated = site.client.mark("elevate", &[(SESSION, &old)]).await;
        let new = session_of(&elevated);
        let other = site.client.login("bob").await;
        site.asked();
        for cookies in [
            // Retired.
            &[(SESSION, &*old)][..],
            // Of several sessions.
            &[(SESSION, &*new), (SESSION, &*other)],
        ] {
            let answer = site.send_as("carol", "GET", "/whoami", cookies).await;
            assert_eq!(answer.body, "nobody", "{name}");
            assert!(answer.sets_nothing(), "{name}");
            assert_eq!(site.asked(), 0, "{name}");
        }
        for (token, who) in [(&new, "alice@2"), (&other, "bob@1")] {
            assert_eq!(site.client.whoami(&[(SESSION, token)]).await, who, "{name}");
        }
    }
}

/// R19, R93: a session that its own user should log in to again is not replaced unasked.
#[tokio::test]
async fn a_suspended_session_is_left_alone() {
    for (mode, lazily) in [
        (Mode::Tokens, false),
        (Mode::Store, false),
        (Mode::Store, true),
    ] {
        let site = Site::with(mode, lazily, |layer| {
            layer.with_binding(ClientBinding::new().user_agent(OnChange::Ask))
        });
        let by = |agent: &'static str| [("x-user", "alice"), ("user-agent", agent)];
        let answer = site.send("GET", "/whoami", &[], &by("one")).await;
        assert_eq!(answer.body, "alice@1");
        let token = session_of(&answer);
        let cookies = [(SESSION, &*token)];
        site.asked();
        // It is bound to the client that logged in.
        let same = site.send("GET", "/whoami", &cookies, &by("one")).await;
        assert_eq!(same.body, "alice@1");
        let other = site.send("GET", "/whoami", &cookies, &by("two")).await;
        assert_eq!(other.body, "nobody");
        assert!(other.sets_nothing());
        assert_eq!(site.asked(), 0);
    }
}

/// R19, R82, A03: where a browser withholds the cookie, its absence says nothing, and a proof that comes by itself is no consent.
#[tokio::test]
async fn other_sites_log_nobody_in() {
    let link = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    let script = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")];
    let form = [("origin", "https://other.example"), ("host", "app.example")];
    let own = [("sec-fetch-site", "same-origin")];
    for lazily in [false, true] {
        for (same_site, method, headers, found) in [
            (SameSite::Lax, "POST", &own[..], "alice@1"),
            (SameSite::Lax, "POST", &link, "nobody"),
            (SameSite::Lax, "POST", &script, "nobody"),
            (SameSite::Lax, "POST", &form, "nobody"),
            (SameSite::Lax, "GET", &script, "nobody"),
            (SameSite::Lax, "GET", &link, "alice@1"),
            (SameSite::Strict, "GET", &link, "nobody"),
            (SameSite::Strict, "GET", &own, "alice@1"),
            (SameSite::None, "POST", &script, "alice@1"),
            (SameSite::None, "GET", &link, "alice@1"),
        ] {
            let site = Site::with(Mode::Store, lazily, |layer| {
                let cookies = CookiePolicy::builder().same_site(same_site).build();
                layer.with_cookies(cookies.unwrap())
            });
            let path = if method == "GET" {
                "/whoami"
            } else {
                "/do?marks="
            };
            let headers = [headers, &[("x-user", "alice")]].concat();
            let answer = site.send(method, path, &[], &headers).await;
            assert_eq!(answer.body, found, "{same_site:?} {method} {headers:?}");
            assert_eq!(answer.sets_nothing(), found == "nobody");
            assert_eq!(site.asked(), usize::from(found != "nobody"));
        }
    }
}

/// R19, R80: the CSRF layer within sees a session, and wants its token.
#[tokio::test]
async fn a_csrf_layer_guards_a_login_at_arrival_too() {
    for site in Site::all() {
        let answer = site.send_as("alice", "POST", "/csrf", &[]).await;
        assert_eq!(answer.status, 403, "{}", site.name());
        assert_eq!(site.opened_by(&answer).await, "alice@1", "{}", site.name());
    }
}

/// R19: what a handler's login is refused for refuses this one, and no handler runs.
#[tokio::test]
async fn where_the_login_cannot_be_the_handler_does_not_run() {
    for site in Site::all() {
        let answer = site.send_as("", "POST", "/do?marks=put:k:v", &[]).await;
        assert_eq!(answer.status, 500, "{}", site.name());
        assert!(answer.sets_nothing());
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(site.events.take(), [EventKind::LoginRefused]);
    }
    for lazily in [false, true] {
        let store = MemoryStore::new();
        let layer = SessionLayer::new(keys()).with_store(store);
        let layer = layer.max_sessions(1, AtLimit::RefuseLogin).unwrap();
        let layer = if lazily { layer.lazily() } else { layer };
        let layer = layer.login_at_arrival(|request| async move { by_proxy(&request) });
        let client = Client::around(app().layer(layer));
        let send = || with("GET", "/whoami", &[], &[("x-user", "alice")]);
        let token = session_of(&client.send(send()).await);
        let refused = client.send(send()).await;
        assert_eq!(refused.status, 409);
        assert!(refused.sets_nothing());
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@1");
    }
}

/// R19, R09: a store that fails logs nobody in and lets no handler take the request for an anonymous one.
#[tokio::test]
async fn a_failing_store_is_no_anonymous_request() {
    for site in Site::stored() {
        let name = site.name();
        let dead = site.client.login("alice").await;
        site.client.mark("logout", &[(SESSION, &dead)]).await;
        let cookies = [(SESSION, &*dead)];
        for (operation, cookies, asked, event) in [
            // It is not known who came, so nobody is asked.
            (
                StoreOperation::Load,
                &cookies[..],
                0,
                EventKind::StoreFailedLoad,
            ),
            (StoreOperation::Create, &[], 1, EventKind::StoreFailedWrite),
            // After the login.
            (StoreOperation::Load, &[], 1, EventKind::StoreFailedLoad),
        ] {
            site.events.take();
            site.asked();
            site.store.fail(operation, 1, 0);
            let answer = site
                .send_as("alice", "POST", "/do?marks=put:k:v", cookies)
                .await;
            assert_eq!(answer.status, 503, "{name}, {operation:?}");
            assert!(answer.sets_nothing(), "{name}, {operation:?}");
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
            assert_eq!(site.asked(), asked, "{name}, {operation:?}");
            let events = site.events.take();
            assert!(events.contains(&event), "{name}: {events:?}");
            assert!(
                !events.contains(&EventKind::DataDropped),
                "{name}: {events:?}"
            );
        }
        // When it is back, all is well.
        let answer = site.send_as("alice", "GET", "/whoami", &[]).await;
        assert_eq!(answer.body, "alice@1", "{name}");
    }
}

/// R19: the cookie of a login that was done leaves also where the layer answers in the handler's place.
#[tokio::test]
async fn its_cookie_leaves_with_the_answer_to_a_failed_write() {
    for site in Site::stored() {
        site.store.fail(StoreOperation::Replace, 1, 0);
        let answer = site
            .send_as("alice", "POST", "/do?marks=elevate", &[])
            .await;
        assert_eq!(answer.status, 503, "{}", site.name());
        assert_eq!(site.opened_by(&answer).await, "alice@1", "{}", site.name());
    }
}

/// R19, S05: an ending of everything of the user, while the hook is under way, counts.
#[tokio::test]
async fn what_ends_all_ends_a_login_that_is_under_way() {
    for mode in [
        Mode::Tokens,
        Mode::TokensWithSharedList,
        Mode::Memory,
        Mode::Store,
    ] {
        let site = Site::new(mode, false);
        let (stop, events) = (Stop::default(), site.events.clone());
        let within = stop.clone();
        let layer = site.layer.login_at_arrival(move |request| {
            let stop = within.clone();
            async move {
                stop.here().await;
                by_proxy(&request)
            }
        });
        let sessions = layer.sessions();
        let client = Client::around(app().layer(layer));
        let request = with("GET", "/whoami", &[], &[("x-user", "alice")]);
        let answering = tokio::spawn(async move { client.send(request).await });
        stop.reached.notified().await;
        sessions.end_all(&"alice".into()).await.unwrap();
        stop.go_on.notify_one();
        let answer = answering.await.unwrap();
        assert_eq!(answer.status, 401, "{mode:?}");
        assert!(answer.sets_nothing(), "{mode:?}");
        assert!(
            events.take().contains(&EventKind::LoginEndedUnderWay),
            "{mode:?}"
        );
    }
}

/// R19, R77: lazily, a route that never looks asks nothing, and neither does a mark.
#[tokio::test]
async fn without_a_look_the_hook_is_not_asked() {
    for site in Site::all().filter(|site| site.lazily) {
        let name = site.name();
        let guest = site.client.guest().await;
        site.asked();
        site.events.take();
        let calls = site.store.calls(StoreOperation::Load);
        for cookies in [&[][..], &[(GUEST, &*guest)]] {
            let answer = site.send_as("alice", "GET", "/plain", cookies).await;
            assert_eq!(answer.body, "plain", "{name}");
            assert!(answer.sets_nothing(), "{name}");
            assert!(!answer.headers.contains_key(header::VARY), "{name}");
        }
        assert_eq!(site.store.calls(StoreOperation::Load), calls);
        let put = site.send_as("alice", "POST", "/mark/put", &[]).await;
        let begun = put.cookie(GUEST).expect("a guest's session");
        assert_eq!(put.cookie(SESSION), None, "{name}");
        assert_eq!(site.asked(), 0, "{name}");
        let read = site.client.get("/get?k=v", &[(GUEST, &begun)]).await;
        assert_eq!(read.body, "new", "{name}");
    }
}

/// R19: a look from the body finds the request as it was; one that is under way when the head leaves is waited for.
#[tokio::test]
async fn a_look_after_the_head_logs_nobody_in() {
    for site in Site::all().filter(|site| site.lazily) {
        let (stop, name) = (Stop::default(), site.name());
        let (seen, asked) = (
            Arc::new(std::sync::Mutex::new(None)),
            Arc::clone(&site.asked),
        );
        let (within, noted) = (stop.clone(), Arc::clone(&seen));
        let inner = service_fn(move |request: Request<Body>| {
            let (stop, noted) = (within.clone(), Arc::clone(&noted));
            async move {
                let later = tokio::spawn(async move {
                    let mut request = request;
                    stop.here().await;
                    let session = Session::load(&mut request).await.unwrap();
                    *noted.lock().unwrap() = Some(whoami(&session));
                    stop.reached.notify_one();
                });
                drop(later);
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        let service = site.layer.layer(inner);
        let request = with("GET", "/", &[], &[("x-user", "alice")]);
        let answer = service.oneshot(request).await.unwrap();
        assert!(!answer.headers().contains_key(header::SET_COOKIE), "{name}");
        stop.reached.notified().await;
        stop.go_on.notify_one();
        stop.reached.notified().await;
        assert_eq!(seen.lock().unwrap().as_deref(), Some("nobody"), "{name}");
        assert_eq!(asked.load(SeqCst), 0, "{name}");
    }
    for site in Site::all().filter(|site| site.lazily) {
        let (stop, name) = (Stop::default(), site.name());
        let within = stop.clone();
        let layer = site.layer.clone().login_at_arrival(move |request| {
            let stop = within.clone();
            async move {
                stop.here().await;
                by_proxy(&request)
            }
        });
        let reached = stop.clone();
        let inner = service_fn(move |mut request: Request<Body>| {
            let reached = reached.clone();
            async move {
                tokio::spawn(async move { drop(Session::load(&mut request).await) });
                reached.reached.notified().await;
                // The head leaves while the look is under way.
                reached.go_on.notify_one();
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        let request = with("GET", "/", &[], &[("x-user", "alice")]);
        let answer = common::collect(layer.layer(inner).oneshot(request).await.unwrap()).await;
        assert_eq!(site.opened_by(&answer).await, "alice@1", "{name}");
    }
}

/// R19: two requests of one page each begin a session, and the browser keeps the one whose answer comes last.
#[tokio::test]
async fn of_parallel_requests_each_begins_a_session() {
    for site in Site::all() {
        let (one, two) = tokio::join!(
            site.send_as("alice", "GET", "/whoami", &[]),
            site.send_as("alice", "GET", "/whoami", &[]),
        );
        let tokens = [session_of(&one), session_of(&two)];
        assert_ne!(tokens[0], tokens[1]);
        for token in &tokens {
            let who = site.client.whoami(&[(SESSION, token)]).await;
            assert_eq!(who, "alice@1", "{}", site.name());
        }
    }
}

/// R19: a client that keeps no cookie begins a session with each request, up to the limit.
#[tokio::test]
async fn a_client_without_cookies_keeps_to_the_limit() {
    let store = Arc::new(MemoryStore::new());
    let layer = SessionLayer::new(keys())
        .with_shared_store(Arc::clone(&store) as _)
        .max_sessions(3, AtLimit::EndOldest)
        .unwrap()
        .login_at_arrival(|request| async move { by_proxy(&request) });
    let sessions = layer.sessions();
    let client = Client::around(app().layer(layer));
    for _ in 0..10 {
        let answer = client
            .send(with("GET", "/whoami", &[], &[("x-user", "alice")]))
            .await;
        assert_eq!(answer.body, "alice@1");
    }
    let listed = sessions.list(&"alice".into()).await.unwrap();
    assert_eq!(listed.len(), 3);
}

/// R19: a session whose cookie never left ends: its client went away, or an error took the answer's place.
#[tokio::test]
async fn a_session_whose_cookie_never_leaves_ends() {
    for site in Site::all() {
        let name = site.name();
        let stop = Stop::default();
        let within = stop.clone();
        let failing = service_fn(move |mut request: Request<Body>| {
            let stop = within.clone();
            async move {
                let session = Session::load(&mut request).await.unwrap();
                assert_eq!(whoami(&session), "alice@1");
                if request.uri().path() == "/stop" {
                    stop.here().await;
                }
                Err::<Response<Body>, _>(std::io::Error::other("asked to"))
            }
        });
        let service = site.layer.layer(failing);
        let send = |path: &str| with("GET", path, &[], &[("x-user", "alice")]);
        assert!(service.clone().oneshot(send("/")).await.is_err());
        assert_eq!(
            site.events.take(),
            [EventKind::LoggedIn, EventKind::LoggedOut],
            "{name}"
        );

        let mut answering = Box::pin(service.oneshot(send("/stop")));
        tokio::select! {
            _ = &mut answering => panic!("it waits"),
            () = stop.reached.notified() => {}
        }
        drop(answering);
        let drained = site.layer.drain(Duration::from_secs(5)).await;
        assert!(drained.is_complete());
        assert_eq!(
            site.events.take(),
            [EventKind::LoggedIn, EventKind::LoggedOut],
            "{name}"
        );
    }
}

/// R19, S16: a client that leaves while the login is written: the write goes on, and nothing else does.
#[tokio::test]
async fn a_client_that_leaves_during_the_login_reaches_no_handler() {
    for lazily in [false, true] {
        let store = Gated::default();
        let events = Events::default();
        let layer = SessionLayer::new(keys())
            .with_store(store.clone())
            .with_observer(events.clone());
        let layer = if lazily { layer.lazily() } else { layer };
        let layer = layer.login_at_arrival(|request| async move { by_proxy(&request) });
        store.hold(StoreOperation::Create);
        let client = Client::around(app().layer(layer.clone()));
        let request = with("POST", "/do?marks=put:k:v", &[], &[("x-user", "alice")]);
        let answering = tokio::spawn(async move { client.send(request).await });
        store.stop.reached.notified().await;
        answering.abort();
        assert!(answering.await.unwrap_err().is_cancelled());
        store.stop.go_on.notify_one();
        assert!(layer.drain(Duration::from_secs(5)).await.is_complete());
        let told = events.take();
        assert_eq!(told.first(), Some(&EventKind::LoggedIn), "{told:?}");
        assert!(!told.contains(&EventKind::DataDropped), "{told:?}");
    }
}

/// R19: the same layer twice asks once, and another layer for itself.
#[tokio::test]
async fn a_layer_that_is_there_twice_asks_once() {
    for site in Site::all() {
        let name = site.name();
        let other = SessionLayer::new(keys())
            .with_cookies(CookiePolicy::builder().name("other").build().unwrap())
            .login_at_arrival(|_| async { Some(Login::new("service")) });
        let app = app()
            .layer(site.layer.clone())
            .layer(site.layer.clone())
            .layer(other);
        let client = Client::around(app);
        let answer = client
            .send(with("GET", "/whoami", &[], &[("x-user", "alice")]))
            .await;
        assert_eq!((&*answer.body, site.asked()), ("alice@1", 1), "{name}");
        assert_eq!(
            answer.headers.get_all(header::SET_COOKIE).iter().count(),
            2,
            "{name}"
        );
    }
}

/// R19: the hook sees the request's head, and what layers outside have put into it.
#[tokio::test]
async fn the_hook_sees_the_head_of_the_request() {
    #[derive(Clone)]
    struct Device(&'static str);
    for lazily in [false, true] {
        let layer = SessionLayer::new(keys()).login_at_arrival(|request| async move {
            let Device(owner) = request.extensions.get()?;
            let path = request.uri.path();
            let level = if request.method == "GET" {
                AssuranceLevel::AAL1
            } else {
                AssuranceLevel::AAL2
            };
            tokio::task::yield_now().await;
            Some(Login::new(format!("{owner}{path}")).at_level(level))
        });
        let layer = if lazily { layer.lazily() } else { layer };
        let app = app().layer(layer).layer(axum::Extension(Device("alice")));
        let client = Client::around(app);
        let got = client.send(common::request("GET", "/whoami", &[])).await;
        assert_eq!(got.body, "alice/whoami@1");
        let posted = client
            .send(common::request("POST", "/do?marks=", &[]))
            .await;
        assert_eq!(posted.body, "alice/do@2");
    }
}

/// R19: on plain tower, with a body of any type.
#[tokio::test]
async fn it_needs_no_axum() {
    for site in Site::all() {
        let inner = service_fn(|mut request: Request<&'static str>| async move {
            let session = Session::load(&mut request).await.unwrap();
            let text = format!("{}: {}", whoami(&session), request.body());
            Ok::<_, Infallible>(Response::new(text))
        });
        let request = Request::post("/")
            .header("x-user", "alice")
            .body("hello")
            .unwrap();
        let answer = site.layer.layer(inner).oneshot(request).await.unwrap();
        assert_eq!(answer.body(), "alice@1: hello", "{}", site.name());
        assert!(
            answer.headers().contains_key(header::SET_COOKIE),
            "{}",
            site.name()
        );
    }
}

/// R19: the limits and the remembering of a login count as ever.
#[tokio::test]
async fn the_login_says_what_any_login_says() {
    for lazily in [false, true] {
        let policy = SessionPolicy::default()
            .remember_for(Duration::from_secs(20 * 24 * 3600))
            .unwrap();
        let layer = SessionLayer::new(keys())
            .with_policy(policy)
            .login_at_arrival(|_| async {
                Some(
                    Login::new("alice")
                        .remembered()
                        .labelled("kiosk")
                        .by("device"),
                )
            });
        let layer = if lazily { layer.lazily() } else { layer };
        let sessions = layer.sessions();
        let proved = get(async |user: AuthenticatedSession| {
            let methods: Vec<_> = user.methods().map(|(name, _)| name.to_owned()).collect();
            methods.join(" ").into_response()
        });
        let client = Client::around(Router::new().route("/", proved).layer(layer));
        let answer = client.get("/", &[]).await;
        assert_eq!(answer.body, "device");
        let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
        assert!(set.contains("Max-Age=1728000"), "{set}");
        let listed = sessions.list(&"alice".into()).await.unwrap();
        assert_eq!(
            listed[0].details.as_ref().unwrap().label.as_deref(),
            Some("kiosk")
        );
    }
}

/// R19: what is left of a guest's session bars nobody: its token was retired by a login whose answer was lost.
#[tokio::test]
async fn a_retired_guests_token_does_not_matter() {
    for site in Site::all() {
        let name = site.name();
        let guest = site.client.guest().await;
        let cookies = [(GUEST, &*guest)];
        for _ in 0..2 {
            let answer = site.send_as("alice", "GET", "/whoami", &cookies).await;
            assert_eq!(answer.body, "alice@1", "{name}");
            assert_eq!(answer.cookie(GUEST).as_deref(), Some(""), "{name}");
        }
    }
}
