//! A small server with a login whose faults can be switched on one by one. Without any it is correct.

mod cookie;
mod routes;
mod sessions;

use std::sync::Arc;

use axum::Router;

pub(crate) use sessions::{Sessions, random};

/// How the server goes wrong. The default is right in all of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// The id before the login is the id after it, and after everything else.
    pub(crate) never_rotates: bool,
    /// The cookie is `id.nonce.mac`: a new spelling at every login, of the same id.
    pub(crate) respells: bool,
    /// A login keeps an id that the client made up, where the server does not know it.
    pub(crate) adopts_unknown: bool,
    /// A page called up with `?sid=…` makes that the cookie.
    pub(crate) query_to_cookie: bool,
    /// `?sid=…` counts as the cookie.
    pub(crate) reads_query: bool,
    /// A form field `sid`, or a header `X-Session-Id`, counts as the cookie.
    pub(crate) reads_form_and_header: bool,
    /// An elevation keeps the id.
    pub(crate) keeps_at_elevation: bool,
    /// An elevation issues a new id and forgets to end the old one.
    pub(crate) leaves_old_at_elevation: bool,
    /// A login as the same user keeps the id.
    pub(crate) keeps_at_reauth: bool,
    /// A logout removes the cookie and nothing else.
    pub(crate) logout_in_browser_only: bool,
    /// A login takes the guest's data and CSRF secret over.
    pub(crate) carries_data: bool,
    /// A request that ends after a logout saves the session again.
    pub(crate) saves_blindly: bool,
    /// Guests have the session cookie too, and every page gives one out.
    pub(crate) one_name_for_all: bool,
    /// Names are percent-decoded and trimmed like text; of duplicates the first counts.
    pub(crate) reads_leniently: bool,
    /// Ids are counted.
    pub(crate) counts: bool,
    /// A plain cookie: no prefix, no attributes, a whole domain, cached, and removed under another path.
    pub(crate) bare_cookie: bool,
    /// The field that removes a cookie lacks the Secure that its prefix demands.
    pub(crate) removes_carelessly: bool,
    /// A second cookie whose prefix and attributes do not go together.
    pub(crate) sets_refused_cookie: bool,
}

/// The same server with the id in a signed spelling, which changes nothing about the faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Spelling {
    #[default]
    Plain,
    Signed,
}

pub(crate) fn app(faults: Faults, spelling: Spelling) -> Router {
    routes::router(Arc::new(Sessions::new(faults, spelling)))
}
