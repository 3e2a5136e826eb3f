//! Prints the tables of `docs/scale.md` that come from the simulator: `cargo run --release --package scale`.

use std::time::Duration;

use scale::{Network, Outage, Setup, run};

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// After the copies of a minute's sessions are there.
const AT: Duration = seconds(75);

fn main() {
    let all = ["outage", "waits", "logins", "lapses", "fences"].map(str::to_owned);
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    for table in if wanted.is_empty() { &all[..] } else { &wanted } {
        println!("\n== {table}");
        match &**table {
            "outage" => outage(),
            "waits" => waits(),
            "logins" => logins(),
            "lapses" => lapses(),
            "fences" => fences(),
            _ => println!("no such table; there are {all:?}"),
        }
    }
}

fn setups() -> [(&'static str, Setup); 2] {
    [("small", Setup::small()), ("billion", Setup::billion())]
}

/// How a setup gets over an outage.
fn after(name: &str, setup: &Setup) {
    let outage = setup.outage.unwrap();
    let end = outage.at + outage.length;
    let outcome = run(setup);
    let usual = outcome.p99(outage.at - seconds(5), outage.at).unwrap();
    // One that no queue delays, by chance in a quarter of a second.
    let uncached = setup.network.p99 * 6 / 5;
    println!(
        "{name}: p99 {usual:?}, at worst {:?}; without a queue after {:?}, twice the usual after {:?}; \
         all served after {:?} ({} not); {} past the feed, {} questions, {} logins, {} hashed in vain",
        outcome.worst_p99(setup),
        outcome.within_after(uncached, setup),
        outcome.within_after(2 * usual, setup),
        outcome.all_served_at.saturating_sub(end),
        outcome.unserved,
        outcome.reads_past,
        outcome.questions,
        outcome.logins,
        outcome.hashed_in_vain,
    );
}

/// The refill after an outage that loses nothing.
fn outage() {
    for (name, setup) in setups() {
        for length in [10, 300].map(seconds) {
            for jitter in [true, false] {
                let mut setup = setup.clone().with_outage(Outage {
                    at: AT,
                    length,
                    logged_out: 0.0,
                });
                setup.until = AT + length + seconds(60);
                setup.jitter = jitter;
                after(&format!("{name}, {length:?}, jitter {jitter}"), &setup);
            }
        }
    }
}

/// What those who wait for their session's end add, after an outage and where connections are merely cut.
fn waits() {
    for (name, setup) in setups() {
        for length in [0, 10].map(seconds) {
            for waiting in [0.1, 1.0] {
                for spread in [0, 500].map(Duration::from_micros) {
                    let mut setup = setup.clone().with_outage(Outage {
                        at: AT,
                        length,
                        logged_out: 0.0,
                    });
                    setup.until = AT + length + seconds(30);
                    (setup.waiting, setup.spread_each) = (waiting, spread);
                    let what = format!("{name}, {length:?}, {waiting} wait, {spread:?} for each");
                    after(&what, &setup);
                }
            }
        }
    }
}

/// The login storm after an outage that loses all sessions.
fn logins() {
    for (name, setup) in setups() {
        for longest_wait in [Some(seconds(2)), None] {
            for jitter in [true, false] {
                let mut setup = setup.clone().with_outage(Outage {
                    at: AT,
                    length: seconds(10),
                    logged_out: 1.0,
                });
                setup.until = AT + seconds(600);
                setup.login.longest_wait = longest_wait;
                setup.jitter = jitter;
                let what = format!("{name}, a wait of {longest_wait:?} at most, jitter {jitter}");
                after(&what, &setup);
            }
        }
    }
}

/// Leases that lapse by the tail alone, beside the arithmetic.
fn lapses() {
    let lossy = Network::BUSY.with_loss(1e-5);
    for (name, network) in [("busy", Network::BUSY), ("one in 100,000 lost", lossy)] {
        for (nodes, primaries) in [(3, 1), (100, 5), (1_000, 43)] {
            for lease in [100, 250, 300, 350, 1_000].map(Duration::from_millis) {
                let setup = Setup {
                    nodes: 1,
                    other_nodes: nodes - 1,
                    primaries,
                    lease,
                    network,
                    sessions: 1,
                    until: lease * (300_000 / nodes as u32),
                    ..Setup::small()
                };
                let outcome = run(&setup);
                let one = network.share_beyond(lease * 2 / 3);
                let any = 1.0 - (1.0 - one).powi(primaries as i32);
                let time = setup.until.as_secs_f64() * nodes as f64;
                println!(
                    "{name}, {nodes} nodes, {primaries} primaries, {lease:?}: {any:.1e} of fences by arithmetic, \
                     {:.1e} of {} found; no lease for {:.1e} of the time",
                    outcome.lapses as f64 / outcome.fences as f64,
                    outcome.fences,
                    outcome.lapsed.as_secs_f64() / time,
                );
            }
        }
    }
}

/// As many nodes as a primary can stand, and more; without the first ten seconds, in which all of them connect.
fn fences() {
    for nodes in [1_000, 4_000, 7_000, 8_000, 9_000, 12_000, 14_000] {
        let setup = Setup {
            nodes: 1,
            other_nodes: nodes - 1,
            sessions: 2_000,
            until: seconds(10),
            ..Setup::small()
        };
        let until = seconds(20);
        let (first, both) = (
            run(&setup),
            run(&Setup {
                until,
                ..setup.clone()
            }),
        );
        println!(
            "{nodes} nodes: {} fences a second, p99 of a request {:?}; no lease for {:.1e} of the time",
            (both.fences - first.fences) / 10,
            both.p99(seconds(12), seconds(18)),
            (both.lapsed - first.lapsed).as_secs_f64() / (nodes as f64 * 10.0),
        );
    }
}
