//! [`Requirement`]: what a session must show. Pure.

use std::time::Duration;

use http::Extensions;

use super::refusal::Refusal;
use crate::session::{
    authenticated::AuthenticatedSession, authentication::AssuranceLevel, handle::Session,
};

/// What a session must show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requirement {
    pub(crate) level: Option<AssuranceLevel>,
    pub(crate) within: Option<Duration>,
    /// By which method the user must have proved who they are.
    pub(crate) method: Option<&'static str>,
    /// Whether the session must be bound to its device.
    pub(crate) bound: bool,
    /// How long ago its device may have proved itself.
    pub(crate) bound_within: Option<Duration>,
}

impl Requirement {
    /// The session, if it shows what is required.
    ///
    /// It goes by what held when the request came; what was marked since can only take away from it.
    pub(crate) fn check(&self, extensions: &Extensions) -> Result<AuthenticatedSession, Refusal> {
        let session = extensions
            .get::<Session>()
            .ok_or(Refusal::MissingSessionLayer)?;
        let Some(user) = session.authenticated() else {
            return Err(match self.bound_within {
                Some(within) if session.left_its_device_unproved() => {
                    Refusal::DeviceProofTooOld { within }
                }
                _ => Refusal::NotAuthenticated,
            });
        };
        let marked = session.level().ok_or(Refusal::NotAuthenticated)?;
        if let Some(required) = self.level
            && user.level().min(marked) < required
        {
            return Err(Refusal::InsufficientLevel { required });
        }
        let age = match self.method {
            Some(method) => {
                let still_holds = session.is_proved_by(method);
                let age = user.age_of_proof_by(method).filter(|_| still_holds);
                age.ok_or(Refusal::NotProvedBy { method })?
            }
            None => user.age_of_proof(),
        };
        if let Some(within) = self.within
            && age > within
        {
            return Err(Refusal::ProofTooOld { within });
        }
        if self.bound {
            let proved_at = session.device_proved_at().ok_or(Refusal::NotBound)?;
            if let Some(within) = self.bound_within
                && session.admitted_at().since(proved_at) > within
            {
                return Err(Refusal::DeviceProofTooOld { within });
            }
        }
        Ok(user)
    }
}
