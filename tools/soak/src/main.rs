//! A bounded soak of the testbed over loopback: clients that use every route and know what to expect, and
//! beside them a flood of forged cookies and of long headers.
//!
//! Run with `tools/soak/run.sh`; `tools/soak/run.sh smoke` takes seconds.

mod client;
mod server;
mod traffic;

use std::time::{Duration, Instant};

use client::Failure;
use server::Server;
use traffic::Totals;

/// By how much resident memory may exceed the most that it was in the first half of the mixed requests. A leak
/// of four bytes a request would be more.
const GROWTH_MIB: f64 = 2.0;

/// What the flood may add, however long it lasts: the buffers of its connections, each with a head of 64 KiB.
const BUFFERS_MIB: f64 = traffic::FLOOD_CONNECTIONS as f64 / 8.0;

/// How many of a hundred legitimate requests a second a flood may cost.
const MOST_LOSS: f64 = 10.0;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name}={text}")),
        Err(_) => Ok(default),
    };
    let requests = number("SOAK_REQUESTS", 1_000_000)?;
    let clients = number("SOAK_CLIENTS", 200)?;
    let flood = number("SOAK_FLOOD", 100_000)?;
    let rate = number("SOAK_RATE", 1_000)?;
    let store = std::env::var("SOAK_STORE").unwrap_or_else(|_| "memory".to_owned());
    let server = Server::start(&store).await?;
    println!("store {store}, {clients} clients");

    // A flood alone must not reach the store. It also fills the testbed's list of audit events, which keeps
    // the newest: from here on that list grows no more.
    let before = server.store_calls().await?;
    traffic::flood(&server, flood, 0.0).await?;
    let calls = server.store_calls().await? - before;
    println!("store calls for {flood} forged cookies: {calls}");

    // Everything of everything, as fast as it goes. Between the tenths nobody is logged in.
    let mut memory = Vec::new();
    let mut totals = Totals::default();
    let began = Instant::now();
    for _ in 0..10 {
        totals += traffic::mixed(&server, clients, requests / 10, None).await?;
        memory.push(server.resident_mib()?);
    }
    let took = began.elapsed();
    println!(
        "mixed: {totals}, {:.0} a second",
        totals.requests as f64 / took.as_secs_f64()
    );
    println!("memory after each tenth, MiB: {memory:?}");
    totals.must_be_sound()?;
    if let Some(left) = server.records().await?.filter(|records| *records > 0) {
        return Err(format!("{left} sessions are left, and everybody logged out").into());
    }

    // The same clients at a pace that the server can keep, alone and beside a flood. Where other work stopped
    // this machine for a while in one of the two, the loss is not the flood's: a loss must show three times.
    let paced = Paced {
        clients,
        requests: requests / 50,
        rate,
        flood,
    };
    let mut loss = paced.loss(&server).await?;
    for _ in 0..2 {
        if loss > MOST_LOSS {
            loss = loss.min(paced.loss(&server).await?);
        }
    }
    let flooded = server.resident_mib()?;
    println!("memory after the flood, MiB: {flooded:?}");

    if calls > 0 || loss > MOST_LOSS {
        return Err("the flood reached the store or the legitimate clients".into());
    }
    let [first, second] = [&memory[..5], &memory[5..]].map(most);
    if second > first + GROWTH_MIB || flooded > first + GROWTH_MIB + BUFFERS_MIB {
        return Err("memory grew".into());
    }
    Ok(())
}

/// The requests of clients at a pace, and the flood that comes beside them.
struct Paced {
    clients: u64,
    requests: u64,
    rate: u64,
    flood: u64,
}

impl Paced {
    /// How many of a hundred requests a second are lost to a flood.
    async fn loss(&self, server: &Server) -> Result<f64, Failure> {
        let pace = Duration::from_secs_f64(self.clients as f64 / self.rate as f64);
        let run = || {
            timed(traffic::mixed(
                server,
                self.clients,
                self.requests,
                Some(pace),
            ))
        };
        let mut alone = run().await?;
        let seconds = self.requests as f64 / self.rate as f64;
        let (mut beside, flooded) =
            tokio::try_join!(run(), traffic::flood(server, self.flood, seconds))?;
        let [before, with] =
            [&alone, &beside].map(|(_, took)| self.requests as f64 / took.as_secs_f64());
        let loss = 100.0 * (1.0 - with / before);
        println!(
            "paced: {before:.0} a second alone, {with:.0} beside {flooded} hostile requests: {loss:.1} % less"
        );
        for (when, totals) in [("alone", &mut alone.0), ("beside the flood", &mut beside.0)] {
            totals.must_be_sound()?;
            let [half, nearly_all] = [0.5, 0.99].map(|share| totals.within(share));
            println!(
                "{when}: half of the answers within {half:.1} ms, 99 % within {nearly_all:.1} ms"
            );
        }
        Ok(loss)
    }
}

fn most(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(0.0, f64::max)
}

/// What a future comes to and how long it took.
async fn timed<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<(T, Duration), Failure> {
    let began = Instant::now();
    let done = work.await?;
    Ok((done, began.elapsed()))
}
