//! Carries out a plan with a store: in the order that never leaves more privilege than there was.

use std::{mem, sync::Arc};

use super::{Finished, Settling, judge, set_cookies::Writes};
use crate::{
    cookie::CookieKind,
    middleware::{
        admission::stored::Held,
        failure::{SessionError, SessionErrorKind},
        random,
        settings::Shared,
    },
    session::{
        admit,
        authentication::Subject,
        draft::Rotation,
        event::{EventKind, SessionEvent},
        id::{Fresh, Secret, SessionId},
        live::Live,
        plan::{Plan, Save, Settled, Verdict},
        record::Record,
        secrets::Secrets,
        settle,
        state::State,
    },
    store::{Created, Removed, Replaced, Revision, SessionStore, StoreError, Stored},
};

/// How often a plan is made anew because other requests changed the session first.
const ATTEMPTS: u32 = 40;

/// How often a new id is drawn because the one before was taken.
const DRAWS: u32 = 4;

/// The future that carries out a plan; it owns all it needs, so that it can outlive the request.
pub(crate) async fn settle(
    shared: Arc<Shared>,
    store: Arc<dyn SessionStore>,
    live: Option<Live>,
    held: Held,
    finished: Finished,
    first: Settled,
) -> Settling {
    let mut task = Settle {
        shared: &shared,
        store: &*store,
        live,
        held,
        finished,
        writes: Writes::default(),
    };
    let result = match task.run(first).await {
        Ok(verdict) => judge(verdict, task.writes),
        Err(error) => Err(error),
    };
    if let Err(error) = &result {
        shared.tell_failed_write(error, task.live.as_ref(), task.finished.now);
    }
    result
}

/// What became of one attempt.
enum Attempt {
    Done(Verdict),
    Conflict,
}

pub(super) struct Settle<'a> {
    pub(super) shared: &'a Shared,
    pub(super) store: &'a dyn SessionStore,
    pub(super) live: Option<Live>,
    held: Held,
    pub(super) finished: Finished,
    writes: Writes,
}

