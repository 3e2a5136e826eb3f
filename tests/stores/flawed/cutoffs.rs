//! The cut-offs of owners and tags.

use std::time::Duration;

use tower_session_guard::{
    Timestamp,
    store::{Cutoff, IndexKey, StoreError},
};

use super::{Flaw, Flawed};

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Flawed {
    /// Under which name this node keeps a key's cut-off.
    fn cutoff_name(&self, key: &IndexKey) -> (u8, Vec<u8>) {
        let node = match self.flaw {
            Flaw::CutoffsStayOnTheirNode => self.node,
            _ => 0,
        };
        (node, self.index_name(key))
    }

    pub(super) async fn raise_now(
        &self,
        key: &IndexKey,
        cutoff: &Cutoff,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let name = self.cutoff_name(key);
        let early = self.shared()?.cutoffs.get(&name).copied();
        self.race(Flaw::CutoffsRace).await;
        let mut shared = self.shared()?;
        let before = match self.flaw {
            Flaw::CutoffsAreForgotten => return Ok(()),
            Flaw::CutoffsOfTagsAreForgotten if !key.is_owner() => return Ok(()),
            Flaw::CutoffsFall => None,
            Flaw::LaterCutoffsShorten => {
                let before = shared.cutoffs.get(&name).copied();
                before.filter(|before| before.at > cutoff.at)
            }
            Flaw::CutoffsRace => early,
            _ => shared.cutoffs.get(&name).copied(),
        };
        let mut raised = match (self.flaw, before) {
            (Flaw::LaterCutoffsShorten, Some(later)) => later,
            (_, Some(before)) => before.raised_by(cutoff),
            (_, None) => *cutoff,
        };
        if self.is(Flaw::CutoffsLastADay) {
            raised.until = raised.until.min(now.after(DAY));
        }
        shared.cutoffs.insert(name, raised);
        Ok(())
    }

    pub(super) async fn cutoff_now(
        &self,
        key: &IndexKey,
        now: Timestamp,
    ) -> Result<Option<Cutoff>, StoreError> {
        let name = self.cutoff_name(key);
        let held = self.shared()?.cutoffs.get(&name).copied();
        let lasts = |held: &Cutoff| {
            self.is(Flaw::CutoffsLastForever) || now < held.until.after(Cutoff::SLACK)
        };
        Ok(held.filter(lasts))
    }
}
