//! The generated parts of `docs/audit.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fixation_audit::checks;

use super::{Truth, python_servers, rust_servers, site_servers};

/// The matrix of the documentation: a row for each server.
fn matrix(truths: &[Truth]) -> String {
    let mut out = String::from(
        "| | server | written with | what it does | expected and found |\n|---|---|---|---|---|\n",
    );
    for (at, truth) in truths.iter().enumerate() {
        let at = at + 1;
        let ids: Vec<_> = truth.ids().map(|id| format!("`{id}`")).collect();
        let ids = if ids.is_empty() {
            "nothing".to_owned()
        } else {
            ids.join(", ")
        };
        let _ = writeln!(
            out,
            "| {at} | `{}` | {} | {} | {ids} |",
            truth.name, truth.written_with, truth.what
        );
    }
    out
}

fn check_table() -> String {
    let mut out = String::from(
        "| check | at most | CWE | ASVS 5.0 | WSTG | what it finds | confirmed when | repair |\n|---|---|---|---|---|---|---|---|\n",
    );
    for check in checks() {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            check.id,
            check.severity,
            check.cwe,
            check.asvs,
            check.wstg,
            check.title,
            check.confirmed,
            check.repair
        );
    }
    out
}

/// The matrix checks × servers: a cross where the check finds something, as expected.
fn grid(truths: &[Truth]) -> String {
    let found: Vec<_> = checks()
        .iter()
        .filter(|check| {
            truths
                .iter()
                .any(|truth| truth.ids().any(|id| id == check.id))
        })
        .collect();
    let mut out = String::from("| check |");
    for at in 1..=truths.len() {
        let _ = write!(out, " {at} |");
    }
    out.push_str(&format!("\n|---|{}\n", "---|".repeat(truths.len())));
    for check in &found {
        let _ = write!(out, "| `{}` |", check.id);
        for truth in truths {
            out.push_str(if truth.ids().any(|id| id == check.id) {
                " × |"
            } else {
                "  |"
            });
        }
        out.push('\n');
    }
    let pairs: usize = truths.iter().map(|truth| truth.expected.len()).sum();
    let cells = checks().len() * truths.len();
    let _ = writeln!(
        out,
        "\n{} servers × {} checks = {cells} cells, {pairs} of them findings. The tests fail on any cell that differs, \
         so precision and recall are {pairs} of {pairs} each: 1.000 and 1.000.",
        truths.len(),
        checks().len()
    );
    out
}

/// Compares a generated part of the page with what it should be; `UPDATE_DOCS=1` writes it instead.
#[track_caller]
pub(crate) fn is_current(part: &str, expected: &str) {
    // Tests run at once, and may all be writing.
    static PAGE: Mutex<()> = Mutex::new(());
    let _one_at_a_time = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/audit.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (open, close) = (
        format!("<!-- {part} -->\n"),
        format!("<!-- end of {part} -->\n"),
    );
    let (before, rest) = page.split_once(&open).expect("the part's mark");
    let (current, after) = rest.split_once(&close).expect("the part's end");
    let wanted = format!("\n{}\n\n", expected.trim_end());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, [before, &open, &wanted, &close, after].concat()).unwrap();
    } else {
        assert_eq!(
            current, wanted,
            "docs/audit.md is not current: run the tests once with UPDATE_DOCS=1"
        );
    }
}

#[test]
fn the_documentation_shows_the_checks_and_the_matrix() {
    let rust = rust_servers().into_iter().map(|server| server.truth);
    let site = site_servers().into_iter().map(|(truth, _)| truth);
    let truths: Vec<_> = rust
        .chain(site)
        .chain(python_servers().into_iter().map(|server| server.truth))
        .collect();
    for check in checks() {
        let shown = truths
            .iter()
            .any(|truth| truth.ids().any(|id| id == check.id));
        assert!(shown, "no server shows that {} finds anything", check.id);
    }
    is_current("checks", &check_table());
    is_current("servers", &matrix(&truths));
    is_current("matrix", &grid(&truths));
    is_current(
        "example",
        &format!(
            "```toml\n{}```",
            include_str!("../../../src/bin/fixation-audit/example.toml")
        ),
    );
    is_current(
        "usage",
        &format!(
            "```text\n{}```",
            include_str!("../../../src/bin/fixation-audit/usage.txt")
        ),
    );
}
