//! [`Checked`]: a form that one of our own pages sent.

use axum::{
    extract::{FromRequest, FromRequestParts, RawForm, Request},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use tower_session_guard::{ReturnPath, Session};

use crate::failed::Failed;

/// A form whose hidden field `csrf` holds a token of the session.
pub(crate) struct Checked<T>(pub(crate) T);

#[derive(Deserialize)]
struct Token {
    csrf: String,
}

impl<S, T> FromRequest<S> for Checked<T>
where
    S: Send + Sync,
    T: DeserializeOwned,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (mut parts, body) = request.into_parts();
        let session = Session::from_request_parts(&mut parts, state).await;
        let session = session.map_err(IntoResponse::into_response)?;
        let request = Request::from_parts(parts, body);
        let form = RawForm::from_request(request, state).await;
        let RawForm(form) = form.map_err(IntoResponse::into_response)?;
        let checked = || {
            let Token { csrf } = parse(&form)?;
            session.check_csrf(&csrf)?;
            parse(&form)
        };
        checked().map(Self).map_err(IntoResponse::into_response)
    }
}

fn parse<T>(form: &[u8]) -> Result<T, Failed>
where
    T: DeserializeOwned,
{
    let parsed = serde_urlencoded::from_bytes(form);
    parsed.map_err(|_| Failed::NOT_UNDERSTOOD)
}

/// A form with nothing in it but the token.
#[derive(Deserialize)]
pub(crate) struct Nothing {}

/// Where to go afterwards, in a query or a form.
#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
}

impl Next {
    /// A page of ours, whatever the query says.
    pub(crate) fn path(&self) -> ReturnPath {
        ReturnPath::parse(&self.next)
    }
}
