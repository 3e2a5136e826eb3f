//! CSRF tokens: whose they are, how long they hold, and what the layer lets through.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use axum::{
    Router,
    http::{HeaderValue, StatusCode, header},
    routing::{get, post},
};
use common::{
    Answer, AnyLayer, Client, Events, GUEST, SESSION, Stop, app, both_modes, clock, request,
};
use tower_http::csrf::CsrfLayer as SameOriginLayer;
use tower_session_guard::{CsrfLayer, CsrfRejected, DataKey, Session};

fn layers() -> [AnyLayer; 2] {
    both_modes().map(|layer| layer.with_clock(clock()))
}

async fn token_of(session: Session) -> String {
    let token = session.csrf_token();
    token.map(|token| token.to_string()).unwrap_or_default()
}

async fn token_after_login(session: Session) -> String {
    session.login("alice");
    token_of(session).await
}

async fn token_after_put(session: Session) -> String {
    session.insert(&DataKey::<u8>::new("k"), &1).unwrap();
    token_of(session).await
}

async fn check(session: Session, body: String) -> Result<&'static str, CsrfRejected> {
    session.check_csrf(&body)?;
    Ok("ok")
}

fn routes() -> Router {
    app(Stop::default())
        .route("/token", get(token_of))
        .route("/token-after-login", get(token_after_login))
        .route("/token-after-put", get(token_after_put))
        .route("/check", post(check))
}

fn clients() -> [Client; 2] {
    layers().map(|layer| Client::around(routes().layer(layer)))
}

async fn token(client: &Client, cookie: (&str, &str)) -> String {
    client.get("/token", &[cookie]).await.body
}

async fn holds(client: &Client, token: &str, cookie: (&str, &str)) -> bool {
    let mut request = request("POST", "/check", &[cookie]);
    *request.body_mut() = token.to_owned().into();
    match client.send(request).await.status {
        StatusCode::OK => true,
        StatusCode::FORBIDDEN => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_anonymous_request_has_no_token_and_none_is_accepted() {
    for client in clients() {
        let answer = client.get("/token", &[]).await;
        assert_eq!(answer.body, "");
        assert!(answer.sets_nothing());
        let alice = client.login("alice").await;
        let stolen = token(&client, (SESSION, &alice)).await;
        assert!(!holds(&client, &stolen, (SESSION, "")).await);
        assert!(!holds(&client, "", (SESSION, "")).await);
    }
}

/// R27: a refusal says the same whatever was wrong.
#[tokio::test]
async fn a_refusal_says_what_is_missing_and_not_why() {
    async fn refusals(session: Session) -> String {
        let token = session.csrf_token().map(|token| token.to_string());
        let cut = token.unwrap_or_default();
        let tried = ["", "junk", cut.get(1..).unwrap_or_default()];
        let told = tried.map(|token| session.check_csrf(token).unwrap_err().to_string());
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0], told[2]);
        told[0].clone()
    }
    for layer in layers() {
        let routes = routes().route("/refusals", get(refusals));
        let client = Client::around(routes.layer(layer));
        let alice = client.login("alice").await;
        for cookies in [&[][..], &[(SESSION, &*alice)]] {
            let told = client.get("/refusals", cookies).await.body;
            assert!(told.contains("no CSRF token"), "{told}");
        }
    }
}

/// A page that also writes data carries a token that the next request shows.
#[tokio::test]
async fn a_handler_that_puts_data_has_a_token_all_the_same() {
    for client in clients() {
        let alice = client.login("alice").await;
        let answer = client.get("/token-after-put", &[(SESSION, &alice)]).await;
        let alice = answer.cookie(SESSION).unwrap_or(alice);
        assert!(holds(&client, &answer.body, (SESSION, &alice)).await);
    }
}

/// R80, A16: a token that was had before a login is worth nothing after it.
#[tokio::test]
async fn a_guests_token_fails_after_the_login() {
    for client in clients() {
        let guest = client.guest().await;
        let before = token(&client, (GUEST, &guest)).await;
        assert!(holds(&client, &before, (GUEST, &guest)).await);
        let answer = client.mark("login:alice", &[(GUEST, &guest)]).await;
        let alice = answer.cookie(SESSION).unwrap();
        assert!(!holds(&client, &before, (SESSION, &alice)).await);
    }
}

/// R80: every change of privilege ends the tokens of before; a renewal leaves open forms alone.
#[tokio::test]
async fn a_token_holds_until_the_privilege_changes() {
    for client in clients() {
        for (marks, survives) in [
            ("renew", true),
            ("put:k:v", true),
            ("login:alice", false),
            ("elevate", false),
            ("elevate:60", false),
            ("step-down", false),
            ("login:bob", false),
            ("logout,put:k:v", false),
            ("renew,elevate", false),
        ] {
            let session = client.login("alice").await;
            let before = token(&client, (SESSION, &session)).await;
            assert!(holds(&client, &before, (SESSION, &session)).await);
            let answer = client.mark(marks, &[(SESSION, &session)]).await;
            let next = match answer.cookie(SESSION) {
                Some(removed) if removed.is_empty() => (GUEST, answer.cookie(GUEST).unwrap()),
                Some(next) => (SESSION, next),
                None => (SESSION, session),
            };
            assert_eq!(
                holds(&client, &before, (next.0, &next.1)).await,
                survives,
                "{marks}"
            );
            let after = token(&client, (next.0, &next.1)).await;
            assert!(holds(&client, &after, (next.0, &next.1)).await, "{marks}");
        }
    }
}

