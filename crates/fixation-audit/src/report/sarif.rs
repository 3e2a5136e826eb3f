//! SARIF 2.1.0 (OASIS), as code-scanning services take it.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::{Check, Severity};
use super::{Finding, Outcome, Report, Verdict};

/// Where the pages of the checks are.
const HOME: &str = env!("CARGO_PKG_REPOSITORY");

pub(super) fn write(report: &Report, location: Option<&str>) -> String {
    let rules: Vec<_> = report.verdicts.iter().map(rule).collect();
    let results: Vec<_> = report
        .verdicts
        .iter()
        .enumerate()
        .filter_map(|(at, verdict)| match &verdict.outcome {
            Outcome::Found(finding) => Some(result(at, verdict.check, finding, report, location)),
            Outcome::Accepted(finding, reason) => {
                let mut result = result(at, verdict.check, finding, report, location);
                result["suppressions"] = json!([{
                    "kind": "external", "status": "accepted", "justification": reason,
                }]);
                Some(result)
            }
            Outcome::Passed | Outcome::NotJudged(_) => None,
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
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": HOME,
                "rules": rules,
            }},
            // A run of its own for each application: services compare a run with the last one of the same id.
            "automationDetails": {"id": format!("fixation-audit/{}/", report.name)},
            "columnKind": "utf16CodeUnits",
            "invocations": [invocation],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn rule(verdict: &Verdict) -> Value {
    let check = verdict.check;
    // Services sort by the rule's severity, and a check makes one finding: as bad as that is, the rule is here.
    let severity = match &verdict.outcome {
        Outcome::Found(finding) | Outcome::Accepted(finding, _) => finding.severity,
        Outcome::Passed | Outcome::NotJudged(_) => check.severity,
    };
    json!({
        "id": check.id,
        "name": pascal_case(check.id),
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": format!("{}. Confirmed: {}.", check.title, check.confirmed)},
        "help": {"text": check.page(), "markdown": check.page()},
        "helpUri": format!("{HOME}/blob/main/crates/fixation-audit/docs/checks.md#{}", check.id),
        "defaultConfiguration": {"level": level(check.severity)},
        "properties": {
            "security-severity": score(severity),
            "precision": "high",
            "tags": [
                "security",
                format!("external/cwe/cwe-{:03}", check.cwe),
                format!("asvs-5.0/{}", check.asvs),
                format!("wstg/{}", check.wstg),
            ],
        },
    })
}

fn result(
    at: usize,
    check: &Check,
    finding: &Finding,
    report: &Report,
    location: Option<&str>,
) -> Value {
    let mut place = json!({
        "logicalLocations": [{"fullyQualifiedName": report.target, "kind": "resource"}],
    });
    if let Some(file) = location {
        place["physicalLocation"] = json!({
            "artifactLocation": {"uri": uri(file)},
            "region": {"startLine": 1},
        });
    }
    let fingerprint = fingerprint(&report.name, check.id);
    json!({
        "ruleId": check.id,
        "ruleIndex": at,
        "kind": "fail",
        "level": level(finding.severity),
        "rank": rank(finding.severity),
        "message": {"text": finding.text(check, report)},
        "locations": [place],
        "partialFingerprints": {
            "fixationAudit/v1": fingerprint,
            // The one that GitHub compares; without it, all findings in one file look alike.
            "primaryLocationLineHash": format!("{fingerprint}:1"),
        },
        "properties": {
            "confirmed": finding.confirmed,
            "severity": finding.severity.name(),
            "security-severity": score(finding.severity),
        },
    })
}

/// The same for the same check of the same application, whatever the values were.
fn fingerprint(name: &str, id: &str) -> String {
    let hash = Sha256::digest(format!("{name}\0{id}"));
    hash[..8].iter().map(|b| format!("{b:02x}")).collect()
}

/// A file's path as a URI: relative as it is, absolute under `file:`.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let mut out = String::new();
    let is_drive = path.get(1..3) == Some(":/");
    if is_drive {
        out.push_str("file:///");
    } else if path.starts_with('/') {
        out.push_str("file://");
    }
    for (at, byte) in path.trim_start_matches("./").bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=@".contains(&byte);
        if plain || (is_drive && at == 1) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// `id-kept-at-login` as a name: `IdKeptAtLogin`.
fn pascal_case(id: &str) -> String {
    id.split('-')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_uppercase() + rest
        })
        .collect()
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

/// SARIF's own scale, from 0 to 100.
const fn rank(severity: Severity) -> f64 {
    match severity {
        Severity::Low => 30.0,
        Severity::Medium => 55.0,
        Severity::High => 80.0,
        Severity::Critical => 95.0,
    }
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, pascal_case, uri};

    #[test]
    fn paths_become_uris() {
        for (path, expected) in [
            ("audit.toml", "audit.toml"),
            ("./my audit/a%b.toml", "my%20audit/a%25b.toml"),
            ("/srv/ä.toml", "file:///srv/%C3%A4.toml"),
            ("C:\\ci\\audit.toml", "file:///C:/ci/audit.toml"),
        ] {
            assert_eq!(uri(path), expected);
        }
    }

    #[test]
    fn names_and_fingerprints_are_stable_and_tell_apart() {
        assert_eq!(pascal_case("id-kept-at-login"), "IdKeptAtLogin");
        let one = fingerprint("shop", "id-kept-at-login");
        assert_eq!(one, fingerprint("shop", "id-kept-at-login"));
        assert_ne!(one, fingerprint("forum", "id-kept-at-login"));
        assert_ne!(one, fingerprint("shop", "id-from-url"));
    }
}
