//! Answers a registration, which [`register`] decides.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{
    reply::{self, Accepted},
    serving::{Failed, Serving, bound_sessions, state_of},
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
        for _ in 0..ATTEMPTS {
            let stored = self.load((&offer.session).into()).await?;
            let token = self.token_came(family, stored.as_ref()).await?;
            let session = stored.as_ref().map(state_of);
            let registered = register(&Registration {
                offer: Some(offer),
                token,
                session,
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
                let session = session.map(|state| (family, state));
                self.tell_refused(kind, cause.as_str(), session);
                return refused();
            }
            let Some(stored) = stored else {
                return refused();
            };
            let bound = state_of(&stored).bound_device().copied();
            let device = match (registered, bound) {
                (Registered::Bind(device), _) => {
                    if !self.write(family, &stored, device).await? {
                        continue;
                    }
                    self.tell(EventKind::DeviceBound, family, state_of(&stored));
                    device
                }
                (Registered::Again, Some(device)) => device,
                (Registered::Again | Registered::Refused(_), _) => return refused(),
            };
            let accepted = Accepted {
                family,
                device: &device,
                proved_at: self.now,
                identifier: &sessions.keys.identifier(family),
                refresh_path: &format!("{prefix}{}", sessions.settings.paths.refresh),
                now: self.now,
            };
            return Ok(accepted.reply(sessions));
        }
        Err(Failed::Contention)
    }
}
