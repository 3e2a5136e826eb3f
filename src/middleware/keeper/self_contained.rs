//! Sessions in the token itself: nothing is kept but the list of tokens that ended before their time.

use std::{mem, sync::Arc};

use super::{
    Admission, BoxLoad, Finished, Settling, Writes, judge, kind_of, list::List,
    stored::settle::max_age,
};
use crate::{
    cookie::{
        CookieKind,
        request::Presented,
        token::{Rejected, SelfContained},
    },
    middleware::{
        context::RequestContext,
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
        handle::Session,
        id::SessionId,
        mark::Mark,
        policy::TokenReuse,
        record::{Standing, State},
        time::Timestamp,
    },
    store::{
        StoreError,
        revocation::{IssuedToken, Retirement, Status},
    },
};

/// What a request holds beside its session: the guest session that came with it.
#[derive(Debug, Default)]
pub(crate) struct Held {
    beside: Option<Session>,
}

/// The session in a token, where it stays: it is too large to be handed around.
pub(crate) fn read(
    shared: &Arc<Shared>,
    kind: CookieKind,
    value: &[u8],
    now: Timestamp,
) -> Result<Session, Rejected> {
    let token = shared.tokens.open_self_contained(kind, value, now)?;
    let SelfContained { id, state } = token.value;
    let live = Live {
        id,
        state,
        hold: Hold::Lost,
        stale_key: token.stale_key,
        lineage: id.lineage(),
        suspended: false,
        rebind: false,
    };
    Ok(Session::new(Arc::clone(shared) as _, Some(live), now))
}

/// The admission where the list is in this process and the token opens: nothing is asked, ended or told,
/// and the session leaves the arrival. Everything else is [`admit`]'s to find out.
pub(crate) fn at_hand(
    shared: &Shared,
    list: &List,
    arrival: &mut Arrival<Session>,
    now: Timestamp,
) -> Option<(Session, Admission<Held>)> {
    let List::Here(list) = list else {
        return None;
    };
    if !arrival.client.is_unbound() {
        return None;
    }
    let guest_came = arrival.tokens.guest.is_one();
    let (kind, token) = match arrival.tokens.session {
        Presented::One(_) => (CookieKind::Session, &mut arrival.tokens.session),
        _ => (CookieKind::Guest, &mut arrival.tokens.guest),
    };
    let Presented::One(session) = token else {
        return None;
    };
    let live = its_own(session);
    let token_of_now = issued(live);
    let status = list.status(
        token_of_now.id,
        token_of_now.subject,
        token_of_now.issued_at,
        now,
    );
    live.hold = weigh(shared, live, standing(status), kind, now).ok()?;
    decide::lower_remembered(&mut live.state, now, shared.policy());
    let session = mem::take(token).one()?;
    let beside = match kind {
        CookieKind::Session => mem::take(&mut arrival.tokens.guest).one(),
        CookieKind::Guest => None,
    };
    let admission = Admission {
        held: Held { beside },
        barred: false,
        guest_came,
        client: Client::default(),
    };
    Some((session, admission))
}

/// Asks a shared list what the tokens are worth, and tells if it fails.
pub(crate) fn load(
    shared: Arc<Shared>,
    list: List,
    arrival: Arrival<Session>,
    now: Timestamp,
) -> BoxLoad {
    Box::pin(async move {
        let admitted = admit(&shared, &list, arrival, now).await;
        if admitted.is_err() {
            shared.tell(&SessionEvent::new(EventKind::StoreFailedLoad, now));
        }
        let (session, admission) = admitted?;
        Ok(RequestContext::new(session, admission))
    })
}