/// R81.
#[tokio::test]
async fn a_token_of_one_session_fails_in_another() {
    for client in clients() {
        let [first, second, bob] = [
            client.login("alice").await,
            client.login("alice").await,
            client.login("bob").await,
        ];
        let token = token(&client, (SESSION, &first)).await;
        assert!(holds(&client, &token, (SESSION, &first)).await);
        assert!(!holds(&client, &token, (SESSION, &second)).await);
        assert!(!holds(&client, &token, (SESSION, &bob)).await);
    }
}

/// R81.
#[tokio::test]
async fn every_response_masks_the_token_anew() {
    for client in clients() {
        let session = client.login("alice").await;
        let [one, two] = [
            token(&client, (SESSION, &session)).await,
            token(&client, (SESSION, &session)).await,
        ];
        assert_ne!(one, two);
        assert!(holds(&client, &one, (SESSION, &session)).await);
        assert!(holds(&client, &two, (SESSION, &session)).await);
    }
}

#[tokio::test]
async fn a_handler_that_logs_in_gets_no_token_that_would_not_hold() {
    for client in clients() {
        let session = client.login("alice").await;
        for cookie in [(SESSION, ""), (SESSION, &*session)] {
            assert_eq!(client.get("/token-after-login", &[cookie]).await.body, "");
        }
    }
}

/// Sends with a token in a header, once or more often.
async fn post_with(client: &Client, path: &str, cookie: &str, tokens: &[&str]) -> StatusCode {
    let mut request = request("POST", path, &[(SESSION, cookie)]);
    for token in tokens {
        let token = HeaderValue::from_str(token).unwrap();
        request.headers_mut().append("x-csrf-token", token);
    }
    client.send(request).await.status
}

/// R80, R81, A17: with the layer, what is done in a user's name needs the header.
#[tokio::test]
async fn the_layer_lets_unsafe_requests_through_with_their_own_token_only() {
    for layer in layers() {
        let guarded = routes().layer(CsrfLayer::new()).layer(layer.clone());
        let client = Client::around(guarded);
        let free = Client::around(routes().layer(layer));
        let [alice, bob] = [free.login("alice").await, free.login("bob").await];
        let [own, other] = [
            token(&free, (SESSION, &alice)).await,
            token(&free, (SESSION, &bob)).await,
        ];
        let path = "/do?marks=put:k:v";
        assert_eq!(
            post_with(&client, path, &alice, &[]).await,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            post_with(&client, path, &alice, &[""]).await,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            post_with(&client, path, &alice, &[&other]).await,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            post_with(&client, path, &alice, &[&other, &own]).await,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            post_with(&client, path, &alice, &[&own, &own]).await,
            StatusCode::FORBIDDEN
        );
        assert_eq!(
            post_with(&client, path, &alice, &[&own]).await,
            StatusCode::OK
        );
        for method in ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
            let answer = client
                .send(request(method, "/public", &[(SESSION, &alice)]))
                .await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method}");
        }
        for method in ["GET", "HEAD"] {
            let answer = client
                .send(request(method, "/public", &[(SESSION, &alice)]))
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{method}");
        }
        // Nobody's authority, nothing to guard.
        assert_eq!(
            post_with(&client, "/do?marks=", "", &[]).await,
            StatusCode::OK
        );
    }
}

/// Fails closed.
#[tokio::test]
async fn the_layer_refuses_everything_unsafe_without_a_session_layer() {
    let lonely = Router::new()
        .route("/", get(|| async { "" }).post(|| async { "" }))
        .layer(CsrfLayer::new());
    let client = Client::around(lonely);
    assert_eq!(client.get("/", &[]).await.status, StatusCode::OK);
    let answer = client.post("/", &[]).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
}

/// R82, A03: tower-http's layer guards the login by where the request comes from.
#[tokio::test]
async fn a_login_from_another_site_is_refused_by_the_layer_outside() {
    for layer in layers() {
        let guarded = routes()
            .layer(CsrfLayer::new())
            .layer(layer)
            .layer(SameOriginLayer::new());
        let client = Client::around(guarded);
        let login = async |site: &'static str| -> Answer {
            let mut request = request("POST", "/do?marks=login:mallory", &[]);
            let site = HeaderValue::from_static(site);
            request.headers_mut().insert("sec-fetch-site", site);
            client.send(request).await
        };
        for site in ["cross-site", "same-site"] {
            let answer = login(site).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{site}");
            assert!(answer.sets_nothing());
        }
        for site in ["same-origin", "none"] {
            let answer = login(site).await;
            assert_eq!(answer.status, StatusCode::OK, "{site}");
            assert!(answer.cookie(SESSION).is_some());
        }
    }
}

/// R83: no cookie but the session's own ever leaves.
#[tokio::test]
async fn there_is_no_second_cookie_to_submit_twice() {
    for client in clients() {
        let guest = client.guest().await;
        let answer = client.mark("login:alice", &[(GUEST, &guest)]).await;
        let names: Vec<_> = answer
            .headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|value| {
                value
                    .to_str()
                    .unwrap()
                    .split('=')
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(names, [GUEST, SESSION]);
        let session = answer.cookie(SESSION).unwrap();
        let answer = client.get("/token", &[(SESSION, &session)]).await;
        assert!(answer.sets_nothing());
    }
}

/// R31: events never hold a CSRF token.
#[tokio::test]
async fn a_token_is_in_no_event() {
    for layer in layers() {
        let events = Events::default();
        let client = Client::around(routes().layer(layer.with_observer(events.clone())));
        let session = client.login("alice").await;
        let token = token(&client, (SESSION, &session)).await;
        assert!(!holds(&client, &token[1..], (SESSION, &session)).await);
        assert!(!format!("{:?}", events.all()).contains(&token[20..]));
    }
}
