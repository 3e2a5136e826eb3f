//! Carries out a plan without a store: what ends goes on the list, and what goes on is in a new token.

use std::sync::Arc;

use super::{Finished, Settling, judge, set_cookies::Writes};
use crate::{
    cookie::CookieKind,
    middleware::{
        admission::self_contained::{Held, issued},
        backend::List,
        failure::{SessionError, SessionErrorKind},
        random,
        settings::Shared,
    },
    session::{
        authentication::Subject,
        draft::Rotation,
        event::EventKind,
        id::SessionId,
        live::Live,
        plan::{Plan, Save, Settled, Verdict},
        state::State,
    },
    store::{StoreError, revocation::Retirement},
};

/// The future that carries out a plan with a shared list; it owns all it needs, so that it can outlive the
/// request.
pub(crate) async fn settle_later(
    shared: Arc<Shared>,
    list: List,
    live: Option<Live>,
    held: Held,
    finished: Finished,
    settled: Settled,
) -> Settling {
    let result = settle(&shared, &list, live.as_ref(), held, &finished, settled).await;
    if let Err(error) = &result {
        shared.tell_failed_write(error, live.as_ref(), finished.now);
    }
    result
}

/// Carries out a plan.
pub(crate) async fn settle(
    shared: &Shared,
    list: &List,
    live: Option<&Live>,
    held: Held,
    finished: &Finished,
    settled: Settled,
) -> Settling {
    let mut task = Settle {
        shared,
        list,
        live,
        held,
        finished,
        writes: Writes::default(),
    };
    let verdict = task.run(settled).await?;
    judge(verdict, task.writes)
}

struct Settle<'a> {
    shared: &'a Shared,
    list: &'a List,
    live: Option<&'a Live>,
    held: Held,
    finished: &'a Finished,
    writes: Writes,
}

impl Settle<'_> {
    async fn run(&mut self, settled: Settled) -> Result<Verdict, SessionError> {
        let Settled {
            plan,
            events,
            verdict,
        } = settled;
        match plan {
            Plan::Keep => self.tell(&events, None),
            Plan::Save {
                why: Save::Lower, ..
            } => {
                // The level is in the token, and nobody would receive a lower one: the token ends.
                self.retire(Retirement::Ended).await?;
                self.tell(&events, None);
            }
            Plan::Save { state, why, .. } => {
                let Some(live) = self.live else {
                    return Ok(verdict);
                };
                // A token that was replaced meanwhile must not leave again: the browser has a newer one.
                let may_reissue = self.list.may_reissue(issued(live), self.finished.now);
                if may_reissue.await? && live.is_current() {
                    self.issue(&state, &live.id)?;
                    self.tell(&events, None);
                } else if why == Save::Data {
                    self.tell(&[EventKind::ResurrectionBlocked], None);
                }
            }
            Plan::Rotate { state, how } => {
                return self.rotate(&state, how, &events, verdict).await;
            }
            Plan::Start {
                mut state,
                end_first,
            } => {
                let limited = self.shared.policy().session_limit().is_some();
                if limited && state.authentication.is_some() {
                    if end_first {
                        self.end_all(Retirement::Ended).await?;
                    }
                    return Err(SessionError::new(SessionErrorKind::NeedsStore));
                }
                let fresh = random::fresh()?;
                let how = if end_first {
                    Retirement::Ended
                } else {
                    Retirement::Superseded
                };
                self.end_all(how).await?;
                // What was issued to the subject up to a revocation is dead: this login comes after it.
                let subject = state.authentication.as_ref().map(|who| who.subject.clone());
                if let Some(subject) = &subject {
                    let at = self.list.issue_time(subject, state.last_seen_at);
                    state.last_seen_at = at.await?;
                }
                if subject.is_some() && self.finished.guest_came {
                    self.remove_cookie(CookieKind::Guest);
                }
                self.issue(&state, &fresh.id)?;
                self.tell(&events, Some((fresh.id, subject.as_ref())));
            }
            Plan::End => {
                self.end_all(Retirement::Ended).await?;
                self.tell(&events, None);
            }
        }
        Ok(verdict)
    }

    async fn rotate(
        &mut self,
        state: &State,
        how: Rotation,
        events: &[EventKind],
        verdict: Verdict,
    ) -> Result<Verdict, SessionError> {
        let Some(live) = self.live else {
            return Ok(verdict);
        };
        let mut id = random::fresh()?.id;
        let retirement = if how == Rotation::Renewed {
            id = id.with_lineage(live.id.lineage());
            let grace = self.shared.policy().grace_time();
            Retirement::Renewed {
                successor: id,
                grace_until: self.finished.now.after(grace),
            }
        } else {
            Retirement::Elevated { successor: id }
        };
        let (until, now) = (live.state.absolute_expiry, self.finished.now);
        let issue = self.list.retire_of(issued(live), retirement, until, now);
        if let Some(at) = issue.await? {
            let mut state = state.clone();
            state.last_seen_at = state.last_seen_at.max(at);
            self.issue(&state, &id)?;
            let subject = state.authentication.as_ref().map(|who| &who.subject);
            self.tell(events, Some((id, subject)));
            return Ok(verdict);
        }
        let (verdict, event) = self.finished.without_session();
        self.tell(event.as_slice(), None);
        Ok(verdict)
    }

    /// Takes the request's own token out of use; false if that was done already.
    async fn retire(&self, how: Retirement) -> Result<bool, StoreError> {
        let Some(live) = self.live else {
            return Ok(false);
        };
        let (until, now) = (live.state.absolute_expiry, self.finished.now);
        self.list.retire(&live.id, how, until, now).await
    }

    async fn end_all(&mut self, how: Retirement) -> Result<(), StoreError> {
        if self.retire(how).await?
            && let Some(live) = self.live
        {
            self.remove_cookie(CookieKind::of_session(live.state.authentication.is_some()));
        }
        if let Some(beside) = self.held.beside.take()
            && let Some(guest) = beside.live()
        {
            let until = guest.state.absolute_expiry;
            let now = self.finished.now;
            if self.list.retire(&guest.id, how, until, now).await? {
                self.remove_cookie(CookieKind::Guest);
            }
        }
        Ok(())
    }

    fn issue(&mut self, state: &State, id: &SessionId) -> Result<(), SessionError> {
        let kind = CookieKind::of_session(state.authentication.is_some());
        let token = self
            .shared
            .tokens
            .seal_self_contained(kind, id, state)
            .map_err(|_| SessionError::new(SessionErrorKind::TooLarge))?;
        let writer = &self.shared.writer;
        self.writes
            .hand_out(writer, &token, state, self.finished.now);
        Ok(())
    }

    fn remove_cookie(&mut self, kind: CookieKind) {
        self.writes.remove(&self.shared.writer, kind);
    }

    fn tell(&self, events: &[EventKind], successor: Option<(SessionId, Option<&Subject>)>) {
        self.shared
            .tell_all(events, self.live, successor, self.finished.now);
    }
}
