//! Carries out a plan with a store: in the order that never leaves more privilege than there was.

use std::{mem, sync::Arc};

use super::{
    done::{
        Committed, HandlerDone, note_beginning, note_end, tell_all, tell_ended_beside,
        tell_if_failed,
    },
    limit::Limit,
    set_cookies::SetCookies,
};
use crate::{
    cookie::CookieKind,
    middleware::{
        backend::{Beside, LoadedRecord},
        failure::{SessionError, SessionErrorKind},
        random,
        settings::Shared,
        side_by_side::side_by_side,
    },
    session::{
        admit::lower_remembered,
        authentication::Subject,
        draft::Rotation,
        ended::EndCause,
        event::{EventKind, SessionEvent},
        handle::Session,
        id::{Fresh, Lineage, Secret, SessionId},
        live::Live,
        plan::{Plan, Save, Settled, Verdict},
        record::Record,
        secrets::Secrets,
        settle,
        state::State,
    },
    store::{
        Counting, Created, Lease, Removed, Replaced, Revision, SessionStore, StoreError, Stored,
    },
};

/// How often a plan is made anew because other requests changed the session first.
///
/// Each time, another request has succeeded: so many may write one session at a time.
const ATTEMPTS: u32 = 256;

/// How often a new id is drawn because the one before was taken.
const DRAWS: u32 = 4;

/// What became of one attempt.
enum Attempt {
    Done(Verdict),
    Conflict,
}

/// Carries out a plan; it owns all that it needs, so that it can outlive the request.
pub(super) struct CommitToStore {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Arc<dyn SessionStore>,
    pub(super) session: Session,
    /// The request's session as it was found after a conflict, once there was one.
    pub(super) reloaded: Option<Box<Live>>,
    pub(super) record: Option<LoadedRecord>,
    pub(super) beside: Option<Box<Beside>>,
    pub(super) done: HandlerDone,
    /// What the next attempt carries out.
    pub(super) settled: Settled,
    pub(super) cookies: SetCookies,
    /// Whether something ended that held a user's privilege: what tells of it waits until it holds on every node.
    pub(super) ended: bool,
}

impl CommitToStore {
    pub(super) async fn commit(&mut self) -> Committed {
        let verdict = self.run().await;
        // Whatever else went wrong: the answer may tell of what ended.
        let held = self.hold_endings().await;
        let committed = match (verdict, held) {
            (Ok(verdict), Ok(())) => verdict.into_result(mem::take(&mut self.cookies)),
            (Err(error), _) => Err(error),
            (Ok(_), Err(error)) => Err(error.into()),
        };
        tell_if_failed(&self.shared, &committed, self.live(), self.done.now);
        committed
    }

    /// Waits until what ended has ended on every node, once for all of it.
    async fn hold_endings(&self) -> Result<(), StoreError> {
        match self.store.endings_hold() {
            Some(wait) if self.ended => wait.await,
            _ => Ok(()),
        }
    }

    async fn run(&mut self) -> Result<Verdict, SessionError> {
        for attempt in 0..ATTEMPTS {
            match self.attempt().await? {
                Attempt::Done(verdict) => return Ok(verdict),
                Attempt::Conflict if attempt > 1 => tokio::task::yield_now().await,
                Attempt::Conflict => {}
            }
            if !self.reload().await? {
                return Ok(self.gone());
            }
            let was_switch = self.settled.plan.is_switch();
            let settlement = self.done.settlement(self.live(), &self.shared);
            let mut settled = settle::settle(&settlement);
            if was_switch && !settled.plan.is_switch() && settled.verdict == Verdict::Stands {
                // The session was bound to a device meanwhile, and the handler does not know.
                settled = settle::without_switch(&settlement);
            }
            self.settled = settled;
        }
        Err(SessionError::new(SessionErrorKind::Contention))
    }

