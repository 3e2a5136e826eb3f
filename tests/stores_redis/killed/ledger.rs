//! What a browser did, what was acknowledged, and what each of its tokens may open by that.

use std::{collections::BTreeMap, fmt, ops::AddAssign};

use crate::common::{GUEST, SESSION};

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Opens {
    Nothing,
    /// The guest session in which the browser put its data.
    Guest,
    User {
        name: String,
        level: u64,
    },
}

/// What a browser asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// Puts data as a guest without any cookie.
    Visit,
    Login,
    /// A login as the other user of this browser.
    LoginAsOther,
    Elevate,
    StepDown,
    Logout,
    Read,
}

impl Action {
    /// Whether the token that comes with the request is dead once this is acknowledged.
    pub(super) const fn retires(self) -> bool {
        !matches!(self, Self::Visit | Self::Read)
    }

    /// What the new token opens, if one is issued.
    pub(super) fn issues(self, held: &Opens, users: &[String; 2]) -> Option<Opens> {
        let user = |name: &String, level| Opens::User {
            name: name.clone(),
            level,
        };
        match (self, held) {
            (Self::Visit, _) => Some(Opens::Guest),
            (Self::Login, Opens::User { name, .. }) => Some(user(name, 1)),
            (Self::Login, _) => Some(user(&users[0], 1)),
            (Self::LoginAsOther, Opens::User { name, .. }) if *name == users[1] => {
                Some(user(&users[0], 1))
            }
            (Self::LoginAsOther, _) => Some(user(&users[1], 1)),
            (Self::Elevate, Opens::User { name, .. }) => Some(user(name, 2)),
            (Self::StepDown, Opens::User { name, .. }) => Some(user(name, 1)),
            (Self::Elevate | Self::StepDown | Self::Logout | Self::Read, _) => None,
        }
    }

    /// What this is to somebody who holds such a token, in a word.
    pub(super) const fn of(self, held: &Opens) -> &'static str {
        match (self, held) {
            (Self::Login | Self::LoginAsOther, Opens::User { .. }) => "logins of a user",
            (Self::Login | Self::LoginAsOther, Opens::Guest) => "logins of a guest",
            (Self::Login | Self::LoginAsOther, Opens::Nothing) => "logins of nobody",
            (Self::Elevate, _) => "elevations",
            (Self::StepDown, _) => "step-downs",
            (Self::Logout, _) => "logouts",
            (Self::Visit, _) => "visits",
            (Self::Read, _) => "reads",
        }
    }
}

/// A token that a browser was given, and what it may open by what has been acknowledged.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) cookie: String,
    pub(super) is_guest: bool,
    /// One thing, or two while a request that would retire the token is unanswered.
    pub(super) may_open: Vec<Opens>,
}

impl Entry {
    pub(super) fn new(token: &str, opens: Opens) -> Self {
        let is_guest = opens == Opens::Guest;
        let name = if is_guest { GUEST } else { SESSION };
        Self {
            cookie: format!("{name}={token}"),
            is_guest,
            may_open: vec![opens],
        }
    }

    /// What it opens as far as the browser knows.
    pub(super) fn opens(&self) -> &Opens {
        &self.may_open[0]
    }
}

/// How many requests of each kind were acknowledged, and what became of the unanswered ones that would have
/// retired a token.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) acknowledged: BTreeMap<&'static str, u64>,
    /// All that had no answer.
    pub(super) unanswered: u64,
    /// Carried out, and not.
    pub(super) fates: BTreeMap<&'static str, [u64; 2]>,
}

impl AddAssign<&Self> for Tally {
    fn add_assign(&mut self, other: &Self) {
        for (what, count) in &other.acknowledged {
            *self.acknowledged.entry(what).or_default() += count;
        }
        self.unanswered += other.unanswered;
        for (what, [done, not]) in &other.fates {
            let fates = self.fates.entry(what).or_default();
            fates[0] += done;
            fates[1] += not;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acknowledged: u64 = self.acknowledged.values().sum();
        write!(f, "{acknowledged} acknowledged (")?;
        for (number, (what, count)) in self.acknowledged.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {what}")?;
        }
        write!(f, "), {} unanswered", self.unanswered)?;
        for (what, [done, not]) in &self.fates {
            write!(f, "; {what}: {done} carried out, {not} not")?;
        }
        Ok(())
    }
}
