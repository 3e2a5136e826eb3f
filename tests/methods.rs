//! By which methods a user proved who they are: what the session keeps, and guards that ask for one (R58, R64).

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::Duration;

use axum::{
    Router,
    extract::Path,
    http::header,
    routing::{get, post},
};
use common::{Client, SESSION, Stop, app, both_modes, clock};
use tower_session_guard::{
    AssuranceLevel, AuthenticatedSession, Login, RequireAuthentication, Session, StepUp,
    testing::ManualClock,
};

const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Each method with how many seconds ago it was proved, and the authentication context class.
async fn methods(user: AuthenticatedSession) -> String {
    let all = user.methods().map(|(name, _)| {
        let age = user.age_of_proof_by(name).unwrap().as_secs();
        format!("{name}@{age} ")
    });
    let class = user.acr().unwrap_or("-");
    all.collect::<String>() + class
}

async fn login(Path(names): Path<String>, session: Session) {
    let login = names.split('+').fold(Login::new("alice"), Login::by);
    session.login(login);
}

async fn elevate(Path(name): Path<String>, session: Session) {
    session.elevate(StepUp::to(AssuranceLevel::AAL2).by(name));
}

/// Logs in by an identity provider, which saw the user when the session that goes was begun.
async fn federated(user: AuthenticatedSession) {
    let login = Login::new("alice").by("pwd").by("mfa").acr("phr");
    user.session()
        .login(login.authenticated_at(user.authenticated_at()));
}

fn clients(clock: &ManualClock) -> [Client; 2] {
    both_modes().map(|layer| {
        let layer = layer.with_clock(clock.clone());
        let welcome = || get(|| async { "welcome" });
        let passkey = || RequireAuthentication::new().by("passkey");
        let routes = Router::new()
            .route("/methods", get(methods))
            .route("/login/{names}", post(login))
            .route("/elevate/{name}", post(elevate))
            .route("/federated", post(federated))
            .route("/passkey", welcome().layer(passkey()))
            .route("/lately", welcome().layer(passkey().within(TEN_MINUTES)));
        Client::around(app(Stop::default()).merge(routes).layer(layer))
    })
}

/// The cookie after a request, which is the one before unless the answer sets another.
async fn post_with(client: &Client, path: &str, token: &str) -> String {
    let answer = client.post(path, &[(SESSION, token)]).await;
    assert_eq!(answer.status, 200);
    answer.cookie(SESSION).unwrap_or(token.to_owned())
}

#[tokio::test]
async fn a_session_keeps_by_which_methods_its_user_proved_themselves() {
    let clock = clock();
    for client in clients(&clock) {
        let seen = async |token: &str| client.get("/methods", &[(SESSION, token)]).await.body;
        let token = post_with(&client, "/login/password+totp", "").await;
        clock.advance(Duration::from_secs(20));
        assert_eq!(seen(&token).await, "password@20 totp@20 -");
        let token = post_with(&client, "/elevate/passkey", &token).await;
        let token = post_with(&client, "/elevate/password", &token).await;
        clock.advance(Duration::from_secs(1));
        assert_eq!(seen(&token).await, "password@1 totp@21 passkey@1 -");
        // They stay with data and with a renewal, and fall with the elevation.
        let token = post_with(&client, "/do?marks=put:k:v", &token).await;
        let token = post_with(&client, "/do?marks=renew", &token).await;
        assert_eq!(seen(&token).await, "password@1 totp@21 passkey@1 -");
        let token = post_with(&client, "/do?marks=step-down", &token).await;
        assert_eq!(seen(&token).await, "password@21 totp@21 -");
        // A login names its own.
        let token = post_with(&client, "/login/passkey", &token).await;
        assert_eq!(seen(&token).await, "passkey@0 -");
        let token = post_with(&client, "/do?marks=login:alice", &token).await;
        assert_eq!(seen(&token).await, "-");
    }
}

/// R58: a federated login counts from the provider's event, and keeps what the provider said of it.
#[tokio::test]
async fn a_federated_login_keeps_what_the_provider_said() {
    let clock = clock();
    for client in clients(&clock) {
        let token = post_with(&client, "/login/password", "").await;
        clock.advance(Duration::from_secs(1800));
        let token = post_with(&client, "/federated", &token).await;
        let answer = client.get("/methods", &[(SESSION, &token)]).await;
        assert_eq!(answer.body, "pwd@1800 mfa@1800 phr");
    }
}

#[tokio::test]
async fn a_guard_asks_for_a_method_and_for_its_age() {
    let clock = clock();
    for client in clients(&clock) {
        let status = async |path: &str, token: &str| {
            let answer = client.get(path, &[(SESSION, token)]).await;
            answer.status.as_u16()
        };
        assert_eq!(status("/passkey", "").await, 401);
        let token = post_with(&client, "/login/password", "").await;
        for path in ["/passkey", "/lately"] {
            let answer = client.get(path, &[(SESSION, &token)]).await;
            assert_eq!(answer.status, 403);
            let challenge = &answer.headers[header::WWW_AUTHENTICATE];
            assert_eq!(
                challenge,
                "Cookie error=\"insufficient_user_authentication\""
            );
        }
        let token = post_with(&client, "/elevate/passkey", &token).await;
        clock.advance(TEN_MINUTES);
        assert_eq!(status("/lately", &token).await, 200);
        // The age is the method's own, whatever else was proved since.
        clock.advance(Duration::from_secs(1));
        let token = post_with(&client, "/elevate/totp", &token).await;
        let answer = client.get("/lately", &[(SESSION, &token)]).await;
        let challenge = &answer.headers[header::WWW_AUTHENTICATE];
        assert_eq!(
            challenge,
            "Cookie error=\"insufficient_user_authentication\", max_age=\"600\""
        );
        assert_eq!(status("/passkey", &token).await, 200);
        let token = post_with(&client, "/elevate/passkey", &token).await;
        assert_eq!(status("/lately", &token).await, 200);
        let token = post_with(&client, "/do?marks=step-down", &token).await;
        assert_eq!(status("/passkey", &token).await, 403);
    }
}

/// A name that cannot be kept satisfies no guard.
#[tokio::test]
async fn a_method_that_cannot_be_kept_counts_for_nothing() {
    let clock = clock();
    for client in clients(&clock) {
        let long = "m".repeat(Login::MAX_METHOD_LEN + 1);
        let many: Vec<_> = (0..Login::MAX_METHODS).map(|n| n.to_string()).collect();
        let names = format!("{}+{long}+passkey", many.join("+"));
        let token = post_with(&client, &format!("/login/{names}"), "").await;
        let answer = client.get("/passkey", &[(SESSION, &token)]).await;
        assert_eq!(answer.status, 403);
        let kept = client.get("/methods", &[(SESSION, &token)]).await.body;
        assert_eq!(kept, many.join("@0 ") + "@0 -");
    }
}
