//! Servers on loopback with and without a session layer, under wrk, in turns: the loss in percent.
//!
//! Run with `cargo run --release --manifest-path benches/Cargo.toml --bin wire`; `--pairs N` and
//! `--seconds N` for other lengths, `--smoke` for a few seconds in all; `--only TEXT` for the stacks whose names have it.
//! With `REDIS_URL`, the stacks in Redis are measured too, with the feature `redis-peers` those of alternatives.

use std::process::{Command, ExitCode};
use std::{env, io};

use serde::Serialize;
use session_guard_benches::args::{Args, here};
use session_guard_benches::machine::Machine;
use session_guard_benches::report::write;
use session_guard_benches::stats::Spread;
use session_guard_benches::wire::{FRONTS, Load, STACKS, Server, cookie_of, serve, wants_redis};

#[derive(Serialize)]
struct Wire {
    machine: Machine,
    pairs: usize,
    seconds: usize,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    front: &'static str,
    stack: &'static str,
    without: Spread,
    with: Spread,
    loss_percent: Spread,
}

fn main() -> io::Result<ExitCode> {
    let args = Args::read();
    if let [flag, front, stack] = &args.rest[..]
        && flag == "--serve"
    {
        serve(front, stack)?;
        return Ok(ExitCode::SUCCESS);
    }
    if Command::new("wrk").arg("--version").output().is_err() {
        println!("skipped: wrk is not installed");
        return Ok(ExitCode::SUCCESS);
    }
    let pairs = args.number("--pairs", if args.smoke { 1 } else { 12 });
    let seconds = args.number("--seconds", if args.smoke { 1 } else { 2 });
    let load = Load {
        connections: 32,
        seconds,
    };
    println!("GET / with a valid cookie, requests a second without and with, loss in percent");
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
            let row = compare(front, stack, load, pairs)?;
            println!(
                "{front:<6} {stack:<40} {:>8.0} {:>8.0}   {:>6.1} ± {:.1}",
                row.without.median, row.with.median, row.loss_percent.median, row.loss_percent.mad
            );
            rows.push(row);
        }
    }
    if !args.smoke {
        let wire = Wire {
            machine: Machine::this(),
            pairs,
            seconds,
            rows,
        };
        write(&here("results/wire.json"), &wire);
    }
    Ok(ExitCode::SUCCESS)
}

/// Both servers stand all the time; wrk takes them in turns, and each begins every other pair. The
/// bare stack against itself shows what the method cannot tell apart.
fn compare(front: &'static str, stack: &'static str, load: Load, pairs: usize) -> io::Result<Row> {
    let a = Server::start(front, "bare stack")?;
    let b = Server::start(front, stack)?;
    let cookie = cookie_of(b.port)?.unwrap_or_else(|| "theme=dark".to_owned());
    if pairs > 1 {
        load.push(a.port, &cookie)?;
        load.push(b.port, &cookie)?;
    }
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        if pair % 2 == 0 {
            without.push(load.push(a.port, &cookie)?);
            with.push(load.push(b.port, &cookie)?);
        } else {
            with.push(load.push(b.port, &cookie)?);
            without.push(load.push(a.port, &cookie)?);
        }
    }
    let loss: Vec<_> = with
        .iter()
        .zip(&without)
        .map(|(b, a)| (1.0 - b / a) * 100.0)
        .collect();
    Ok(Row {
        front,
        stack,
        without: Spread::of(&without),
        with: Spread::of(&with),
        loss_percent: Spread::of(&loss),
    })
}
