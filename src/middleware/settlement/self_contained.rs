//! Carries out a plan without a store: what ends goes on the list, and what goes on is in a new token.
//!
//! What a plan asks of the list is a [`Change`], which a local list answers at once and a distributed one later. So what a
//! plan means is written once.

use super::{
    change::{Change, Changed, Issue},
    done::{Committed, HandlerDone, tell_all, tell_if_failed},
    set_cookies::SetCookies,
};
use crate::{
    cookie::CookieKind,
    middleware::{
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
        plan::{Plan, Save, Settled},
        settle,
        state::State,
    },
    store::revocation::{IssuedToken, Retirement, RevocationList, Revocations},
};

/// Carries out a plan.
#[derive(Clone, Copy)]
pub(super) struct CommitToToken<'a> {
    pub(super) shared: &'a Shared,
    pub(super) live: Option<&'a Live>,
    /// The guest's session whose token came with a logged-in session's.
    pub(super) guest_beside: Option<&'a Live>,
    pub(super) done: &'a HandlerDone,
}

impl<'a> CommitToToken<'a> {
    /// With the list of this process, which answers at once and never fails.
    pub(super) fn commit_now(self, list: &Revocations, settled: Settled) -> Committed {
        let changed = self.change(&settled.plan)?.ask(list, self.done.now);
        self.finish(settled, &changed)
    }

    pub(super) async fn commit(self, list: &dyn RevocationList, settled: Settled) -> Committed {
        let change = self.change(&settled.plan)?;
        let committed = match change.ask_distributed(list, self.done.now).await {
            Ok(changed) => self.finish(settled, &changed),
            Err(error) => Err(error.into()),
        };
        tell_if_failed(self.shared, &committed, self.live, self.done.now);
        committed
    }

    /// What a plan asks of the list.
    fn change<'p>(&self, plan: &'p Plan) -> Result<Change<'p>, SessionError>
    where
        'a: 'p,
    {
        let nothing = Change {
            end: Retirement::Ended,
            ended: [None, None],
            issue: Issue::Nothing,
        };
        let all = [self.live, self.guest_beside];
        Ok(match (plan, self.live) {
            (Plan::Nothing, _) | (Plan::Save { .. } | Plan::Rotate { .. }, None) => nothing,
            (Plan::End, _) => Change {
                ended: all,
                ..nothing
            },
            // The level is in the token, and nothing would receive a lower one: the token ends.
            (
                Plan::Save {
                    why: Save::Lower, ..
                },
                own,
            ) => Change {
                ended: [own, None],
                ..nothing
            },
            (Plan::Save { .. }, Some(live)) => Change {
                issue: Issue::Again(IssuedToken::of(live)),
                ..nothing
            },
            (Plan::Rotate { how, .. }, Some(live)) => Change {
                issue: self.successor(live, *how)?,
                ..nothing
            },
            (Plan::Start { state, end_first }, _) if self.needs_store(state) => Change {
                ended: if *end_first { all } else { [None, None] },
                ..nothing
            },
            (Plan::Start { state, end_first }, _) => Change {
                end: if *end_first {
                    Retirement::Ended
                } else {
                    Retirement::Superseded
                },
                ended: all,
                issue: first(state)?,
            },
        })
    }

    fn successor(&self, live: &'a Live, how: Rotation) -> Result<Issue<'a>, SessionError> {
        let mut id = random::fresh()?.id;
        let how = if how == Rotation::Renewed {
            id = id.with_lineage(live.id.lineage());
            let grace = self.shared.policy().grace_time();
            Retirement::Renewed {
                successor: id,
                grace_until: self.done.now.after(grace),
            }
        } else {
            Retirement::Elevated { successor: id }
        };
        Ok(Issue::Successor {
            id,
            of: IssuedToken::of(live),
            how,
            until: live.state.absolute_expiry,
        })
    }

    /// Whether a login needs a list of its subject's sessions.
    fn needs_store(&self, state: &State) -> bool {
        state.authentication.is_some() && self.shared.policy().session_limit().is_some()
    }

    /// Does what the plan says now that the list has answered.
    fn finish(self, settled: Settled, changed: &Changed) -> Committed {
        let Settled {
            plan,
            events,
            mut verdict,
        } = settled;
        let mut cookies = SetCookies::default();
        match plan {
            Plan::Nothing
            | Plan::Save {
                why: Save::Lower, ..
            } => self.tell(&events, None),
            Plan::End => {
                self.remove_ended(changed, &mut cookies);
                self.tell(&events, None);
            }
            Plan::Save { state, why, .. } => match changed.issue {
                // A token that was replaced meanwhile must not leave again: the browser has a newer one.
                Some((id, _)) if self.live.is_some_and(Live::is_current) => {
                    self.issue(&state, &id, &mut cookies)?;
                    self.tell(&events, None);
                }
                _ if why == Save::Data && self.live.is_some() => {
                    self.tell(&[EventKind::ResurrectionBlocked], None);
                }
                _ => {}
            },
            Plan::Rotate { mut state, .. } => match changed.issue {
                Some((id, at)) => {
                    state.last_seen_at = state.last_seen_at.max(at);
                    self.issue(&state, &id, &mut cookies)?;
                    self.tell(&events, Some((id, subject_of(&state))));
                }
                None if self.live.is_some() => {
                    let (gone, event) =
                        settle::without_session(&self.done.marks, self.done.outcome);
                    verdict = gone;
                    self.tell(event.as_slice(), None);
                }
                None => {}
            },
            Plan::Start { mut state, .. } => {
                let Some((id, at)) = changed.issue else {
                    return Err(SessionError::new(SessionErrorKind::NeedsStore));
                };
                self.remove_ended(changed, &mut cookies);
                if state.authentication.is_some() && self.done.came.guest_token {
                    cookies.remove(&self.shared.writer, CookieKind::Guest);
                }
                state.last_seen_at = at;
                self.issue(&state, &id, &mut cookies)?;
                self.tell(&events, Some((id, subject_of(&state))));
            }
        }
        verdict.into_result(cookies)
    }

    /// Removes the cookies of the tokens that this request ended itself.
    fn remove_ended(&self, changed: &Changed, cookies: &mut SetCookies) {
        for (live, ended) in [self.live, self.guest_beside]
            .into_iter()
            .zip(changed.ended)
        {
            if let (Some(live), true) = (live, ended) {
                let kind = CookieKind::of_session(live.state.authentication.is_some());
                cookies.remove(&self.shared.writer, kind);
            }
        }
    }

    fn issue(
        &self,
        state: &State,
        id: &SessionId,
        cookies: &mut SetCookies,
    ) -> Result<(), SessionError> {
        let kind = CookieKind::of_session(state.authentication.is_some());
        let token = self.shared.tokens.seal_self_contained(kind, id, state);
        let token = token.map_err(|_| SessionError::new(SessionErrorKind::TooLarge))?;
        cookies.hand_out(&self.shared.writer, &token, state, self.done.now);
        Ok(())
    }

    fn tell(&self, events: &[EventKind], successor: Option<(SessionId, Option<&Subject>)>) {
        tell_all(self.shared, events, self.live, successor, self.done.now);
    }
}

/// The first token of a session that begins.
fn first(state: &State) -> Result<Issue<'_>, SessionError> {
    let (id, at) = (random::fresh()?.id, state.last_seen_at);
    Ok(match subject_of(state) {
        Some(subject) => Issue::OfLogin { id, subject, at },
        None => Issue::OfGuest { id, at },
    })
}

fn subject_of(state: &State) -> Option<&Subject> {
    state.authentication.as_ref().map(|who| &who.subject)
}
