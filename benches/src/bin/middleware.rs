//! Whole stacks in process: nanoseconds a request of every subject, in turns, in ten processes one after the other.
//!
//! Run with `cargo run --release --manifest-path benches/Cargo.toml --bin middleware`; `--smoke` for
//! seconds, `--rounds N` for another number of samples, `--only PART,…` for the subjects whose names hold
//! one of these, which are not written down.
//!
//! With `RUSTFLAGS='--cfg sha2_backend="soft"' OPENSSL_ia32cap=:~0x20000000` and `--features software`
//! everything hashes as on a processor without SHA instructions; that run has a report of its own.

use std::env;
use std::process::Command;

use session_guard_benches::args::{Args, here};
use session_guard_benches::machine::{HASHES_IN_SOFTWARE, Machine};
use session_guard_benches::report::{Row, Run, write};
use session_guard_benches::runner::Runner;
use session_guard_benches::scenario::Scenario;
use session_guard_benches::subject;

const BATCH: usize = 32;
/// Where a process has its code and its memory moves a subject by some hundredths: several take part.
const PROCESSES: usize = 10;

/// By subject and by scenario, nanoseconds a request in every round.
type Samples = Vec<Vec<Vec<f64>>>;

fn main() {
    let args = Args::read();
    let rounds = args.number("--rounds", if args.smoke { 5 } else { 1000 });
    let runtime = subject::runtime();
    let only = args.rest.iter().skip_while(|a| *a != "--only").nth(1);
    let mut runners: Vec<_> = subject::all(&runtime)
        .into_iter()
        .filter(|s| {
            let name = s.label().name;
            match only {
                Some(only) => {
                    name == "bare stack" || only.split(',').any(|part| name.contains(part))
                }
                None => name != subject::UNLOOKED,
            }
        })
        .map(Runner::new)
        .collect();
    if args.has("--samples") {
        let samples = measure(&mut runners, rounds);
        println!("{}", serde_json::to_string(&samples).expect("numbers"));
        return;
    }
    runners.iter_mut().for_each(Runner::check);

    let samples = if args.smoke {
        measure(&mut runners, rounds)
    } else {
        let share = rounds.div_ceil(PROCESSES);
        let parts = (0..PROCESSES).map(|_| in_a_process_of_its_own(share, only));
        parts.reduce(joined).expect("one at least")
    };
    let row = |who: usize, s: usize| {
        let label = runners[who].subject.label();
        Row::new(label, Scenario::ALL[s], &samples[who][s], &samples[0][s])
    };
    let each = (0..runners.len()).flat_map(|who| (0..Scenario::ALL.len()).map(move |s| (who, s)));
    let run = Run {
        machine: Machine::this(),
        rounds,
        batch: BATCH,
        rows: each.map(|(who, s)| row(who, s)).collect(),
    };
    print(&run);
    if !args.smoke && only.is_none() {
        let name = if HASHES_IN_SOFTWARE {
            "results/middleware-software.json"
        } else {
            "results/middleware.json"
        };
        write(&here(name), &run);
    }
}

fn in_a_process_of_its_own(rounds: usize, only: Option<&String>) -> Samples {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--samples", "--rounds", &rounds.to_string()]);
    if let Some(only) = only {
        command.args(["--only", only]);
    }
    let output = command.output().expect("this program runs");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("samples")
}

fn joined(mut one: Samples, other: Samples) -> Samples {
    let pairs = one.iter_mut().flatten().zip(other.into_iter().flatten());
    pairs.for_each(|(all, more)| all.extend(more));
    one
}

/// Every subject takes its turn in every round, and another one begins each round, so that what else
/// the machine does falls on all of them alike.
fn measure(runners: &mut [Runner], rounds: usize) -> Samples {
    let warm_up = rounds / 10 + 1;
    let mut samples = vec![vec![Vec::with_capacity(rounds); Scenario::ALL.len()]; runners.len()];
    for round in 0..warm_up + rounds {
        for (s, scenario) in Scenario::ALL.into_iter().enumerate() {
            for turn in 0..runners.len() {
                let who = (turn + round) % runners.len();
                let ns = runners[who].time(scenario, BATCH);
                if round >= warm_up {
                    samples[who][s].push(ns);
                }
            }
        }
    }
    samples
}

fn print(run: &Run) {
    println!(
        "{} · {} · rustc {}",
        run.machine.processor,
        run.machine.instructions.join(" "),
        run.machine.rustc
    );
    println!(
        "net ns a request, median ± MAD of {} rounds × {} requests",
        run.rounds, run.batch
    );
    print!("{:<30}", "");
    Scenario::ALL
        .iter()
        .for_each(|s| print!("{:>16}", format!("{s:?}")));
    println!();
    for subject in run.subjects() {
        print!("{subject:<30}");
        for row in Scenario::ALL.iter().filter_map(|s| run.row(subject, *s)) {
            let shown = if subject == "bare stack" {
                row.ns
            } else {
                row.net
            };
            print!("{:>16}", format!("{:.0} ± {:.0}", shown.median, shown.mad));
        }
        println!();
    }
}
