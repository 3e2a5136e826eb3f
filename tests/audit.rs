//! The fixation audit against servers that are vulnerable, or correct, on purpose.
#![cfg(feature = "testing")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "audit/rust/mod.rs"]
mod rust;
#[path = "audit/truth.rs"]
mod truth;

use std::collections::BTreeSet;

use axum::Router;
use tower_session_guard::testing::FixationAudit;
use tower_session_guard::testing::audit::{Account, Pick, Probe, Report, Step};

use rust::{Faults, Spelling};
use truth::Score;

fn audit(app: Router) -> FixationAudit {
    FixationAudit::of(app)
        .account(Account::new("alice", "alice-password"))
        .account(Account::new("bob", "bob-password"))
        .visit(Step::get("/"))
        .visit(Step::post("/data").field("value", "guest"))
        .login(
            Step::post("/login")
                .field("user", "{username}")
                .field("password", "{password}"),
        )
        .logged_in(Probe::get("/whoami").json("/subject"))
        .elevate(Step::post("/elevate"))
        .elevated(Probe::get("/whoami").json_is("/level", 2))
        .logout(Step::post("/logout"))
        .data(
            Step::post("/data").field("value", "{marker}"),
            Step::get("/data"),
        )
        .csrf(
            Step::get("/csrf").picking(Pick::field("csrf")),
            Step::post("/csrf").field("csrf", "{csrf}"),
        )
        .slow(Step::post("/slow"))
}

fn ids(report: &Report) -> BTreeSet<String> {
    report
        .findings()
        .map(|(check, _)| check.id.to_owned())
        .collect()
}

#[tokio::test]
async fn what_is_found_in_each_server_is_what_is_wrong_with_it() {
    let mut score = Score::default();
    for server in truth::rust_servers() {
        let report = audit(rust::app(server.faults, server.spelling))
            .run()
            .await
            .unwrap();
        assert!(report.is_complete(), "{}: {report}", server.truth.name);
        println!(
            "{:<28} {:>4} requests {:>6.0} ms",
            server.truth.name,
            report.requests(),
            report.took().as_secs_f64() * 1e3
        );
        score.add(&server.truth, &ids(&report));
    }
    score.assert_exact();
}

#[tokio::test]
async fn a_correct_server_passes_its_test() {
    audit(rust::app(Faults::default(), Spelling::Signed))
        .run()
        .await
        .unwrap()
        .assert_clean();
}
