//! The example of a federated login, with a browser that keeps to `SameSite`.

#[path = "../examples/oidc/app.rs"]
#[allow(unreachable_pub, reason = "an example's modules")]
mod app;
#[path = "../examples/oidc/client.rs"]
#[allow(dead_code, unreachable_pub, reason = "an example's modules")]
mod client;
#[path = "../examples/oidc/provider.rs"]
#[allow(unreachable_pub, reason = "an example's modules")]
mod provider;
#[path = "../examples/oidc/provider_logout.rs"]
#[allow(unreachable_pub, reason = "an example's modules")]
mod provider_logout;
#[path = "../examples/oidc/tokens.rs"]
#[allow(unreachable_pub, reason = "an example's modules")]
mod tokens;

use std::{collections::BTreeMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use client::Http;
use provider::{Client, Provider};
use test_support::{self as common, Answer, SESSION, clock, keys};
use tower::{BoxError, ServiceExt};
use tower_session_guard::{MemoryStore, SessionLayer, testing::ManualClock};
use tower_session_guard_oidc::ProviderKeys;

const PROVIDER: &str = "https://idp.example";
const APP: &str = "https://app.example";

#[derive(Clone)]
struct Browser {
    app: Router,
    provider: Router,
    /// Name to value and whether it goes along with a post from another site.
    jar: BTreeMap<String, (String, bool)>,
}

fn world(clock: &ManualClock) -> Browser {
    let provider = Provider::new(PROVIDER, Client::at(APP), Arc::new(clock.clone())).unwrap();
    let sessions = SessionLayer::new(keys())
        .with_store(MemoryStore::new())
        .with_clock(clock.clone());
    let jwks = serde_json::to_string(&provider.key.jwks()).unwrap();
    let published = ProviderKeys::fetched_by(move || {
        let jwks = jwks.clone();
        async { Ok::<_, Infallible>(jwks) }
    });
    let app = app::router(
        &keys(),
        sessions,
        clock.clone(),
        provider.clone(),
        published,
        APP,
    );
    let app = app.unwrap();
    let to_app = ServiceExt::<Request<Body>>::map_err(app.clone(), BoxError::from);
    Browser {
        app,
        provider: provider::router(provider, Http::new(to_app)),
        jar: BTreeMap::new(),
    }
}

/// Where a request to the application comes from.
#[derive(Clone, Copy, PartialEq)]
enum From {
    Own,
    OtherSite,
}

impl Browser {
    async fn send(&mut self, method: &str, path: &str, form: &str, from: From) -> Answer {
        let site = if from == From::Own {
            "same-origin"
        } else {
            "cross-site"
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("sec-fetch-site", site);
        if method == "POST" {
            request = request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(header::ORIGIN, PROVIDER);
        }
        for (name, (value, everywhere)) in &self.jar {
            if from == From::Own || method == "GET" || *everywhere {
                request = request.header(header::COOKIE, format!("{name}={value}"));
            }
        }
        let request = request.body(Body::from(form.to_owned())).unwrap();
        let answer = common::collect(self.app.clone().oneshot(request).await.unwrap()).await;
        self.keep(&answer.headers);
        answer
    }

    fn keep(&mut self, headers: &HeaderMap) {
        for set in headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, rest) = set.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if set.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                let everywhere = set.contains("SameSite=None");
                self.jar
                    .insert(name.to_owned(), (value.to_owned(), everywhere));
            }
        }
    }

    /// Begins a login and has the provider vouch; tells the callback's code and state.
    async fn visit_provider(&mut self, query: &str, acr: &str) -> (String, String) {
        let answer = self
            .send("GET", &format!("/login{query}"), "", From::Own)
            .await;
        let location = answer.headers[header::LOCATION].to_str().unwrap();
        let asked = location.strip_prefix(PROVIDER).unwrap();
        let (_, fields) = asked.split_once('?').unwrap();
        let form = format!("{fields}&user=alice&acr={acr}");
        let answer = self.at_provider("POST", "/authorize", &form).await;
        match answer.headers.get(header::LOCATION) {
            Some(back) => {
                let (_, fields) = back.to_str().unwrap().split_once("?code=").unwrap();
                let (code, state) = fields.split_once("&state=").unwrap();
                (code.to_owned(), state.to_owned())
            }
            None => (hidden(&answer.body, "code"), hidden(&answer.body, "state")),
        }
    }

    async fn back_by_query(&mut self, (code, state): &(String, String)) -> Answer {
        let path = format!("/callback?code={code}&state={state}");
        self.send("GET", &path, "", From::OtherSite).await
    }

    async fn back_by_form(&mut self, (code, state): &(String, String)) -> Answer {
        let form = format!("code={code}&state={state}");
        self.send("POST", "/callback", &form, From::OtherSite).await
    }

    /// A request to the provider.
    async fn at_provider(&self, method: &str, path: &str, form: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()));
        let answer = self.provider.clone().oneshot(request.unwrap()).await;
        common::collect(answer.unwrap()).await
    }

    async fn log_in(&mut self) {
        let back = self.visit_provider("", PASSWORD).await;
        assert_eq!(
            self.back_by_query(&back).await.status,
            StatusCode::SEE_OTHER
        );
        assert!(self.who().await.starts_with("alice"));
    }

    async fn who(&mut self) -> String {
        let page = self.send("GET", "/", "", From::Own).await.body;
        let (_, who) = page.split_once("<p id=\"who\">").unwrap();
        who.split('<').next().unwrap().to_owned()
    }
}

