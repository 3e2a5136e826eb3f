//! Carries out a plan without a store: what ends goes on the list, and what goes on is in a new token.
//!
//! What a plan asks of the list is a [`Change`], which a local list answers at once and a distributed one later. So what a
//! plan means is written once.

use super::{
    change::{Change, Changed, InsteadOf, Issue},
    done::{
        Committed, HandlerDone, note_beginning, note_end, tell_all, tell_ended_beside,
        tell_if_failed,
    },
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
        ended::EndCause,
        event::EventKind,
        handle::Session,
        id::SessionId,
        index::IndexKey,
        live::Live,
        mark::Mark,
        plan::{Plan, Save, Settled, Verdict},
        settle,
        state::State,
    },
    store::{
        StoreError,
        revocation::{Ending, IssuedToken, Replacement, RevocationList, Revocations},
    },
};

/// Carries out a plan.
#[derive(Clone, Copy)]
pub(super) struct CommitToToken<'a> {
    pub(super) shared: &'a Shared,
    pub(super) session: &'a Session,
    pub(super) live: Option<&'a Live>,
    /// The sessions whose tokens came besides the request's own: a login and a logout end them.
    pub(super) beside: &'a [Session],
    pub(super) done: &'a HandlerDone,
}

impl<'a> CommitToToken<'a> {
    /// With the list of this process, which answers at once. It fails only where it is full.
    pub(super) fn commit_now(self, list: &Revocations, settled: Settled) -> Committed {
        if !self.may_go_on(&settled) {
            return settled.verdict.into_result(SetCookies::default());
        }
        let change = self.change(&settled.plan)?;
        let changed = change.ask(list, self.done.now).map_err(StoreError::from);
        self.shared.watch_list(list.occupancy(), self.done.now);
        self.finish(settled, &changed?)
    }

    pub(super) async fn commit(self, list: &dyn RevocationList, settled: Settled) -> Committed {
        if !self.may_go_on(&settled) {
            return settled.verdict.into_result(SetCookies::default());
        }
        let change = self.change(&settled.plan)?;
        let changed = change.ask_distributed(list, self.done.now).await;
        let held = match list.endings_hold() {
            Some(wait) if change.takes_privilege(self.done.now) => wait.await,
            _ => Ok(()),
        };
        let committed = match changed {
            Ok(changed) => {
                self.shared.watch_list(list.occupancy(), self.done.now);
                let finished = self.finish(settled, &changed);
                held.map_err(Into::into).and(finished)
            }
            Err(error) => Err(error.into()),
        };
        tell_if_failed(self.shared, &committed, self.live, self.done.now);
        committed
    }

    /// Whether the plan is carried out, by what other requests of the session do meanwhile.
    ///
    /// A token that nobody asked for holds the session as it was when its request came, so it leaves only if nobody
    /// wrote the session since. Of a write and a renewal at the same time the renewal comes first: the write is
    /// dropped, as it is once the list knows of the renewal.
    fn may_go_on(&self, settled: &Settled) -> bool {
        if settled.is_upkeep(self.live) {
            let may_leave = self.done.ticket.as_ref().is_some_and(|ticket| {
                if matches!(settled.plan, Plan::Rotate { .. }) {
                    ticket.claim_renewal()
                } else {
                    !ticket.is_outdated()
                }
            });
            if !may_leave {
                self.tell_without_upkeep(&settled.events);
            }
            return may_leave;
        }
        let Some(live) = self.live else { return true };
        let comes_first = self.shared.settings.in_flight.note_write(live.family());
        let is_data = matches!(
            settled.plan,
            Plan::Save {
                why: Save::Data,
                ..
            }
        );
        if is_data && !comes_first {
            self.tell(&[EventKind::ResurrectionBlocked], None);
        }
        comes_first || !is_data
    }

    /// Tells what happened, but for what nobody asked for and was not done.
    fn tell_without_upkeep(&self, events: &[EventKind]) {
        let undone = [EventKind::RenewedByPolicy, EventKind::TokenReSigned];
        let mut told = events.to_vec();
        told.retain(|event| !undone.contains(event));
        self.tell(&told, None);
    }

