//! `LoginPage` and `Explanation`: what a refused client is told.

use axum::{
    Router,
    body::Body,
    http::{Response, StatusCode, header},
    response::Html,
    routing::{get, post},
};
use tower_session_guard::{AssuranceLevel, Refusal, RequireAuthentication};
use tower_session_guard_axum::{Explanation, LoginPage, RequireUser};

use crate::site::{App, Browser, Database, Mode, User, fields, post_to, read, request, site};

const PAGE: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn routes(database: &Database) -> Router<App> {
    let login = LoginPage::at("/login").with_step_up("/step-up?why=transfer");
    let users = RequireUser::<User>::with_state(database).on_refusal_with(login.clone());
    let editors = users.clone().that(|user| user.is_editor);
    let strong = RequireAuthentication::at_least(AssuranceLevel::AAL2).on_refusal_with(login);
    let own = LoginPage::at("https://login.example/?app=1")
        .returning_by("back")
        .otherwise(|refusal: &Refusal, _: &_| (refusal.status(), Html("<h1>not for you</h1>")));
    let own = RequireUser::<User>::with_state(database)
        .that(|_| false)
        .on_refusal_with(own);
    let inner = Router::new()
        .route("/users", get(async || "").post(async || ""))
        .layer(users);
    Router::new()
        .nest("/admin", inner)
        .route("/editors", get(async || "").layer(editors))
        .route(
            "/transfer",
            post(async || "").get(async || "").layer(strong),
        )
        .route("/own", get(async || "").layer(own))
}

fn anonymous() -> Browser {
    let database = Database::new();
    site(Mode::Stored, &database, routes(&database))
}

async fn sent(
    browser: &mut Browser,
    method: &str,
    path: &str,
    with: &[(&str, &str)],
) -> Response<Body> {
    browser.send(request(method, path, with)).await
}

/// The way back is a path of this site, whole in a nested router.
#[tokio::test]
async fn a_browser_is_sent_to_log_in_and_comes_back() {
    let mut browser = anonymous();
    for (method, path, with, expected) in [
        (
            "GET",
            "/admin/users?page=2",
            vec![PAGE],
            "/login?next=%2Fadmin%2Fusers%3Fpage%3D2",
        ),
        (
            "GET",
            "/admin/users",
            vec![("sec-fetch-mode", "navigate")],
            "/login?next=%2Fadmin%2Fusers",
        ),
        (
            "HEAD",
            "/admin/users",
            vec![PAGE],
            "/login?next=%2Fadmin%2Fusers",
        ),
        ("GET", "//evil.example/", vec![PAGE], ""),
        ("POST", "/admin/users", vec![PAGE], "/login"),
        (
            "POST",
            "/admin/users",
            vec![
                PAGE,
                ("host", "app.example"),
                ("referer", "https://app.example/form?a=1#x"),
            ],
            "/login?next=%2Fform%3Fa%3D1",
        ),
        (
            "POST",
            "/admin/users",
            vec![
                PAGE,
                ("host", "app.example"),
                ("referer", "https://evil.example/form"),
            ],
            "/login",
        ),
        (
            "POST",
            "/admin/users",
            vec![
                PAGE,
                ("host", "app.example"),
                ("referer", "https://app.example//evil.example"),
            ],
            "/login",
        ),
        (
            "GET",
            "/own",
            vec![PAGE],
            "https://login.example/?app=1&back=%2Fown",
        ),
        ("GET", "/transfer", vec![PAGE], "/login?next=%2Ftransfer"),
    ] {
        let answer = sent(&mut browser, method, path, &with).await;
        if expected.is_empty() {
            assert_eq!(answer.status(), StatusCode::NOT_FOUND);
            continue;
        }
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{method} {path}");
        assert_eq!(
            answer.headers()[header::LOCATION],
            expected,
            "{method} {path}"
        );
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let vary = fields(&answer, header::VARY).join(", ");
        for name in ["Accept", "HX-Request", "Sec-Fetch-Mode"] {
            assert!(vary.contains(name), "{vary}");
        }
    }
}

