//! What an audit found, and how it is written down.

mod json;
mod junit;
mod sarif;
mod table;

use std::fmt;
use std::time::Duration;

use super::{Check, Framework, Severity, Trace};

/// The result of an audit. It holds no credential, cookie value or token: values are shown as digests under a key that
/// died with the audit. What the application's answers say is not quoted.
#[derive(Clone, Debug)]
#[must_use = "a report that nobody looks at finds nothing"]
pub struct Report {
    pub(super) target: String,
    pub(super) name: String,
    pub(super) framework: Option<Framework>,
    pub(super) session: Vec<String>,
    /// What else is known of the session, such as that it is bound to the device.
    pub(super) notes: Vec<String>,
    pub(super) took: Duration,
    pub(super) requests: usize,
    pub(super) fail_on: Severity,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) stopped: Option<String>,
}

/// What one check concluded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// The check.
    pub check: &'static Check,
    /// Its conclusion.
    pub outcome: Outcome,
}

/// The conclusion of a check.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It was tried and did not work.
    Passed,
    /// It worked.
    Found(Finding),
    /// It worked, and the user said beforehand why that is accepted.
    Accepted(Finding, String),
    /// It could not be tried, and why.
    NotJudged(String),
}

/// A weakness.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is here; at most the severity of the check.
    pub severity: Severity,
    /// Whether it was put to use: an account reached, a cookie sent, that should not have been.
    pub confirmed: bool,
    /// What shows it, pair by pair.
    pub evidence: Vec<Evidence>,
}

/// One thing that the audit did, with what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// What the audit did.
    pub sent: String,
    /// What came of it.
    pub seen: String,
    /// The last requests up to there with their answers, the oldest first. None where the weakness was seen and not
    /// put to use.
    pub exchanges: Vec<Trace>,
}

impl Report {
    /// Everything found, the accepted left out, in the order of [`checks`](super::checks).
    pub fn findings(&self) -> impl Iterator<Item = (&'static Check, &Finding)> {
        self.verdicts
            .iter()
            .filter_map(|verdict| match &verdict.outcome {
                Outcome::Found(finding) => Some((verdict.check, finding)),
                _ => None,
            })
    }

    /// Whether the check with this id found something.
    #[must_use]
    pub fn found(&self, id: &str) -> bool {
        self.findings().any(|(check, _)| check.id == id)
    }

    /// Every check with its conclusion.
    #[must_use]
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Whether every check ran to its end. One that broke off says so in its verdict.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.stopped.is_none()
    }

    /// Whether a finding is at or above the severity that fails.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.findings()
            .any(|(_, finding)| finding.severity >= self.fail_on)
    }

    /// How many requests were sent.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// How long it took.
    #[must_use]
    pub fn took(&self) -> Duration {
        self.took
    }

    /// Fails the test that calls it unless the audit is complete and clean.
    ///
    /// # Panics
    ///
    /// A finding is at or above the severity that fails, or the audit broke off. The message is the whole table.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion for tests")]
    pub fn assert_clean(&self) {
        if self.fails() || !self.is_complete() {
            panic!("the fixation audit did not pass\n{self}");
        }
    }

    /// The framework that the application is written with, as it was named or recognised.
    #[must_use]
    pub fn framework(&self) -> Option<Framework> {
        self.framework
    }

    /// How to repair what a check found: with the framework's own means where both are known.
    #[must_use]
    pub fn repair(&self, check: &Check) -> String {
        match self.framework_repair(check) {
            Some((framework, repair)) => format!("{}. In {framework}: {repair}", check.repair),
            None => check.repair.to_owned(),
        }
    }

    fn framework_repair(&self, check: &Check) -> Option<(Framework, &'static str)> {
        let framework = self.framework?;
        Some((framework, framework.repair(check.id)?))
    }

    /// A table for people; `colour` adds ANSI colours.
    #[must_use]
    pub fn to_table(&self, colour: bool) -> String {
        table::write(self, colour)
    }

    /// A JSON document, pretty-printed. Its schema is `docs/report.schema.json` of this crate.
    #[must_use]
    pub fn to_json(&self) -> String {
        json::write(self)
    }

    /// A SARIF 2.1.0 log. `location` is the file that findings point to, usually the audit's description: relative to
    /// the root of the sources, or absolute. Code-scanning services show only findings that have one.
    #[must_use]
    pub fn to_sarif(&self, location: Option<&str>) -> String {
        sarif::write(self, location)
    }

    /// A JUnit XML document: a test case for each check.
    #[must_use]
    pub fn to_junit(&self) -> String {
        junit::write(self)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_table(false))
    }
}

/// The most that is kept of what shows one finding.
const MOST_EVIDENCE: usize = 6;

impl Finding {
    /// Two findings of one check as one: as bad as the worse, with the evidence of both.
    pub(super) fn and(self, other: Self) -> Self {
        let (mut worse, milder) = if other.severity > self.severity {
            (other, self)
        } else {
            (self, other)
        };
        worse.confirmed |= milder.confirmed && worse.severity == milder.severity;
        for more in milder.evidence {
            let is_told = |told: &Evidence| told.sent == more.sent && told.seen == more.seen;
            if worse.evidence.len() < MOST_EVIDENCE && !worse.evidence.iter().any(is_told) {
                worse.evidence.push(more);
            }
        }
        worse
    }

    fn certainty(&self) -> &'static str {
        if self.confirmed {
            "confirmed by use"
        } else {
            "not confirmed by use"
        }
    }

    fn text(&self, check: &Check, report: &Report) -> String {
        let mut text = format!("{} ({}).", check.title, self.certainty());
        for pair in &self.evidence {
            text.push_str(&format!(" Sent: {}. Seen: {}.", pair.sent, pair.seen));
        }
        text.push_str(&format!(" Repair: {}.", report.repair(check)));
        text
    }
}

/// Adds up the verdicts: found, accepted, passed, not judged.
fn counts(report: &Report) -> [usize; 4] {
    let mut counts = [0; 4];
    for verdict in &report.verdicts {
        let at = match verdict.outcome {
            Outcome::Found(_) => 0,
            Outcome::Accepted(..) => 1,
            Outcome::Passed => 2,
            Outcome::NotJudged(_) => 3,
        };
        counts[at] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::{Evidence, Finding, Severity};

    fn finding(severity: Severity, confirmed: bool, seen: &str) -> Finding {
        Finding {
            severity,
            confirmed,
            evidence: vec![Evidence {
                sent: "a login".to_owned(),
                seen: seen.to_owned(),
                exchanges: Vec::new(),
            }],
        }
    }

    #[test]
    fn a_milder_finding_never_covers_a_worse_one() {
        let (bad, mild) = (Severity::Critical, Severity::Low);
        for flipped in [false, true] {
            let (one, two) = (finding(bad, false, "x"), finding(mild, true, "y"));
            let both = if flipped { two.and(one) } else { one.and(two) };
            assert_eq!((both.severity, both.confirmed), (bad, false));
            let seen: Vec<_> = both.evidence.iter().map(|pair| &*pair.seen).collect();
            assert_eq!(seen, ["x", "y"]);
        }
        let same = finding(bad, true, "x").and(finding(bad, true, "x"));
        assert_eq!(same.evidence.len(), 1);
    }
}
