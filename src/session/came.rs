//! [`Came`]: what came with a request, besides its session.

use super::binding::Client;

/// What came with a request, besides its session.
#[derive(Debug, Default)]
pub(crate) struct Came {
    /// Whether a retired token came, so that the request may write nothing but a login.
    pub(crate) retired_token: bool,
    /// Whether a valid guest token came, whatever it is worth.
    pub(crate) guest_token: bool,
    pub(crate) client: Client,
}
