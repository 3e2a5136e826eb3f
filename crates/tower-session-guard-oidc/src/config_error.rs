//! [`ConfigError`]: what a developer got wrong, said at start-up.

use std::{error::Error, fmt};

/// A setting that cannot work, found before the first request.
///
/// Its message says what to write instead. `Debug` shows that message too, since it is what a `main` that returns the
/// error prints.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The issuer is empty.
    NoIssuer,
    /// The client id is empty.
    NoClientId,
    /// The end-session endpoint is no absolute `http` or `https` URL, or has a fragment.
    EndSessionEndpoint {
        /// What was given.
        given: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIssuer => f.write_str(
                "the issuer is empty: write the provider's, as `issuer` in its discovery document says it",
            ),
            Self::NoClientId => f.write_str(
                "the client id is empty: write the one that the provider gave to this application",
            ),
            Self::EndSessionEndpoint { given } => write!(
                f,
                "{given:?} is no end-session endpoint: write an absolute https URL without a fragment, as \
                 `end_session_endpoint` in the provider's discovery document says it"
            ),
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ConfigError {}
