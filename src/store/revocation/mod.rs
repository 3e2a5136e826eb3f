//! [`RevocationList`]: which self-contained tokens no longer hold, although their MAC does.
//!
//! A self-contained token is believed for what it says, so what ended since must be remembered until the
//! token would have expired by itself: in this process, of which another one knows nothing, or in a list that
//! they share.

mod cutoff;
mod expiry;
mod families;
mod list;
mod memory;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use self::{cutoff::Cutoffs, families::Families};
pub use self::{
    list::{Ending, IssuedToken, Occupancy, Replacement, RevocationList},
    memory::MemoryRevocations,
};
use super::{Admitted, Cutoff, StoreError, StoreErrorKind};
pub use crate::session::standing::Standing;
use crate::session::{
    id::SessionId,
    index::IndexKey,
    time::{CLOCK_ALLOWANCE, Timestamp},
};

/// How far ahead of the caller's clock a cut-off may lie: what is issued just after it is then still believed.
const AHEAD: Duration = CLOCK_ALLOWANCE.saturating_sub(Duration::from_millis(1));

/// How often one write clears entries away while the list is full, so that its work is bounded.
const CLEARED_WHEN_FULL: usize = 64;

/// Tokens that ended before their time.
///
/// Readers share; they take no lock at all while nothing is on the list. Writers come one after the
/// other, so each decides on the whole of what the others did. Every write drops a few entries whose
/// tokens have expired; nothing runs in the background.
pub(crate) struct Revocations {
    families: Families,
    cutoffs: Cutoffs,
    max_entries: usize,
    writer: Mutex<Writer>,
}

#[derive(Debug, Default)]
struct Writer {
    /// The latest moment at which a token was issued.
    latest: Timestamp,
}

/// The list is full. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl From<Full> for StoreError {
    fn from(_: Full) -> Self {
        Self::with_source(StoreErrorKind::Full, "the list of ended tokens is full")
    }
}

impl Revocations {
    pub(crate) fn new(max_entries: usize) -> Self {
        Self {
            families: Families::new(),
            cutoffs: Cutoffs::new(),
            max_entries,
            writer: Mutex::default(),
        }
    }

    /// What a token is worth.
    pub(crate) fn standing(&self, token: IssuedToken<'_>, now: Timestamp) -> Standing {
        if self.is_cut_off(token) {
            return Standing::Ended;
        }
        self.families.standing(token.family, token.id, now)
    }

    /// How the session of a token ended, whatever its token is by now; `None` while it goes on.
    pub(crate) fn ending(&self, token: IssuedToken<'_>) -> Option<Ending> {
        if self.is_cut_off(token) {
            return Some(Ending::Ended);
        }
        self.families.ending(token.family)
    }

    /// Whether a token may leave again under the same id, issued at `now`: only while it is
    /// [`Current`](Standing::Current). Asked right before, so that an [`end_all`](Self::end_all) at the same time
    /// either refuses it here or ends what leaves.
    pub(crate) fn may_reissue(&self, token: IssuedToken<'_>, now: Timestamp) -> Result<bool, Full> {
        let mut writer = self.writing();
        self.make_room(0, false, now)?;
        let may = self.standing(token, now) == Standing::Current;
        if may {
            writer.latest = writer.latest.max(now);
        }
        Ok(may)
    }

