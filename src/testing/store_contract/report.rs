//! [`ContractReport`]: how a store did.

use std::fmt;

/// How a store did, check by check.
#[derive(Clone, Debug)]
#[must_use = "a report is to be read: assert_held panics unless every check held"]
pub struct ContractReport {
    checks: Vec<CheckReport>,
}

/// How a store did in one check.
#[derive(Clone, Debug)]
pub struct CheckReport {
    name: &'static str,
    result: CheckResult,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckResult {
    /// The store has the property.
    Held,
    /// The store lacks it: what was expected and what was found.
    Broken(String),
    /// The check needs what this store under test does not have.
    Skipped(&'static str),
}

impl CheckReport {
    pub(super) const fn new(name: &'static str, result: CheckResult) -> Self {
        Self { name, result }
    }

    /// The check's name, which states the property.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it found.
    #[must_use]
    pub const fn result(&self) -> &CheckResult {
        &self.result
    }
}

impl ContractReport {
    pub(super) const fn new(checks: Vec<CheckReport>) -> Self {
        Self { checks }
    }

    /// Every check that was run or skipped.
    #[must_use]
    pub fn checks(&self) -> &[CheckReport] {
        &self.checks
    }

    /// How many checks held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.count(|result| matches!(result, CheckResult::Held))
    }

    /// How many were skipped.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.count(|result| matches!(result, CheckResult::Skipped(_)))
    }

    /// How many the store failed.
    #[must_use]
    pub fn broken(&self) -> usize {
        self.count(|result| matches!(result, CheckResult::Broken(_)))
    }

    /// Makes a test of it.
    ///
    /// # Panics
    ///
    /// If the store failed a check, or none was run. The message is the report.
    #[track_caller]
    pub fn assert_held(&self) {
        assert!(self.broken() == 0 && self.held() > 0, "{self}");
    }

    fn count(&self, is: impl Fn(&CheckResult) -> bool) -> usize {
        self.checks.iter().filter(|check| is(&check.result)).count()
    }
}

impl fmt::Display for ContractReport {
    /// A line of counts and one for each check that did not hold.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, broken, skipped) = (self.held(), self.broken(), self.skipped());
        write!(
            f,
            "store contract: {held} held, {broken} broken, {skipped} skipped"
        )?;
        for CheckReport { name, result } in &self.checks {
            match result {
                CheckResult::Held => {}
                CheckResult::Broken(what) => write!(f, "\n  broken: {name}: {what}")?,
                CheckResult::Skipped(why) => write!(f, "\n  skipped: {name}: {why}")?,
            }
        }
        Ok(())
    }
}
