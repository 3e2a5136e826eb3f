//! This crate's own layer, audited: nothing may be found, and the audit is not blind to it.
//!
//! R01–R05, R07, R08, R13, R20, R32, R40–R43, R51, R52, R80; A01, A02, A04, A05, A07–A11, A16, A18–A24, A28, A37, A38, A43.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use fixation_audit::{Account, FixationAudit, Outcome, Pick, Probe, Step};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::csrf::CsrfLayer as SameOriginLayer;
use tower_session_guard::{
    AnyBackend, AssuranceLevel, AuthenticatedSession, DataKey, EmptyFailure, Endings, KeyRing,
    Session, SessionLayer,
};

type AnyLayer = SessionLayer<EmptyFailure, AnyBackend>;

const NOTE: DataKey<String> = DataKey::new("note");
const KEPT_NOTE: DataKey<String> = DataKey::new("kept_note").carried();

#[derive(Deserialize)]
struct Text {
    text: String,
}

async fn whoami(session: Session) -> (StatusCode, Json<Value>) {
    match session.subject() {
        Some(subject) => {
            let level = session.level().map(AssuranceLevel::get);
            (
                StatusCode::OK,
                Json(json!({"name": subject.to_string(), "level": level})),
            )
        }
        None => (StatusCode::UNAUTHORIZED, Json(Value::Null)),
    }
}

async fn read(session: Session, key: &DataKey<String>) -> String {
    session.get(key).unwrap().unwrap_or_default()
}

async fn slow(_: AuthenticatedSession, session: Session) {
    tokio::time::sleep(Duration::from_millis(50)).await;
    session.insert(&NOTE, &"slow".to_owned()).unwrap();
}

fn app(sessions: AnyLayer) -> Router {
    Router::new()
        .route("/whoami", get(whoami))
        .route(
            "/login",
            post(async |session: Session, Query(user): Query<Text>| session.login(user.text)),
        )
        .route(
            "/sudo",
            post(async |session: Session| session.elevate(AssuranceLevel::AAL2)),
        )
        .route("/logout", post(async |session: Session| session.logout()))
        .route(
            "/note",
            get(async |session: Session| read(session, &NOTE).await).post(
                async |session: Session, Query(note): Query<Text>| {
                    session.insert(&NOTE, &note.text).unwrap();
                },
            ),
        )
        .route(
            "/kept-note",
            get(async |session: Session| read(session, &KEPT_NOTE).await).post(
                async |session: Session, Query(note): Query<Text>| {
                    session.insert(&KEPT_NOTE, &note.text).unwrap();
                },
            ),
        )
        .route("/csrf", get(csrf).post(csrf_check))
        .route("/slow", post(slow))
        .layer(sessions)
        .layer(SameOriginLayer::new())
}

async fn csrf(session: Session) -> String {
    session.csrf_token().map_or_else(String::new, |token| {
        format!(r#"<meta name="csrf" content="{token}">"#)
    })
}

async fn csrf_check(session: Session, Query(token): Query<Text>) -> StatusCode {
    match session.check_csrf(&token.text) {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::FORBIDDEN,
    }
}

fn audit(sessions: AnyLayer, note: &str) -> FixationAudit {
    FixationAudit::of(app(sessions))
        .account(Account::new("alice", "not asked for"))
        .account(Account::new("bob", "not asked for"))
        .visit(Step::post("/note").query("text", "guest"))
        .login(
            Step::post("/login")
                .query("text", "{username}")
                .expecting(200),
        )
        .logged_in(Probe::get("/whoami").json("/name"))
        .elevate(Step::post("/sudo").expecting(200))
        .elevated(Probe::get("/whoami").json_is("/level", 2))
        .logout(Step::post("/logout").expecting(200))
        .data(Step::post(note).query("text", "{marker}"), Step::get(note))
        .csrf(
            Step::get("/csrf").picking(Pick::field("csrf")),
            Step::post("/csrf").query("text", "{csrf}"),
        )
        .slow(Step::post("/slow"))
}

fn modes() -> [AnyLayer; 2] {
    let keys = || KeyRing::generate().unwrap();
    let self_contained = SessionLayer::self_contained(keys(), Endings::this_process());
    [
        self_contained.into_any(),
        SessionLayer::new(keys()).into_any(),
    ]
}

#[tokio::test]
async fn nothing_is_found_in_this_crate() {
    for sessions in modes() {
        let report = audit(sessions, "/note").run().await.unwrap();
        report.assert_clean();
        let not_judged = report.verdicts().iter().filter_map(|verdict| {
            matches!(verdict.outcome, Outcome::NotJudged(_)).then_some(verdict.check.id)
        });
        // The login sends no form, no token is a JSON Web Token, nothing is remembered and nothing was announced.
        let expected = [
            "id-from-form",
            "remembered-alive-after-logout",
            "token-not-verified",
            "token-lifetime",
            "token-key-weak",
            "token-key-from-header",
            "token-key-confused",
            "token-exp-ignored",
            "session-limit-exceeded",
            "other-sessions-not-ended",
            "password-change-keeps-sessions",
            "idle-limit-not-kept",
        ];
        assert_eq!(not_judged.collect::<Vec<_>>(), expected, "{report}");
    }
}

#[tokio::test]
async fn a_key_that_is_carried_over_the_login_on_purpose_is_seen() {
    for sessions in modes() {
        let report = audit(sessions, "/kept-note").run().await.unwrap();
        let found: Vec<_> = report.findings().map(|(check, _)| check.id).collect();
        assert_eq!(found, ["data-survives-login"]);
    }
}
