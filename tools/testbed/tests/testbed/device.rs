//! Sessions that are bound to devices, by the browser of the library's own tests over the wire.

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, http::uri::PathAndQuery};
use browser::{Browser, From, key, proof};
use http::{StatusCode, header};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use test_support as common;
use tower_session_guard::{Timestamp, testing::ManualClock};

use super::{SESSION, Server};

#[path = "../../../../tests/device_binding/browser.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the library's tests use all of it"
)]
mod browser;

const BOUND: &str = "__Host-session-bound";
const REGISTER: &str = "/dbsc/register";
const REFRESH: &str = "/dbsc/refresh";

/// A testbed that binds devices, and the time there.
struct Bed {
    server: Arc<Server>,
    clock: ManualClock,
}

impl Bed {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let own = [("TESTBED_DBSC", "600"), ("TESTBED_CLOCK", "manual")];
        let server = Server::start(&[&own, settings].concat());
        let now = server.post("/_clock?advance=0", &[]).await.json();
        let now = Timestamp::from_unix_seconds(now["now"].as_u64().unwrap());
        Self {
            server: Arc::new(server),
            clock: ManualClock::starting_at(now),
        }
    }

    /// One with sessions in a store, and one with self-contained tokens.
    async fn both() -> [Self; 2] {
        let sealed = Self::start(&[("TESTBED_STORE", "cookie")]);
        [Self::start(&[]).await, sealed.await]
    }

    async fn pass(&self, seconds: u64) {
        let path = format!("/_clock?advance={seconds}");
        self.server.post(&path, &[]).await;
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn browser(&self) -> Browser {
        let address = self.server.testbed.address;
        let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
        let wire = async move |mut request: Request| {
            let path = request.uri().path_and_query().map(PathAndQuery::as_str);
            let uri = format!("http://{address}{}", path.unwrap());
            *request.uri_mut() = uri.parse().unwrap();
            client.request(request).await.unwrap().map(Body::new)
        };
        Browser::new(Router::new().fallback(wire), &self.clock)
    }

    /// A browser that has logged alice in and registered its key.
    async fn bound(&self) -> Browser {
        let mut browser = self.browser();
        browser
            .send("POST", "/login?user=alice", From::OtherSite)
            .await;
        assert_eq!(browser.register().await, [200]);
        browser
    }

    async fn kinds(&self) -> Vec<String> {
        let events = self.server.get("/_events?since=0", &[]).await.json();
        let events = events.as_array().unwrap().iter();
        let kinds = events.map(|event| event["kind"].as_str().unwrap().to_owned());
        kinds.collect()
    }

    /// The reasons of the events of this kind.
    async fn reasons(&self, kind: &str) -> Vec<String> {
        let events = self.server.get("/_events?since=0", &[]).await.json();
        let events = events.as_array().unwrap().iter();
        let own = events.filter(|event| event["kind"] == kind);
        own.map(|event| event["reason"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn has_told(&self, kind: &str) -> bool {
        self.kinds().await.iter().any(|told| told == kind)
    }
}

async fn status(browser: &mut Browser, path: &str) -> StatusCode {
    browser.send("GET", path, From::Own).await.status
}

async fn json(browser: &mut Browser, path: &str) -> Value {
    let answer = browser.send("GET", path, From::Own).await;
    serde_json::from_str(&answer.body).unwrap()
}

/// D01, D02, D08, D09.
#[tokio::test]
async fn a_browser_binds_its_session_after_the_login() {
    let bed = Bed::start(&[]).await;
    let mut browser = bed.browser();
    assert_eq!(status(&mut browser, "/guarded?bound=1").await, 401);
    let login = browser
        .send("POST", "/login?user=alice", From::OtherSite)
        .await;
    let offer = login.headers["secure-session-registration"].to_str();
    let begins = r#"(ES256);path="/dbsc/register";challenge=""#;
    assert!(offer.unwrap().starts_with(begins));
    assert_eq!(json(&mut browser, "/session").await["bound"], false);
    assert_eq!(status(&mut browser, "/guarded?bound=1").await, 403);
    // That request was of a page of its own, so the offer was repeated, and of the two keys one is bound.
    browser.offered.truncate(1);
    let registration = browser.offered[0].clone();
    assert_eq!(browser.register().await, [200]);
    assert_eq!(json(&mut browser, "/session").await["bound"], true);
    assert_eq!(status(&mut browser, "/guarded?bound=1").await, 200);
    assert_eq!(status(&mut browser, "/guarded?bound=2").await, 400);
    assert!(bed.has_told("device_bound").await);

    // The answer may have been lost. No cookie is needed on a store.
    let again = proof(&key(1), &registration.challenge, true);
    let fields = [("secure-session-response", &*again)];
    let jarless = bed.browser();
    let again = jarless.ask("POST", REGISTER, From::Own, &fields).await;
    assert_eq!(again.status, 200);
    let set = again.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with(&format!("{BOUND}=")));
    assert!(set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=570"));
    let told: Value = serde_json::from_str(&again.body).unwrap();
    assert_eq!(told["allowed_refresh_initiators"], json!(["*"]));
    assert_eq!(told["refresh_url"], REFRESH);

    let other = proof(&key(2), &registration.challenge, true);
    let fields = [("secure-session-response", &*other)];
    let other = browser.ask("POST", REGISTER, From::Own, &fields).await;
    assert_eq!(other.status, 400);
    assert!(bed.has_told("other_device_refused").await);
}

#[tokio::test]
async fn an_offer_is_repeated_to_pages_of_ones_own_while_the_session_is_unbound() {
    for bed in Bed::both().await {
        let mut browser = bed.browser();
        status(&mut browser, "/whoami").await;
        assert!(browser.offered.is_empty(), "nobody is logged in");
        browser
            .send("POST", "/login?user=alice", From::OtherSite)
            .await;
        assert_eq!(browser.offered.len(), 1);
        browser.send("GET", "/whoami", From::OtherSite).await;
        assert_eq!(browser.offered.len(), 1);
        status(&mut browser, "/whoami").await;
        assert_eq!(browser.offered.len(), 2);
        browser.offered.remove(0);
        assert_eq!(browser.register().await, [200]);
        status(&mut browser, "/whoami").await;
        assert!(browser.offered.is_empty(), "it is bound");
    }
}

/// D06, D07, D11.
#[tokio::test]
async fn without_its_bound_cookie_a_session_is_anonymous_from_a_minute_on() {
    for bed in Bed::both().await {
        let mut browser = bed.bound().await;
        let mut thief = browser.clone();
        thief.registered.clear();
        thief.jar.remove(BOUND);
        assert_eq!(json(&mut thief, "/whoami").await["subject"], "alice");
        assert_eq!(json(&mut thief, "/session").await["bound"], false);
        bed.pass(60).await;
        let answer = thief.send("GET", "/whoami", From::OtherSite).await;
        let who: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(who["subject"], Value::Null);
        assert!(answer.headers.contains_key("secure-session-challenge"));
        assert_eq!(answer.headers[header::VARY], "Cookie");
        assert!(answer.sets_nothing());
        assert_eq!(status(&mut thief, "/guarded?bound=1").await, 401);
        assert!(bed.has_told("unbound_use").await);

        // The browser's cookie has expired. A link of another site makes it refresh where the endpoint needs no token.
        bed.pass(510).await;
        assert!(!browser.has(BOUND));
        let before = browser.jar.get(BOUND).cloned();
        let who = browser.send("GET", "/whoami", From::OtherSite).await;
        let who: Value = serde_json::from_str(&who.body).unwrap();
        let stored = bed.server.get("/_stats", &[]).await.json()["records"] != Value::Null;
        assert_eq!(who["subject"] == "alice", stored);
        assert_eq!(json(&mut browser, "/whoami").await["subject"], "alice");
        assert_ne!(browser.jar.get(BOUND).cloned(), before);
        assert!(bed.has_told("device_proved").await);
    }
}

/// D02, D03, D05, D06, D10, D12: the statuses, each of which Chromium makes something of.
#[tokio::test]
async fn the_endpoints_answer_what_the_contract_says() {
    let bed = Bed::start(&[]).await;
    let browser = bed.bound().await;
    let session = browser.registered[0].clone();
    let identifier = ("sec-secure-session-id", &*session.identifier);
    let ask = async |path, fields: &[(&str, &str)]| {
        let answer = browser.ask("POST", path, From::Own, fields).await;
        assert!(answer.status == 200 || answer.sets_nothing());
        let has_challenge = answer.headers.contains_key("secure-session-challenge");
        (answer.status.as_u16(), has_challenge)
    };
    for path in [REGISTER, REFRESH] {
        let got = browser.ask("GET", path, From::Own, &[]).await;
        assert_eq!(got.status, 405);
        assert_eq!(ask(path, &[]).await, (400, false));
        let fields = [("secure-session-response", "a.b.c")];
        assert_eq!(ask(path, &fields).await, (400, false));
    }
    assert_eq!(ask(REFRESH, &[identifier]).await, (403, true));
    let unknown = ("sec-secure-session-id", &*"A".repeat(64));
    assert_eq!(ask(REFRESH, &[unknown]).await, (401, false));

    let held = session.challenge.unwrap();
    let bad = proof(&key(9), &held, false);
    let good = proof(&session.key, &held, false);
    let [bad, good] = [&bad, &good].map(|proof| ("secure-session-response", &**proof));
    assert_eq!(ask(REFRESH, &[identifier, bad]).await, (401, false));
    for operation in ["load", "write"] {
        let fail = format!("/_store?fail={operation}&times=1");
        bed.server.post(&fail, &[]).await;
        assert_eq!(ask(REFRESH, &[identifier, good]).await, (503, false));
    }
    assert_eq!(ask(REFRESH, &[identifier, good]).await, (200, true));
    // 21 minutes later the challenge is stale.
    bed.pass(1260).await;
    assert_eq!(ask(REFRESH, &[identifier, good]).await, (403, true));

    let cookie = [(SESSION, &*browser.jar[SESSION].0)];
    bed.server.post("/logout", &cookie).await;
    assert_eq!(ask(REFRESH, &[identifier, good]).await, (401, false));
    assert_eq!(ask(REFRESH, &[identifier]).await, (401, false));
    let reasons = bed.reasons("device_refused").await;
    assert_eq!(
        reasons,
        ["signature"],
        "what concerns no session tells nothing"
    );
}

#[tokio::test]
async fn a_logout_and_a_login_remove_the_bound_cookie() {
    for bed in Bed::both().await {
        for path in ["/logout", "/login?user=alice", "/login?user=bob"] {
            let mut browser = bed.bound().await;
            browser.send("POST", path, From::Own).await;
            assert!(!browser.jar.contains_key(BOUND), "{path}");
        }
    }
}

/// D02: nothing but its token says what the session is.
#[tokio::test]
async fn with_self_contained_tokens_the_endpoints_need_the_token() {
    let bed = Bed::start(&[("TESTBED_STORE", "cookie")]).await;
    let mut browser = bed.browser();
    browser
        .send("POST", "/login?user=alice", From::OtherSite)
        .await;
    let registration = proof(&key(1), &browser.offered[0].challenge, true);
    let fields = [("secure-session-response", &*registration)];
    let jarless = bed.browser();
    let refused = jarless.ask("POST", REGISTER, From::Own, &fields).await;
    assert_eq!(refused.status, 400);
    let bound = browser.ask("POST", REGISTER, From::Own, &fields).await;
    assert_eq!(bound.status, 200);
    let told: Value = serde_json::from_str(&bound.body).unwrap();
    assert_eq!(told["allowed_refresh_initiators"], json!([]));

    let mut browser = bed.bound().await;
    assert_eq!(json(&mut browser, "/session").await["bound"], true);
    assert_eq!(status(&mut browser, "/guarded?bound=1").await, 200);
    let session = browser.registered[0].clone();
    let proof = proof(&session.key, &session.challenge.unwrap(), false);
    let identifier = ("sec-secure-session-id", &*session.identifier);
    let fields = [identifier, ("secure-session-response", &*proof)];
    let refused = jarless.ask("POST", REFRESH, From::Own, &fields).await;
    assert_eq!(refused.status, 401);
    let renewed = browser.ask("POST", REFRESH, From::Own, &fields).await;
    assert_eq!(renewed.status, 200);
}

/// D11.
#[tokio::test]
async fn where_sessions_load_lazily_a_bound_one_needs_its_cookie_too() {
    let bed = Bed::start(&[("TESTBED_LAZY", "1")]).await;
    let mut browser = bed.bound().await;
    assert_eq!(json(&mut browser, "/session").await["bound"], true);
    assert_eq!(status(&mut browser, "/guarded?bound=1").await, 200);
    bed.pass(60).await;
    browser.registered.clear();
    browser.jar.remove(BOUND);
    let gone = json(&mut browser, "/session").await;
    assert_eq!(
        (&gone["bound"], &gone["subject"]),
        (&json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn the_bound_cookie_is_called_after_the_session_cookie() {
    for name in ["sid", "__Secure-sid", "__Host-sid"] {
        let bed = Bed::start(&[("TESTBED_COOKIE", name)]).await;
        let browser = bed.bound().await;
        let names: Vec<_> = browser.jar.keys().collect();
        assert!(names.contains(&&"__Host-sid-bound".to_owned()), "{names:?}");
    }
}

/// D03: a proof that names its endpoint names this one.
#[tokio::test]
async fn a_proof_for_another_origin_is_refused() {
    let bed = Bed::start(&[("TESTBED_ORIGIN", "https://bank.example")]).await;
    for (origin, expected) in [("https://app.example", 400), ("https://bank.example", 200)] {
        let mut browser = bed.browser();
        browser
            .send("POST", "/login?user=alice", From::OtherSite)
            .await;
        let challenge = &browser.offered[0].challenge;
        let payload = json!({"jti": challenge, "aud": format!("{origin}{REGISTER}")});
        let proof = browser::proof_of(&key(1), &payload, true);
        let fields = [("secure-session-response", &*proof)];
        let answer = browser.ask("POST", REGISTER, From::Own, &fields).await;
        assert_eq!(answer.status, expected, "{origin}");
    }
}
