//! The report as one JSON document, after `docs/report.schema.json`.

use serde_json::{Value, json};

use super::{Evidence, Finding, Outcome, Report, Verdict, counts};

pub(super) fn write(report: &Report) -> String {
    let [found, accepted, passed, not_judged] = counts(report);
    let document = json!({
        "schema_version": 1,
        "tool": "fixation-audit",
        "version": env!("CARGO_PKG_VERSION"),
        "target": report.target,
        "name": report.name,
        "framework": report.framework.map(super::Framework::name),
        "session": report.session,
        "notes": report.notes,
        "complete": report.is_complete(),
        "stopped": report.stopped,
        "fails": report.fails(),
        "fail_on": report.fail_on.name(),
        "requests": report.requests,
        "seconds": (report.took.as_secs_f64() * 1_000.0).round() / 1_000.0,
        "counts": {"found": found, "accepted": accepted, "passed": passed, "not_judged": not_judged},
        "checks": report.verdicts.iter().map(|of| verdict(of, report)).collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn verdict(verdict: &Verdict, report: &Report) -> Value {
    let check = verdict.check;
    let mut entry = json!({
        "id": check.id,
        "title": check.title,
        "at_most": check.severity.name(),
        "cwe": format!("CWE-{}", check.cwe),
        "asvs": check.asvs,
        "wstg": check.wstg,
        "repair": check.repair,
    });
    if let Some((_, repair)) = report.framework_repair(check) {
        entry["framework_repair"] = repair.into();
    }
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
        "evidence": finding.evidence.iter().map(pair).collect::<Vec<_>>(),
    })
}

fn pair(pair: &Evidence) -> Value {
    let exchanges = pair.exchanges.iter();
    let exchanges =
        exchanges.map(|trace| json!({"request": trace.request, "answer": trace.answer}));
    json!({
        "sent": pair.sent,
        "seen": pair.seen,
        "exchanges": exchanges.collect::<Vec<_>>(),
    })
}
