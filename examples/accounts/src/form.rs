//! [`Checked`]: a form that one of our own pages sent.

use axum::{
    extract::{Form, FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, de::DeserializeOwned};
use tower_session_guard::Session;

/// A form whose hidden field `csrf` holds a token of the session.
pub(crate) struct Checked<T>(pub(crate) T);

#[derive(Deserialize)]
struct WithToken<T> {
    csrf: String,
    #[serde(flatten)]
    form: T,
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
        let form = Form::<WithToken<T>>::from_request(request, state).await;
        let Form(WithToken { csrf, form }) = form.map_err(IntoResponse::into_response)?;
        session
            .check_csrf(&csrf)
            .map_err(IntoResponse::into_response)?;
        Ok(Self(form))
    }
}

/// A form with nothing in it but the token.
#[derive(Deserialize)]
pub(crate) struct Nothing {}