    async fn attempt(&mut self) -> Result<Attempt, SessionError> {
        let verdict = self.settled.verdict;
        let events = mem::take(&mut self.settled.events);
        // The state is taken where it is needed: the future would hold it for as long as it waits.
        match self.settled.plan {
            Plan::Nothing => self.tell(&events, None),
            Plan::Save { why, re_sign, .. } => {
                let state = self.take_state();
                let Some((live, loaded)) = self.live().zip(self.record.as_ref()) else {
                    return Ok(Attempt::Done(verdict));
                };
                let id = live.id;
                let (secrets, lineage) = secrets_of(loaded);
                let record = Record::of(state, secrets, lineage, self.shared.policy());
                let claim = loaded.claim.clone();
                match self.replace(&id, loaded.revision, &record).await? {
                    Replaced::Replaced(_) => {
                        self.ended |= why == Save::Lower;
                        if re_sign {
                            self.issue(&record.fields.state, &id, claim.secret());
                        }
                        self.tell(&events, None);
                    }
                    Replaced::Conflict if why == Save::Touch => {}
                    Replaced::Conflict => return Ok(Attempt::Conflict),
                    Replaced::Gone => return Ok(Attempt::Done(self.gone())),
                }
            }
            Plan::Rotate { how, .. } => {
                let state = self.take_state();
                let Some((live, loaded)) = self.live().zip(self.record.as_ref()) else {
                    return Ok(Attempt::Done(verdict));
                };
                let id = live.id;
                let Fresh { id: other, secret } = random::fresh()?;
                let (mut secrets, mut lineage) = secrets_of(loaded);
                let now = self.done.now;
                if how == Rotation::Renewed {
                    let grace = self.shared.policy().grace_time();
                    secrets.renew(secret.digest(), now, now.after(grace));
                } else {
                    secrets.supersede(secret.digest(), now);
                    lineage = other.lineage();
                }
                let record = Record::of(state, secrets, lineage, self.shared.policy());
                match self.replace(&id, loaded.revision, &record).await? {
                    Replaced::Replaced(_) => {
                        self.ended |= self.ends_token(&record.fields.state, how);
                        self.issue(&record.fields.state, &id, &secret);
                        self.tell(&events, None);
                    }
                    Replaced::Conflict => return Ok(Attempt::Conflict),
                    Replaced::Gone => return Ok(Attempt::Done(self.gone())),
                }
            }
            Plan::Start {
                end_first, instead, ..
            } => {
                if end_first {
                    self.end_all(EndCause::Logout).await?;
                }
                let (mut fresh, mut record) = self.begin()?;
                let sessions = self.create(&mut fresh, &mut record).await?;
                let established = if instead {
                    self.establish_instead(&fresh.id, &record, sessions).await
                } else {
                    let established = self.establish(&fresh.id, &record, sessions, end_first);
                    established.await.map(|()| Place::Taken)
                };
                if !matches!(established, Ok(Place::Taken)) {
                    // No client will ever hold the new session; whether it can be taken back is not vital.
                    let _ = self.store.remove(&fresh.id, None).await;
                }
                match established? {
                    Place::Taken => {}
                    Place::Changed => return Ok(Attempt::Conflict),
                    Place::Gone => return Ok(Attempt::Done(self.gone())),
                }
                self.tell(&events, Some((fresh.id, record.subject())));
                if end_first {
                    self.remove_presented();
                } else if self.done.came.guest_token {
                    self.cookies.remove(&self.shared.writer, CookieKind::Guest);
                }
                let (state, now) = (&record.fields.state, self.done.now);
                self.issue(state, &fresh.id, &fresh.secret);
                note_beginning(&self.shared, &self.session, &fresh.id, state, now);
            }
            Plan::End => {
                self.end_all(EndCause::Logout).await?;
                self.remove_presented();
                note_end(&self.shared, &self.session);
                self.tell(&events, None);
            }
            Plan::EndGuest { .. } => {
                let state = self.take_state();
                let Some((live, loaded)) = self.live().zip(self.record.as_ref()) else {
                    return Ok(Attempt::Done(verdict));
                };
                let id = live.id;
                let (secrets, lineage) = secrets_of(loaded);
                let record = Record::of(state, secrets, lineage, self.shared.policy());
                // A removal would take with it what others have written since: the record is over first, which is
                // conditional.
                match self.replace(&id, loaded.revision, &record).await? {
                    Replaced::Replaced(_) => {
                        // What is left is garbage, which a store clears away in time.
                        let _ = self.store.remove(&id, None).await;
                        self.cookies.remove(&self.shared.writer, CookieKind::Guest);
                        self.tell(&events, None);
                    }
                    Replaced::Conflict => return Ok(Attempt::Conflict),
                    // It ended as it was to.
                    Replaced::Gone => {}
                }
            }
        }
        Ok(Attempt::Done(verdict))
    }

    /// Lets a new session stand: it did not end while its login was under way, and there are not too many. Then
    /// ends what the request came with, unless that ended first.
    async fn establish(
        &mut self,
        fresh: &SessionId,
        record: &Record,
        sessions: usize,
        ended_before: bool,
    ) -> Result<(), SessionError> {
        if self.is_cut_off(record).await? {
            self.tell(&[EventKind::LoginEndedUnderWay], None);
            return Err(SessionError::new(SessionErrorKind::Refused));
        }
        self.enforce_limit(fresh, record, sessions).await?;
        if !ended_before {
            self.end_all(EndCause::Replaced).await?;
        }
        Ok(())
    }

