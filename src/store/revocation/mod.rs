//! [`RevocationList`]: which self-contained tokens no longer hold, although their MAC does.
//!
//! A self-contained token is believed for what it says, so what ended since must be remembered until the
//! token would have expired by itself: in this process, of which another one knows nothing, or in a list that
//! they share.

mod cutoff;
mod expiry;
mod list;
mod memory;
mod retired;
mod retirement;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use self::{cutoff::Cutoffs, retired::Retired};
pub use self::{
    list::{IssuedToken, RevocationList},
    memory::MemoryRevocations,
    retirement::Retirement,
};
pub use crate::session::standing::Standing;
use crate::session::{authentication::Subject, id::SessionId, time::Timestamp};

/// Tokens that ended before their time.
///
/// Readers share; they take no lock at all while nothing is on the list. Writers come one after the
/// other, so each decides on the whole of what the others did. Every write drops a few entries whose
/// tokens have expired; nothing runs in the background. A retired token costs about 200 bytes until then.
pub(crate) struct Revocations {
    retired: Retired,
    cutoffs: Cutoffs,
    writer: Mutex<Writer>,
}

#[derive(Debug, Default)]
struct Writer {
    /// The latest moment at which a token was replaced or issued anew, so that one was issued then.
    latest: Timestamp,
}

impl Revocations {
    pub(crate) fn new() -> Self {
        Self {
            retired: Retired::new(),
            cutoffs: Cutoffs::new(),
            writer: Mutex::default(),
        }
    }

    /// What the token of this id is worth, which was issued to `subject` at `issued_at`.
    pub(crate) fn standing(
        &self,
        id: &SessionId,
        subject: Option<&Subject>,
        issued_at: Timestamp,
        now: Timestamp,
    ) -> Standing {
        if self.is_cut_off(subject, id, issued_at) {
            return Standing::Ended;
        }
        self.retired.standing(id, now)
    }

    /// Retires the token of this id, if its standing allows that, and says whether it did.
    ///
    /// Of calls at the same time, one is told so. A session never has two live tokens afterwards: what is
    /// done to a token in its grace time is done to its successor too.
    ///
    /// `until` is when the session ends at the latest, since a token that was issued anew under the same
    /// id may outlive this one. A successor is issued at `now`, no later.
    pub(crate) fn retire(
        &self,
        id: &SessionId,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> bool {
        let mut writer = self.writing();
        self.retire_under(&mut writer, id, how, until, now)
    }

    /// The same, unless everything that was issued to `subject` at `issued_at` has ended: then nothing
    /// changes and nothing may be issued.
    ///
    /// For an elevation, a step-down and a renewal, whose successor would otherwise slip past an
    /// [`end_subject`](Self::end_subject) at the same time. Tells when the successor is to be issued: at
    /// `now`, or just after a cut-off that spared this token.
    pub(crate) fn retire_of(
        &self,
        id: &SessionId,
        subject: Option<&Subject>,
        issued_at: Timestamp,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let mut writer = self.writing();
        if self.is_cut_off(subject, id, issued_at)
            || !self.retire_under(&mut writer, id, how, until, now)
        {
            return None;
        }
        let issue = subject.map_or(now, |subject| self.not_cut_off(subject, now));
        // A cut-off that comes next is to end the successor too.
        writer.latest = writer.latest.max(issue);
        Some(issue)
    }

    /// Whether the token of this id may leave again under the same id, issued at `now`: only while it is
    /// good. Asked right before, so that an [`end_subject`](Self::end_subject) at the same time either
    /// refuses it here or ends what leaves.
    pub(crate) fn may_reissue(
        &self,
        id: &SessionId,
        subject: Option<&Subject>,
        issued_at: Timestamp,
        now: Timestamp,
    ) -> bool {
        let mut writer = self.writing();
        let may = self.standing(id, subject, issued_at, now) == Standing::Current;
        if may {
            writer.latest = writer.latest.max(now);
        }
        may
    }

    fn retire_under(
        &self,
        writer: &mut Writer,
        id: &SessionId,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> bool {
        writer.latest = writer.latest.max(now);
        self.clear_away(now);
        match how {
            Retirement::Ended | Retirement::Superseded => {
                self.retired.end_chain(id, how, until, now)
            }
            Retirement::Elevated { successor } => self.retired.elevate(id, successor, until, now),
            Retirement::Renewed { successor, .. } => {
                self.retired.renew(id, successor, how, until, now)
            }
        }
    }

    /// Ends the session of a token that was renewed, with every token it ever had: one of its holders
    /// stole it. `until` is when the session ends at the latest.
    pub(crate) fn end_family(&self, id: &SessionId, until: Timestamp, now: Timestamp) {
        let _one_at_a_time = self.writing();
        self.clear_away(now);
        self.retired.end_family(id, until, now);
    }

    /// Ends every session whose token was issued to `subject` at `issued_before` or earlier, and those
    /// whose token was issued until this call was made, should this server's clock say that it is earlier.
    ///
    /// `until` is when the last such token expires. What is issued to the subject from now on must be
    /// issued at its [`issue_time`](Self::issue_time).
    pub(crate) fn end_subject(
        &self,
        subject: &Subject,
        issued_before: Timestamp,
        until: Timestamp,
    ) {
        let writer = self.writing();
        let cutoff = writer.latest.max(issued_before);
        let until = until.after(cutoff.since(issued_before));
        self.cutoffs.raise(subject, cutoff, None, until);
    }

    /// The same, but for the session of the token of this id, which was issued at `issued_at`; false, and
    /// nothing changes, if that token no longer holds: what ended stays ended.
    pub(crate) fn end_others(
        &self,
        subject: &Subject,
        id: &SessionId,
        issued_at: Timestamp,
        now: Timestamp,
        until: Timestamp,
    ) -> bool {
        let writer = self.writing();
        let standing = self.standing(id, Some(subject), issued_at, now);
        if !standing.opens() {
            return false;
        }
        let spared = self.retired.last_of(id);
        let cutoff = writer.latest.max(now);
        let until = until.after(cutoff.since(now));
        self.cutoffs.raise(subject, cutoff, Some(spared), until);
        true
    }

    /// The moment up to which everything issued to `subject` has ended, if there is one.
    pub(crate) fn cutoff(&self, subject: &Subject) -> Option<Timestamp> {
        self.cutoffs.of(subject)
    }

    /// When a token of a new login of `subject` is to be issued: at `now`, or just after what ended. Asked
    /// right before, so that an [`end_subject`](Self::end_subject) that comes next ends it.
    pub(crate) fn issue_time(&self, subject: &Subject, now: Timestamp) -> Timestamp {
        let mut writer = self.writing();
        let issue = self.not_cut_off(subject, now);
        writer.latest = writer.latest.max(issue);
        issue
    }

    fn not_cut_off(&self, subject: &Subject, now: Timestamp) -> Timestamp {
        let after = self.cutoff(subject);
        let after = after.map(|cutoff| cutoff.after(Duration::from_millis(1)));
        after.map_or(now, |after| after.max(now))
    }

    /// How many entries there are: retired tokens and subjects.
    pub(crate) fn len(&self) -> usize {
        self.retired.len() + self.cutoffs.len()
    }

    fn is_cut_off(&self, subject: Option<&Subject>, id: &SessionId, issued_at: Timestamp) -> bool {
        subject.is_some_and(|subject| self.cutoffs.ends(subject, id, issued_at))
    }

    fn clear_away(&self, now: Timestamp) {
        self.retired.clear_away(now);
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
            .finish()
    }
}
