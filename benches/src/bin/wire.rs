//! Servers on loopback with and without a session layer, in turns of milliseconds: the loss in percent.
//!
//! Run with `cargo run --release --manifest-path benches/Cargo.toml --bin wire`; `--processes N` and
//! `--turns N` for other lengths, `--smoke` for a few seconds in all; `--only TEXT` for the stacks whose names have it,
//! which are not written down.
//! With `REDIS_URL`, the stacks in Redis are measured too, with the feature `redis-peers` those of alternatives.

use std::process::ExitCode;
use std::time::Instant;
use std::{env, io};

use serde::Serialize;
use session_guard_benches::args::{Args, here};
use session_guard_benches::machine::Machine;
use session_guard_benches::report::write;
use session_guard_benches::stats::Spread;
use session_guard_benches::wire::{
    CONNECTIONS, Client, FRONTS, STACKS, Server, cookie_of, serve, wants_redis,
};

/// In a turn, so many requests go over each connection: some milliseconds.
const ROUNDS: usize = 10;

#[derive(Serialize)]
struct Wire {
    machine: Machine,
    processes: usize,
    turns: usize,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    front: &'static str,
    stack: &'static str,
    without: Spread,
    with: Spread,
    loss_percent: Spread,
    /// Nanoseconds of the server's processor a request.
    processor_without: Spread,
    processor_with: Spread,
    /// The throughput that a server loses whose processor has nothing else to do and never waits.
    processor_loss_percent: Spread,
}

fn main() -> io::Result<ExitCode> {
    let args = Args::read();
    if let [flag, front, stack] = &args.rest[..]
        && flag == "--serve"
    {
        serve(front, stack)?;
        return Ok(ExitCode::SUCCESS);
    }
    let processes = args.number("--processes", if args.smoke { 1 } else { 8 });
    let turns = args.number("--turns", if args.smoke { 4 } else { 60 });
    println!(
        "GET / with a valid cookie: requests a second without and with, loss in percent; the same by the server's \
         nanoseconds a request"
    );
    let mut rows = Vec::new();
    let fronts = if args.smoke {
        &FRONTS[..1]
    } else {
        &FRONTS[..]
    };
    for &front in fronts {
        for &stack in STACKS {
            if args
                .text("--only")
                .is_some_and(|wanted| !stack.contains(wanted))
            {
                continue;
            }
            // Its layer takes axum's body.
            if front == "hyper" && stack.starts_with("axum_session") {
                continue;
            }
            if wants_redis(stack) && env::var_os("REDIS_URL").is_none() {
                println!("{front:<6} {stack:<40} skipped: REDIS_URL names no server");
                continue;
            }
            let row = compare(front, stack, processes, turns)?;
            println!(
                "{front:<6} {stack:<40} {:>8.0} {:>8.0} {:>6.1} ± {:<5.1} {:>7.0} {:>7.0} {:>6.1} ± {:.1}",
                row.without.median,
                row.with.median,
                row.loss_percent.median,
                row.loss_percent.mad,
                row.processor_without.median,
                row.processor_with.median,
                row.processor_loss_percent.median,
                row.processor_loss_percent.mad
            );
            rows.push(row);
        }
    }
    if !args.smoke && args.text("--only").is_none() {
        let wire = Wire {
            machine: Machine::this(),
            processes,
            turns,
            rows,
        };
        write(&here("results/wire.json"), &wire);
    }
    Ok(ExitCode::SUCCESS)
}

/// Each process of a server takes so many turns, since where it has its code and its memory moves a stack by some
/// hundredths. Turns are short and alternate, since a machine that others use is now faster and now slower. The bare stack
/// against itself shows what the method cannot tell apart.
fn compare(
    front: &'static str,
    stack: &'static str,
    processes: usize,
    turns: usize,
) -> io::Result<Row> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..processes {
        let (bare, layered) = (
            Server::start(front, "bare stack")?,
            Server::start(front, stack)?,
        );
        let cookie = cookie_of(layered.port)?.unwrap_or_else(|| "theme=dark".to_owned());
        let mut to_bare = Client::connect(bare.port, &cookie)?;
        let mut to_layered = Client::connect(layered.port, &cookie)?;
        for turn in 0..=turns {
            let (a, b) = if turn % 2 == 0 {
                let a = push(&bare, &mut to_bare)?;
                (a, push(&layered, &mut to_layered)?)
            } else {
                let b = push(&layered, &mut to_layered)?;
                (push(&bare, &mut to_bare)?, b)
            };
            // The first one warms up.
            if turn > 0 {
                without.push(a);
                with.push(b);
            }
        }
    }
    let of = |sample: &[Turn], which: fn(&Turn) -> f64| {
        Spread::of(&sample.iter().map(which).collect::<Vec<_>>())
    };
    let loss = |cost: fn(&Turn) -> f64| {
        let pairs = with.iter().zip(&without);
        let losses = pairs.map(|(with, without)| (1.0 - cost(without) / cost(with)) * 100.0);
        Spread::of(&losses.collect::<Vec<_>>())
    };
    Ok(Row {
        front,
        stack,
        without: of(&without, |turn| 1e9 / turn.time),
        with: of(&with, |turn| 1e9 / turn.time),
        loss_percent: loss(|turn| turn.time),
        processor_without: of(&without, |turn| turn.processor),
        processor_with: of(&with, |turn| turn.processor),
        processor_loss_percent: loss(|turn| turn.processor),
    })
}

/// Nanoseconds a request: as the client counts them, and of the server's processor.
struct Turn {
    time: f64,
    processor: f64,
}

fn push(server: &Server, client: &mut Client) -> io::Result<Turn> {
    let (began, before) = (Instant::now(), server.processor_time()?);
    client.push(ROUNDS)?;
    let (taken, time) = (server.processor_time()? - before, began.elapsed());
    let requests = (ROUNDS * CONNECTIONS) as f64;
    Ok(Turn {
        time: time.as_secs_f64() * 1e9 / requests,
        processor: taken.as_secs_f64() * 1e9 / requests,
    })
}
