//! Sessions in the token itself: nothing is kept but the list of tokens that ended before their time.

use super::{Admission, Finished, Settling, Writes, judge, kind_of, stored::max_age};
use crate::{
    cookie::{
        CookieKind,
        token::{Opened, SelfContained},
    },
    middleware::{
        failure::{SessionError, SessionErrorKind},
        random,
        shared::{Arrival, Shared},
    },
    session::{
        authentication::Subject,
        binding::Client,
        decide::{self, Dead, Hold, Live, Outcome, Plan, Save, Settled, Verdict},
        draft::Rotation,
        event::{EventKind, SessionEvent},
        id::SessionId,
        mark::Mark,
        policy::TokenReuse,
        record::{Standing, State},
        time::Timestamp,
    },
    store::revocation::{Retirement, Revocations, Status},
};

/// What a request holds beside its session: the guest session that came with it.
#[derive(Debug, Default)]
pub(crate) struct Held {
    beside: Option<SelfContained>,
}

/// Decides what the tokens are worth.
pub(crate) fn admit(
    shared: &Shared,
    list: &Revocations,
    arrival: Arrival<SelfContained>,
    now: Timestamp,
) -> Admission<Held> {
    let guest_came = arrival.guest.is_some();
    let mut admission = Admission {
        live: None,
        held: Held::default(),
        barred: false,
        guest_came,
        client: arrival.client,
    };
    if let Some(token) = arrival.session {
        match open(
            shared,
            list,
            token,
            CookieKind::Session,
            &admission.client,
            now,
        ) {
            Ok(live) => {
                admission.live = Some(live);
                admission.held.beside = arrival.guest.map(|guest| guest.value);
                return admission;
            }
            Err(dead) => admission.barred = dead.is_retired(),
        }
    }
    if let Some(token) = arrival.guest {
        match open(
            shared,
            list,
            token,
            CookieKind::Guest,
            &admission.client,
            now,
        ) {
            Ok(live) => admission.live = Some(live),
            Err(dead) => admission.barred |= dead.is_retired(),
        }
    }
    admission
}

fn open(
    shared: &Shared,
    list: &Revocations,
    token: Opened<SelfContained>,
    kind: CookieKind,
    client: &Client,
    now: Timestamp,
) -> Result<Live, Dead> {
    let mut live = Live {
        id: token.value.id,
        state: token.value.state,
        hold: Hold::Lost,
        stale_key: token.stale_key,
        lineage: token.value.id.lineage(),
        suspended: false,
        rebind: false,
    };
    let verdict = standing(list, &live, now).and_then(|standing| {
        let authenticated = kind == CookieKind::Session;
        decide::admit(&live.state, standing, authenticated, now, shared.policy())
    });
    match verdict {
        Ok(hold) => {
            live.hold = hold;
            if let Err(dead) = shared.appraise(&mut live, client, now) {
                let until = live.state.absolute_expiry;
                let _: bool = list.retire(&live.id, Retirement::Ended, until, now);
                shared.tell_dead(live.id, Some(&live), dead, now);
                return Err(dead);
            }
            Ok(live)
        }
        Err(dead) => {
            if dead == Dead::Reused && shared.policy().token_reuse() == TokenReuse::EndSession {
                list.end_family(&live.id, live.state.absolute_expiry, now);
                let event = SessionEvent::new(EventKind::SessionEndedByReuse, now).of(live.id);
                shared.tell(&event.by(live.subject().cloned()));
            } else {
                shared.tell_dead(live.id, Some(&live), dead, now);
            }
            Err(dead)
        }
    }
}

fn standing(list: &Revocations, live: &Live, now: Timestamp) -> Result<Standing, Dead> {
    match list.status(&live.id, live.subject(), live.state.last_seen_at, now) {
        Status::Good => Ok(Standing::Current),
        Status::Grace => Ok(Standing::Grace),
        Status::Superseded => Ok(Standing::Superseded),
        Status::Reused => Ok(Standing::Reused),
        Status::Ended => Err(Dead::Revoked),
    }
}

/// Carries out a plan.
pub(crate) fn settle(
    shared: &Shared,
    list: &Revocations,
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
        writes: Writes::new(),
    };
    let verdict = task.run(settled)?;
    judge(verdict, task.writes)
}

struct Settle<'a> {
    shared: &'a Shared,
    list: &'a Revocations,
    live: Option<&'a Live>,
    held: Held,
    finished: &'a Finished,
    writes: Writes,
}

