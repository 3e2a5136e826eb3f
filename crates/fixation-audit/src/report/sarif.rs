//! SARIF 2.1.0 (OASIS), as code scanning services take it.

use serde_json::{Value, json};

use super::super::{Check, Severity};
use super::{Finding, Outcome, Report};

pub(super) fn write(report: &Report, location: &str) -> String {
    let rules: Vec<_> = report
        .verdicts
        .iter()
        .map(|verdict| rule(verdict.check))
        .collect();
    let results: Vec<_> = report
        .verdicts
        .iter()
        .enumerate()
        .filter_map(|(at, verdict)| match &verdict.outcome {
            Outcome::Found(finding) => Some(result(at, verdict.check, finding, report, location)),
            Outcome::Accepted(finding, reason) => {
                let mut result = result(at, verdict.check, finding, report, location);
                result["suppressions"] = json!([{"kind": "external", "justification": reason}]);
                Some(result)
            }
            _ => None,
        })
        .collect();
    let mut invocation = json!({"executionSuccessful": report.is_complete()});
    if let Some(why) = &report.stopped {
        invocation["toolExecutionNotifications"] =
            json!([{"level": "error", "message": {"text": why}}]);
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "fixation-audit",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [invocation],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(check: &Check) -> Value {
    json!({
        "id": check.id,
        "name": check.id,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": format!("{}. Confirmed: {}.", check.title, check.confirmed)},
        "help": {"text": format!("{}.", check.repair)},
        "defaultConfiguration": {"level": level(check.severity)},
        "properties": {
            "security-severity": score(check.severity),
            "tags": [
                "security",
                format!("external/cwe/cwe-{}", check.cwe),
                format!("asvs-5.0/{}", check.asvs),
                format!("wstg/{}", check.wstg),
            ],
        },
    })
}

fn result(at: usize, check: &Check, finding: &Finding, report: &Report, location: &str) -> Value {
    json!({
        "ruleId": check.id,
        "ruleIndex": at,
        "level": level(finding.severity),
        "message": {"text": finding.text(check)},
        "locations": [{
            "physicalLocation": {
                "artifactLocation": {"uri": location},
                "region": {"startLine": 1},
            },
            "logicalLocations": [{"fullyQualifiedName": report.target, "kind": "resource"}],
        }],
        "partialFingerprints": {"check/v1": check.id},
        "properties": {"confirmed": finding.confirmed, "severity": finding.severity.name()},
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

/// On the scale of CVSS, for services that sort by it.
const fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}
