//! The report as one JSON document.

use serde_json::{Value, json};

use super::{Finding, Outcome, Report, Verdict, counts};

pub(super) fn write(report: &Report) -> String {
    let [found, accepted, passed, not_judged] = counts(report);
    let document = json!({
        "tool": "fixation-audit",
        "version": env!("CARGO_PKG_VERSION"),
        "target": report.target,
        "session": report.session,
        "notes": report.notes,
        "complete": report.is_complete(),
        "stopped": report.stopped,
        "fails": report.fails(),
        "fail_on": report.fail_on.name(),
        "requests": report.requests,
        "seconds": (report.took.as_secs_f64() * 1_000.0).round() / 1_000.0,
        "counts": {"found": found, "accepted": accepted, "passed": passed, "not_judged": not_judged},
        "checks": report.verdicts.iter().map(verdict).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn verdict(verdict: &Verdict) -> Value {
    let check = verdict.check;
    let mut entry = json!({
        "id": check.id,
        "title": check.title,
        "cwe": format!("CWE-{}", check.cwe),
        "asvs": check.asvs,
        "wstg": check.wstg,
        "repair": check.repair,
    });
    match &verdict.outcome {
        Outcome::Passed => entry["outcome"] = "passed".into(),
        Outcome::Found(found) => {
            entry["outcome"] = "found".into();
            entry["finding"] = finding(found);
        }
        Outcome::Accepted(found, reason) => {
            entry["outcome"] = "accepted".into();
            entry["finding"] = finding(found);
            entry["reason"] = reason.as_str().into();
        }
        Outcome::NotJudged(reason) => {
            entry["outcome"] = "not_judged".into();
            entry["reason"] = reason.as_str().into();
        }
    }
    entry
}

fn finding(finding: &Finding) -> Value {
    json!({
        "severity": finding.severity.name(),
        "confirmed": finding.confirmed,
        "sent": finding.sent,
        "seen": finding.seen,
    })
}
