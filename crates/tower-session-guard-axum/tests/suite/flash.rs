//! `Flash`: messages of one answer that the next page shows once.

use axum::{
    Router,
    body::Body,
    http::{Response, header},
    response::Redirect,
    routing::{get, post},
};
use tower_session_guard::{KeyRing, Session, testing::CookieClient};
use tower_session_guard_axum::{Flash, FlashCookie, FlashLevel};

use crate::site::{App, Browser, Database, MODES, fields, get_from, read, request, site};

async fn show(mut flash: Flash) -> (Flash, String) {
    let shown = flash.take();
    let shown = shown
        .iter()
        .map(|message| format!("{}: {}\n", message.level().as_str(), message.text()));
    let shown = shown.collect();
    (flash, shown)
}

async fn log_out(session: Session, flash: Flash) -> (Flash, Redirect) {
    session.logout();
    (flash.info("Logged out."), Redirect::to("/show"))
}

async fn log_in(session: Session, flash: Flash) -> (Flash, Redirect) {
    session.login("alice");
    (
        flash.success("Welcome back, Ødegård <b>."),
        Redirect::to("/show"),
    )
}

fn routes() -> Router<App> {
    Router::new()
        .route("/show", get(show))
        .route("/log-in", post(log_in))
        .route("/log-out", post(log_out))
        .route(
            "/wrong",
            post(async |flash: Flash| (flash.error("Wrong password."), "")),
        )
        .route(
            "/twice",
            post(async |flash: Flash| (flash.warning("One."), "")),
        )
        .route("/look", get(async |flash: Flash| (flash, "")))
        .route("/forget", get(async |mut flash: Flash| drop(flash.take())))
}

/// Routes around this cookie alone.
fn around(cookie: FlashCookie) -> Browser {
    let app = App {
        database: Database::new(),
        flash: cookie,
    };
    CookieClient::around(
        Router::new()
            .route("/show", get(show))
            .route(
                "/wrong",
                post(async |flash: Flash| (flash.error("Wrong password."), "")),
            )
            .route(
                "/long",
                post(async |flash: Flash, text: String| (flash.info("first").info(text), "")),
            )
            .with_state(app),
    )
}

fn shown(text: &str) -> (u16, String) {
    (200, text.to_owned())
}

#[tokio::test]
async fn a_message_is_shown_once_and_survives_a_login_and_a_logout() {
    for mode in MODES {
        let mut browser = site(mode, &Database::new(), routes());
        let answer = browser.post("/log-in").await;
        assert_eq!(answer.status(), 303, "{mode:?}");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let welcome = shown("success: Welcome back, Ødegård <b>.\n");
        assert_eq!(get_from(&mut browser, "/show").await, welcome, "{mode:?}");
        assert_eq!(get_from(&mut browser, "/show").await, shown(""), "{mode:?}");
        browser.post("/log-out").await;
        assert_eq!(
            get_from(&mut browser, "/show").await,
            shown("info: Logged out.\n")
        );
        assert_eq!(browser.cookie(), None, "{mode:?}: nothing is left");
    }
}

/// R17: a visitor's message begins no session.
#[tokio::test]
async fn a_visitors_message_leaves_no_session() {
    for mode in MODES {
        let mut browser = site(mode, &Database::new(), routes());
        let answer = browser.post("/wrong").await;
        let cookies = fields(&answer, header::SET_COOKIE);
        let [cookie] = &*cookies else {
            panic!("{cookies:?}");
        };
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert!(pair.starts_with("__Host-Http-flash="), "{cookie}");
        let mut attributes: Vec<_> = attributes.split("; ").collect();
        attributes.sort_unstable();
        assert_eq!(
            attributes,
            [
                "HttpOnly",
                "Max-Age=600",
                "Path=/",
                "SameSite=Lax",
                "Secure"
            ]
        );
        assert!(answer.headers()[header::SET_COOKIE].is_sensitive());
    }
}

#[tokio::test]
async fn messages_wait_until_a_page_shows_them() {
    let mut browser = site(MODES[0], &Database::new(), routes());
    browser.post("/wrong").await;
    let untouched = browser.get("/look").await;
    assert_eq!(fields(&untouched, header::SET_COOKIE), [""; 0]);
    browser.post("/twice").await;
    // Not returned: it is shown again.
    get_from(&mut browser, "/forget").await;
    let both = shown("error: Wrong password.\nwarning: One.\n");
    assert_eq!(get_from(&mut browser, "/show").await, both);
    let nothing = browser.get("/show").await;
    assert_eq!(fields(&nothing, header::SET_COOKIE), [""; 0]);
}

async fn wrong_password(browser: &mut Browser) -> String {
    let answer = browser.post("/wrong").await;
    let cookie = fields(&answer, header::SET_COOKIE)[0].to_owned();
    cookie.split(';').next().unwrap().to_owned()
}

async fn shown_with(browser: &Browser, cookie: &str) -> Response<Body> {
    let mut browser = browser.clone();
    browser.clear();
    browser
        .send(request("GET", "/show", &[("cookie", cookie)]))
        .await
}