fn hidden(page: &str, name: &str) -> String {
    let (_, value) = page
        .split_once(&format!("name=\"{name}\" value=\""))
        .unwrap();
    value.split('"').next().unwrap().to_owned()
}

const PASSWORD: &str = "urn:example:password";
const PASSKEY: &str = "urn:example:passkey";

/// R01, R58, R64: rotation at the callback; `auth_time`, `acr` and `amr` as the provider says, never more.
#[tokio::test]
async fn the_session_says_what_the_provider_vouched_for() {
    let clock = clock();
    let proved = common::now(&clock).as_unix_seconds();
    for (acr, level) in [(PASSWORD, 1), (PASSKEY, 2), ("urn:example:unheard-of", 1)] {
        let mut browser = world(&clock);
        let back = browser.visit_provider("?next=/", acr).await;
        clock.advance(Duration::from_secs(30));
        let answer = browser.back_by_query(&back).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.headers[header::LOCATION], "/");
        assert_eq!(browser.jar.keys().collect::<Vec<_>>(), [SESSION]);
        let at = common::now(&clock).as_unix_seconds() - 30;
        assert!(at >= proved);
        let by = if level == 2 { "hwk and user" } else { "pwd" };
        let expected = format!("alice at level {level}, proved at {at} by {by} ({acr})");
        assert_eq!(browser.who().await, expected);
    }
}

#[tokio::test]
async fn form_post_works_with_the_cookie_that_is_made_for_it() {
    let mut browser = world(&clock());
    let back = browser.visit_provider("?mode=form_post", PASSKEY).await;
    let answer = browser.back_by_form(&back).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(browser.who().await.starts_with("alice at level 2"));
    assert!(!browser.jar[SESSION].1, "the session cookie stays Lax");
}

/// The cookie of a redirect does not come with a post from another site: the browser holds it back.
#[tokio::test]
async fn a_post_cannot_end_a_login_that_began_for_a_redirect() {
    let mut browser = world(&clock());
    let back = browser.visit_provider("", PASSWORD).await;
    let answer = browser.back_by_form(&back).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(browser.who().await, "nobody");
}

