//! `RequireUser`: whom it lets through.

use axum::{
    Router,
    body::Body,
    http::{HeaderName, Method, Request, Response, StatusCode, header},
    routing::{any, get},
};
use tower_http::cors::CorsLayer;
use tower_session_guard::{KeyRing, SessionLayer, testing::CookieClient};
use tower_session_guard_axum::{CurrentUser, FlashCookie, RequireUser};

use crate::site::{
    App, Browser, Database, Down, MODES, Mode, Permission, User, fields, get_from, post_to,
    request, site,
};

async fn name(user: CurrentUser<User>) -> String {
    user.id.clone()
}

fn users(database: &Database) -> RequireUser<User> {
    RequireUser::with_state(database)
}

fn routes(database: &Database) -> Router<App> {
    let users = users(database);
    let editors = users.clone().that(|user| user.is_editor);
    let publishers = users.clone().with_permission(Permission::Publish);
    let asked = users.clone().that_async(|user, database| async move {
        let user = database.find(&user.id)?;
        Ok::<_, Down>(user.is_some_and(|user| user.is_editor))
    });
    let broken = users.clone().with_permission(Permission::FailToSay);
    let both = editors.clone().that(|user| user.id != "carol");
    Router::new()
        .route("/users", get(name).layer(users))
        .route("/editors", get(name).layer(editors))
        .route("/publishers", get(name).layer(publishers))
        .route("/asked", get(name).layer(asked))
        .route("/broken", get(name).layer(broken))
        .route("/both", get(name).layer(both))
}

#[tokio::test]
async fn only_a_user_who_passes_every_rule_is_let_through() {
    for mode in MODES {
        let database = Database::new();
        let anonymous = site(mode, &database, routes(&database));
        for (path, alice, carol) in [
            ("/users", 200, 200),
            ("/editors", 403, 200),
            ("/publishers", 403, 200),
            ("/asked", 403, 200),
            ("/broken", 503, 503),
            ("/both", 403, 403),
        ] {
            for (id, expected) in [("alice", alice), ("carol", carol)] {
                let mut browser = anonymous.clone();
                post_to(&mut browser, &format!("/login/{id}")).await;
                let (status, body) = get_from(&mut browser, path).await;
                assert_eq!(status, expected, "{mode:?}, {path}, {id}");
                let shown = if expected == 200 { id } else { "" };
                assert_eq!(body, shown, "{mode:?}, {path}, {id}");
            }
            let refused = anonymous.clone().get(path).await;
            assert_eq!(
                refused.status(),
                StatusCode::UNAUTHORIZED,
                "{mode:?}, {path}"
            );
            assert_eq!(refused.headers()[header::WWW_AUTHENTICATE], "Cookie");
        }
    }
}

/// The guard and the handler load the user once.
#[tokio::test]
async fn a_guard_and_its_handler_load_the_user_once() {
    let database = Database::new();
    let mut browser = site(Mode::Stored, &database, routes(&database));
    post_to(&mut browser, "/login/carol").await;
    database.loads();
    get_from(&mut browser, "/editors").await;
    assert_eq!(database.loads(), 1);
}

/// R05, R06, R09: what ends a session ends it at a guard as well, and a database that is down ends none.
#[tokio::test]
async fn a_guard_ends_the_sessions_of_users_who_are_gone() {
    for mode in MODES {
        let database = Database::new();
        let mut browser = site(mode, &database, routes(&database));
        post_to(&mut browser, "/login/alice").await;
        database.set_down(true);
        assert_eq!(get_from(&mut browser, "/users").await.0, 503, "{mode:?}");
        database.set_down(false);
        assert_eq!(get_from(&mut browser, "/users").await.0, 200, "{mode:?}");
        database.change_password("alice");
        assert_eq!(get_from(&mut browser, "/users").await.0, 401, "{mode:?}");
        assert_eq!(browser.cookie(), None, "{mode:?}");
    }
}

