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
    /// Whether the session must be bound to its device.
    pub(crate) bound: bool,
}

impl Requirement {
    /// The session, if it shows what is required.
    ///
    /// It goes by what held when the request came; what was marked since can only take away from it.
    pub(crate) fn check(&self, extensions: &Extensions) -> Result<AuthenticatedSession, Refusal> {
        let session = extensions
            .get::<Session>()
            .ok_or(Refusal::MissingSessionLayer)?;
        let user = session.authenticated().ok_or(Refusal::NotAuthenticated)?;
        let marked = session.level().ok_or(Refusal::NotAuthenticated)?;
        if let Some(required) = self.level
            && user.level().min(marked) < required
        {
            return Err(Refusal::InsufficientLevel { required });
        }
        if let Some(within) = self.within
            && user.age_of_proof() > within
        {
            return Err(Refusal::ProofTooOld { within });
        }
        if self.bound && !session.has_its_device() {
            return Err(Refusal::NotBound);
        }
        Ok(user)
    }
}
