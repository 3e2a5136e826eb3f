//! Instructions a request, counted by callgrind, against the checked-in budgets.
//!
//! Run with `cargo run --release --manifest-path benches/Cargo.toml --bin instructions`. It fails when a
//! count exceeds its budget by more than the tolerance; `--update` writes new budgets, `--all` counts the
//! alternatives too, without a budget. `--profile SUBJECT SCENARIO [BATCHES]` runs a scenario over and over, for
//! a profiler put around this program.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, process};

use session_guard_benches::args::{Args, here};
use session_guard_benches::budget::{Budgets, Counts};
use session_guard_benches::runner::Runner;
use session_guard_benches::scenario::Scenario;
use session_guard_benches::subject::{self, Body, Subject};

const BATCH: usize = 64;
const BUDGETS: &str = "budgets.json";
/// What is counted in any case; the first is what the others are net of.
const COUNTED: [&str; 6] = [
    "bare stack",
    "tower-session-guard, self-contained",
    "tower-session-guard, memory store",
    "tower-session-guard, near cache",
    subject::UNLOOKED,
    "floor",
];
/// An allocator that finds every freed block at once, so that its own searching does not show.
const TUNABLES: &str = "glibc.malloc.tcache_count=2000:glibc.malloc.tcache_max=65536";

fn main() -> ExitCode {
    let args = Args::read();
    if let [flag, name] = &args.rest[..]
        && flag == "--within-callgrind"
    {
        within_callgrind(name);
        return ExitCode::SUCCESS;
    }
    if let [flag, name, scenario, batches @ ..] = &args.rest[..]
        && flag == "--profile"
    {
        let batches = batches
            .first()
            .map_or(100, |n| n.parse().expect("a number"));
        profile(name, scenario, batches);
        return ExitCode::SUCCESS;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed");
        return ExitCode::SUCCESS;
    }
    let runtime = subject::runtime();
    let names = subject::all(&runtime).into_iter().map(|s| s.label().name);
    let names: Vec<_> = names
        .filter(|n| args.has("--all") || COUNTED.contains(n) || n.contains("device binding"))
        .collect();
    let counts = Counts::net(names.iter().map(|name| (*name, count(name))).collect());
    counts.print();
    if args.has("--update") {
        Budgets::of(&counts, &COUNTED[1..]).write(&here(BUDGETS));
        return ExitCode::SUCCESS;
    }
    match Budgets::read(&here(BUDGETS)).compare(&counts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(breaches) => {
            eprintln!("{breaches}");
            ExitCode::FAILURE
        }
    }
}

/// Instructions a request in every scenario, from one run of this program under callgrind.
fn count(name: &str) -> Vec<f64> {
    let folder = env::temp_dir().join(format!("instructions-{}", process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    let out = folder.join("out");
    let run = Command::new("valgrind")
        .env("GLIBC_TUNABLES", TUNABLES)
        .args([
            "--tool=callgrind",
            "--collect-atstart=no",
            "--combine-dumps=no",
        ])
        .args([
            "--toggle-collect=instructions::measured",
            "--dump-after=instructions::measured",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe().expect("this program"))
        .args(["--within-callgrind", name])
        .output()
        .expect("valgrind");
    assert!(
        run.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&run.stderr)
    );
    let counts = (1..=Scenario::ALL.len()).map(|part| total(&part_of(&out, part)) / BATCH as f64);
    let counts = counts.collect();
    fs::remove_dir_all(&folder).expect("its own folder");
    counts
}

fn part_of(out: &Path, part: usize) -> PathBuf {
    PathBuf::from(format!("{}.{part}", out.display()))
}

/// The number of instructions in one dump.
fn total(path: &Path) -> f64 {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let line = text.lines().find_map(|l| l.strip_prefix("totals: "));
    line.and_then(|l| l.trim().parse().ok()).expect("a total")
}

/// The part that callgrind watches: one dump for each scenario, in order.
fn within_callgrind(name: &str) {
    let runtime = subject::runtime();
    let subject = subject::all(&runtime)
        .into_iter()
        .find(|s| s.label().name == name);
    let mut runner = Runner::new(subject.expect("a subject of that name"));
    for scenario in Scenario::ALL {
        let mut warm_up = runner.batch(scenario, BATCH);
        runner.subject.run(&mut warm_up);
        let mut batch = runner.batch(scenario, BATCH);
        measured(&mut *runner.subject, &mut batch);
    }
}

/// One scenario over and over.
fn profile(name: &str, scenario: &str, batches: usize) {
    let runtime = subject::runtime();
    let subject = subject::all(&runtime)
        .into_iter()
        .find(|s| s.label().name == name);
    let mut runner = Runner::new(subject.expect("a subject of that name"));
    let scenario = Scenario::ALL
        .into_iter()
        .find(|s| format!("{s:?}") == scenario);
    let scenario = scenario.expect("a scenario, S1 to S7");
    for _ in 0..batches {
        let mut batch = runner.batch(scenario, BATCH);
        measured(&mut *runner.subject, &mut batch);
    }
}

#[inline(never)]
fn measured(subject: &mut dyn Subject, batch: &mut Vec<http::Request<Body>>) {
    subject.run(batch);
}
