//! Answers a refresh, which [`prove`] decides.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{
    bound::BoundSessions,
    found::{Failed, FoundSession},
    reply::{self, Accepted},
    serving::{Serving, bound_sessions},
};
use crate::{
    device::{
        field::bare,
        proof::{Proof, ProofRefused},
        thumbprint::thumbprint,
    },
    session::{
        bind::TokenCame,
        event::EventKind,
        id::SessionId,
        prove::{Answer, Proved, Refresh, RefreshRefused, prove},
        state::State,
    },
};

/// How often the decision is made anew because other requests changed the session first. Each time, another has succeeded.
const ATTEMPTS: u32 = 64;

/// The proof that came, if one did.
type Came<'a> = Option<Result<Proof<'a>, ProofRefused>>;

impl Serving {
    /// Answers a refresh: 200, 403 with a challenge, or 401, alike for all causes (D06, D10).
    pub(super) async fn refresh(self) -> Response<Bytes> {
        let refreshed = self.try_refresh().await;
        self.or_unavailable(refreshed)
    }

    async fn try_refresh(&self) -> Result<Response<Bytes>, Failed> {
        let refused = || Ok(reply::empty(StatusCode::UNAUTHORIZED));
        let asked = &self.asked;
        let (Some(sessions), Some(identifier)) = (bound_sessions(&self.shared), &asked.identifier)
        else {
            return Ok(reply::empty(StatusCode::BAD_REQUEST));
        };
        let identifier = bare(identifier.as_bytes());
        let claim = sessions.keys.open_identifier(identifier);
        let (Some(claim), Ok(identifier)) = (claim, str::from_utf8(identifier)) else {
            self.tell_refused(EventKind::DeviceRefused, "identifier", None);
            return refused();
        };
        let Some(prefix) = &asked.prefix else {
            return refused();
        };
        let (family, proof) = (claim.family(), asked.proof.as_ref());
        let proof = proof.map(|field| Proof::of_refresh(field.as_bytes(), &asked.url));
        for _ in 0..ATTEMPTS {
            let found = self.find(&claim, None).await?;
            let session = found.session.as_ref();
            let state = session.map(FoundSession::state);
            let proved = self.prove(sessions, family, state, found.token, &proof);
            if let Proved::Refused(cause) = proved {
                let cause = match &proof {
                    Some(Err(proof)) if cause == RefreshRefused::Malformed => proof.as_str(),
                    _ => cause.as_str(),
                };
                self.tell_refused(EventKind::DeviceRefused, cause, session);
                return refused();
            }
            let bound = state.and_then(State::bound_device).copied();
            let (Some(session), Some(bound)) = (session, bound) else {
                return refused();
            };
            let challenge = || {
                let challenge = sessions.challenge_of(identifier, family, &bound, self.now);
                Ok(reply::challenge(challenge))
            };
            let (device, proved_at) = match proved {
                Proved::Count(device) => {
                    let written = self.write(session, device, None).await?;
                    if written.is_none() {
                        continue;
                    }
                    self.tell(EventKind::DeviceProved, session, None);
                    (device, self.now)
                }
                Proved::Uncounted => {
                    self.tell(EventKind::DeviceProved, session, None);
                    (bound, self.now)
                }
                // Whoever sends it again: the device proved itself then, and not now.
                Proved::Again => (bound, bound.last_proof_at.min(self.now)),
                Proved::Challenge | Proved::Refused(_) => return challenge(),
            };
            let accepted = Accepted {
                family,
                device: &device,
                proved_at,
                identifier,
                refresh_path: &format!("{prefix}{}", sessions.settings.paths.refresh),
                now: self.now,
            };
            if accepted.max_age(sessions.settings.lifetime).is_zero() {
                return challenge();
            }
            return Ok(accepted.reply(sessions));
        }
        Err(Failed::Contention)
    }

    fn prove(
        &self,
        sessions: &BoundSessions,
        family: &SessionId,
        session: Option<&State>,
        token: TokenCame,
        proof: &Came<'_>,
    ) -> Proved {
        let device = session.and_then(State::bound_device);
        let is_signed = || {
            let proof = proof.as_ref().and_then(|proof| proof.as_ref().ok());
            proof
                .zip(device)
                .is_some_and(|(proof, device)| proof.verify(&device.key).is_ok())
        };
        let answer = match proof {
            None => Answer::Missing,
            Some(Err(_)) => Answer::Malformed,
            Some(Ok(proof)) => Answer::Came {
                challenge: device.and_then(|device| {
                    let key = thumbprint(&device.key);
                    sessions
                        .keys
                        .open_challenge(family, &key, proof.challenge())
                }),
                is_signed: &is_signed,
            },
        };
        prove(&Refresh {
            session,
            token,
            answer,
            counts: self.counts(),
            now: self.now,
        })
    }
}
