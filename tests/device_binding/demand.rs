//! Guards that demand a proof of the last minutes: the browser gives it on its way, and nobody else can.

use axum::{
    Router,
    http::{StatusCode, header},
};
use tower_session_guard::{DeviceBinding, RequireAuthentication, SessionLayer};

use super::{
    At, BOUND, Browser, Duration, From, Node, SESSION,
    common::{Answer, clock, keys},
};

const DEMAND: &str = "__Host-session-demand";

async fn lately(browser: &mut Browser) -> Answer {
    browser.send("GET", "/lately", From::Own).await
}

/// Somebody who has the browser's cookies, and neither its key nor its manners.
fn thief(browser: &Browser) -> Browser {
    let mut thief = browser.clone();
    thief.registered.clear();
    thief
}

/// The status of one request with these cookies, whose redirect is not followed.
async fn once(browser: &Browser, path: &str) -> Answer {
    browser.ask("GET", path, From::Own, &[]).await
}

#[tokio::test]
async fn a_device_proves_itself_on_the_way_to_a_route_that_demands_it() {
    for node in Node::both() {
        let mut browser = node.bound().await;
        assert_eq!(lately(&mut browser).await.body, "GET");
        assert_eq!(browser.redirects, 0);
        for method in ["GET", "POST"] {
            node.pass(121);
            let before = browser.jar[BOUND].0.clone();
            let answer = browser.send(method, "/lately?a=b", From::Own).await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, method));
            assert_ne!(browser.jar[BOUND].0, before);
        }
        // Each route that demands one is satisfied by the same proof.
        assert_eq!(browser.redirects, 2);
        assert_eq!(lately(&mut browser).await.status, StatusCode::OK);
        assert_eq!(browser.redirects, 2);
    }
}

