//! Answers a registration, which [`register`] decides.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{
    found::{Brought, Failed, FoundSession},
    reply::{self, Accepted},
    serving::{Serving, bound_sessions},
};
use crate::{
    device::{proof::Proof, thumbprint::thumbprint},
    session::{
        bind::{Registered, Registration, RegistrationRefused, Repetition, register},
        event::EventKind,
    },
};

/// How often the decision is made anew because other requests changed the session first. Each time, another has succeeded.
const ATTEMPTS: u32 = 64;

impl Serving {
    /// Answers a registration: 200, or 400 without a body or a cookie (D02).
    pub(super) async fn register(self) -> Response<Bytes> {
        let registered = self.try_register().await;
        self.or_unavailable(registered)
    }

    async fn try_register(&self) -> Result<Response<Bytes>, Failed> {
        let refused = || Ok(reply::empty(StatusCode::BAD_REQUEST));
        let kind = EventKind::DeviceRefused;
        let asked = &self.asked;
        let (Some(sessions), Some(field), Some(prefix)) =
            (bound_sessions(&self.shared), &asked.proof, &asked.prefix)
        else {
            return refused();
        };
        let (proof, key) = match Proof::of_registration(field.as_bytes(), &asked.url) {
            Ok(proof) => proof,
            Err(cause) => {
                self.tell_refused(kind, cause.as_str(), None);
                return refused();
            }
        };
        let Some(offer) = sessions.keys.open_offer(proof.challenge()) else {
            self.tell_refused(kind, RegistrationRefused::Challenge.as_str(), None);
            return refused();
        };
        let (family, thumbprint) = (offer.session.family(), thumbprint(&key));
        let brought = Brought {
            key,
            thumbprint,
            offered_at: offer.offered_at,
            keys: &sessions.keys,
            ticket: self.enter(family),
        };
        for _ in 0..ATTEMPTS {
            let found = self.find(&offer.session, Some(&brought)).await?;
            let session = found.session.as_ref();
            let state = session.map(FoundSession::state);
            let registered = register(&Registration {
                offer: Some(offer),
                token: found.token,
                session: state,
                is_bound_elsewhere: session.is_some_and(FoundSession::is_bound_elsewhere),
                key,
                thumbprint,
                is_signed: &|| proof.verify(&key).is_ok(),
                now: self.now,
            });
            if let Registered::Refused(cause) = registered {
                let kind = match (cause, offer.repetition) {
                    (RegistrationRefused::OtherKey, Repetition::First) => {
                        EventKind::OtherDeviceRefused
                    }
                    (RegistrationRefused::OtherKey, Repetition::Repeated) => {
                        EventKind::SecondRegistrationRefused
                    }
                    _ => kind,
                };
                self.tell_refused(kind, cause.as_str(), session);
                return refused();
            }
            let Some(session) = session else {
                return refused();
            };
            let bound = session.state().bound_device().copied();
            let (device, written) = match (registered, bound) {
                (Registered::Bind(device), _) => {
                    let written = self.write(session, device, Some(&brought)).await?;
                    if let Some(written) = &written {
                        self.tell(EventKind::DeviceBound, session, written.successor());
                    }
                    (device, written)
                }
                (Registered::Again, Some(device)) => (device, self.again(session).await?),
                (Registered::Again | Registered::Refused(_), _) => return refused(),
            };
            let Some(written) = written else {
                continue;
            };
            let accepted = Accepted {
                family,
                device: &device,
                proved_at: self.now,
                identifier: &sessions.keys.identifier(family),
                refresh_path: &format!("{prefix}{}", sessions.settings.paths.refresh),
                now: self.now,
            };
            let reply = accepted.reply(sessions);
            if reply.status() == StatusCode::OK {
                self.finish(written);
            }
            return Ok(reply);
        }
        Err(Failed::Contention)
    }
}
