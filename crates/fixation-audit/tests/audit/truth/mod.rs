//! What is known of each server under `tests/audit/`, and how what was found compares.

mod docs;
mod python;
mod rust;

use std::collections::BTreeSet;

#[cfg(feature = "cli")]
pub(crate) use python::PythonServer;
pub(crate) use python::python_servers;
pub(crate) use rust::rust_servers;

#[cfg(feature = "cli")]
pub(crate) use docs::is_current;

/// A server with the checks that find something in it: these and no others.
pub(crate) struct Truth {
    pub(crate) name: &'static str,
    pub(crate) written_with: &'static str,
    pub(crate) what: &'static str,
    pub(crate) expected: &'static [&'static str],
}

/// Findings that should have been made and were not, and the reverse.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) hits: usize,
    pub(crate) missed: Vec<String>,
    pub(crate) false_alarms: Vec<String>,
}

impl Score {
    pub(crate) fn add(&mut self, truth: &Truth, found: &BTreeSet<String>) {
        let expected: BTreeSet<String> = truth.expected.iter().map(|id| (*id).to_owned()).collect();
        let at = |id: &String| format!("{}: {id}", truth.name);
        self.hits += expected.intersection(found).count();
        self.missed.extend(expected.difference(found).map(at));
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
