//! A bounded soak of the testbed over loopback: clients that use every route and know what to expect, and
//! beside them a flood of forged cookies and of long headers.
//!
//! Run with `soak/run.sh`; `soak/run.sh smoke` takes seconds.

mod client;
mod server;
mod traffic;

use std::time::{Duration, Instant};

use server::{Failure, Server};
use traffic::Totals;

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

    // Everything of everything, as fast as it goes.
    let mut grown = Vec::new();
    let mut totals = Totals::default();
    let began = Instant::now();
    for _ in 0..10 {
        totals += traffic::mixed(&server, clients, requests / 10, None).await?;
        grown.push(server.resident_mib()?);
    }
    let took = began.elapsed();
    println!(
        "mixed: {totals}, {:.0} a second",
        totals.requests as f64 / took.as_secs_f64()
    );
    println!("memory after each tenth, MiB: {grown:?}");
    totals.must_be_sound()?;

    // The same clients at a pace that the server can keep, alone and beside a flood.
    let paced = requests / 50;
    let pace = Some(Duration::from_secs_f64(clients as f64 / rate as f64));
    let alone = timed(traffic::mixed(&server, clients, paced, pace)).await?;
    let before = server.resident_mib()?;
    let seconds = paced as f64 / rate as f64;
    let (beside, flooded) = tokio::try_join!(
        timed(traffic::mixed(&server, clients, paced, pace)),
        traffic::flood(&server, flood, seconds),
    )?;
    let rates = [alone.1, beside.1].map(|took| paced as f64 / took.as_secs_f64());
    let loss = 100.0 * (1.0 - rates[1] / rates[0]);
    println!(
        "paced: {:.0} a second alone, {:.0} beside {flooded} hostile requests: {loss:.1} % less",
        rates[0], rates[1]
    );
    println!(
        "memory: {before:.1} MiB before the flood, {:.1} after",
        server.resident_mib()?
    );
    alone.0.must_be_sound()?;
    beside.0.must_be_sound()?;

    // The flood alone must not reach the store.
    let before = server.store_calls().await?;
    traffic::flood(&server, flood / 10, 0.0).await?;
    let calls = server.store_calls().await? - before;
    println!("store calls for {} forged cookies: {calls}", flood / 10);
    if calls > 0 || loss > 10.0 {
        return Err("the flood reached the store or the legitimate clients".into());
    }
    Ok(())
}

/// What a future comes to and how long it took.
async fn timed<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<(T, Duration), Failure> {
    let began = Instant::now();
    let done = work.await?;
    Ok((done, began.elapsed()))
}
