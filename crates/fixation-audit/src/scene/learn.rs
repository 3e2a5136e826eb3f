//! What the session rides on, learnt from one login by leaving things out.

use super::super::browser::Snapshot;
use super::super::script::TOTP;
use super::super::{AuditError, Browser};
use super::Scene;

impl Scene {
    pub(in super::super) async fn learn(&mut self, browser: &Browser) -> Result<(), AuditError> {
        let whole = browser.snapshot();
        let mut names: Vec<_> = whole
            .jar
            .matching(&self.place)
            .iter()
            .map(|cookie| cookie.name.clone())
            .collect();
        names.dedup();
        self.cookies = self.needed(&whole, &names).await?;
        if self.cookies.is_empty() && !names.is_empty() {
            self.alternatives(&whole, names).await?;
        }
        for other in &self.others {
            let name = String::from_utf8_lossy(other);
            let note =
                format!("the cookie {name} logs in by itself too; copies are judged without it");
            self.notes.push(note);
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

    async fn works(&self, kept: &Snapshot) -> Result<bool, AuditError> {
        Ok(self.from(kept).who(&self.probe).await?.is_some())
    }

    /// The cookies without any one of which the user is not logged in.
    async fn needed(
        &self,
        whole: &Snapshot,
        names: &[Vec<u8>],
    ) -> Result<Vec<Vec<u8>>, AuditError> {
        let mut needed = Vec::new();
        for name in names {
            let mut without = whole.clone();
            without.jar.forget(name);
            if !self.works(&without).await? {
                needed.push(name.clone());
            }
        }
        Ok(needed)
    }

    /// The user stays logged in without any one cookie: several log in by themselves. The session's is the one that
    /// ends with the browser, or else the first.
    async fn alternatives(
        &mut self,
        whole: &Snapshot,
        names: Vec<Vec<u8>>,
    ) -> Result<(), AuditError> {
        let mut bare = whole.clone();
        names.iter().for_each(|name| bare.jar.forget(name));
        if self.works(&bare).await? {
            return Ok(());
        }
        let mut alone = Vec::new();
        for name in &names {
            let mut only = whole.clone();
            names
                .iter()
                .filter(|other| *other != name)
                .for_each(|other| only.jar.forget(other));
            if self.works(&only).await? {
                alone.push(name.clone());
            }
        }
        let held = whole.jar.matching(&self.place);
        let persistent = |name: &Vec<u8>| {
            held.iter()
                .any(|cookie| cookie.name == *name && cookie.is_persistent())
        };
        let (mut others, session): (Vec<_>, Vec<_>) = alone.into_iter().partition(persistent);
        let mut rest = whole.clone();
        others.iter().for_each(|name| rest.jar.forget(name));
        let left: Vec<_> = names
            .iter()
            .filter(|name| !others.contains(name))
            .cloned()
            .collect();
        let mut cookies = if self.works(&rest).await? {
            self.needed(&rest, &left).await?
        } else {
            Vec::new()
        };
        if cookies.is_empty() {
            let mut each = session.into_iter().chain(others);
            cookies.extend(each.next());
            others = each.collect();
        }
        self.cookies = if cookies.is_empty() { names } else { cookies };
        self.others = others;
        Ok(())
    }
}
