//! The generated parts of `docs/audit.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use fixation_audit::checks;

use super::{Truth, framework_servers, python_servers, rust_servers, site_servers};

/// The matrix of the documentation: a row for each server.
fn matrix(truths: &[Truth]) -> String {
    let mut out = String::from(
        "| | server | written with | what it does | expected and found |\n|---|---|---|---|---|\n",
    );
    for (at, truth) in truths.iter().enumerate() {
        let at = at + 1;
        let ids: Vec<_> = truth
            .expected
            .iter()
            .filter_map(|entry| entry.split_once('='))
            .map(|(id, severity)| format!("`{id}` ({severity})"))
            .collect();
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

/// Each check with the servers in which it finds something, and in how many it does not.
fn by_check(truths: &[Truth]) -> String {
    let mut out = String::from(
        "| check | found and expected, in | found, not expected | expected, not found | precision | recall |\n\
         |---|---|---|---|---|---|\n",
    );
    for check in checks() {
        let at: Vec<_> = truths
            .iter()
            .enumerate()
            .filter(|(_, truth)| truth.ids().any(|id| id == check.id))
            .map(|(at, _)| (at + 1).to_string())
            .collect();
        let _ = writeln!(
            out,
            "| `{}` | {}: {} | 0 | 0 | 1.000 | 1.000 |",
            check.id,
            at.len(),
            at.join(", ")
        );
    }
    let pairs: usize = truths.iter().map(|truth| truth.ids().count()).sum();
    let severe = truths
        .iter()
        .flat_map(|truth| truth.expected)
        .filter(|entry| entry.ends_with("=high") || entry.ends_with("=critical"))
        .count();
    let _ = writeln!(
        out,
        "\n{} servers × {} checks = {} cells. {pairs} of them are findings, {severe} of these high or critical, all compared with their severity. Title and repair belong to the check, so that a finding under the right check has both right. \
         The tests fail on any cell that differs.",
        truths.len(),
        checks().len(),
        truths.len() * checks().len()
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
    let frameworks = framework_servers().into_iter().map(|server| server.truth);
    let truths: Vec<_> = rust
        .chain(site)
        .chain(python_servers().into_iter().map(|server| server.truth))
        .chain(frameworks)
        .collect();
    for check in checks() {
        let shown = truths
            .iter()
            .any(|truth| truth.ids().any(|id| id == check.id));
        assert!(shown, "no server shows that {} finds anything", check.id);
    }
    is_current("checks", &check_table());
    is_current("servers", &matrix(&truths));
    is_current("matrix", &by_check(&truths));
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