#[tokio::test]
async fn a_guard_without_a_session_layer_is_a_mistake() {
    let database = Database::new();
    let route = get(async || "").layer(users(&database));
    let mut browser: Browser = CookieClient::around(Router::new().route("/", route));
    assert_eq!(get_from(&mut browser, "/").await.0, 500);
}

/// A handler of every method, which says on whose behalf it ran and sets what only its callers should see.
async fn careless() -> ([(HeaderName, &'static str); 3], &'static str) {
    let fields = [
        (header::SET_COOKIE, "theme=dark"),
        (HeaderName::from_static("x-secret"), "secret"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "https://app.example"),
    ];
    (fields, "secret")
}

fn with_cors(database: &Database) -> Browser {
    let app = App {
        database: database.clone(),
        flash: FlashCookie::new(&KeyRing::generate().unwrap()),
    };
    let cors = CorsLayer::new()
        .allow_origin(["https://app.example".parse().unwrap()])
        .allow_methods([Method::PUT])
        .allow_credentials(true);
    let routes = Router::new()
        .route("/cors", get(name).put(name).layer((users(database), cors)))
        .route("/careless", any(careless).layer(users(database)))
        .with_state(app)
        .layer(SessionLayer::new(KeyRing::generate().unwrap()));
    CookieClient::around(routes)
}

const PREFLIGHT: [(&str, &str); 2] = [
    ("origin", "https://app.example"),
    ("access-control-request-method", "PUT"),
];

#[tokio::test]
async fn a_preflight_reaches_the_layer_that_answers_it() {
    let mut browser = with_cors(&Database::new());
    let answer = browser.send(request("OPTIONS", "/cors", &PREFLIGHT)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let allowed = fields(&answer, header::ACCESS_CONTROL_ALLOW_METHODS);
    assert_eq!(allowed, ["PUT"]);
    assert_eq!(
        fields(&answer, header::ACCESS_CONTROL_ALLOW_ORIGIN),
        ["https://app.example"]
    );
    assert_eq!(
        fields(&answer, header::ACCESS_CONTROL_ALLOW_CREDENTIALS),
        ["true"]
    );
    // The request itself is refused as ever.
    let put = request("PUT", "/cors", &PREFLIGHT[..1]);
    assert_eq!(browser.send(put).await.status(), StatusCode::UNAUTHORIZED);
}

/// Nothing of a handler's answer leaves by a request that only looks like a preflight.
#[tokio::test]
async fn an_answer_to_a_preflight_shows_nothing_of_a_handlers() {
    let mut browser = with_cors(&Database::new());
    let answer = browser
        .send(request("OPTIONS", "/careless", &PREFLIGHT))
        .await;
    assert_eq!(answer.headers().get("x-secret"), None);
    assert_eq!(answer.headers().get(header::SET_COOKIE), None);
    assert_eq!(
        fields(&answer, header::ACCESS_CONTROL_ALLOW_ORIGIN),
        ["https://app.example"]
    );
    assert_eq!(crate::site::read(answer).await, (200, String::new()));
    // What no browser sends as a preflight is none.
    for (method, fields) in [
        ("OPTIONS", &PREFLIGHT[..1]),
        ("OPTIONS", &PREFLIGHT[1..]),
        ("GET", &PREFLIGHT),
        ("OPTIONS", &[PREFLIGHT[0], PREFLIGHT[1], ("cookie", "a=b")]),
    ] {
        let answer = browser.send(request(method, "/careless", fields)).await;
        assert_eq!(
            answer.status(),
            StatusCode::UNAUTHORIZED,
            "{method} {fields:?}"
        );
    }
}

#[test]
fn a_guard_prints_no_user() {
    let guard = users(&Database::new()).that(|user| user.is_editor);
    assert_eq!(format!("{guard:?}"), "RequireUser { rules: 1, .. }");
    let service = tower::Layer::layer(
        &guard,
        tower::service_fn(async |_: Request<Body>| {
            Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
        }),
    );
    assert!(format!("{service:?}").starts_with("RequireUserService"));
}
