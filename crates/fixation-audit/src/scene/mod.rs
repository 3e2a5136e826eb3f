//! The stage on which checks play: who logs in, what the session rides on, and what shows who is there.

mod learn;
mod leave;
mod nature;
mod rehearsal;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::browser::{Agent, Exchange, Snapshot};
use super::plan::Plan;
use super::script::{Account, Flow, Probe, Step};
use super::world::World;
use super::{AuditError, Browser, Place};

pub(super) struct Scene {
    pub(super) plan: Plan,
    pub(super) login: Flow,
    pub(super) probe: Probe,
    pub(super) world: Arc<World>,
    /// Where the probe goes: a session cookie is one that goes there too.
    pub(super) place: Place,
    /// Names of the cookies that carry the session: needed together, learnt by leaving each out.
    pub(super) cookies: Vec<Vec<u8>>,
    /// Names of other cookies that log in by themselves, such as a remember-me cookie. Copies are judged without them.
    pub(super) others: Vec<Vec<u8>>,
    /// Names of picked values that the probe sends: the session of an application that uses bearer tokens.
    pub(super) variables: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) marks: Vec<Mark>,
}

/// How the probe's answer shows one account.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Mark {
    Exactly(String),
    Contains(String),
    Anybody,
}

/// One value that the session rides on.
pub(super) struct Identifier {
    pub(super) name: String,
    pub(super) value: Vec<u8>,
}

impl Identifier {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}

impl Scene {
    // ===== browsers =====

    pub(super) fn fresh(&self) -> Browser {
        self.from(&Snapshot::default())
    }

    pub(super) fn from(&self, kept: &Snapshot) -> Browser {
        Browser::new(Arc::clone(&self.world), kept.clone())
    }

    /// A browser that has called up what a visitor calls up before logging in.
    pub(super) async fn visitor(&self) -> Result<Browser, AuditError> {
        let browser = self.fresh();
        self.visit(&browser).await?;
        Ok(browser)
    }

    pub(super) async fn visit(&self, browser: &Browser) -> Result<(), AuditError> {
        for step in self.pages() {
            browser.send(&step).await?;
        }
        Ok(())
    }

    pub(super) fn pages(&self) -> Vec<Step> {
        let mut pages = vec![Step {
            picks: Vec::new(),
            ..self.probe.step.clone()
        }];
        pages.extend(self.plan.visit.iter().cloned());
        pages.extend(self.login.opening());
        pages
    }

    /// A fresh browser in which the account has logged in.
    pub(super) async fn user(&self, account: usize) -> Result<Browser, AuditError> {
        let browser = self.fresh();
        self.must_login(&browser, account).await?;
        Ok(browser)
    }

    /// Logs in where a failure means that something is out of order, such as a limit on the rate of logins.
    pub(super) async fn must_login(
        &self,
        browser: &Browser,
        account: usize,
    ) -> Result<(), AuditError> {
        let worked = self.try_login(browser, account).await?;
        if self.world.locked_out(worked) {
            return Err(AuditError::LockedOut);
        }
        if worked {
            return Ok(());
        }
        let what = "a login that worked before does not any more";
        Err(AuditError::LoginFailed(what.to_owned()))
    }

    /// Whether the first account's name with this password logs in.
    pub(super) async fn logs_in(&self, account: &Account) -> Result<bool, AuditError> {
        let browser = self.fresh();
        if !allowed(self.login.run(&browser, account).await)? {
            return Ok(false);
        }
        Ok(self.shows(browser.who(&self.probe).await?.as_deref(), 0))
    }

    /// Logs in; says whether the probe then shows the account. A step that the application refused is a no.
    pub(super) async fn try_login(
        &self,
        browser: &Browser,
        account: usize,
    ) -> Result<bool, AuditError> {
        if !allowed(self.login.run(browser, &self.plan.accounts[account]).await)? {
            return Ok(false);
        }
        Ok(self.shows(browser.who(&self.probe).await?.as_deref(), account))
    }

    /// Logs out wherever somebody logged in and the session is still there, as far as the limits allow.
    pub(super) async fn leave(&self) {
        let Some(logout) = &self.plan.logout else {
            return;
        };
        let mut seen = BTreeSet::new();
        for used in self.world.users() {
            let browser = Browser::again(Arc::clone(&self.world), used);
            let ids = self.identifiers(&browser.snapshot());
            let values: Vec<_> = ids.into_iter().map(|id| id.value).collect();
            if values.is_empty() || !seen.insert(values) {
                continue;
            }
            let left = logout.run(&browser, &self.plan.accounts[0]).await;
            if left.is_err_and(|error| error.is_final()) {
                return;
            }
        }
    }

    /// Runs a flow and hands out what was exchanged, or why it is not taken for done.
    pub(super) async fn perform(
        &self,
        flow: &Flow,
        browser: &Browser,
    ) -> Result<Result<Vec<Exchange>, String>, AuditError> {
        browser.drain_trail();
        let refused = match flow.run(browser, &self.plan.accounts[0]).await {
            Ok(()) => None,
            Err(error) => {
                let reason = error.to_string();
                allowed::<()>(Err(error))?;
                Some(reason)
            }
        };
        let trail = browser.drain_trail();
        // A redirect means that the request was taken, whatever the page behind it says to somebody new.
        let taken = match &trail[..] {
            [.., redirect, _] if redirect.answer.location().is_some() => true,
            [.., last] => last.answer.accepted(),
            [] => true,
        };
        Ok(match refused {
            None if taken => Ok(trail),
            None => Err(format!("the application refuses it: {}", last_word(&trail))),
            Some(reason) => Err(reason),
        })
    }

