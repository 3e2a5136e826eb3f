//! The recipe for OpenTelemetry: an instrument that an exporter reads from time to time.

use opentelemetry::{
    KeyValue,
    metrics::{Meter, MeterProvider},
};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider, exporter::PushMetricExporter};

use crate::counts::{EventCounts, labels};

/// Makes the meter's instrument `tower_session_guard.events`, which reads the counts whenever it is exported.
pub fn register(meter: &Meter, counts: EventCounts) {
    let _lives_as_long_as_the_meter = meter
        .u64_observable_counter("tower_session_guard.events")
        .with_description("Events of the session layer, by kind")
        .with_unit("{event}")
        .with_callback(move |instrument| {
            for (kind, count) in counts.each() {
                let attributes = labels(kind).map(|(key, value)| KeyValue::new(key, value));
                instrument.observe(count, &attributes);
            }
        })
        .build();
}

/// Exports the counts each minute, or as `OTEL_METRIC_EXPORT_INTERVAL` says in milliseconds.
///
/// Keep it for as long as the application serves, and call its `shutdown` then: the last minute's events leave with it.
#[must_use]
pub fn provider(exporter: impl PushMetricExporter, counts: EventCounts) -> SdkMeterProvider {
    let reader = PeriodicReader::builder(exporter).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    register(&provider.meter("tower_session_guard"), counts);
    provider
}