    /// Whether everything under a key of a new session ended while its request was under way.
    async fn is_cut_off(&self, record: &Record) -> Result<bool, StoreError> {
        for key in record.index_keys() {
            let cutoff = self.store.cutoff(&key, self.done.now).await?;
            if cutoff.is_some_and(|cutoff| cutoff.ends(&self.done.admitted)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn enforce_limit(
        &mut self,
        fresh: &SessionId,
        record: &Record,
        sessions: usize,
    ) -> Result<(), SessionError> {
        if let Some(limit) = self.limit_over(record, sessions) {
            // Boxed, so that a login within the limit does not carry what it takes to look for others.
            self.ended |= Box::pin(limit.enforce(fresh)).await?;
        }
        Ok(())
    }

    /// Lets a new session take the place of the request's own, if that is still as it was: what it holds goes over, and what
    /// ended meanwhile brings nobody back. Then ends what else the request came with.
    async fn establish_instead(
        &mut self,
        fresh: &SessionId,
        record: &Record,
        sessions: usize,
    ) -> Result<Place, SessionError> {
        if self.is_cut_off(record).await? {
            return Ok(Place::Gone);
        }
        // While acting, the actor's session did not count.
        if record.actor().is_none() {
            self.enforce_limit(fresh, record, sessions).await?;
        }
        let Some((live, loaded)) = self.live().zip(self.record.as_ref()) else {
            return Ok(Place::Gone);
        };
        let (id, (mut secrets, lineage)) = (live.id, secrets_of(loaded));
        // Of requests at the same time one replaces the token, by a secret that nobody has.
        let by = random::fresh()?.secret;
        secrets.supersede(by.digest(), self.done.now);
        let record = Record::of(live.state.clone(), secrets, lineage, self.shared.policy());
        match self.replace(&id, loaded.revision, &record).await? {
            Replaced::Replaced(_) => self.ended = true,
            Replaced::Conflict => return Ok(Place::Changed),
            Replaced::Gone => return Ok(Place::Gone),
        }
        // Who ended it in between ended what was to begin in its place.
        if self.remove(&id, EndCause::Replaced).await? != Removed::Removed {
            return Ok(Place::Gone);
        }
        self.end_all_beside(EndCause::Replaced).await?;
        Ok(Place::Taken)
    }

    /// A new session, and what finds and proves it.
    fn begin(&mut self) -> Result<(Fresh, Record), SessionError> {
        let fresh = random::fresh()?;
        let (secrets, lineage) = identity_of(&fresh);
        let record = Record::of(self.take_state(), secrets, lineage, self.shared.policy());
        Ok((fresh, record))
    }

    /// Creates the record under an id that nobody has, and says how many sessions of its owner count.
    async fn create(&self, fresh: &mut Fresh, record: &mut Record) -> Result<usize, SessionError> {
        for _ in 0..DRAWS {
            // Who acts as an owner takes no room of theirs.
            let counting = match record.actor() {
                Some(_) => Counting::LeftOut,
                None => Counting::Counted,
            };
            let now = self.done.now;
            match self.store.create(&fresh.id, record, counting, now).await? {
                Created::Created { sessions, .. } => return Ok(sessions),
                Created::Occupied => {
                    self.shared
                        .tell(&SessionEvent::new(EventKind::IdCollision, self.done.now));
                }
            }
            *fresh = random::fresh()?;
            (record.fields.secrets, record.fields.lineage) = identity_of(fresh);
        }
        Err(SessionError::new(SessionErrorKind::Contention))
    }

    /// The limit on the sessions of a new session's owner, if the layer sets one and `sessions` is more.
    fn limit_over(&self, record: &Record, sessions: usize) -> Option<Limit> {
        let limit = self.shared.settings.limit?;
        if sessions <= limit.count.get() {
            return None;
        }
        let replaced = self.presented().map(|live| live.id).collect();
        let (shared, store, now) = (&self.shared, &self.store, self.done.now);
        Some(Limit::of(
            limit,
            shared,
            store,
            record.subject()?,
            replaced,
            now,
        ))
    }

    /// The sessions that were looked up for the request, its own first.
    fn presented(&self) -> impl Iterator<Item = &Live> {
        let beside = self.beside.iter().flat_map(|beside| &beside.found);
        self.live()
            .into_iter()
            .chain(beside.filter_map(Session::live))
    }

    /// The state that the plan says, once.
    fn take_state(&mut self) -> State {
        match &mut self.settled.plan {
            Plan::Save { state, .. }
            | Plan::Rotate { state, .. }
            | Plan::Start { state, .. }
            | Plan::EndGuest { state } => mem::take(state),
            Plan::Nothing | Plan::End => State::default(),
        }
    }

    /// The request's own session.
    fn live(&self) -> Option<&Live> {
        self.reloaded.as_deref().or_else(|| self.session.live())
    }

    /// Ends every session that a token of the request is of.
    async fn end_all(&mut self, cause: EndCause) -> Result<(), SessionError> {
        if let Some(live) = self.live() {
            let (id, held_privilege) = (live.id, live.subject().is_some());
            self.ended |= held_privilege;
            let _: Removed = self.remove(&id, cause).await?;
        }
        self.end_all_beside(cause).await
    }

    /// Ends every session that a token of the request is of, but for the request's own.
    async fn end_all_beside(&mut self, cause: EndCause) -> Result<(), SessionError> {
        let Some(beside) = self.beside.take() else {
            return Ok(());
        };
        for session in &beside.found {
            if let Some(live) = session.live() {
                self.ended |= live.subject().is_some();
                let state = Some(&live.state);
                self.end_beside(&live.id, state, cause).await?;
            }
        }
        let claims = beside.unread.iter();
        let loads = claims.map(|claim| self.store.load(claim.into(), self.done.now));
        let guests = side_by_side(loads).await?;
        for (claim, stored) in beside.unread.iter().zip(guests) {
            // Only who holds a token that the session remembers may end it.
            if stored.is_some_and(|stored| stored.record.fields.secrets.knows(claim.secret())) {
                self.end_beside(claim.id(), None, cause).await?;
            }
        }
        Ok(())
    }

    async fn end_beside(
        &self,
        id: &SessionId,
        state: Option<&State>,
        cause: EndCause,
    ) -> Result<(), StoreError> {
        if self.remove(id, cause).await? == Removed::Removed {
            tell_ended_beside(&self.shared, *id, state, self.done.now);
        }
        Ok(())
    }

    async fn remove(&self, id: &SessionId, cause: EndCause) -> Result<Removed, StoreError> {
        let ending = self.shared.settings.waiting.ending(id, cause);
        let removed = self.store.remove(id, None).await?;
        ending.done();
        Ok(removed)
    }

    /// Loads the session again after a conflict; false if it ended meanwhile.
    async fn reload(&mut self) -> Result<bool, SessionError> {
        let now = self.done.now;
        let Some((live, loaded)) = self.live().cloned().zip(self.record.as_mut()) else {
            return Ok(false);
        };
        let mut live = Box::new(live);
        let Some(stored) = self.store.load((&loaded.claim).into(), now).await? else {
            return Ok(false);
        };
        let Stored {
            mut record,
            revision,
        } = stored;
        live.standing = Some(record.fields.secrets.standing(loaded.claim.secret(), now));
        live.state = mem::take(&mut record.fields.state);
        lower_remembered(&mut live.state, now, self.shared.policy());
        loaded.record = record;
        loaded.revision = revision;
        self.reloaded = Some(live);
        Ok(true)
    }

    /// Whether the token that a rotation replaces opens nothing from now on. One with a time of grace that outlasts every
    /// lease does so everywhere, on copies too.
    fn ends_token(&self, state: &State, how: Rotation) -> bool {
        let outlasts = self.shared.policy().grace_time() >= Lease::MAX;
        state.authentication.is_some() && !(how == Rotation::Renewed && outlasts)
    }

    /// The session ended while the handler ran: nothing brings it back.
    fn gone(&self) -> Verdict {
        let (verdict, event) = settle::without_session(&self.done.marks, self.done.outcome);
        self.tell(event.as_slice(), None);
        verdict
    }

    async fn replace(
        &self,
        id: &SessionId,
        revision: Revision,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let now = self.done.now;
        self.store.replace(id, revision, record, now).await
    }

    fn issue(&mut self, state: &State, id: &SessionId, secret: &Secret) {
        let kind = CookieKind::of_session(state.authentication.is_some());
        let token = self
            .shared
            .tokens
            .seal_reference(kind, id, secret, state.absolute_expiry);
        let writer = &self.shared.writer;
        let policy = self.shared.policy();
        self.cookies
            .hand_out(writer, &token, state, policy, self.done.now);
    }

    fn remove_presented(&mut self) {
        let came = &self.done.came;
        self.cookies.remove_presented(&self.shared.writer, came);
    }

    fn tell(&self, events: &[EventKind], successor: Option<(SessionId, Option<&Subject>)>) {
        tell_all(&self.shared, events, self.live(), successor, self.done.now);
    }
}

/// What became of the place that a new session was to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Taken,
    /// Another request has changed the session whose place it is.
    Changed,
    /// That session ended.
    Gone,
}

fn identity_of(fresh: &Fresh) -> (Secrets, Lineage) {
    (Secrets::new(fresh.secret.digest()), fresh.id.lineage())
}

fn secrets_of(loaded: &LoadedRecord) -> (Secrets, Lineage) {
    let fields = &loaded.record.fields;
    (fields.secrets.clone(), fields.lineage)
}