/// R21, R22: a message that was changed, or signed for another application, name or ring, says nothing and leaves.
#[tokio::test]
async fn a_message_that_is_not_ours_is_not_shown() {
    let keys = KeyRing::generate().unwrap();
    let mut ours = around(FlashCookie::new(&keys));
    let cookie = wrong_password(&mut ours).await;
    let said = shown("error: Wrong password.\n");
    assert_eq!(read(shown_with(&ours, &cookie).await).await, said);

    let (name, value) = cookie.split_once('=').unwrap();
    let mut refused = vec![
        format!("{name}="),
        format!("{name}=x"),
        format!("{name}={}", &value[44..]),
    ];
    for index in [0, 30, 50, value.len() - 2] {
        let mut changed = value.as_bytes().to_vec();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        refused.push(format!("{name}={}", String::from_utf8(changed).unwrap()));
    }
    for other in [
        FlashCookie::new(&KeyRing::generate().unwrap()),
        FlashCookie::new(&keys).with_audience("other"),
        FlashCookie::new(&keys).named("other"),
        FlashCookie::new(&keys).plain_http_for_development(),
    ] {
        let cookie = wrong_password(&mut around(other)).await;
        let (_, value) = cookie.split_once('=').unwrap();
        refused.push(format!("{name}={value}"));
    }
    for cookie in refused {
        let answer = shown_with(&ours, &cookie).await;
        let removal = fields(&answer, header::SET_COOKIE)[0].to_owned();
        assert!(removal.starts_with("__Host-Http-flash=;") && removal.contains("Max-Age=0"));
        assert_eq!(read(answer).await, shown(""), "{cookie}");
    }
}

/// A01: of two messages that hold, one was planted.
#[tokio::test]
async fn two_different_messages_say_nothing() {
    let ours = around(FlashCookie::new(&KeyRing::generate().unwrap()));
    let one = wrong_password(&mut ours.clone()).await;
    let mut twice = ours.clone();
    wrong_password(&mut twice).await;
    let two = wrong_password(&mut twice).await;
    let both = format!("{one}; {two}");
    assert_eq!(read(shown_with(&ours, &both).await).await, shown(""));
    let same = format!("{one}; {one}");
    let said = shown("error: Wrong password.\n");
    assert_eq!(read(shown_with(&ours, &same).await).await, said);
}

/// R26.
#[tokio::test]
async fn messages_follow_the_ring() {
    let keys = KeyRing::generate().unwrap();
    let mut browser = around(FlashCookie::new(&keys));
    let (old, new) = ("81".repeat(31) + "7a", "c5".repeat(31) + "9b");
    let parse = |text: &str| KeyRing::parse(text).unwrap();
    keys.replace(&parse(&old));
    let cookie = wrong_password(&mut browser).await;
    keys.replace(&parse(&format!("{new},{old}")));
    let said = shown("error: Wrong password.\n");
    assert_eq!(read(shown_with(&browser, &cookie).await).await, said);
    keys.replace(&parse(&new));
    assert_eq!(read(shown_with(&browser, &cookie).await).await, shown(""));
}

/// R28: what is too long for a cookie is cut, and its cookie fits.
#[tokio::test]
async fn messages_that_do_not_fit_are_cut() {
    let browser = around(FlashCookie::new(&KeyRing::generate().unwrap()));
    for (text, kept) in [
        ("x".repeat(2_900), 1),
        ("ö".repeat(9_000), 0),
        ("\u{1}".repeat(5_000), 0),
        ("\"".repeat(4_000), 0),
    ] {
        let mut browser = browser.clone();
        let long = request("POST", "/long", &[]).map(|_| Body::from(text.clone()));
        let answer = browser.send(long).await;
        let cookie = fields(&answer, header::SET_COOKIE)[0].to_owned();
        let pair = cookie.split(';').next().unwrap();
        assert!(pair.len() <= 4_097, "{}", pair.len());
        let (_, shown) = get_from(&mut browser, "/show").await;
        let all = format!("info: {text}\n");
        if kept == 1 {
            assert!(shown.ends_with(&all));
        } else {
            assert!(
                shown.ends_with("…\n") && !shown.contains("first"),
                "{shown}"
            );
            assert!(shown.len() > 400, "{}", shown.len());
        }
    }
}

#[test]
fn names_and_levels_are_words() {
    let keys = KeyRing::generate().unwrap();
    for name in ["", "a b", "a=b", "a;b", &"a".repeat(65)] {
        let cookie = FlashCookie::new(&keys);
        let named = std::panic::AssertUnwindSafe(|| cookie.named(name));
        assert!(std::panic::catch_unwind(named).is_err(), "{name:?}");
    }
    let printed = format!("{:?}", FlashCookie::new(&keys).named("notes"));
    assert!(printed.contains("__Host-Http-notes") && printed.contains("REDACTED"));
    let words = [
        FlashLevel::Info,
        FlashLevel::Success,
        FlashLevel::Warning,
        FlashLevel::Error,
    ];
    assert_eq!(
        words.map(FlashLevel::as_str),
        ["info", "success", "warning", "error"]
    );
}
