//! [`Question`]: asks the store, or the list of ended tokens, whether a session still lives.

use std::{sync::Arc, time::Duration};

use crate::{
    middleware::backend::{Backend, EndedTokens},
    session::{
        admit::admit,
        ended::EndCause,
        entries::Entries,
        id::VerifiedId,
        live::{Dead, Live},
        policy::SessionPolicy,
        standing::Standing,
        state::State,
        time::{Clock, Timestamp},
    },
    store::{
        Changed, SessionStore, StoreError,
        revocation::{Ending, IssuedToken},
        time_limit,
    },
};

/// How long an answer may take. A networked store has its own limit, which as a rule is shorter.
const PATIENCE: Duration = Duration::from_secs(10);

/// A session, and who knows whether it lives.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) backend: Backend,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: SessionPolicy,
    pub(crate) audience: Arc<str>,
    live: Live,
}

/// What became of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It lives, and ends then unless it is used.
    Lives { until: Timestamp },
    /// It has ended, perhaps for a reason that is known.
    Over(Option<EndCause>),
}

impl Question {
    pub(crate) fn new(
        backend: Backend,
        clock: Arc<dyn Clock>,
        policy: SessionPolicy,
        audience: Arc<str>,
        live: &Live,
    ) -> Self {
        let mut live = live.clone();
        // Connections are many, and last.
        live.state.entries = Entries::default();
        Self {
            backend,
            clock,
            policy,
            audience,
            live,
        }
    }

    /// When the session ends, by what the request found.
    pub(crate) fn first_limit(&self) -> Timestamp {
        limit(&self.live.state, &self.policy)
    }

    /// Whether something is told of the session from now on.
    pub(super) fn changed(&self) -> Option<Changed> {
        match &self.backend {
            Backend::Stored(store) => store.changed(&self.live.id),
            Backend::SelfContained(EndedTokens::Distributed(list)) => {
                list.changed(self.live.family())
            }
            Backend::SelfContained(EndedTokens::Local(_)) => None,
        }
    }

    /// Asks. `seen` is when the session's newest token was issued, as far as this process knows.
    pub(super) async fn ask(&self, seen: Timestamp) -> Result<Answer, StoreError> {
        let now = self.clock.now();
        match &self.backend {
            Backend::Stored(store) => self.ask_store(&**store, now).await,
            Backend::SelfContained(list) => self.ask_list(list, seen, now).await,
        }
    }

    async fn ask_store(
        &self,
        store: &dyn SessionStore,
        now: Timestamp,
    ) -> Result<Answer, StoreError> {
        let load = store.load(VerifiedId::of(&self.live.id), now);
        let Some(stored) = time_limit::within(PATIENCE, load).await? else {
            return Ok(Answer::Over(None));
        };
        let record = &stored.record;
        let state = &record.fields.state;
        let until = record.expires_at().min(limit(state, &self.policy));
        Ok(self.judge(state, until, now))
    }

    async fn ask_list(
        &self,
        list: &EndedTokens,
        seen: Timestamp,
        now: Timestamp,
    ) -> Result<Answer, StoreError> {
        let token = IssuedToken {
            issued_at: seen,
            ..IssuedToken::of(&self.live, &self.audience)
        };
        let ending = match list {
            EndedTokens::Local(list) => list.ending(token),
            EndedTokens::Distributed(list) => {
                time_limit::within(PATIENCE, list.ending(token, now)).await?
            }
        };
        Ok(match ending {
            Some(Ending::Ended) => Answer::Over(None),
            Some(Ending::Superseded) => Answer::Over(Some(EndCause::Replaced)),
            None => {
                let state = State {
                    last_seen_at: seen,
                    ..self.live.state.clone()
                };
                self.judge(&state, limit(&state, &self.policy), now)
            }
        })
    }

    /// What the present policy no longer admits has ended.
    fn judge(&self, state: &State, until: Timestamp, now: Timestamp) -> Answer {
        match admit(state, Standing::Current, true, now, &self.policy) {
            Ok(()) if until > now => Answer::Lives { until },
            Ok(()) | Err(Dead::ExpiredIdle | Dead::ExpiredAbsolute) => {
                Answer::Over(Some(EndCause::Expired))
            }
            Err(_) => Answer::Over(None),
        }
    }
}

/// When a session ends unless it is used.
fn limit(state: &State, policy: &SessionPolicy) -> Timestamp {
    let end = policy.absolute_end(state);
    policy.idle_end(state).map_or(end, |idle| idle.min(end))
}
