//! The first logins: they must work, and show what the session rides on.

use std::sync::Arc;

use super::super::plan::Plan;
use super::super::script::Account;
use super::super::transport::Transport;
use super::super::world::World;
use super::super::{AuditError, Browser};
use super::{Mark, Scene};

impl Scene {
    /// Logs each account in once, in a browser of its own, and learns what the session rides on.
    pub(in super::super) async fn rehearse(
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
        let world = World::new(plan.base.clone(), transport, &plan)?;
        let place = world
            .base
            .join(&probe.step.target)
            .unwrap_or_else(|| world.base.clone());
        let mut scene = Self {
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
        };
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

    async fn first_login(&self, account: &Account) -> Result<(Browser, Mark), AuditError> {
        let browser = self.visitor().await?;
        if browser.who(&self.probe).await?.is_some() {
            let what = "the probe shows a login before there was one";
            return Err(AuditError::LoginFailed(what.to_owned()));
        }
        self.login.run(&browser, account).await?;
        let Some(who) = browser.who(&self.probe).await? else {
            let mut what = "the probe does not show a login after it".to_owned();
            for (name, refusal) in browser.refused() {
                what.push_str(&format!(
                    "; a browser refuses the cookie {name}: {}",
                    refusal.reason()
                ));
            }
            return Err(AuditError::LoginFailed(what));
        };
        let shown = who.contains(account.mark());
        if account.shown_as.is_some() && !shown {
            let what = "the probe's answer does not contain the text that shows the account";
            return Err(AuditError::LoginFailed(what.to_owned()));
        }
        let mark = match (self.probe.names_the_user(), shown) {
            (true, _) => Mark::Exactly(who),
            (false, true) => Mark::Contains(account.mark().to_owned()),
            (false, false) => Mark::Anybody,
        };
        Ok((browser, mark))
    }
}