    /// Ends the session of a token, whatever its token is by now; false if it had ended.
    pub(crate) fn end(
        &self,
        family: &SessionId,
        how: Ending,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Full> {
        let _one_at_a_time = self.writing();
        self.make_room(usize::from(!self.families.has(family)), true, now)?;
        Ok(self.families.end(family, how, until))
    }

    /// Puts `successor` in the place of a token, if it opens its session, and tells when the successor is to be
    /// issued: at `now`, or just after a cut-off that spared this session.
    pub(crate) fn replace(
        &self,
        token: IssuedToken<'_>,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Full> {
        let mut writer = self.writing();
        self.make_room(usize::from(!self.families.has(token.family)), false, now)?;
        let (family, id) = (token.family, token.id);
        if self.is_cut_off(token)
            || !self
                .families
                .replace(family, id, successor, how, until, now)
        {
            return Ok(None);
        }
        let issue = self.after_cutoffs(&token.keys(), now);
        // A cut-off that comes next is to end the successor too.
        writer.latest = writer.latest.max(issue);
        Ok(Some(issue))
    }

    /// Ends every session under a key whose token was issued up to the cut-off, but for one family's.
    ///
    /// The cut-off is moved to the newest issue time known, at most a minute ahead, should this server's clock be
    /// behind. What is issued from now on must be issued as [`issue`](Self::issue) says.
    pub(crate) fn end_all(
        &self,
        key: &IndexKey,
        cutoff: &Cutoff,
        spared: Option<SessionId>,
        now: Timestamp,
    ) -> Result<(), Full> {
        let writer = self.writing();
        self.raise(&writer, key, cutoff, spared, now)
    }

    /// The same, but for the session of this token; false, and nothing changes, if that token no longer opens
    /// it: what ended stays ended.
    pub(crate) fn end_others(
        &self,
        keep: IssuedToken<'_>,
        key: &IndexKey,
        cutoff: &Cutoff,
        now: Timestamp,
    ) -> Result<bool, Full> {
        let writer = self.writing();
        if !self.standing(keep, now).opens() {
            return Ok(false);
        }
        self.raise(&writer, key, cutoff, Some(*keep.family), now)?;
        Ok(true)
    }

    /// When a token of a new login under these keys is to be issued: at `now`, or just after what ended; `None`
    /// if it ended while it was under way. Asked right before, so that an [`end_all`](Self::end_all) that comes
    /// next ends it.
    pub(crate) fn issue(
        &self,
        keys: &[IndexKey],
        admitted: &Admitted,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Full> {
        let mut writer = self.writing();
        self.make_room(0, false, now)?;
        let has_ended = |key| {
            self.cutoffs
                .of(key)
                .is_some_and(|cutoff| cutoff.ends(admitted))
        };
        if keys.iter().any(has_ended) {
            return Ok(None);
        }
        let issue = self.after_cutoffs(keys, now);
        writer.latest = writer.latest.max(issue);
        Ok(Some(issue))
    }

    /// How full the list is.
    pub(crate) fn occupancy(&self) -> Occupancy {
        Occupancy::new(self.len(), self.max_entries)
    }

    /// How many entries there are: sessions, owners and tags.
    pub(crate) fn len(&self) -> usize {
        self.families.len() + self.cutoffs.len()
    }

    fn raise(
        &self,
        writer: &Writer,
        key: &IndexKey,
        cutoff: &Cutoff,
        spared: Option<SessionId>,
        now: Timestamp,
    ) -> Result<(), Full> {
        self.make_room(usize::from(self.cutoffs.of(key).is_none()), true, now)?;
        // A clock that once ran ahead must not lock anybody out.
        let at = cutoff.at.max(writer.latest.min(cutoff.at.after(AHEAD)));
        let until = cutoff.until.after(at.since(cutoff.at));
        let cutoff = Cutoff {
            at,
            until,
            ..*cutoff
        };
        self.cutoffs.raise(key, &cutoff, spared);
        Ok(())
    }

    /// Clears away a few entries that are over, and more of them as long as the list is full.
    ///
    /// Every write comes here first: a login too has to find room once what filled the list has expired, since
    /// by then nobody may be left who could log out.
    fn make_room(&self, more: usize, is_ending: bool, now: Timestamp) -> Result<(), Full> {
        for _ in 0..CLEARED_WHEN_FULL {
            let before = self.len();
            self.clear_away(now);
            if self.has_room(more, is_ending) {
                return Ok(());
            }
            if self.len() == before {
                break;
            }
        }
        Err(Full)
    }

    /// Endings have room kept for them: a sixteenth beyond the bound of everything else.
    fn has_room(&self, more: usize, is_ending: bool) -> bool {
        if is_ending {
            self.len() + more <= self.max_entries + self.max_entries / 16
        } else {
            self.len() + more.max(1) <= self.max_entries
        }
    }

    fn after_cutoffs(&self, keys: &[IndexKey], now: Timestamp) -> Timestamp {
        let cutoffs = keys.iter().filter_map(|key| self.cutoffs.of(key));
        let after = cutoffs.map(|cutoff| cutoff.at.after(Duration::from_millis(1)));
        after.max().map_or(now, |after| after.max(now))
    }

    fn is_cut_off(&self, token: IssuedToken<'_>) -> bool {
        // Keys are made only where there is anything to compare them with.
        self.cutoffs.len() > 0
            && token
                .keys()
                .iter()
                .any(|key| self.cutoffs.ends(key, token.family, token.issued_at))
    }

    fn clear_away(&self, now: Timestamp) {
        self.families.clear_away(now);
        self.cutoffs.clear_away(now);
    }

    fn writing(&self) -> MutexGuard<'_, Writer> {
        // Every entry is written whole, so a panic leaves none half-written.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations")
            .field("len", &self.len())
            .field("max_entries", &self.max_entries)
            .finish()
    }
}
