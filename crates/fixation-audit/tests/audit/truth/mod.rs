//! What is known of each server under `tests/audit/`, and how what was found compares.

mod docs;
mod frameworks;
mod python;
mod rust;
mod site;

use std::collections::BTreeSet;

use fixation_audit::Report;

#[cfg(feature = "cli")]
pub(crate) use frameworks::FrameworkServer;
pub(crate) use frameworks::framework_servers;
pub(crate) use python::python_servers;
#[cfg(feature = "cli")]
pub(crate) use python::{DescribedBy, PythonServer};
pub(crate) use rust::rust_servers;
pub(crate) use site::site_servers;

#[cfg(feature = "cli")]
pub(crate) use docs::is_current;

/// A server with the checks that find something in it, as `id=severity`: these and no others.
pub(crate) struct Truth {
    pub(crate) name: &'static str,
    pub(crate) written_with: &'static str,
    pub(crate) what: &'static str,
    pub(crate) expected: &'static [&'static str],
}

impl Truth {
    /// The ids of the checks that find something.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.expected
            .iter()
            .map(|entry| entry.split_once('=').map_or(*entry, |(id, _)| id))
    }
}

/// Findings that should have been made and were not, and the reverse.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) hits: usize,
    pub(crate) missed: Vec<String>,
    pub(crate) false_alarms: Vec<String>,
}

impl Score {
    pub(crate) fn add(&mut self, truth: &Truth, report: &Report) {
        let found = report.findings();
        let found: Vec<_> = found
            .map(|(check, finding)| (check.id.to_owned(), finding.severity.to_string()))
            .collect();
        self.add_pairs(truth, &found);
    }

    /// Checks with the severities that were found.
    pub(crate) fn add_pairs(&mut self, truth: &Truth, found: &[(String, String)]) {
        let named = |(id, severity): &(String, String)| format!("{id}={severity}");
        let found: BTreeSet<String> = found.iter().map(named).collect();
        let expected: BTreeSet<String> = truth.expected.iter().map(|id| (*id).to_owned()).collect();
        let at = |id: &String| format!("{}: {id}", truth.name);
        self.hits += expected.intersection(&found).count();
        self.missed.extend(expected.difference(&found).map(at));
        self.false_alarms
            .extend(found.difference(&expected).map(at));
    }

    pub(crate) fn precision(&self) -> f64 {
        ratio(self.hits, self.false_alarms.len())
    }

    pub(crate) fn recall(&self) -> f64 {
        ratio(self.hits, self.missed.len())
    }

    /// Prints the figures, and fails with what differs.
    #[track_caller]
    pub(crate) fn assert_exact(&self) {
        let (hits, missed, alarms) = (self.hits, self.missed.len(), self.false_alarms.len());
        println!(
            "{hits} found as expected, {missed} missed, {alarms} false alarms: precision {:.3}, recall {:.3}",
            self.precision(),
            self.recall()
        );
        assert!(
            self.missed.is_empty() && self.false_alarms.is_empty(),
            "missed: {:#?}\nfalse alarms: {:#?}",
            self.missed,
            self.false_alarms
        );
    }
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred findings")]
fn ratio(hits: usize, others: usize) -> f64 {
    if hits + others == 0 {
        1.0
    } else {
        hits as f64 / (hits + others) as f64
    }
}