    /// What a plan asks of the list.
    fn change<'p>(&self, plan: &'p Plan) -> Result<Change<'p>, SessionError>
    where
        'a: 'p,
    {
        let nothing = Change {
            end: Ending::Ended,
            cause: EndCause::Ended,
            waiting: &self.shared.settings.waiting,
            ended: Vec::new(),
            ends_first: true,
            issue: Issue::Nothing,
            instead_of: None,
            lowered: None,
        };
        Ok(match (plan, self.live) {
            (Plan::Nothing, _)
            | (Plan::Save { .. } | Plan::Rotate { .. } | Plan::EndGuest { .. }, None) => nothing,
            // A token that was replaced meanwhile may hold less than the one that replaced it.
            (Plan::EndGuest { .. }, Some(live)) if live.is_current() => Change {
                ended: vec![live],
                ends_first: false,
                issue: Issue::Again(self.issued(live)),
                ..nothing
            },
            (Plan::EndGuest { .. }, Some(_)) => nothing,
            (Plan::End, _) => Change {
                ended: self.presented(),
                cause: EndCause::Logout,
                ..nothing
            },
            // The level is in the token, and nothing would receive a lower one: the token ends.
            (
                Plan::Save {
                    why: Save::Lower, ..
                },
                own,
            ) => Change {
                ended: own.into_iter().collect(),
                ..nothing
            },
            (Plan::Save { .. }, Some(live)) => Change {
                issue: Issue::Again(self.issued(live)),
                ..nothing
            },
            (Plan::Rotate { how, .. }, Some(live)) => Change {
                issue: self.successor(live, *how)?,
                lowered: self.steps_down().then_some(live),
                ..nothing
            },
            (
                Plan::Start {
                    state,
                    end_first,
                    instead,
                },
                own,
            ) => Change {
                end: if *end_first {
                    Ending::Ended
                } else {
                    Ending::Superseded
                },
                cause: if *end_first {
                    EndCause::Logout
                } else {
                    EndCause::Replaced
                },
                ended: self.presented(),
                waiting: nothing.waiting,
                // As in a store: a login that is refused changes nothing else.
                ends_first: *end_first,
                issue: self.first(state)?,
                instead_of: match own.filter(|_| *instead) {
                    Some(live) => Some(self.instead_of(live)?),
                    None => None,
                },
                lowered: None,
            },
        })
    }

    /// All sessions whose tokens came, the request's own first.
    fn presented(&self) -> Vec<&'a Live> {
        let now = self.done.now;
        let beside = self.beside.iter().filter_map(Session::live);
        // What has expired needs no entry in the list.
        let beside = beside.filter(|live| live.remembered_until(now) > now);
        self.live.into_iter().chain(beside).collect()
    }

    fn steps_down(&self) -> bool {
        let mut marks = self.done.marks.iter();
        marks.any(|(_, mark)| matches!(mark, Mark::StepDown))
    }

    fn successor(&self, live: &'a Live, how: Rotation) -> Result<Issue<'a>, SessionError> {
        let mut id = random::fresh()?.id;
        let how = if how == Rotation::Renewed {
            id = id.with_lineage(live.id.lineage());
            let grace = self.shared.policy().grace_time();
            Replacement::Renewed {
                grace_until: self.done.now.after(grace),
            }
        } else {
            Replacement::Elevated
        };
        Ok(Issue::Successor {
            id,
            of: self.issued(live),
            how,
            until: live.remembered_until(self.done.now),
        })
    }

    fn instead_of(&self, live: &'a Live) -> Result<InsteadOf<'a>, SessionError> {
        Ok(InsteadOf {
            token: self.issued(live),
            by: random::fresh()?.id,
            until: live.remembered_until(self.done.now),
        })
    }

    /// The first token of a session that begins.
    fn first(&self, state: &State) -> Result<Issue<'static>, SessionError> {
        let (id, at) = (random::fresh()?.id, state.last_seen_at);
        let Some(subject) = subject_of(state) else {
            return Ok(Issue::OfGuest { id, at });
        };
        let audience = &self.shared.settings.audience;
        let mut keys = vec![IndexKey::owner(audience, subject)];
        if let Some(extra) = &state.extra {
            let actor = extra
                .actor
                .iter()
                .map(|actor| IndexKey::owner(audience, actor));
            let tags = extra.tags.iter().map(|tag| IndexKey::of_tag(*tag));
            keys.extend(actor.chain(tags));
        }
        let admitted = self.done.admitted;
        Ok(Issue::OfLogin {
            id,
            keys,
            admitted,
            at,
        })
    }

    fn issued(&self, live: &'a Live) -> IssuedToken<'a> {
        IssuedToken::of(live, &self.shared.settings.audience)
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
                cookies.remove_presented(&self.shared.writer, &self.done.came);
                note_end(self.shared, self.session);
                self.tell(&events, None);
                self.tell_ended_beside(changed);
            }
            Plan::EndGuest { .. } => match changed.issue {
                Some(_) if changed.ended.contains(&true) => {
                    cookies.remove(&self.shared.writer, CookieKind::Guest);
                    self.tell(&events, None);
                }
                // It ended as it was to.
                Some(_) => {}
                None if self.live.is_some() => {
                    self.tell(&[EventKind::ResurrectionBlocked], None);
                }
                None => {}
            },
            Plan::Save { state, why, .. } => match changed.issue {
                // A token that was replaced meanwhile must not leave again: the browser has a newer one.
                Some((id, _)) if self.live.is_some_and(Live::is_current) && self.is_newest(why) => {
                    self.note_issue(&state);
                    self.issue(&state, &id, &mut cookies)?;
                    self.tell(&events, None);
                }
                _ if why == Save::Data && changed.is_crossing => {
                    verdict = self.bound_meanwhile();
                }
                _ if why == Save::Data && self.live.is_some() => {
                    self.tell(&[EventKind::ResurrectionBlocked], None);
                }
                _ => self.tell_without_upkeep(&events),
            },
            Plan::Rotate { mut state, .. } => match changed.issue {
                Some((id, at)) => {
                    state.last_seen_at = state.last_seen_at.max(at);
                    if let Some(live) = self.live {
                        let family = *live.family();
                        state.with_extra(|extra| extra.family = Some(family));
                    }
                    self.note_issue(&state);
                    self.issue(&state, &id, &mut cookies)?;
                    self.tell(&events, Some((id, subject_of(&state))));
                }
                None => verdict = self.not_replaced(&state, changed),
            },
            Plan::Start {
                mut state,
                end_first,
                instead,
            } => {
                // What ended or was replaced meanwhile brings nobody back.
                if instead && changed.ended.first() != Some(&true) {
                    let (verdict, event) =
                        settle::without_session(&self.done.marks, self.done.outcome);
                    self.tell(event.as_slice(), None);
                    return verdict.into_result(cookies);
                }
                let Some((id, at)) = changed.issue else {
                    self.tell(&[EventKind::LoginEndedUnderWay], None);
                    return Err(SessionError::new(SessionErrorKind::Refused));
                };
                if end_first {
                    cookies.remove_presented(&self.shared.writer, &self.done.came);
                } else if self.done.came.guest_token {
                    cookies.remove(&self.shared.writer, CookieKind::Guest);
                }
                state.last_seen_at = at;
                self.issue(&state, &id, &mut cookies)?;
                note_beginning(self.shared, self.session, &id, &state, self.done.now);
                self.tell(&events, Some((id, subject_of(&state))));
                self.tell_ended_beside(changed);
            }
        }
        verdict.into_result(cookies)
    }

    /// What becomes of the answer where the token was not replaced, because another request came first.
    fn not_replaced(&self, state: &State, changed: &Changed) -> Verdict {
        let Some(live) = self.live else {
            return Verdict::Stands;
        };
        if changed.is_crossing && self.steps_down() {
            self.tell(&[EventKind::SteppedDown], None);
        }
        let (verdict, event) = settle::without_session(&self.done.marks, self.done.outcome);
        if changed.is_crossing && verdict == Verdict::Stands && state.entries != live.state.entries
        {
            return self.bound_meanwhile();
        }
        self.tell(event.as_slice(), None);
        verdict
    }

    /// The data of a request that crossed with the binding of its session is not written, and its answer does not say so.
    fn bound_meanwhile(&self) -> Verdict {
        self.tell(&[EventKind::UnboundUseDataDropped], None);
        Verdict::BoundMeanwhile
    }

    /// Lets those who wait for the session's end know how long its next token lives.
    fn note_issue(&self, state: &State) {
        if let Some(live) = self.live {
            let waiting = &self.shared.settings.waiting;
            waiting.note_issue(live.family(), state.last_seen_at);
        }
    }

    /// Whether nobody wrote the session while a list was asked whether its token may leave again.
    fn is_newest(&self, why: Save) -> bool {
        let ticket = self.done.ticket.as_ref();
        why != Save::Touch || ticket.is_some_and(|ticket| !ticket.is_outdated())
    }

    /// Tells of the sessions that this request ended besides its own.
    fn tell_ended_beside(&self, changed: &Changed) {
        let own = usize::from(self.live.is_some());
        let presented = self.presented().into_iter().zip(&changed.ended);
        for (live, ended) in presented.skip(own) {
            if *ended {
                let state = Some(&live.state);
                tell_ended_beside(self.shared, live.id, state, self.done.now);
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
        let (writer, policy) = (&self.shared.writer, self.shared.policy());
        cookies.hand_out(writer, &token, state, policy, self.done.now);
        Ok(())
    }

    fn tell(&self, events: &[EventKind], successor: Option<(SessionId, Option<&Subject>)>) {
        tell_all(self.shared, events, self.live, successor, self.done.now);
    }
}

fn subject_of(state: &State) -> Option<&Subject> {
    state.authentication.as_ref().map(|who| &who.subject)
}
