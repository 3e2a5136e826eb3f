//! [`Answer`]: the response to a refused request, at once or later.

use std::{fmt, future::Future, pin::Pin};

use http::Response;

/// The response to a refused request: there at once, or once a future is done.
///
/// A [`Response`] turns into one with `into`; with the feature `axum`, so do a redirect, a page, a status and a status with
/// a body.
pub struct Answer<B>(pub(super) Kind<B>);

pub(super) enum Kind<B> {
    Now(Response<B>),
    Later(Later<B>),
}

/// A response that something is waited for.
pub(super) type Later<B> = Pin<Box<dyn Future<Output = Response<B>> + Send>>;

impl<B> Answer<B> {
    /// The response of a future: of one that asks a database or a translator, say.
    #[must_use]
    pub fn later(response: impl Future<Output = Response<B>> + Send + 'static) -> Self {
        Self(Kind::Later(Box::pin(response)))
    }

    /// The response, waited for: for guards of other crates, which ask a [`RefusalResponse`](crate::RefusalResponse) for it.
    pub async fn response(self) -> Response<B> {
        match self.0 {
            Kind::Now(response) => response,
            Kind::Later(response) => response.await,
        }
    }
}

impl<B> From<Response<B>> for Answer<B> {
    fn from(response: Response<B>) -> Self {
        Self(Kind::Now(response))
    }
}

impl<B> fmt::Debug for Answer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Now(response) => response.status().to_string(),
            Kind::Later(_) => "later".to_owned(),
        };
        f.debug_tuple("Answer").field(&kind).finish()
    }
}
