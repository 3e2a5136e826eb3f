//! [`Session::load`]: loads the session of a request where the layer loads lazily.

use std::{error::Error, fmt};

use http::{Extensions, Request};

use super::refusal::Refusal;
use crate::{
    mistake::{self, MissingLayer},
    session::{authenticated::AuthenticatedSession, handle::Session, later::LoadFailed},
};

/// Why a request has no loaded session.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// There is no session layer around: a mistake of the application.
    MissingSessionLayer(MissingSessionLayer),
    /// The store failed. The layer has told of it, and puts its own answer in the place of what is answered now.
    StoreFailed,
}

/// The route is not within a [`SessionLayer`](crate::SessionLayer): a mistake of the application.
///
/// The log says what was asked for and where the layer belongs. As a response of axum it is 500, with the same sentence as
/// its body in debug builds and an empty one in release builds.
#[derive(Clone, Copy, Debug)]
pub struct MissingSessionLayer(pub(crate) MissingLayer);

impl MissingSessionLayer {
    /// Says so in the log too.
    pub(crate) fn told(missing: MissingLayer) -> Self {
        mistake::tell(&missing);
        Self(missing)
    }
}

impl Session {
    /// The session of a request, loaded if the layer [loads lazily](crate::SessionLayer::lazily) and nobody has looked
    /// yet: for tower services within the layer.
    ///
    /// From then on the [`AuthenticatedSession`] of a logged-in user is in the request's extensions too. It counts as a
    /// look. Without lazy loading the session is there at once.
    ///
    /// # Errors
    ///
    /// If there is no session layer around, or the store fails. The layer then answers in the handler's place.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::Request;
    /// use tower_session_guard::{LoadError, Session};
    ///
    /// async fn greet<B>(request: &mut Request<B>) -> Result<String, LoadError> {
    ///     let session = Session::load(request).await?;
    ///     Ok(session.subject().map_or("Who are you?".into(), |user| format!("Hello, {user}")))
    /// }
    /// ```
    pub async fn load<B>(request: &mut Request<B>) -> Result<Self, LoadError> {
        let missing = MissingLayer::around("Session::load");
        let session = load(request.extensions_mut(), missing).await?;
        session.note_look();
        Ok(session)
    }
}

/// The session among a request's extensions, loaded; `missing` is told if there is none.
pub(crate) async fn load(
    extensions: &mut Extensions,
    missing: MissingLayer,
) -> Result<Session, LoadError> {
    let Some(session) = extensions.get::<Session>().cloned() else {
        let missing = MissingSessionLayer::told(missing);
        return Err(LoadError::MissingSessionLayer(missing));
    };
    if !session.is_loaded() {
        session.loaded().await?;
        show_authenticated(extensions, &session);
    }
    Ok(session)
}

/// Shows who is logged in, if anybody is, as the layer does for a session that is loaded at once.
pub(crate) fn show_authenticated(extensions: &mut Extensions, session: &Session) {
    if let Some(user) = AuthenticatedSession::of(session) {
        extensions.insert(user);
    }
}

impl From<LoadFailed> for LoadError {
    fn from(_: LoadFailed) -> Self {
        Self::StoreFailed
    }
}

impl From<LoadError> for Refusal {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::MissingSessionLayer(_) => Self::MissingSessionLayer,
            LoadError::StoreFailed => Self::StoreFailed,
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingSessionLayer(missing) => missing.fmt(f),
            Self::StoreFailed => LoadFailed.fmt(f),
        }
    }
}

impl Error for LoadError {}

impl fmt::Display for MissingSessionLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for MissingSessionLayer {}
