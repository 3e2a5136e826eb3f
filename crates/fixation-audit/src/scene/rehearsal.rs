//! The first logins: they must work, and show what the session rides on.

use std::sync::Arc;

use super::super::plan::Plan;
use super::super::script::{Account, Totp};
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
            others: Vec::new(),
            notes: Vec::new(),
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
}