#[tokio::test]
async fn the_browser_comes_back_to_the_url_that_it_asked_for() {
    let node = Node::with(false, At::Nested);
    let mut browser = node.browser();
    browser
        .send("POST", "/shop/do?marks=login:alice", From::Own)
        .await;
    browser.register().await;
    node.pass(121);
    let answer = once(&browser, "/shop/lately?to=bob&sum=5").await;
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(
        answer.headers[header::LOCATION],
        "/shop/lately?to=bob&sum=5"
    );
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(answer.cookie(BOUND).as_deref(), Some(""));
    let set = answer.headers.get_all(header::SET_COOKIE).iter();
    let set = set.filter_map(|set| set.to_str().ok());
    let demand = set.into_iter().find(|set| set.starts_with(DEMAND)).unwrap();
    let (_, attributes) = demand.split_once("; ").unwrap();
    assert_eq!(
        attributes,
        "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60"
    );
    let answer = browser
        .send("GET", "/shop/lately?to=bob&sum=5", From::Own)
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

/// Once for each request, then 403, whether or not the bound cookie was given up as it was told to.
#[tokio::test]
async fn a_browser_that_comes_back_without_a_proof_is_refused() {
    for node in Node::both() {
        let browser = node.bound().await;
        node.pass(121);
        let mut obedient = thief(&browser);
        assert_eq!(lately(&mut obedient).await.status, StatusCode::FORBIDDEN);
        assert_eq!(obedient.redirects, 1);
        let mut stubborn = thief(&browser);
        let asked = once(&stubborn, "/lately").await;
        let demand = asked.cookie(DEMAND).unwrap();
        stubborn.jar.insert(DEMAND.to_owned(), (demand, None));
        assert_eq!(
            once(&stubborn, "/lately").await.status,
            StatusCode::FORBIDDEN
        );
        // Other routes take the cookies as ever.
        assert_eq!(once(&stubborn, "/guarded").await.status, StatusCode::OK);
        // The demand is over: the browser is asked once more.
        node.pass(60);
        assert_eq!(
            once(&stubborn, "/lately").await.status,
            StatusCode::TEMPORARY_REDIRECT
        );
        // What was not taken along counts for nothing.
        stubborn.jar.remove(DEMAND);
        assert_eq!(
            once(&stubborn, "/lately").await.status,
            StatusCode::TEMPORARY_REDIRECT
        );
        // A session that is nobody's without a demand is asked to log in.
        let mut late = thief(&browser);
        late.jar.remove(BOUND);
        assert_eq!(
            once(&late, "/lately").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn a_demand_counts_for_its_own_session_and_until_it_is_met() {
    for node in Node::both() {
        let (mut alice, mut other) = (node.bound().await, node.bound().await);
        node.pass(121);
        let asked = once(&other, "/lately").await;
        let demand = asked.cookie(DEMAND).unwrap();
        for value in [&*demand, "AAAA", ""] {
            alice
                .jar
                .insert(DEMAND.to_owned(), (value.to_owned(), None));
            let answer = once(&alice, "/lately").await;
            assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{value:?}");
        }
        // Met by a proof, which is too old again while the demand is remembered.
        other.jar.insert(DEMAND.to_owned(), (demand, None));
        other.jar.remove(BOUND);
        assert_eq!(lately(&mut other).await.status, StatusCode::OK);
        // A bound cookie is no demand, and none the other way round.
        let bound = alice.jar[BOUND].0.clone();
        let own = once(&alice, "/lately").await.cookie(DEMAND).unwrap();
        alice.jar.insert(DEMAND.to_owned(), (bound, None));
        assert_eq!(
            once(&alice, "/lately").await.status,
            StatusCode::TEMPORARY_REDIRECT
        );
        alice.jar.insert(BOUND.to_owned(), (own, None));
        alice.jar.remove(DEMAND);
        assert_eq!(
            once(&alice, "/lately").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
}

#[tokio::test]
async fn a_session_that_is_not_bound_is_refused_at_once() {
    for node in Node::both() {
        let mut browser = node.browser();
        assert_eq!(lately(&mut browser).await.status, StatusCode::UNAUTHORIZED);
        browser.mark("login:alice").await;
        let unbound = browser.clone();
        browser.register().await;
        // The second crosses with its binding.
        for browser in [unbound, thief(&browser)] {
            let mut browser = browser;
            browser.jar.remove(BOUND);
            let answer = once(&browser, "/lately").await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN);
            assert!(!answer.headers.contains_key(header::LOCATION));
            assert!(answer.sets_nothing());
        }
    }
}

/// A login and a logout leave no demand behind, so the next user is asked afresh.
#[tokio::test]
async fn a_demand_goes_with_its_session() {
    for (node, marks) in Node::both().into_iter().zip(["logout", "login:bob"]) {
        let mut browser = node.bound().await;
        node.pass(121);
        let asked = once(&browser, "/lately").await;
        browser
            .jar
            .insert(DEMAND.to_owned(), (asked.cookie(DEMAND).unwrap(), None));
        let answer = browser.mark(marks).await;
        assert_eq!(answer.cookie(DEMAND).as_deref(), Some(""));
    }
}

/// Whatever a browser takes for another site's URL is nowhere to send it.
#[tokio::test]
async fn no_demand_leads_to_another_site() {
    let clock = clock();
    let layer = SessionLayer::new(keys())
        .with_clock(clock.clone())
        .with_device_binding(DeviceBinding::new("/dbsc"))
        .unwrap();
    let lately = RequireAuthentication::new().bound_within(Duration::from_secs(120));
    let guarded = Router::new().fallback(|| async { "welcome" }).layer(lately);
    let app = super::app(super::Stop::default())
        .fallback_service(guarded)
        .layer(layer.device_endpoints().unwrap())
        .layer(layer);
    let mut browser = Browser::new(app, &clock);
    browser.mark("login:alice").await;
    browser.register().await;
    clock.advance(Duration::from_secs(121));
    let status = async |path: &str| once(&browser, path).await.status;
    assert_eq!(status("/elsewhere").await, StatusCode::TEMPORARY_REDIRECT);
    let long = format!("/{}", "a".repeat(2_048));
    for path in [
        "//evil.example/",
        "/\\evil.example/",
        "/%2f/evil.example",
        "/./",
        &long,
    ] {
        assert_eq!(status(path).await, StatusCode::FORBIDDEN, "{path}");
    }
}

/// The offer of a login leaves with its answer although nobody looked at what came.
#[tokio::test]
async fn a_login_without_a_look_offers_to_bind_the_session() {
    for node in Node::both() {
        for came in [false, true] {
            let mut browser = node.browser();
            if came {
                browser.mark("login:bob").await;
                browser.register().await;
            }
            let answer = browser.send("POST", "/login-unlooked", From::Own).await;
            assert!(answer.cookie(SESSION).is_some());
            assert_eq!(answer.cookie(BOUND).as_deref(), came.then_some(""));
            assert_eq!(browser.register().await, [200]);
            assert_eq!(browser.whoami().await, "alice@1 bound");
        }
    }
}