impl Settle<'_> {
    async fn run(&mut self, first: Settled) -> Result<Verdict, SessionError> {
        let mut settled = first;
        for attempt in 0..ATTEMPTS {
            match self.attempt(settled).await? {
                Attempt::Done(verdict) => return Ok(verdict),
                Attempt::Conflict if attempt > 1 => tokio::task::yield_now().await,
                Attempt::Conflict => {}
            }
            if !self.reload().await? {
                return Ok(self.gone());
            }
            settled = settle::settle(&self.finished.settlement(self.live.as_ref(), self.shared));
        }
        Err(SessionError::new(SessionErrorKind::Contention))
    }

    async fn attempt(&mut self, settled: Settled) -> Result<Attempt, SessionError> {
        let Settled {
            plan,
            events,
            verdict,
        } = settled;
        match plan {
            Plan::Keep => self.tell(&events, None),
            Plan::Save { state, why, resign } => {
                let Some((live, kept)) = self.live.as_ref().zip(self.held.kept.as_ref()) else {
                    return Ok(Attempt::Done(verdict));
                };
                let id = live.id;
                let (secrets, lineage) = kept.secrets();
                let record = Record::of(state, secrets, lineage, self.shared.policy());
                let claim = kept.claim.clone();
                match self.replace(&id, kept.revision, &record).await? {
                    Replaced::Replaced(_) => {
                        if resign {
                            self.issue(&record.fields.state, &id, claim.secret());
                        }
                        self.tell(&events, None);
                    }
                    Replaced::Conflict if why == Save::Touch => {}
                    Replaced::Conflict => return Ok(Attempt::Conflict),
                    Replaced::Gone => return Ok(Attempt::Done(self.gone())),
                }
            }
            Plan::Rotate { state, how } => {
                let Some((live, kept)) = self.live.as_ref().zip(self.held.kept.as_ref()) else {
                    return Ok(Attempt::Done(verdict));
                };
                let id = live.id;
                let Fresh { id: other, secret } = random::fresh()?;
                let (mut secrets, mut lineage) = kept.secrets();
                let now = self.finished.now;
                if how == Rotation::Renewed {
                    let grace = self.shared.policy().grace_time();
                    secrets.renew(secret.digest(), now, now.after(grace));
                } else {
                    secrets.supersede(secret.digest(), now);
                    lineage = other.lineage();
                }
                let record = Record::of(state, secrets, lineage, self.shared.policy());
                match self.replace(&id, kept.revision, &record).await? {
                    Replaced::Replaced(_) => {
                        self.issue(&record.fields.state, &id, &secret);
                        self.tell(&events, None);
                    }
                    Replaced::Conflict => return Ok(Attempt::Conflict),
                    Replaced::Gone => return Ok(Attempt::Done(self.gone())),
                }
            }
            Plan::Start { state, end_first } => {
                if end_first {
                    self.end_all().await?;
                }
                let subject = state.authentication.as_ref().map(|who| &who.subject);
                self.refuse_over_limit(subject).await?;
                let fresh = self.create(&state).await?;
                if !end_first && let Err(error) = self.end_all().await {
                    // Nobody will ever hold the new session; whether it can be taken back is not vital.
                    let _ = self.store.remove(&fresh.id).await;
                    return Err(error);
                }
                if let Err(error) = self.keep_limit(subject, &fresh.id).await {
                    let _ = self.store.remove(&fresh.id).await;
                    return Err(error);
                }
                self.tell(&events, Some((fresh.id, subject)));
                let authenticated = subject.is_some();
                if authenticated && self.finished.guest_came {
                    self.remove_cookie(CookieKind::Guest);
                }
                self.issue(&state, &fresh.id, &fresh.secret);
            }
            Plan::End => {
                self.end_all().await?;
                self.tell(&events, None);
            }
        }
        Ok(Attempt::Done(verdict))
    }

    /// Makes the record of a new session, under an id that nobody has.
    async fn create(&self, state: &State) -> Result<Fresh, SessionError> {
        for _ in 0..DRAWS {
            let fresh = random::fresh()?;
            let record = Record::of(
                state.clone(),
                Secrets::new(fresh.secret.digest()),
                fresh.id.lineage(),
                self.shared.policy(),
            );
            let created = self.store.create(&fresh.id, &record, self.finished.now);
            match created.await? {
                Created::Created(_) => return Ok(fresh),
                Created::Occupied => {
                    self.shared.tell(&SessionEvent::new(
                        EventKind::IdCollision,
                        self.finished.now,
                    ));
                }
            }
        }
        Err(SessionError::new(SessionErrorKind::Contention))
    }

    /// Ends what the request came with, and removes the cookies of what it ended itself.
    async fn end_all(&mut self) -> Result<(), SessionError> {
        if let Some(live) = &self.live {
            let kind = CookieKind::of_session(live.state.authentication.is_some());
            if self.store.remove(&live.id).await? == Removed::Removed {
                self.remove_cookie(kind);
            }
        }
        if let Some(guest) = self.held.beside.take() {
            let now = self.finished.now;
            // A guest's token that was renewed away says nothing about the guest's session.
            if let Some(stored) = self.store.load(&guest, now).await?
                && stored
                    .record
                    .fields
                    .secrets
                    .standing(guest.secret(), now)
                    .opens()
                && self.store.remove(guest.id()).await? == Removed::Removed
            {
                self.remove_cookie(CookieKind::Guest);
            }
        }
        Ok(())
    }

    /// Loads the session again after a conflict; false if it ended meanwhile.
    async fn reload(&mut self) -> Result<bool, SessionError> {
        let Some((live, kept)) = self.live.as_mut().zip(self.held.kept.as_mut()) else {
            return Ok(false);
        };
        let now = self.finished.now;
        let Some(stored) = self.store.load(&kept.claim, now).await? else {
            return Ok(false);
        };
        let Stored {
            mut record,
            revision,
        } = stored;
        live.standing = Some(record.fields.secrets.standing(kept.claim.secret(), now));
        live.state = mem::take(&mut record.fields.state);
        admit::lower_remembered(&mut live.state, now, self.shared.policy());
        kept.record = record;
        kept.revision = revision;
        Ok(true)
    }

    /// The session ended while the handler ran: nothing brings it back.
    fn gone(&self) -> Verdict {
        let (verdict, event) = self.finished.without_session();
        self.tell(event.as_slice(), None);
        verdict
    }

    async fn replace(
        &self,
        id: &SessionId,
        revision: Revision,
        record: &Record,
    ) -> Result<Replaced, StoreError> {
        let now = self.finished.now;
        self.store.replace(id, revision, record, now).await
    }

    fn issue(&mut self, state: &State, id: &SessionId, secret: &Secret) {
        let kind = CookieKind::of_session(state.authentication.is_some());
        let token = self
            .shared
            .tokens
            .seal_reference(kind, id, secret, state.absolute_expiry);
        let writer = &self.shared.writer;
        self.writes
            .hand_out(writer, &token, state, self.finished.now);
    }

    fn remove_cookie(&mut self, kind: CookieKind) {
        self.writes.remove(&self.shared.writer, kind);
    }

    fn tell(&self, events: &[EventKind], successor: Option<(SessionId, Option<&Subject>)>) {
        self.shared
            .tell_all(events, self.live.as_ref(), successor, self.finished.now);
    }
}
