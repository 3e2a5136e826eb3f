//! The request of a provider: a form with a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.5).

use std::error::Error;

use http::{HeaderMap, Request, header};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::refusal::Refusal;

/// The longest body, in bytes. A token has one or two thousand.
const MAX_BODY: usize = 64 * 1024;

/// The token that a request brings.
pub(super) async fn logout_token<B>(request: Request<B>) -> Result<String, Refusal>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if !is_form(request.headers()) {
        return Err(Refusal::ContentType);
    }
    let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Refusal::BodyTooLarge
        } else {
            Refusal::BodyUnreadable
        }
    })?;
    only_token(&body.to_bytes()).ok_or(Refusal::Form)
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = only.to_str().unwrap_or_default().split(';').next();
    essence.is_some_and(|essence| {
        let essence = essence.trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

/// Of several tokens nobody could say which one counts.
fn only_token(body: &[u8]) -> Option<String> {
    let fields = form_urlencoded::parse(body);
    let mut tokens = fields.filter(|(name, _)| name == "logout_token");
    let (_, token) = tokens.next()?;
    tokens.next().is_none().then(|| token.into_owned())
}
