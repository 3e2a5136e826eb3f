//! What a run leaves behind for tables and plots.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::machine::{Machine, version};
use crate::scenario::Scenario;
use crate::stats::Spread;
use crate::subject::{Keeps, Label};

/// One run over all subjects and scenarios.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// What it ran on.
    pub machine: Machine,
    /// How many samples each number comes from.
    pub rounds: usize,
    /// How many requests a sample has.
    pub batch: usize,
    /// One row for each subject and scenario.
    pub rows: Vec<Row>,
}

/// One subject in one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The subject.
    pub subject: String,
    /// Its package's version.
    pub version: Option<String>,
    /// Where it keeps sessions.
    pub keeps: Keeps,
    /// The scenario.
    pub scenario: Scenario,
    /// Nanoseconds a request.
    pub ns: Spread,
    /// The same beyond the bare stack in the same round.
    pub net: Spread,
}

/// Heap traffic of all subjects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Heap {
    /// One row for each subject and scenario.
    pub rows: Vec<HeapRow>,
}

/// Heap traffic of one subject in one scenario, beyond the bare stack, a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeapRow {
    /// The subject.
    pub subject: String,
    /// The scenario.
    pub scenario: Scenario,
    /// Allocations, growing a buffer included.
    pub allocations: f64,
    /// Bytes asked for.
    pub bytes: f64,
}

impl Run {
    /// The row of a subject in a scenario.
    #[must_use]
    pub fn row(&self, subject: &str, scenario: Scenario) -> Option<&Row> {
        self.rows
            .iter()
            .find(|r| r.subject == subject && r.scenario == scenario)
    }

    /// The subjects in their order.
    #[must_use]
    pub fn subjects(&self) -> Vec<&str> {
        let mut subjects: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !subjects.contains(&row.subject.as_str()) {
                subjects.push(&row.subject);
            }
        }
        subjects
    }
}

impl Heap {
    /// The row of a subject in a scenario.
    #[must_use]
    pub fn row(&self, subject: &str, scenario: Scenario) -> Option<&HeapRow> {
        self.rows
            .iter()
            .find(|r| r.subject == subject && r.scenario == scenario)
    }
}

impl Row {
    /// A row from its samples.
    #[must_use]
    pub fn new(label: Label, scenario: Scenario, ns: &[f64], bare: &[f64]) -> Self {
        let net: Vec<_> = ns.iter().zip(bare).map(|(ns, bare)| ns - bare).collect();
        Self {
            subject: label.name.to_owned(),
            version: label.package.and_then(version).map(str::to_owned),
            keeps: label.keeps,
            scenario,
            ns: Spread::of(ns),
            net: Spread::of(&net),
        }
    }
}

/// Writes a report as JSON.
///
/// # Panics
///
/// When the file cannot be written.
pub fn write(path: &Path, report: &impl Serialize) {
    let text = serde_json::to_string_pretty(report).expect("a report of plain fields");
    fs::write(path, text + "\n").unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// Reads a report.
///
/// # Panics
///
/// When the file is there and does not hold such a report.
#[must_use]
pub fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let text = fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}
