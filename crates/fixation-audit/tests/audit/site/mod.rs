//! A second small server, for what real applications do that the first one does not. Without any behaviour switched on
//! it is correct.

mod answer;
mod sessions;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;

use sessions::Sessions;

/// What the server does. The default is one random identifier in a cookie, new at every login.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Behaviour {
    pub(crate) carrier: Carrier,
    pub(crate) logout: Logout,
    pub(crate) remember: Remember,
    pub(crate) csrf: Csrf,
    /// A second cookie with the user's number has to come along.
    pub(crate) user_number: bool,
    /// The identifiers are counted.
    pub(crate) counts: bool,
    /// The login keeps the guest's identifier.
    pub(crate) keeps: bool,
    /// A session works with the user agent only that it was started with.
    pub(crate) binds_agent: bool,
    /// The session is read from `;jsessionid=` and `?access_token=` too.
    pub(crate) reads_url: bool,
    /// The login redirects to an address with the session in it, and the page has links with it.
    pub(crate) writes_url: bool,
    /// The account page shows the session's identifier.
    pub(crate) shows_id: bool,
    /// A page removes a session cookie that it does not know.
    pub(crate) removes_unknown: bool,
    /// Every request without a session starts one, and an address has five at most: the oldest ends.
    pub(crate) five_an_address: bool,
    /// The request is taken from other sites' pages too, and the cookie has no SameSite.
    pub(crate) takes_other_sites: bool,
    /// The browser keeps the cookie for a year.
    pub(crate) year_long: bool,
    /// The most sessions of one user, as announced.
    pub(crate) limit: Option<usize>,
    /// What is announced of limits is not kept.
    pub(crate) keeps_no_limit: bool,
    /// Ending the other sessions, and changing the password, leaves them alone.
    pub(crate) leaves_others: bool,
    /// Sessions end after this time without a request.
    pub(crate) idle: Option<Duration>,
    /// Elevation by a code, and what becomes of the identifier then.
    pub(crate) elevation: Elevation,
    /// A second login over a first one leaves the first session alone.
    pub(crate) leaves_first: bool,
    /// The answer to a login offers to bind the session to the device.
    pub(crate) device_bound: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// A random identifier in a cookie.
    #[default]
    Identifier,
    /// User and generation in a cookie, signed, in a spelling that no library has. A logout raises the generation.
    Computed,
    /// The same, and a logout leaves the generation alone.
    ComputedForGood,
    /// A random identifier as a bearer token.
    Bearer,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Logout {
    #[default]
    Ends,
    /// The cookie is removed, and nothing else.
    InBrowser,
    /// Status 200, and nothing happens.
    Nothing,
    /// A page asks whether the user is sure.
    Asks,
    /// Status 200 with an error in JSON.
    Error,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Remember {
    #[default]
    No,
    /// A second cookie logs in by itself, and ends at the logout.
    UntilLogout,
    /// The same, and it goes on after the logout.
    ForGood,
}

/// A request that needs a token. What it is answered with leads to a page that does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Csrf {
    #[default]
    Renewed,
    /// The login keeps the token.
    Kept,
    /// Any token is good.
    Unchecked,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Elevation {
    #[default]
    Rotates,
    Keeps,
    LeavesOld,
}

pub(crate) fn app(behaviour: Behaviour) -> Router {
    let sessions = Arc::new(Sessions::new(behaviour));
    Router::new().fallback(handle).with_state(sessions)
}

async fn handle(State(sessions): State<Arc<Sessions>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 16).await.unwrap();
    answer::answer(&sessions, &head, &String::from_utf8_lossy(&body))
}
