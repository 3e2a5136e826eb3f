//! The recipe for Prometheus: a page that it reads from time to time.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicU64},
    time::SystemTime,
};

use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::Gauge},
    registry::Registry,
};
use tower_session_guard::{SessionStore, SweepStats};

use crate::counts::{EventCounts, labels};

/// What begins the name of each metric.
pub const PREFIX: &str = "tower_session_guard";

/// The counts of events, read at each scrape: nothing is counted twice.
#[derive(Debug)]
pub struct Events(pub EventCounts);

impl Collector for Events {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Events of the session layer, by kind";
        let mut metric = encoder.encode_descriptor("events", help, None, MetricType::Counter)?;
        for (kind, count) in self.0.each() {
            let labels = labels(kind);
            let count = ConstCounter::new(count);
            count.encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// What the sweeps of a store came to.
#[derive(Debug)]
pub struct Sweeps(pub SweepStats);

impl Collector for Sweeps {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let deleted = "Expired sessions and cut-offs that were deleted";
        let completed = "Sweeps that left nothing behind";
        let failed = "Sweeps that the store failed";
        for (name, help, count) in [
            ("swept_rows", deleted, self.0.deleted()),
            ("sweeps_completed", completed, self.0.completed()),
            ("sweeps_failed", failed, self.0.failed()),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(count).encode(metric)?;
        }
        Ok(())
    }
}

/// A registry that has the counts.
#[must_use]
pub fn registry(counts: EventCounts) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Events(counts)));
    registry
}

/// Serves `/metrics`: what the registry has, and how many live sessions the store has, if it can tell.
///
/// Serve it where only your own machines reach it, not beside the application's pages.
pub fn router(mut registry: Registry, store: impl SessionStore) -> Router {
    let live = Gauge::<f64, AtomicU64>::default();
    let help = "Live sessions, not a number if the store cannot tell";
    registry.register("live_sessions", help, live.clone());
    let (registry, store) = (Arc::new(registry), Arc::new(store));
    let page = async move || {
        let count = store.live_records(SystemTime::now().into()).await;
        live.set(count.ok().flatten().map_or(f64::NAN, |count| count as f64));
        text(&registry)
    };
    Router::new().route("/metrics", get(page))
}

fn text(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The format's media type (OpenMetrics 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
