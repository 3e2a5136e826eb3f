//! Heap allocations and bytes a request, of every subject in every scenario, beyond the bare stack.
//!
//! Run with `cargo run --release --manifest-path benches/Cargo.toml --bin allocations`. A program of
//! its own, because counting makes every allocation dearer and would show in `middleware`'s times.

use std::alloc::System;

use session_guard_benches::args::{Args, here};
use session_guard_benches::report::{Heap, HeapRow, write};
use session_guard_benches::runner::Runner;
use session_guard_benches::scenario::Scenario;
use session_guard_benches::subject;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BATCH: usize = 64;

fn main() {
    let args = Args::read();
    let runtime = subject::runtime();
    let mut runners: Vec<_> = subject::all(&runtime)
        .into_iter()
        .map(Runner::new)
        .collect();
    let mut rows: Vec<HeapRow> = Vec::new();
    for runner in &mut runners {
        for (s, scenario) in Scenario::ALL.into_iter().enumerate() {
            let (allocations, bytes) = count(runner, scenario);
            let bare = rows.get(s).map_or((0.0, 0.0), |b| (b.allocations, b.bytes));
            let subject = runner.subject.label().name.to_owned();
            let (allocations, bytes) = (allocations - bare.0, bytes - bare.1);
            rows.push(HeapRow {
                subject,
                scenario,
                allocations,
                bytes,
            });
        }
    }
    let heap = Heap { rows };
    print(&heap);
    if !args.smoke {
        write(&here("results/allocations.json"), &heap);
    }
}

/// Allocations and bytes a request. Tables grow now and then, so the smallest of several batches counts.
fn count(runner: &mut Runner, scenario: Scenario) -> (f64, f64) {
    let batches = (0..5).map(|_| {
        let mut batch = runner.batch(scenario, BATCH);
        let region = Region::new(HEAP);
        runner.subject.run(&mut batch);
        let change = region.change();
        let calls = change.allocations + change.reallocations;
        (
            calls as f64 / BATCH as f64,
            change.bytes_allocated as f64 / BATCH as f64,
        )
    });
    batches
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .expect("five batches")
}

fn print(heap: &Heap) {
    println!("heap allocations / bytes a request, beyond the bare stack (its own in its row)");
    print!("{:<30}", "");
    Scenario::ALL
        .iter()
        .for_each(|s| print!("{:>14}", format!("{s:?}")));
    for row in &heap.rows {
        if row.scenario == Scenario::S1 {
            print!("\n{:<30}", row.subject);
        }
        print!(
            "{:>14}",
            format!("{:.1} / {:.0}", row.allocations, row.bytes)
        );
    }
    println!();
}
