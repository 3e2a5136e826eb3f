//! What was exported, in the same form from both recipes.

use std::collections::BTreeMap;

use metrics::counts::labels;
use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter,
    data::{AggregatedMetrics, MetricData, ScopeMetrics},
};
use tower_session_guard::EventKind;

/// What happened, and no more: each kind with its number.
pub(crate) const EXPECTED: [(EventKind, u64); 7] = [
    (EventKind::LoggedIn, 2),
    (EventKind::Reauthenticated, 1),
    (EventKind::UnknownSession, 1),
    (EventKind::TokenMalformed, 1),
    (EventKind::TokenForged, 1),
    (EventKind::StoreFailedLoad, 2),
    (EventKind::LoggedOut, 1),
];

/// The labels of each sample, in their order, and its number.
pub(crate) type Samples = BTreeMap<Vec<(String, String)>, u64>;

pub(crate) fn expected() -> Samples {
    let kinds = EventKind::ALL.iter().map(|kind| {
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let count = EXPECTED.iter().find(|(expected, _)| expected == kind);
        let labels = labels(*kind).map(owned).to_vec();
        (labels, count.map_or(0, |(_, count)| *count))
    });
    kinds.collect()
}

pub(crate) fn prometheus_samples(page: &str) -> Samples {
    let samples = page.lines().filter_map(|line| {
        let sample = line.strip_prefix("tower_session_guard_events_total{")?;
        let (labels, count) = sample.split_once("} ").unwrap();
        let labels = labels.split(',').map(|label| {
            let (key, value) = label.split_once('=').unwrap();
            (key.to_owned(), value.trim_matches('"').to_owned())
        });
        Some((labels.collect(), count.parse().unwrap()))
    });
    samples.collect()
}

pub(crate) fn otel_samples(exporter: &InMemoryMetricExporter) -> Samples {
    let exported = exporter.get_finished_metrics().unwrap();
    let last = exported.last().unwrap();
    let metrics: Vec<_> = last
        .scope_metrics()
        .flat_map(ScopeMetrics::metrics)
        .collect();
    let [events] = &metrics[..] else {
        panic!("{metrics:?}");
    };
    assert_eq!(events.name(), "tower_session_guard.events");
    let AggregatedMetrics::U64(MetricData::Sum(sum)) = events.data() else {
        panic!("{events:?}");
    };
    assert!(sum.is_monotonic());
    let points = sum.data_points().map(|point| {
        let labels = point.attributes();
        let labels = labels.map(|label| (label.key.to_string(), label.value.to_string()));
        let mut labels: Vec<_> = labels.collect();
        labels.sort();
        (labels, point.value())
    });
    points.collect()
}
