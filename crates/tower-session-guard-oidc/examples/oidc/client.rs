//! The calls from server to server.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{Response, StatusCode, header},
};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{BoxError, ServiceExt, util::BoxCloneSyncService};

/// What makes a request of one server to the other.
pub(crate) type Http = BoxCloneSyncService<Request, Response<Body>, BoxError>;

pub(crate) fn over_http() -> Http {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let client = client.map_response(|response| response.map(Body::new));
    BoxCloneSyncService::new(client.map_err(BoxError::from))
}

/// The document at `url`, of at most the 256 KiB that count.
pub(crate) async fn get(http: Http, url: String) -> Result<Vec<u8>, BoxError> {
    let answer = http.oneshot(Request::get(url).body(Body::empty())?).await?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the provider answered {}", answer.status()).into());
    }
    Ok(to_bytes(answer.into_body(), 256 * 1024).await?.into())
}

pub(crate) async fn post_form(http: Http, url: &str, form: String) -> Result<StatusCode, BoxError> {
    let request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.into())?;
    Ok(http.oneshot(request).await?.status())
}
