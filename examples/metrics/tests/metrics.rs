//! What the application does is counted, and read through both recipes.

#[path = "metrics/samples.rs"]
mod samples;
#[path = "metrics/site.rs"]
mod site;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use metrics::{
    counts::{EventCounts, labels},
    otel,
    prometheus::{self, Sweeps},
};
use opentelemetry_sdk::metrics::InMemoryMetricExporter;
use samples::{expected, otel_samples, prometheus_samples};
use site::{SUBJECT, Site, page};
use tower_session_guard::{
    EventKind, MemoryStore, Observer, SessionEvent, Severity, Sweeper, Timestamp,
    store::{StoreFuture, Sweep},
    testing::ManualClock,
};

#[tokio::test]
async fn prometheus_reads_what_happened() {
    let site = Site::new();
    site.is_used_and_attacked().await;
    let page = site.page().await;
    assert_eq!(prometheus_samples(&page), expected());
    assert!(
        page.contains("tower_session_guard_live_sessions 1.0\n"),
        "{page}"
    );
    assert!(page.ends_with("# EOF\n"));
    // A scrape counts nothing.
    assert_eq!(site.page().await, page);
}

#[tokio::test]
async fn opentelemetry_reads_what_happened() {
    let site = Site::new();
    let exporter = InMemoryMetricExporter::default();
    let provider = otel::provider(exporter.clone(), site.watched.counts.clone());
    site.is_used_and_attacked().await;
    provider.force_flush().unwrap();
    assert_eq!(otel_samples(&exporter), expected());
    // What happened since the last export leaves at the end.
    site.get("__Host-Http-session=made-up").await;
    provider.shutdown().unwrap();
    let mut after = expected();
    let malformed = labels(EventKind::TokenMalformed);
    let malformed = malformed.map(|(key, value)| (key.to_owned(), value.to_owned()));
    *after.get_mut(&malformed[..]).unwrap() += 1;
    assert_eq!(otel_samples(&exporter), after);
}

/// Every kind has labels that no other has, from the start.
#[tokio::test]
async fn every_kind_is_exported_from_the_start() {
    let page = Site::new().page().await;
    let samples = prometheus_samples(&page);
    assert_eq!(samples.len(), EventKind::ALL.len());
    assert!(samples.values().all(|count| *count == 0));
    for kind in EventKind::ALL {
        let [(_, name), (_, severity)] = labels(*kind);
        assert_eq!(name, kind.as_str());
        assert!(["info", "warning", "alert"].contains(&severity), "{kind}");
    }
}

/// One count at a time, whatever else an event says.
#[test]
fn each_kind_has_its_own_count() {
    let counts = EventCounts::new();
    let now = Timestamp::from_unix_seconds(1_800_000_000);
    for (index, kind) in EventKind::ALL.iter().enumerate() {
        let event = SessionEvent::new(*kind, now).by(Some(SUBJECT.into()));
        counts.observe(&event.because("another_reason"));
        let counted: Vec<_> = counts.each().filter(|(_, count)| *count == 1).collect();
        assert_eq!(counted.len(), index + 1);
        assert_eq!(counted[index].0, *kind);
    }
}

#[tokio::test]
async fn no_label_says_who_or_which_session() {
    let site = Site::new();
    let exporter = InMemoryMetricExporter::default();
    let provider = otel::provider(exporter.clone(), site.watched.counts.clone());
    site.is_used_and_attacked().await;
    provider.force_flush().unwrap();
    let exported = format!("{:?}", exporter.get_finished_metrics().unwrap());
    let exports = [site.page().await, exported];
    let events = site.watched.events.lock().unwrap();
    assert!(events.iter().any(|event| event.subject.is_some()));
    for export in &exports {
        assert!(!export.contains(SUBJECT));
        for event in &*events {
            let ids = [event.session, event.successor, event.except];
            for id in ids.into_iter().flatten() {
                assert!(!export.contains(&id.to_string()));
            }
        }
    }
    let samples = prometheus_samples(&exports[0]);
    let keys: BTreeSet<_> = samples.keys().flatten().map(|(key, _)| &**key).collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["kind", "severity"]);
}

/// So many rows that are over.
#[derive(Clone, Debug)]
struct Garbage(Arc<Mutex<u64>>);

impl Sweep for Garbage {
    fn sweep<'a>(&'a self, _now: Timestamp, limit: u32) -> StoreFuture<'a, u64> {
        Box::pin(async move {
            let mut rows = self.0.lock().unwrap();
            let deleted = (*rows).min(limit.into());
            *rows -= deleted;
            Ok(deleted)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn sweeps_are_counted() {
    let clock = ManualClock::default();
    let garbage = Garbage(Arc::new(Mutex::new(1234)));
    let sweeping = Sweeper::new(garbage).with_clock(clock.clone()).start();
    let mut registry = prometheus::registry(EventCounts::new());
    registry.register_collector(Box::new(Sweeps(sweeping.stats())));
    let metrics = prometheus::router(registry, MemoryStore::new());
    tokio::time::sleep(Duration::from_millis(5)).await;
    clock.advance(Sweeper::DEFAULT_INTERVAL);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let page = page(&metrics).await;
    for line in [
        "tower_session_guard_swept_rows_total 1234\n",
        "tower_session_guard_sweeps_completed_total 1\n",
        "tower_session_guard_sweeps_failed_total 0\n",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
    sweeping.stop().await;
}

/// Words in backticks, and those of the rules' selectors.
fn named_kinds(readme: &str) -> BTreeSet<&str> {
    let quoted = readme.split('`').skip(1).step_by(2);
    let selected = readme.split("kind=").skip(1);
    let selected = selected.filter_map(|rest| rest.split('"').nth(1));
    let selected = selected.flat_map(|kinds| kinds.split('|'));
    let names: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    for name in selected.clone() {
        assert!(names.contains(name), "a rule asks for {name}");
    }
    quoted
        .chain(selected)
        .filter(|name| names.contains(name))
        .collect()
}

/// A kind that a release adds or renames is met in the table.
#[test]
fn the_page_tells_what_to_do_about_every_alert() {
    let readme = include_str!("../README.md");
    let told = named_kinds(readme);
    let (_, table) = readme.split_once("## What is worth an alarm").unwrap();
    let (table, _) = table.split_once("The severity `alert`").unwrap();
    let alerts = EventKind::ALL
        .iter()
        .filter(|kind| kind.severity() == Severity::Alert);
    let alerts: BTreeSet<_> = alerts.map(|kind| kind.as_str()).collect();
    assert_eq!(named_kinds(table), alerts);
    assert!(told.is_superset(&alerts));
}
