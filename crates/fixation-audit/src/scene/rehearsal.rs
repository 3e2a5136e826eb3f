//! The first logins: they must work, and show what the session rides on.

use std::sync::Arc;

use super::super::browser::Snapshot;
use super::super::plan::Plan;
use super::super::script::{Account, TOTP, Totp};
use super::super::transport::Transport;
use super::super::world::World;
use super::super::{AuditError, Browser, diagnosis};
use super::{Mark, Scene};

impl Scene {
    /// Logs each account in once, in a browser of its own, and learns what the session rides on.
    pub(in super::super) async fn rehearse(
        transport: Arc<dyn Transport>,
        plan: Plan,
    ) -> Result<Self, AuditError> {
        let mut scene = Self::prepare(transport, plan)?;
        for account in scene.plan.accounts.clone() {
            let (browser, mark) = scene.first_login(&account).await?;
            scene.marks.push(mark);
            if scene.marks.len() == 1 {
                scene.learn(&browser).await?;
            }
        }
        if scene.marks.len() > 1 && scene.marks[0] == scene.marks[1] {
            scene.marks = vec![Mark::Anybody; scene.marks.len()];
        }
        Ok(scene)
    }

    /// The stage before anybody is on it.
    pub(in super::super) fn prepare(
        transport: Arc<dyn Transport>,
        plan: Plan,
    ) -> Result<Self, AuditError> {
        let missing = |what: &str| AuditError::Config(format!("{what} is missing"));
        let login = plan.login.clone().ok_or_else(|| missing("how to log in"))?;
        let probe = plan
            .logged_in
            .clone()
            .ok_or_else(|| missing("how to see who is logged in"))?;
        if plan.accounts.is_empty() {
            return Err(missing("an account"));
        }
        for account in &plan.accounts {
            let fault = account
                .totp
                .as_deref()
                .and_then(|secret| Totp::parse(secret).err());
            if let Some(fault) = fault {
                return Err(AuditError::Config(fault.to_owned()));
            }
        }
        let world = World::new(plan.base.clone(), transport, &plan)?;
        let place = world
            .resolve(&probe.step.target)
            .unwrap_or_else(|| world.base.clone());
        Ok(Self {
            plan,
            login,
            probe,
            place,
            world: Arc::new(world),
            cookies: Vec::new(),
            variables: Vec::new(),
            marks: Vec::new(),
        })
    }

    pub(in super::super) async fn first_login(
        &self,
        account: &Account,
    ) -> Result<(Browser, Mark), AuditError> {
        let browser = self.visitor().await?;
        if browser.who(&self.probe).await?.is_some() {
            let what = "the probe shows a login before there was one";
            return Err(AuditError::LoginFailed(what.to_owned()));
        }
        browser.drain_trail();
        let ran = self.login.run(&browser, account).await;
        let trail = browser.drain_trail();
        match ran {
            Err(AuditError::Step(what)) => {
                let what = diagnosis::step_failed(&self.world, &what, &trail);
                return Err(AuditError::LoginFailed(what));
            }
            ran => ran?,
        }
        let Some(who) = browser.who(&self.probe).await? else {
            let asked = browser.drain_trail().pop();
            let what = diagnosis::not_shown(
                &self.world,
                &self.probe,
                &trail,
                asked.as_ref(),
                &browser.refused(),
            );
            return Err(AuditError::LoginFailed(what));
        };
        let shown = who.contains(account.mark());
        if account.shown_as.is_some() && !shown {
            let what = "the probe's answer does not contain the text that shows the account";
            return Err(AuditError::LoginFailed(what.to_owned()));
        }
        let mark = if self.probe.names_the_user() && who != account.mark() {
            self.mark_that_lasts(account, who).await?
        } else if self.probe.names_the_user() {
            Mark::Exactly(who)
        } else if shown {
            Mark::Contains(account.mark().to_owned())
        } else {
            Mark::Anybody
        };
        Ok((browser, mark))
    }

    /// What the probe reads may hold more than the user's name, such as the time of the login: a second login tells.
    async fn mark_that_lasts(&self, account: &Account, first: String) -> Result<Mark, AuditError> {
        let browser = self.fresh();
        self.login.run(&browser, account).await?;
        let again = browser.who(&self.probe).await?;
        Ok(if again.as_deref() == Some(&*first) {
            Mark::Exactly(first)
        } else if first.contains(account.mark()) {
            Mark::Contains(account.mark().to_owned())
        } else {
            Mark::Anybody
        })
    }

    pub(in super::super) async fn learn(&mut self, browser: &Browser) -> Result<(), AuditError> {
        let whole = browser.snapshot();
        let mut names: Vec<_> = whole
            .jar
            .matching(&self.place)
            .iter()
            .map(|cookie| cookie.name.clone())
            .collect();
        names.dedup();
        for name in &names {
            let mut without = whole.clone();
            without.jar.forget(name);
            if self.from(&without).who(&self.probe).await?.is_none() {
                self.cookies.push(name.clone());
            }
        }
        if self.cookies.is_empty() {
            self.cookies = self.sufficient(&whole, names).await?;
        }
        let step = &self.probe.step;
        let texts = step
            .headers
            .iter()
            .chain(&step.query)
            .map(|(_, value)| value.as_str());
        let texts: Vec<_> = texts.chain([step.target.as_str()]).collect();
        let used = |name: &String| {
            texts
                .iter()
                .any(|text| text.contains(&format!("{{{name}}}")))
        };
        let given = ["username", "password", TOTP];
        self.variables = whole.variables.into_keys().filter(used).collect();
        self.variables
            .retain(|name| !given.contains(&name.as_str()));
        Ok(())
    }

    /// Where the user stays logged in without any one cookie: those that do it alone, or all of them together.
    async fn sufficient(
        &self,
        whole: &Snapshot,
        names: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, AuditError> {
        let mut bare = whole.clone();
        names.iter().for_each(|name| bare.jar.forget(name));
        if self.from(&bare).who(&self.probe).await?.is_some() {
            return Ok(Vec::new());
        }
        let mut alone = Vec::new();
        for name in &names {
            let mut only = whole.clone();
            names
                .iter()
                .filter(|other| *other != name)
                .for_each(|other| only.jar.forget(other));
            if self.from(&only).who(&self.probe).await?.is_some() {
                alone.push(name.clone());
            }
        }
        Ok(if alone.is_empty() { names } else { alone })
    }
}