/// R82, A03: nobody can log a victim in to an account of their own by handing them a callback.
#[tokio::test]
async fn a_callback_of_another_browser_logs_nobody_in() {
    let clock = clock();
    let mut attacker = world(&clock);
    let back = attacker.visit_provider("", PASSWORD).await;
    let mut victim = Browser {
        jar: BTreeMap::new(),
        ..attacker.clone()
    };
    assert_eq!(
        victim.back_by_query(&back).await.status,
        StatusCode::BAD_REQUEST
    );
    // Neither does it while the victim has a login of their own under way.
    let own = victim.visit_provider("", PASSWORD).await;
    assert_eq!(
        victim.back_by_query(&back).await.status,
        StatusCode::BAD_REQUEST
    );
    // Nor with the victim's state and the attacker's code, whose challenge is another.
    let mixed = (back.0.clone(), own.1.clone());
    assert_eq!(
        victim.back_by_query(&mixed).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(victim.who().await, "nobody");
}

#[tokio::test]
async fn a_callback_works_once_and_in_time() {
    let clock = clock();
    let mut browser = world(&clock);
    let back = browser.visit_provider("", PASSWORD).await;
    let before = browser.jar.clone();
    assert_eq!(
        browser.back_by_query(&back).await.status,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        browser.back_by_query(&back).await.status,
        StatusCode::BAD_REQUEST
    );
    browser.jar = before;
    assert_eq!(
        browser.back_by_query(&back).await.status,
        StatusCode::BAD_REQUEST
    );
    let late = browser.visit_provider("", PASSWORD).await;
    clock.advance(Duration::from_secs(600));
    assert_eq!(
        browser.back_by_query(&late).await.status,
        StatusCode::BAD_REQUEST
    );
}

/// The exemption is for the callback alone.
#[tokio::test]
async fn other_routes_stay_closed_to_the_provider() {
    let mut browser = world(&clock());
    let answer = browser.send("POST", "/login", "", From::OtherSite).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = browser
        .send("GET", "/login?next=//evil.example", "", From::Own)
        .await;
    assert!(
        answer.headers[header::LOCATION]
            .to_str()
            .unwrap()
            .starts_with(PROVIDER)
    );
}

/// R57: a logout at the provider ends what began there, and the session of another login goes on.
#[tokio::test]
async fn a_logout_at_the_provider_is_one_at_the_application() {
    let mut browser = world(&clock());
    browser.log_in().await;
    let page = browser.at_provider("GET", "/", "").await.body;
    let (_, sid) = page.split_once("value=\"").unwrap();
    let form = format!("sid={}", sid.split('"').next().unwrap());
    let mut other = Browser {
        jar: BTreeMap::new(),
        ..browser.clone()
    };
    other.log_in().await;
    let answer = browser.at_provider("POST", "/end", &form).await;
    assert_eq!(answer.body, "The application answered 200 OK.\n");
    assert_eq!(browser.who().await, "nobody");
    assert!(other.who().await.starts_with("alice"));
}

/// R05: a logout at the application ends its session at once, and that at the provider by the redirect.
#[tokio::test]
async fn a_logout_at_the_application_is_one_at_the_provider() {
    let mut browser = world(&clock());
    browser.log_in().await;
    let answer = browser.send("POST", "/logout", "", From::Own).await;
    assert_eq!(browser.who().await, "nobody");
    let location = answer.headers[header::LOCATION].to_str().unwrap();
    let path = location.strip_prefix(PROVIDER).unwrap();
    let page = browser.at_provider("GET", "/", "").await.body;
    assert!(
        page.contains("alice"),
        "the provider is told by the browser"
    );
    let forged = path.replacen("id_token_hint=", "id_token_hint=A", 1);
    let elsewhere = path.replacen("app.example", "evil.example", 1);
    for refused in [forged, elsewhere] {
        let answer = browser.at_provider("GET", &refused, "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{refused}");
    }
    let answer = browser.at_provider("GET", path, "").await;
    assert_eq!(answer.headers[header::LOCATION], format!("{APP}/"));
    let page = browser.at_provider("GET", "/", "").await.body;
    assert!(!page.contains("alice"), "{page}");
    // Without a session there is nothing to hint at.
    let answer = browser.send("POST", "/logout", "", From::Own).await;
    assert_eq!(answer.headers[header::LOCATION], "/");
}
