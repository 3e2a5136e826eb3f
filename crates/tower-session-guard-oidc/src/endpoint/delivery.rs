//! What becomes of a logout token once its claims are in order: its signature, its one use, its sessions.

use std::error::Error;

use tower_session_guard::Timestamp;

use super::Settings;
use crate::{
    keys::Judgement,
    refusal::{Failure, Refusal, Stop, TARGET},
    replay::Claim,
    tag::session_tag,
    token::{Checked, Logout, Signed, Whom},
};

/// What a token brought about.
#[derive(Debug)]
pub(super) struct LoggedOut {
    /// By which claim.
    by: &'static str,
    /// How many sessions ended, if anybody counts.
    ended: Option<usize>,
}

impl Settings {
    /// Looks at everything but the signature: it asks nobody.
    pub(super) fn check(&self, token: &str) -> Result<Checked, Refusal> {
        Signed::parse(token)?.check(&self.rules, &self.algorithms, self.clock.now())
    }

    /// Carries a token out, once. It runs to its end though the provider no longer waits.
    pub(super) async fn carry_out(&self, token: Checked) -> Result<LoggedOut, Stop> {
        match self.keys.judge(&token, &*self.clock).await? {
            Judgement::Signed => {}
            Judgement::Forged => return Err(Refusal::Signature.into()),
            Judgement::UnknownKey => return Err(Refusal::UnknownKey.into()),
        }
        let logout = token.verified();
        let now = self.clock.now();
        // The keys may have taken their time, and the memory forgets a token that has expired.
        if logout.expires_at <= now {
            return Err(Refusal::Expired.into());
        }
        self.claim(&logout, now).await?;
        match self.end(&logout.whom).await {
            Ok(ended) => {
                let finished = self.replay.finish(&logout.id, logout.expires_at).await;
                finished.map_err(|error| failed(Failure::ReplayMemory, &error))?;
                Ok(LoggedOut {
                    by: logout.whom.claim(),
                    ended,
                })
            }
            Err(failure) => {
                // If this fails too, the claim lapses by itself.
                if let Err(error) = self.replay.release(&logout.id).await {
                    failed(Failure::ReplayMemory, &error);
                }
                Err(failure.into())
            }
        }
    }

    /// Before anything ends: of two deliveries one goes on.
    async fn claim(&self, logout: &Logout, now: Timestamp) -> Result<(), Stop> {
        let claim = self.replay.claim(&logout.id, logout.expires_at, now).await;
        match claim.map_err(|error| failed(Failure::ReplayMemory, &error))? {
            Claim::Granted => Ok(()),
            Claim::UnderWay => Err(Failure::UnderWay.into()),
            Claim::Finished => Err(Refusal::Replayed.into()),
        }
    }

    async fn end(&self, whom: &Whom) -> Result<Option<usize>, Failure> {
        let ended = match whom {
            Whom::Session(sid) => {
                let tag = session_tag(&self.rules.issuer, sid);
                self.sessions.end_tagged(&tag).await
            }
            Whom::Subject(sub) => {
                let subject = self.subjects.find(sub.clone()).await;
                let subject = subject.map_err(|error| failed(Failure::SubjectLookup, &*error))?;
                let Some(subject) = subject else {
                    return Ok(Some(0));
                };
                self.sessions.end_all(&subject).await
            }
        };
        ended.map_err(|error| failed(Failure::Store, &error))
    }
}

/// Tells of a failure and what caused it.
fn failed(failure: Failure, error: &dyn Error) -> Failure {
    let reason = failure.as_str();
    tracing::error!(target: TARGET, kind = "failed",
        reason,
        ?error,
        "a logout could not be carried out"
    );
    failure
}

/// Leaves one event for each request.
pub(super) fn tell(verdict: &Result<LoggedOut, Stop>) {
    match verdict {
        Ok(LoggedOut { by, ended }) => {
            tracing::info!(target: TARGET, kind = "logged_out",
                by,
                ended,
                "an identity provider ended sessions"
            );
        }
        Err(Stop::Refused(refusal)) => {
            tracing::warn!(target: TARGET, kind = "refused",
                reason = refusal.as_str(),
                "a logout token was refused"
            );
        }
        // Told with its cause already.
        Err(Stop::Failed(Failure::ReplayMemory | Failure::SubjectLookup | Failure::Store)) => {}
        Err(Stop::Failed(failure)) => {
            let reason = failure.as_str();
            tracing::error!(target: TARGET, kind = "failed", reason, "a logout could not be carried out");
        }
    }
}
