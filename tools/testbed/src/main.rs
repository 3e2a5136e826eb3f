//! One small server that shows every behaviour of the crate over plain HTTP.
//!
//! Run with `cargo run --release -p testbed --all-features`, or with the feature of the chosen store alone.
//! `TESTBED_ADDR` is the address to listen on and `TESTBED_STORE` says where sessions live.

mod backchannel;
mod background;
mod config;
mod control;
mod events;
mod gates;
mod impersonation;
mod kept;
mod routes;
mod stream;
mod workbench;

use std::{env, io::Write, process::ExitCode, sync::Arc, time::Duration};

use axum::http::StatusCode;
use config::Failure;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("testbed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Failure> {
    let testbed = Arc::new(config::from_env().await?);
    let address = env::var("TESTBED_ADDR").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(&address).await?;
    let sessions = testbed.sessions.clone();

    // The routes that begin with `/_` stay outside the layer. The panic catcher is outside it too: a panic
    // has to pass through the layer, so that it sees that the handler never answered.
    let app = routes::router(Arc::clone(&testbed))
        // Layers run for the routes and the fallback; of two routers without one, `merge` takes the other's.
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(option_layer(testbed.endpoints.clone()))
        .layer(sessions.clone())
        .layer(CatchPanicLayer::new())
        .merge(workbench::router(testbed));

    let mut stop = signal(SignalKind::terminate())?;
    println!("listening on http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    tokio::select! {
        result = axum::serve(listener, app) => result?,
        _ = stop.recv() => {}
    }
    // A logout whose client has left goes on without its request.
    match sessions.drain(Duration::from_secs(5)).await {
        drained if drained.is_complete() => Ok(()),
        drained => Err(format!("{} settlements were left", drained.left).into()),
    }
}
