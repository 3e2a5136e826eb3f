//! Carries out a plan without a store: what ends goes on the list, and what goes on is in a new token.
//!
//! What a plan asks of the list is a [`Change`], and the list's answer is a [`Changed`]. Both are data: a local list answers
//! at once and a distributed one later, and what a plan means is written once.

use super::{
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
        time::Timestamp,
    },
    store::{
        StoreError,
        revocation::{IssuedToken, Retirement, RevocationList, Revocations},
    },
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

/// What the list is asked for, in this order.
struct Change<'a> {
    /// How the request's own token and the one of a guest end, for each of them that does.
    end: Retirement,
    ended: [Option<&'a Live>; 2],
    issue: Issue<'a>,
}

/// Which token is to leave then.
enum Issue<'a> {
    Nothing,
    /// A guest's first, about which no list has a say.
    OfGuest {
        id: SessionId,
        at: Timestamp,
    },
    /// The first of a login, issued after everything of the subject that has ended.
    OfLogin {
        id: SessionId,
        subject: &'a Subject,
        at: Timestamp,
    },
    /// The same token again, if it is still good.
    Again(IssuedToken<'a>),
    /// A successor, if the token itself is still good.
    Successor {
        id: SessionId,
        of: IssuedToken<'a>,
        how: Retirement,
        until: Timestamp,
    },
}

/// What the list did of it.
struct Changed {
    /// Which tokens this request ended itself.
    ended: [bool; 2],
    /// The token that may leave, and when it counts as issued.
    issue: Option<(SessionId, Timestamp)>,
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

impl Change<'_> {
    fn ask(&self, list: &Revocations, now: Timestamp) -> Changed {
        let retire = |live: &Live| list.retire(&live.id, self.end, live.state.absolute_expiry, now);
        Changed {
            ended: self.ended.map(|live| live.is_some_and(retire)),
            issue: match self.issue {
                Issue::Nothing => None,
                Issue::OfGuest { id, at } => Some((id, at)),
                Issue::OfLogin { id, subject, at } => Some((id, list.issue_time(subject, at))),
                Issue::Again(token) => list
                    .may_reissue(token.id, token.subject, token.issued_at, now)
                    .then_some((*token.id, now)),
                Issue::Successor { id, of, how, until } => list
                    .retire_of(of.id, of.subject, of.issued_at, how, until, now)
                    .map(|at| (id, at)),
            },
        }
    }

    async fn ask_distributed(
        &self,
        list: &dyn RevocationList,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        let mut ended = [false; 2];
        for (live, ended) in self.ended.iter().zip(&mut ended) {
            if let Some(live) = live {
                let until = live.state.absolute_expiry;
                *ended = list.retire(&live.id, self.end, until, now).await?;
            }
        }
        let issue = match self.issue {
            Issue::Nothing => None,
            Issue::OfGuest { id, at } => Some((id, at)),
            Issue::OfLogin { id, subject, at } => Some((id, list.issue_time(subject, at).await?)),
            Issue::Again(token) => {
                let may = list.may_reissue(token, now).await?;
                may.then_some((*token.id, now))
            }
            Issue::Successor { id, of, how, until } => {
                let issue = list.retire_of(of, how, until, now).await?;
                issue.map(|at| (id, at))
            }
        };
        Ok(Changed { ended, issue })
    }
}
