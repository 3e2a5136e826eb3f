use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::journal::Observer;
use super::script::{Account, Flow, Probe, Step};
use super::{Framework, Place, Severity};

/// What is audited, and how: everything that the user gave.
pub(super) struct Plan {
    pub(super) base: Place,
    pub(super) more_origins: Vec<Place>,
    pub(super) accounts: Vec<Account>,
    pub(super) visit: Vec<Step>,
    pub(super) login: Option<Flow>,
    pub(super) logged_in: Option<Probe>,
    pub(super) elevate: Option<Flow>,
    pub(super) elevated: Option<Probe>,
    pub(super) logout: Option<Flow>,
    /// A step that stores `{marker}` in the session, and one that reads it back.
    pub(super) data: Option<(Step, Step)>,
    /// A page to pick a CSRF token from, and a request that needs it.
    pub(super) csrf: Option<(Step, Step)>,
    pub(super) slow: Option<Step>,
    /// How a user ends the account's other sessions.
    pub(super) end_others: Option<Flow>,
    /// How a user changes the password to `{new_password}`.
    pub(super) change_password: Option<Flow>,
    /// How many sessions of one account the application announces to allow at once.
    pub(super) session_limit: Option<usize>,
    /// After how long without a request the application announces to end a session.
    pub(super) idle_limit: Option<Duration>,
    /// The longest that the audit waits for something to expire.
    pub(super) wait: Duration,
    pub(super) headers: Vec<(String, String)>,
    pub(super) accepted: BTreeMap<String, String>,
    pub(super) fail_on: Severity,
    pub(super) samples: usize,
    pub(super) most_requests: usize,
    pub(super) within: Duration,
    pub(super) delay: Duration,
    /// What the application is called in reports.
    pub(super) name: Option<String>,
    pub(super) framework: Option<Framework>,
    pub(super) progress: Option<Progress>,
    pub(super) observer: Option<Observer>,
}

pub(super) type Progress = Arc<dyn Fn(&str) + Send + Sync>;

impl Plan {
    pub(super) fn new(base: Place) -> Self {
        Self {
            base,
            more_origins: Vec::new(),
            accounts: Vec::new(),
            visit: Vec::new(),
            login: None,
            logged_in: None,
            elevate: None,
            elevated: None,
            logout: None,
            data: None,
            csrf: None,
            slow: None,
            end_others: None,
            change_password: None,
            session_limit: None,
            idle_limit: None,
            wait: Duration::ZERO,
            headers: Vec::new(),
            accepted: BTreeMap::new(),
            fail_on: Severity::Low,
            samples: 12,
            most_requests: 1_000,
            within: Duration::from_secs(300),
            delay: Duration::ZERO,
            name: None,
            framework: None,
            progress: None,
            observer: None,
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}
