//! `Transaction`: a login that is under way elsewhere.

use std::time::Duration;

use axum::{
    Router,
    extract::{FromRef, Query},
    http::{StatusCode, header},
    routing::get,
};
use serde::{Deserialize, Serialize};
use tower_session_guard::{
    KeyRing, Session, SessionLayer, Timestamp, TransactionCookie,
    testing::{CookieClient, ManualClock},
};
use tower_session_guard_axum::{SetTransaction, Transaction, Transactions};

use crate::site::{Browser, fields};

#[derive(Deserialize, Serialize)]
struct Pending {
    state: String,
}

#[derive(Clone, FromRef)]
struct App {
    logins: Transactions<Pending>,
}

async fn begin(login: Transaction<Pending>) -> (SetTransaction, &'static str) {
    let state = "s1".to_owned();
    (login.begin(&Pending { state }).unwrap(), "begun")
}

#[derive(Deserialize)]
struct Callback {
    state: String,
}

async fn callback(
    session: Session,
    login: Transaction<Pending>,
    Query(came): Query<Callback>,
) -> Result<(SetTransaction, String), StatusCode> {
    let (pending, finished) = login.finish().ok_or(StatusCode::BAD_REQUEST)?;
    if pending.state != came.state {
        return Err(StatusCode::BAD_REQUEST);
    }
    session.login("alice");
    Ok((finished, "welcome".to_owned()))
}

fn site(clock: &ManualClock) -> Browser {
    let keys = KeyRing::generate().unwrap();
    let cookie = TransactionCookie::new(&keys, "oidc").unwrap();
    let logins = Transactions::new(cookie).with_clock(clock.clone());
    let routes = Router::new()
        .route("/begin", get(begin))
        .route("/callback", get(callback))
        .with_state(App { logins });
    CookieClient::around(routes.layer(SessionLayer::new(keys)))
}

#[tokio::test]
async fn a_login_is_finished_where_it_began() {
    let clock = ManualClock::starting_at(Timestamp::from_unix_seconds(1_700_000_000));
    let mut browser = site(&clock);
    let mut another = browser.clone();
    let begun = browser.get("/begin").await;
    assert_eq!(begun.headers()[header::CACHE_CONTROL], "no-store");
    assert!(fields(&begun, header::SET_COOKIE)[0].starts_with("__Host-Http-oidc="));
    assert_eq!(
        another.get("/callback?state=s1").await.status(),
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        browser.get("/callback?state=s2").await.status(),
        StatusCode::BAD_REQUEST
    );
    let done = browser.get("/callback?state=s1").await;
    assert_eq!(done.status(), StatusCode::OK);
    let set = fields(&done, header::SET_COOKIE).join("\n");
    assert!(
        set.contains("__Host-Http-oidc=;") && set.contains("__Host-Http-session="),
        "{set}"
    );
    assert_eq!(
        browser.get("/callback?state=s1").await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_login_that_takes_too_long_begins_anew() {
    let clock = ManualClock::starting_at(Timestamp::from_unix_seconds(1_700_000_000));
    let mut browser = site(&clock);
    browser.get("/begin").await;
    clock.advance(Duration::from_secs(600));
    assert_eq!(
        browser.get("/callback?state=s1").await.status(),
        StatusCode::BAD_REQUEST
    );
}