    // ===== seeing =====

    /// Whether what the probe said is this account.
    pub(super) fn shows(&self, who: Option<&str>, account: usize) -> bool {
        who.is_some_and(|who| match &self.marks[account] {
            Mark::Exactly(text) => who == text,
            Mark::Contains(text) => who.contains(text.as_str()),
            Mark::Anybody => true,
        })
    }

    /// Whether the two accounts can be told apart.
    pub(super) fn tells_apart(&self) -> bool {
        self.marks.len() > 1 && self.marks[0] != Mark::Anybody
    }

    /// Whether somebody with these cookies and values, in a browser of their own, is logged in as the account.
    pub(super) async fn reaches(
        &self,
        kept: &Snapshot,
        account: usize,
    ) -> Result<bool, AuditError> {
        let who = self.from(&self.without_others(kept)).who(&self.probe).await;
        match who {
            Ok(who) => Ok(self.shows(who.as_deref(), account)),
            Err(AuditError::Transport(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// As [`Scene::reaches`], from a browser that is not like the victim's.
    pub(super) async fn reaches_from_elsewhere(
        &self,
        kept: &Snapshot,
        account: usize,
    ) -> Result<bool, AuditError> {
        let agent = Agent::Other;
        let kept = Snapshot {
            agent,
            ..kept.clone()
        };
        self.reaches(&kept, account).await
    }

    /// What an attacker has who copied the session and no other cookie that logs in.
    pub(super) fn without_others(&self, kept: &Snapshot) -> Snapshot {
        let mut kept = kept.clone();
        self.others.iter().for_each(|name| kept.jar.forget(name));
        kept
    }

    /// As [`Scene::reaches`], with these bytes as the `Cookie` field.
    pub(super) async fn reaches_with(
        &self,
        browser: &Browser,
        cookie: &[u8],
        account: usize,
    ) -> Result<bool, AuditError> {
        match browser.who_with(&self.probe, cookie).await {
            Ok(who) => Ok(self.shows(who.as_deref(), account)),
            Err(AuditError::Transport(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the session rides on, as this browser holds it.
    pub(super) fn identifiers(&self, kept: &Snapshot) -> Vec<Identifier> {
        let cookies = kept.jar.matching(&self.place);
        let mut found: Vec<_> = cookies
            .into_iter()
            .filter(|cookie| self.cookies.contains(&cookie.name))
            .map(|cookie| Identifier {
                name: String::from_utf8_lossy(&cookie.name).into_owned(),
                value: cookie.value.clone(),
            })
            .collect();
        for name in &self.variables {
            if let Some(value) = kept.variables.get(name) {
                found.push(Identifier {
                    name: name.clone(),
                    value: value.clone().into_bytes(),
                });
            }
        }
        found
    }

    /// Names of all cookies that log in, together or by themselves.
    pub(super) fn all_cookies(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.cookies.iter().chain(&self.others)
    }

    /// The same holdings with another value for one identifier.
    pub(super) fn with_value(&self, kept: &Snapshot, name: &str, value: &str) -> Snapshot {
        let mut kept = kept.clone();
        if self.variables.iter().any(|variable| variable == name) {
            kept.variables.insert(name.to_owned(), value.to_owned());
        } else {
            kept.jar
                .plant(&self.place, name.as_bytes(), value.as_bytes());
        }
        kept
    }

    /// The identifiers that are in both, with the same value.
    pub(super) fn kept(&self, before: &Snapshot, after: &Snapshot) -> Vec<Identifier> {
        let before = self.identifiers(before);
        let mut kept = self.identifiers(after);
        kept.retain(|id| {
            before
                .iter()
                .any(|old| old.name == id.name && old.value == id.value)
        });
        kept
    }

    /// Whether the response gives a session cookie a value.
    pub(super) fn sets_cookie(&self, exchange: &Exchange) -> bool {
        exchange.answer.set_cookies().any(|field| {
            super::jar::read(field).is_ok_and(|cookie| {
                self.all_cookies().any(|name| *name == cookie.name)
                    && !cookie.value.is_empty()
                    && !cookie.is_removal
            })
        })
    }

    /// Names of what the session rides on, for reports.
    pub(super) fn carriers(&self) -> Vec<String> {
        let cookies = self.cookies.iter();
        cookies
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .chain(self.variables.iter().map(|name| format!("{{{name}}}")))
            .collect()
    }

    /// An identifier for the report: its name and a digest.
    pub(super) fn show(&self, id: &Identifier) -> String {
        format!("{} = {}", id.name, self.world.secrets.show(&id.value))
    }

    pub(super) fn show_all(&self, ids: &[Identifier]) -> String {
        ids.iter()
            .map(|id| self.show(id))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The last request of the trail and its status.
pub(super) fn last_word(trail: &[Exchange]) -> String {
    trail.last().map_or_else(
        || "no request was sent".to_owned(),
        |last| format!("{} answered {}", last.label, last.answer.status()),
    )
}

/// A refusal by the application is an answer too; only what stops the audit is an error.
pub(super) fn allowed<T>(result: Result<T, AuditError>) -> Result<bool, AuditError> {
    match result {
        Ok(_) => Ok(true),
        Err(AuditError::Step(_) | AuditError::LoginFailed(_) | AuditError::Transport(_)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
