//! Serves the application, and its counts of events for Prometheus and through OpenTelemetry: see the README.

use std::{env, error::Error, time::Duration};

use metrics::{app, counts::EventCounts, otel, prometheus};
use tokio::net::TcpListener;
use tower_session_guard::{KeyRing, MemoryStore, SessionLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt::init();
    let (counts, store) = (EventCounts::new(), MemoryStore::new());
    let sessions = SessionLayer::new(KeyRing::generate()?)
        .with_store(store.clone())
        .with_observer(counts.clone());

    // One of the two is enough. In place of this exporter take that of `opentelemetry-otlp`.
    let printed = opentelemetry_stdout::MetricExporter::default();
    let provider = otel::provider(printed, counts.clone());
    let scraped = prometheus::router(prometheus::registry(counts), store);

    let [address, metrics_address] = [
        ("ADDR", "127.0.0.1:3000"),
        ("METRICS_ADDR", "127.0.0.1:9464"),
    ]
    .map(|(name, default)| env::var(name).unwrap_or_else(|_| default.to_owned()));
    let listener = TcpListener::bind(&metrics_address).await?;
    println!("metrics on http://{}/metrics", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, scraped).await });

    let listener = TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app::router(sessions.clone()))
        .with_graceful_shutdown(stopped())
        .await?;
    // A logout whose client has left goes on without its request, and is counted.
    let drained = sessions.drain(Duration::from_secs(5)).await;
    if !drained.is_complete() {
        eprintln!("{} settlements were left", drained.left);
    }
    Ok(provider.shutdown()?)
}

/// Done once Ctrl-C was pressed.
async fn stopped() {
    if tokio::signal::ctrl_c().await.is_err() {
        // It cannot be noticed here: serve on.
        std::future::pending::<()>().await;
    }
}
