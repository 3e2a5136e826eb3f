//! Only the hosts that were named, and never for longer or more often than allowed.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Redirect;
use axum::routing::get;
use http_body::Frame;

use super::{by_flags, run, serve};
use crate::rust::{Faults, Spelling, app};

/// Counts what reaches the app, and lets each request wait first.
fn counted(app: Router, wait: Duration) -> (Router, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let layer = from_fn(move |request: Request, next: Next| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::time::sleep(wait).await;
            next.run(request).await
        }
    });
    (app.layer(layer), count)
}

struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16_384])))))
    }
}

fn correct() -> Router {
    app(Faults::default(), Spelling::Plain)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_to_another_host_is_not_followed() {
    let (other, hits) = counted(correct(), Duration::ZERO);
    let other = serve(other).await;
    let target = format!("{other}/stolen");
    let away = correct().route("/away", get(move || async move { Redirect::to(&target) }));
    let url = serve(away).await;
    let ended = run(&by_flags(&[&url, "-q", "--visit", "/away"])).await;
    assert_eq!(
        (ended.status, hits.load(Ordering::Relaxed)),
        (0, 0),
        "{}",
        ended.err
    );
    let ended = run(&by_flags(&[
        &url,
        "-q",
        "--visit",
        "/away",
        "--allow-origin",
        &other,
    ]))
    .await;
    assert_eq!(ended.status, 0, "{}", ended.err);
    assert!(hits.load(Ordering::Relaxed) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_to_another_host_is_a_mistake() {
    let (other, hits) = counted(correct(), Duration::ZERO);
    let (other, url) = (serve(other).await, serve(correct()).await);
    let page = format!("{other}/login");
    for flags in [["--visit", &page], ["--whoami", &page], ["--login", &page]] {
        let ended = run(&by_flags(&[&[url.as_str(), "-q"], &flags[..]].concat())).await;
        assert_eq!(ended.status, 2, "{}", ended.out);
    }
    assert_eq!(hits.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_ends_at_its_time_limit() {
    let (slow, _) = counted(correct(), Duration::from_millis(50));
    let url = serve(slow).await;
    let start = Instant::now();
    let ended = run(&by_flags(&[
        &url,
        "-q",
        "--time-limit",
        "1.5",
        "--format",
        "json",
    ]))
    .await;
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(ended.status, 2, "{}", ended.out);
    let report = ended.json();
    assert_eq!(report["complete"], false);
    assert!(report["stopped"].as_str().unwrap().contains("time limit"));
    assert!(report["counts"]["not_judged"].as_u64().unwrap() > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_answers_is_given_up() {
    let (stuck, _) = counted(correct(), Duration::from_secs(600));
    let url = serve(stuck).await;
    let start = Instant::now();
    let ended = run(&by_flags(&[&url, "-q", "--patience", "0.3"])).await;
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(ended.status, 2);
    assert!(
        ended.err.contains("no answer within 0.3 s"),
        "{}",
        ended.err
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_requests_are_sent_than_allowed() {
    let (app, hits) = counted(correct(), Duration::ZERO);
    let url = serve(app).await;
    let ended = run(&by_flags(&[
        &url,
        "-q",
        "--most-requests",
        "40",
        "--format",
        "json",
    ]))
    .await;
    assert_eq!(ended.status, 2);
    assert_eq!(hits.load(Ordering::Relaxed), 40);
    assert_eq!(ended.json()["requests"], 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_without_end_is_cut_off() {
    let endless = || async { Body::new(Endless) };
    let url = serve(correct().route("/endless", get(endless))).await;
    let ended = run(&by_flags(&[
        &url,
        "-q",
        "--visit",
        "/endless",
        "--time-limit",
        "60",
    ]))
    .await;
    assert_eq!(ended.status, 0, "{}", ended.err);
}