/// Decides what the tokens are worth.
pub(crate) async fn admit(
    shared: &Arc<Shared>,
    list: &List,
    arrival: Arrival<Session>,
    now: Timestamp,
) -> Result<(Session, Admission<Held>), StoreError> {
    let Arrival { tokens, client } = arrival;
    let mut admission = Admission {
        held: Held::default(),
        barred: false,
        guest_came: tokens.guest.is_one(),
        client,
    };
    if let Presented::One(mut session) = tokens.session {
        let client = &admission.client;
        let live = its_own(&mut session);
        match open(shared, list, live, CookieKind::Session, client, now).await? {
            Ok(()) => {
                admission.held.beside = tokens.guest.one();
                return Ok((session, admission));
            }
            Err(dead) => admission.barred = dead.is_retired(),
        }
    }
    if let Presented::One(mut guest) = tokens.guest {
        let client = &admission.client;
        let live = its_own(&mut guest);
        match open(shared, list, live, CookieKind::Guest, client, now).await? {
            Ok(()) => return Ok((guest, admission)),
            Err(dead) => admission.barred |= dead.is_retired(),
        }
    }
    let nobody = Session::new(Arc::clone(shared) as _, None, now);
    Ok((nobody, admission))
}

/// The session of a handle that was made a moment ago.
fn its_own(session: &mut Session) -> &mut Live {
    match session.live_mut() {
        Some(live) => live,
        None => unreachable!("it holds one, and nobody else has it"),
    }
}

async fn open(
    shared: &Shared,
    list: &List,
    live: &mut Live,
    kind: CookieKind,
    client: &Client,
    now: Timestamp,
) -> Result<Result<(), Dead>, StoreError> {
    let standing = standing(list.status(issued(live), now).await?);
    match weigh(shared, live, standing, kind, now) {
        Ok(hold) => {
            live.hold = hold;
            if let Err(dead) = shared.appraise(live, client, now) {
                let until = live.state.absolute_expiry;
                let _: bool = list.retire(&live.id, Retirement::Ended, until, now).await?;
                shared.tell_dead(live.id, Some(live), dead, now);
                return Ok(Err(dead));
            }
            Ok(Ok(()))
        }
        Err(dead) => {
            if dead == Dead::Reused && shared.policy().token_reuse() == TokenReuse::EndSession {
                let until = live.state.absolute_expiry;
                list.end_family(&live.id, until, now).await?;
                let event = SessionEvent::new(EventKind::SessionEndedByReuse, now).of(live.id);
                shared.tell(&event.by(live.subject().cloned()));
            } else {
                shared.tell_dead(live.id, Some(live), dead, now);
            }
            Ok(Err(dead))
        }
    }
}

/// What a session is worth to the bearer of a token of this standing.
fn weigh(
    shared: &Shared,
    live: &Live,
    standing: Result<Standing, Dead>,
    kind: CookieKind,
    now: Timestamp,
) -> Result<Hold, Dead> {
    let authenticated = kind == CookieKind::Session;
    decide::admit(&live.state, standing?, authenticated, now, shared.policy())
}

/// The token that opened a session, as the list knows it.
fn issued(live: &Live) -> IssuedToken<'_> {
    IssuedToken::new(&live.id, live.subject(), live.state.last_seen_at)
}

const fn standing(status: Status) -> Result<Standing, Dead> {
    match status {
        Status::Good => Ok(Standing::Current),
        Status::Grace => Ok(Standing::Grace),
        Status::Superseded => Ok(Standing::Superseded),
        Status::Reused => Ok(Standing::Reused),
        Status::Ended => Err(Dead::Revoked),
    }
}

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
        writes: Writes::new(),
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
                if may_reissue.await? && live.hold == Hold::Current {
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
        let elevated = self
            .finished
            .marks
            .iter()
            .any(|(_, mark)| matches!(mark, Mark::Elevate { .. }));
        if self.finished.outcome == Outcome::Answered && elevated {
            self.tell(&[EventKind::ElevationRefused], None);
            return Ok(Verdict::Refused);
        }
        let marks = &self.finished.marks;
        if marks.iter().any(|(_, mark)| !mark.lowers()) {
            self.tell(&[EventKind::ResurrectionBlocked], None);
        }
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
            self.remove_cookie(kind_of(live.state.authentication.is_some()));
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
