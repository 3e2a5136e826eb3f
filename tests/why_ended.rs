//! What an application may learn of a session that is over.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::time::Duration;

use axum::routing::get;
use common::{AnyLayer, Client, Events, SESSION, Stop, app, both_modes, clock};
use tower_session_guard::{
    AuthenticatedSession, Session, SessionPolicy, TokenReuse, testing::ManualClock,
};

/// What a page shows of a session that is over.
async fn why(session: Session) -> &'static str {
    session.why_ended().map_or("-", |cause| cause.as_str())
}

struct Site {
    client: Client,
    clock: ManualClock,
}

impl Site {
    fn of(layer: AnyLayer) -> Self {
        let clock = clock();
        let layer = layer
            .with_clock(clock.clone())
            .with_observer(Events::default());
        let extracted = |user: Option<AuthenticatedSession>, session: Session| async move {
            let _ = user;
            why(session).await
        };
        let routes = app(Stop::default())
            .route("/why", get(why))
            .route("/why-extracted", get(extracted));
        Self {
            client: Client::around(routes.layer(layer)),
            clock,
        }
    }

    /// In both modes, and loaded when somebody looks.
    fn each(policy: &SessionPolicy) -> Vec<(bool, Self)> {
        let lazy = both_modes().map(AnyLayer::lazily);
        let all = both_modes().into_iter().chain(lazy).enumerate();
        all.map(|(at, layer)| (at % 2 == 0, Self::of(layer.with_policy(policy.clone()))))
            .collect()
    }

    async fn why(&self, token: &str) -> String {
        let answers = [
            self.client.get("/why", &[(SESSION, token)]).await,
            self.client.get("/why-extracted", &[(SESSION, token)]).await,
        ];
        assert_eq!(answers[0].body, answers[1].body);
        // The layer's own answer does not say it.
        assert!(answers[0].sets_nothing());
        answers[0].body.clone()
    }
}

#[tokio::test]
async fn who_has_no_token_of_this_server_learns_nothing() {
    for (_, site) in Site::each(&SessionPolicy::aal1()) {
        assert_eq!(site.why("").await, "-");
        assert_eq!(site.why("AAAA").await, "-");
        let token = site.client.login("alice").await;
        assert_eq!(site.why(&token).await, "-", "it lives");
        let forged = format!("{}AAAA", &token[..token.len() - 4]);
        assert_eq!(site.why(&forged).await, "-");
        let guest = site.client.guest().await;
        site.client.mark("logout", &[(common::GUEST, &guest)]).await;
        let answer = site.client.get("/why", &[(common::GUEST, &guest)]).await;
        assert_eq!(answer.body, "-", "a guest was never logged in");
    }
}

#[tokio::test]
async fn a_limit_is_told_where_the_token_or_the_store_still_knows_it() {
    let policy = SessionPolicy::aal1()
        .idle(Duration::from_secs(600))
        .and_then(|policy| policy.absolute(Duration::from_secs(3_600)))
        .unwrap();
    for (is_self_contained, site) in Site::each(&policy) {
        let token = site.client.login("alice").await;
        site.clock.advance(Duration::from_secs(600));
        // A store has removed the record.
        let idle = if is_self_contained {
            "expired"
        } else {
            "ended"
        };
        assert_eq!(site.why(&token).await, idle);
        // The token itself says when it is over at the latest.
        site.clock.advance(Duration::from_secs(3_000));
        assert_eq!(site.why(&token).await, "expired");
    }
}

#[tokio::test]
async fn an_ending_elsewhere_is_told_as_far_as_it_is_known() {
    for (is_self_contained, site) in Site::each(&SessionPolicy::aal1()) {
        for (marks, cause) in [
            ("logout", "ended"),
            ("elevate", "replaced"),
            // A store has removed the session that was replaced.
            (
                "login:alice",
                if is_self_contained {
                    "replaced"
                } else {
                    "ended"
                },
            ),
            (
                "login:bob",
                if is_self_contained {
                    "replaced"
                } else {
                    "ended"
                },
            ),
        ] {
            let token = site.client.login("alice").await;
            site.client.mark(marks, &[(SESSION, &token)]).await;
            assert_eq!(site.why(&token).await, cause, "{marks}");
        }
    }
}

#[tokio::test]
async fn a_token_that_ended_its_session_by_its_reuse_says_so_once() {
    let policy = SessionPolicy::aal1()
        .grace(Duration::from_secs(5))
        .unwrap()
        .on_reuse(TokenReuse::EndSession);
    for (_, site) in Site::each(&policy) {
        let token = site.client.login("alice").await;
        site.client.mark("renew", &[(SESSION, &token)]).await;
        site.clock.advance(Duration::from_secs(6));
        let answer = site.client.get("/why", &[(SESSION, &token)]).await;
        assert_eq!(answer.body, "reused");
        assert_eq!(site.why(&token).await, "ended");
    }
}

/// A guest's session beside the token hides nothing, and a session that lives does.
#[tokio::test]
async fn a_live_session_is_what_counts() {
    for (_, site) in Site::each(&SessionPolicy::aal1()) {
        let token = site.client.login("alice").await;
        site.client.mark("logout", &[(SESSION, &token)]).await;
        let guest = site.client.guest().await;
        let both = [(SESSION, &*token), (common::GUEST, &guest)];
        assert_eq!(site.client.get("/why", &both).await.body, "ended");
        let other = site.client.login("alice").await;
        let both = [(SESSION, &*token), (SESSION, &other)];
        assert_eq!(site.client.get("/why", &both).await.body, "-");
    }
}

/// What is logged in again has no end behind it: the answer is of what came.
#[tokio::test]
async fn the_answer_is_of_the_token_that_came() {
    for (_, site) in Site::each(&SessionPolicy::aal1()) {
        let token = site.client.login("alice").await;
        site.client.mark("logout", &[(SESSION, &token)]).await;
        let answer = site.client.mark("login:alice", &[(SESSION, &token)]).await;
        let next = answer.cookie(SESSION).unwrap();
        assert_eq!(site.why(&next).await, "-");
        assert_eq!(site.why(&token).await, "ended");
    }
}