impl Settle<'_> {
    fn run(&mut self, settled: Settled) -> Result<Verdict, SessionError> {
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
                self.retire(Retirement::Ended);
                self.tell(&events, None);
            }
            Plan::Save { state, why, .. } => {
                let Some(live) = self.live else {
                    return Ok(verdict);
                };
                // A token that was replaced meanwhile must not leave again: the browser has a newer one.
                let may_reissue = self.list.may_reissue(
                    &live.id,
                    live.subject(),
                    live.state.last_seen_at,
                    self.finished.now,
                );
                if live.hold == Hold::Current && may_reissue {
                    self.issue(&state, &live.id)?;
                    self.tell(&events, None);
                } else if why == Save::Data {
                    self.tell(&[EventKind::ResurrectionBlocked], None);
                }
            }
            Plan::Rotate { state, how } => return self.rotate(&state, how, &events, verdict),
            Plan::Start {
                mut state,
                end_first,
            } => {
                let limited = self.shared.policy().session_limit().is_some();
                if limited && state.authentication.is_some() {
                    if end_first {
                        self.end_all(Retirement::Ended);
                    }
                    return Err(SessionError::new(SessionErrorKind::NeedsStore));
                }
                let fresh = random::fresh()?;
                self.end_all(if end_first {
                    Retirement::Ended
                } else {
                    Retirement::Superseded
                });
                // What was issued to the subject up to a revocation is dead: this login comes after it.
                let subject = state.authentication.as_ref().map(|who| who.subject.clone());
                if let Some(cutoff) = subject.as_ref().and_then(|who| self.list.cutoff(who))
                    && state.last_seen_at <= cutoff
                {
                    state.last_seen_at = Timestamp::from_unix_millis(cutoff.as_unix_millis() + 1);
                }
                if subject.is_some() && self.finished.guest_came {
                    self.remove_cookie(CookieKind::Guest);
                }
                self.issue(&state, &fresh.id)?;
                self.tell(&events, Some((fresh.id, subject.as_ref())));
            }
            Plan::End => {
                self.end_all(Retirement::Ended);
                self.tell(&events, None);
            }
        }
        Ok(verdict)
    }

    fn rotate(
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
        let issue = self.list.retire_of(
            &live.id,
            live.subject(),
            live.state.last_seen_at,
            retirement,
            live.state.absolute_expiry,
            self.finished.now,
        );
        if let Some(at) = issue {
            let mut state = state.clone();
            state.last_seen_at = state.last_seen_at.max(at);
            self.issue(&state, &id)?;
            let subject = state.authentication.as_ref().map(|who| &who.subject);
            self.tell(events, Some((id, subject)));
            return Ok(verdict);
        }
        let elevated = self
            .finished
            .marks
            .iter()
            .any(|(_, mark)| matches!(mark, Mark::Elevate { .. }));
        if self.finished.outcome == Outcome::Answered && elevated {
            self.tell(&[EventKind::ElevationRefused], None);
            return Ok(Verdict::Refused);
        }
        if !self.finished.marks.is_empty() {
            self.tell(&[EventKind::ResurrectionBlocked], None);
        }
        Ok(verdict)
    }

    /// Takes the request's own token out of use; false if that was done already.
    fn retire(&self, how: Retirement) -> bool {
        self.live.is_some_and(|live| {
            let until = live.state.absolute_expiry;
            self.list.retire(&live.id, how, until, self.finished.now)
        })
    }

    fn end_all(&mut self, how: Retirement) {
        if self.retire(how)
            && let Some(live) = self.live
        {
            self.remove_cookie(kind_of(live.state.authentication.is_some()));
        }
        if let Some(guest) = self.held.beside.take() {
            let until = guest.state.absolute_expiry;
            if self.list.retire(&guest.id, how, until, self.finished.now) {
                self.remove_cookie(CookieKind::Guest);
            }
        }
    }

    fn issue(&mut self, state: &State, id: &SessionId) -> Result<(), SessionError> {
        let kind = kind_of(state.authentication.is_some());
        let token = self
            .shared
            .tokens
            .seal_self_contained(kind, id, state)
            .map_err(|_| SessionError::new(SessionErrorKind::TooLarge))?;
        let max_age = max_age(state, self.finished.now);
        let value = self.shared.writer.set(kind, &token, max_age);
        self.write(kind, value);
        Ok(())
    }

    fn remove_cookie(&mut self, kind: CookieKind) {
        let value = self.shared.writer.removal(kind);
        self.write(kind, value);
    }

    fn write(&mut self, kind: CookieKind, value: http::HeaderValue) {
        self.writes.retain(|(other, _)| *other != kind);
        self.writes.push((kind, value));
    }

    fn tell(&self, events: &[EventKind], successor: Option<(SessionId, Option<&Subject>)>) {
        self.shared
            .tell_all(events, self.live, successor, self.finished.now);
    }
}