#[tokio::test]
async fn who_has_to_prove_more_is_sent_to_the_step_up() {
    let mut browser = anonymous();
    post_to(&mut browser, "/login/alice").await;
    let answer = sent(&mut browser, "GET", "/transfer", &[PAGE]).await;
    let location = &answer.headers()[header::LOCATION];
    assert_eq!(location, "/step-up?why=transfer&next=%2Ftransfer");
}

#[tokio::test]
async fn htmx_is_told_where_to_go_by_its_own_field() {
    let mut browser = anonymous();
    let with = [
        ("hx-request", "true"),
        ("host", "app.example"),
        ("hx-current-url", "https://app.example/list?q=1"),
        PAGE,
    ];
    let answer = sent(&mut browser, "GET", "/admin/users", &with).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer.headers()["hx-redirect"],
        "/login?next=%2Flist%3Fq%3D1"
    );
    assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Cookie");
}

#[tokio::test]
async fn a_program_is_told_in_json() {
    let mut browser = anonymous();
    for with in [
        vec![],
        vec![("accept", "application/json")],
        vec![("accept", "*/*")],
        vec![("sec-fetch-mode", "cors"), PAGE],
    ] {
        let answer = sent(&mut browser, "GET", "/admin/users", &with).await;
        assert_eq!(
            answer.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        assert_eq!(answer.headers()[header::WWW_AUTHENTICATE], "Cookie");
        assert_eq!(answer.headers().get(header::LOCATION), None);
        let problem =
            r#"{"type":"about:blank","title":"Unauthorized","status":401,"login":"/login"}"#;
        assert_eq!(read(answer).await, (401, problem.into()), "{with:?}");
    }
    post_to(&mut browser, "/login/alice").await;
    let answer = sent(&mut browser, "POST", "/transfer", &[]).await;
    let challenge = answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(
        challenge.contains("insufficient_user_authentication"),
        "{challenge}"
    );
    let answer = sent(&mut browser, "GET", "/editors", &[]).await;
    let problem = r#"{"type":"about:blank","title":"Forbidden","status":403}"#;
    assert_eq!(read(answer).await, (403, problem.into()));
}

#[tokio::test]
async fn what_a_login_cannot_help_is_explained_on_a_page() {
    let database = Database::new();
    let mut browser = site(Mode::Stored, &database, routes(&database));
    post_to(&mut browser, "/login/alice").await;
    let answer = sent(&mut browser, "GET", "/editors", &[PAGE]).await;
    assert_eq!(
        answer.headers()[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );
    let (status, page) = read(answer).await;
    assert_eq!(status, 403);
    assert!(
        page.contains("<h1>403 Forbidden</h1>\n<p>You are not allowed"),
        "{page}"
    );
    let own = sent(&mut browser, "GET", "/own", &[PAGE]).await;
    assert_eq!(read(own).await, (403, "<h1>not for you</h1>".into()));
    database.set_down(true);
    let (status, page) = read(sent(&mut browser, "GET", "/editors", &[PAGE]).await).await;
    assert_eq!(status, 503);
    assert!(page.contains("try again later"), "{page}");
}

/// An explanation alone, without a page to log in at.
#[tokio::test]
async fn an_explanation_serves_a_guard_without_a_login_page() {
    let database = Database::new();
    let users = RequireUser::<User>::with_state(&database).on_refusal_with(Explanation);
    let routes = Router::new().route("/", get(async || "").layer(users));
    let mut browser = site(Mode::Stored, &database, routes);
    let (status, page) = read(sent(&mut browser, "GET", "/", &[PAGE]).await).await;
    assert_eq!(status, 401);
    assert!(page.contains("You have to log in"), "{page}");
}

#[test]
fn a_page_that_is_no_uri_is_refused_at_the_start() {
    for page in ["", "/a b", "/login#top", "/login\n"] {
        assert!(
            std::panic::catch_unwind(|| LoginPage::at(page)).is_err(),
            "{page:?}"
        );
    }
    let parameter = || LoginPage::at("/login").returning_by("a&b");
    assert!(std::panic::catch_unwind(parameter).is_err());
}
