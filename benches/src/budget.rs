//! How many instructions a request may take.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::machine::rustc;
use crate::report;
use crate::scenario::Scenario;

/// Instructions a request: by subject, then by scenario.
pub struct Counts(Vec<(String, Vec<f64>)>);

/// The checked-in limits.
#[derive(Debug, Serialize, Deserialize)]
pub struct Budgets {
    /// The compiler they were taken with; another one moves them.
    pub rustc: String,
    /// By how many percent a count may exceed its budget.
    pub tolerance: f64,
    /// Instructions a request beyond the bare stack.
    pub budgets: BTreeMap<String, BTreeMap<Scenario, u64>>,
}

impl Counts {
    /// Takes the first subject off the others.
    #[must_use]
    pub fn net(gross: Vec<(&str, Vec<f64>)>) -> Self {
        let bare = gross
            .first()
            .map(|(_, counts)| counts.clone())
            .unwrap_or_default();
        let net = |(n, (name, counts)): (usize, (&str, Vec<f64>))| {
            let net = counts
                .iter()
                .zip(&bare)
                .map(|(c, b)| if n == 0 { *c } else { c - b });
            (name.to_owned(), net.collect())
        };
        Self(gross.into_iter().enumerate().map(net).collect())
    }

    /// Prints them as a table.
    pub fn print(&self) {
        println!("instructions a request, beyond the bare stack (its own in its row)");
        print!("{:<30}", "");
        Scenario::ALL
            .iter()
            .for_each(|s| print!("{:>10}", format!("{s:?}")));
        for (name, counts) in &self.0 {
            print!("\n{name:<30}");
            counts.iter().for_each(|c| print!("{c:>10.0}"));
        }
        println!();
    }
}

impl Budgets {
    /// Budgets that these counts just meet.
    #[must_use]
    pub fn of(counts: &Counts, subjects: &[&str]) -> Self {
        let row = |counts: &[f64]| {
            Scenario::ALL
                .into_iter()
                .zip(counts.iter().map(|c| c.round() as u64))
                .collect()
        };
        let of = counts
            .0
            .iter()
            .filter(|(name, _)| subjects.contains(&name.as_str()));
        let budgets = of
            .map(|(name, counts)| (name.clone(), row(counts)))
            .collect();
        Self {
            rustc: rustc(),
            tolerance: 3.0,
            budgets,
        }
    }

    /// From their file.
    ///
    /// # Panics
    ///
    /// When there is no such file.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        report::read(path).unwrap_or_else(|| panic!("{}: no budgets", path.display()))
    }

    /// Into their file.
    pub fn write(&self, path: &Path) {
        report::write(path, self);
    }

    /// Holds counts against the budgets.
    ///
    /// # Errors
    ///
    /// The counts beyond the tolerance, and budgets that nothing was counted for.
    pub fn compare(&self, counts: &Counts) -> Result<(), String> {
        let mut said = String::new();
        for (name, row) in &self.budgets {
            let counted = counts
                .0
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, c)| c.as_slice());
            for (scenario, counted) in Scenario::ALL.iter().zip(counted.unwrap_or_default()) {
                let Some(budget) = row.get(scenario) else {
                    continue;
                };
                let beyond = (counted / *budget as f64 - 1.0) * 100.0;
                if beyond > self.tolerance {
                    let _ = writeln!(
                        said,
                        "{name}, {scenario:?}: {counted:.0} instructions, {beyond:+.1} % of {budget}"
                    );
                } else if beyond < -self.tolerance {
                    println!("{name}, {scenario:?}: {beyond:+.1} %: --update keeps the gain");
                }
            }
            if counted.is_none() {
                let _ = writeln!(said, "{name}: a budget, and nothing was counted");
            }
        }
        if said.is_empty() {
            return Ok(());
        }
        let now = rustc();
        if now != self.rustc {
            let _ = writeln!(
                said,
                "(budgets are from rustc {}, this is {now})",
                self.rustc
            );
        }
        Err(said)
    }
}

#[cfg(test)]
mod tests {
    use super::{Budgets, Counts};

    fn counts(s1: f64) -> Counts {
        Counts::net(vec![
            ("bare", vec![100.0; 7]),
            ("layer", vec![100.0 + s1; 7]),
        ])
    }

    #[test]
    fn counts_are_net_of_the_first_subject() {
        assert_eq!(counts(50.0).0[1].1[0], 50.0);
        assert_eq!(counts(50.0).0[0].1[0], 100.0);
    }

    #[test]
    fn a_regression_beyond_the_tolerance_fails() {
        let budgets = Budgets::of(&counts(1000.0), &["layer"]);
        assert!(budgets.compare(&counts(1029.0)).is_ok());
        assert!(
            budgets
                .compare(&counts(1031.0))
                .unwrap_err()
                .contains("+3.1 %")
        );
        assert!(budgets.compare(&counts(100.0)).is_ok());
    }

    #[test]
    fn a_budget_without_a_count_fails() {
        let budgets = Budgets::of(&counts(1000.0), &["layer"]);
        assert!(
            budgets
                .compare(&Counts::net(vec![("bare", vec![1.0; 7])]))
                .is_err()
        );
    }
}
