//! One store in memory: sessions from ten to a million, threads from one to all.
//!
//! Run with `cargo run --release --manifest-path benches/Cargo.toml --bin scaling`; `--smoke` with ten
//! thousand sessions. Reads of several threads tell something only on a machine that does nothing else.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::process::Command;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use std::{env, thread};

use http::{Request, Response};
use rand::seq::SliceRandom;
use serde::Serialize;
use session_guard_benches::args::{Args, here};
use session_guard_benches::browser::{Jar, request};
use session_guard_benches::machine::Machine;
use session_guard_benches::report::write;
use session_guard_benches::scaling::{Hands, Noted, now_or_never, resident};
use session_guard_benches::scenario::{LOGIN, READ};
use session_guard_benches::stats::Spread;
use session_guard_benches::subject::Body;
use tower::{ServiceBuilder, service_fn};
use tower_service::Service;
use tower_session_guard::store::IndexKey;
use tower_session_guard::testing::claim_for;
use tower_session_guard::{
    Claim, Clock, KeyRing, Record, Session, SessionId, SessionLayer, SessionStore, Subject,
};

/// How many sessions the crowd subject has.
const CROWD: usize = 100_000;
/// Sessions that are ended in one call, as the layer asks for.
const PAGE: usize = 256;
/// Loads between two looks at the clock.
const LOADS: usize = 20_000;
const DAYS_400: u64 = 400 * 24 * 60 * 60;

#[derive(Serialize)]
struct Scaling {
    machine: Machine,
    reads: Vec<Reads>,
    bytes_per_session: f64,
    end_all: Vec<EndAll>,
    expiry: Expiry,
}

#[derive(Serialize)]
struct Reads {
    sessions: usize,
    threads: usize,
    /// Nanoseconds a load, as each thread sees it.
    ns: Spread,
    /// Loads a second of all threads, against those of one; both in their quietest tenth of rounds,
    /// since a thread that shares its core with another program tells nothing.
    speedup: f64,
    /// The same loads from one hash map without locks that nobody writes: what the memory allows.
    plain: Spread,
    plain_speedup: f64,
}

#[derive(Serialize)]
struct EndAll {
    among: usize,
    sessions: usize,
    microseconds: f64,
    /// Of the pages, between which others are served: microseconds.
    longest_page: f64,
}

#[derive(Serialize)]
struct Expiry {
    sessions: usize,
    /// Nanoseconds a login while nothing has expired.
    login_before: f64,
    /// Nanoseconds a login while every login clears away expired sessions.
    login_after: f64,
    /// Logins until no expired record was left.
    logins_until_clear: usize,
}

fn main() {
    let args = Args::read();
    if let [flag, count] = &args.rest[..]
        && flag == "--memory"
    {
        return println!("{}", memory(count.parse().expect("a number")));
    }
    let steps: &[usize] = if args.smoke {
        &[10, 10_000]
    } else {
        &[10, 1_000, 10_000, 100_000, 1_000_000]
    };
    let most = steps.last().copied().unwrap_or(0);
    let rounds = args.number("--rounds", if args.smoke { 3 } else { 60 });

    let machine = Machine::this();
    let mut town = Town::new(3 * most + 2 * CROWD);
    let mut reads = Vec::new();
    for step in steps {
        town.grow(*step);
        reads.extend(town.reads(machine.threads, rounds));
    }
    let bytes_per_session = of_a_fresh_process(most);
    println!("{bytes_per_session:.0} bytes a session");
    let end_all = town.end_all(if args.smoke { CROWD / 100 } else { CROWD });
    let expiry = town.expiry();
    if !args.smoke {
        let report = Scaling {
            machine,
            reads,
            bytes_per_session,
            end_all,
            expiry,
        };
        write(&here("results/scaling.json"), &report);
    }
}

type Stack = Box<dyn FnMut(Request<Body>) -> Response<Body>>;

/// A layer over a store, and the claims of the sessions in it.
struct Town {
    store: Noted,
    clock: Hands,
    stack: Stack,
    claims: Vec<Claim>,
    logins: usize,
}

impl Town {
    fn new(capacity: usize) -> Self {
        let (store, clock) = (Noted::with_capacity(capacity), Hands::new());
        let layer = SessionLayer::new(KeyRing::generate().expect("random bytes"))
            .with_store(store.clone())
            .without_session_limit()
            .with_clock(clock.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let mut service = ServiceBuilder::new()
            .layer(layer)
            .service(service_fn(handle));
        let stack = Box::new(move |request| {
            let Ok(response) = runtime.block_on(service.call(request));
            response
        });
        Self {
            store,
            clock,
            stack,
            claims: Vec::new(),
            logins: 0,
        }
    }

    /// Logs in somebody, or one more time the same.
    fn login(&mut self, user: String) -> Response<Body> {
        self.logins += 1;
        let mut request = request(LOGIN, None);
        request.extensions_mut().insert(User(user));
        (self.stack)(request)
    }

    fn grow(&mut self, sessions: usize) {
        while self.claims.len() < sessions {
            let mut jar = Jar::default();
            jar.take(&self.login(format!("user-{}", self.logins)));
            let _ = (self.stack)(request(READ, jar.header()));
            let ids = self.store.take();
            // The store goes by the id alone.
            self.claims
                .extend(ids.iter().map(|id| claim_for(id, [0; 16])));
        }
        self.claims.shuffle(&mut rand::rng());
    }

    /// Loads of sessions in no order, by one thread and by several in turns.
    fn reads(&self, most: usize, rounds: usize) -> Vec<Reads> {
        let (now, inner) = (self.clock.now(), &self.store.store);
        let store = |claim: &Claim| {
            let stored = now_or_never(inner.load(claim.into(), now));
            black_box(stored.expect("the store in memory")).is_some()
        };
        let map = self.plain();
        let plain = |claim: &Claim| {
            let bytes = map.get(claim.id()).expect("a session that is there");
            black_box(Record::decode(bytes)).is_ok()
        };
        let mut samples = vec![(Vec::new(), Vec::new()); most];
        for _ in 0..rounds {
            for (n, sample) in samples.iter_mut().enumerate() {
                sample.0.push(load_on(&self.claims, n + 1, store));
                sample.1.push(load_on(&self.claims, n + 1, plain));
            }
        }
        let alone = Spread::of(&samples[0].0).p10;
        let plain_alone = Spread::of(&samples[0].1).p10;
        let row = |(n, sample): (usize, &(Vec<f64>, Vec<f64>))| {
            let (ns, plain) = (Spread::of(&sample.0), Spread::of(&sample.1));
            let speedup = alone / ns.p10 * (n + 1) as f64;
            let plain_speedup = plain_alone / plain.p10 * (n + 1) as f64;
            let sessions = self.claims.len();
            println!(
                "{sessions:>9} sessions, {} threads: {:>6.0} ± {:.0} ns a load, at best {:.0}, {speedup:.2} ×; \
                 plain map {:.0} ± {:.0}, {plain_speedup:.2} ×",
                n + 1,
                ns.median,
                ns.mad,
                ns.p10,
                plain.median,
                plain.mad
            );
            Reads {
                sessions,
                threads: n + 1,
                ns,
                speedup,
                plain,
                plain_speedup,
            }
        };
        samples.iter().enumerate().map(row).collect()
    }

    /// The same records in a map of the standard library.
    fn plain(&self) -> HashMap<SessionId, Box<[u8]>> {
        let now = self.clock.now();
        let claims = self.claims.iter();
        let record = |claim: &Claim| {
            let stored = now_or_never(self.store.store.load(claim.into(), now));
            let stored = stored.expect("the store in memory");
            let bytes = stored.expect("a session that is there").record.encode();
            (*claim.id(), bytes.into())
        };
        claims.map(record).collect()
    }

    /// Ten sessions of one subject, and very many of another.
    fn end_all(&mut self, crowd: usize) -> Vec<EndAll> {
        [10, crowd]
            .into_iter()
            .map(|sessions| self.end_crowd(sessions))
            .collect()
    }

    fn end_crowd(&mut self, sessions: usize) -> EndAll {
        let among = self.claims.len();
        let user = format!("crowd-of-{sessions}");
        (0..sessions).for_each(|_| drop(self.login(user.clone())));
        let owner = IndexKey::owner("", &Subject::from(user.as_str()));
        let (mut ended, mut after, mut longest) = (0, None, Duration::ZERO);
        let start = Instant::now();
        loop {
            let asked = Instant::now();
            let store = &self.store.store;
            let page = now_or_never(store.end_listed(&owner, after.as_ref(), PAGE, None));
            longest = longest.max(asked.elapsed());
            let page = page.expect("the store in memory");
            ended += page.ended;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let microseconds = micros(start.elapsed());
        assert_eq!(ended, sessions);
        let longest_page = micros(longest);
        println!(
            "end all: {sessions} sessions among {among}: {microseconds:.0} µs, \
             the longest page {longest_page:.0} µs"
        );
        EndAll {
            among,
            sessions,
            microseconds,
            longest_page,
        }
    }

    /// Lets everything expire and logs in until nothing of it is left.
    fn expiry(&mut self) -> Expiry {
        const BATCH: usize = 1000;
        let sessions = self.claims.len();
        let login_before = self.logins(BATCH) / BATCH as f64;
        let before = self.records();
        self.clock.advance(DAYS_400);
        let (mut spent, mut logins) = (0.0, 0);
        // Whether a record is still there shows in the number of those held, expired or not.
        while self.records() > logins && logins < 2 * before {
            spent += self.logins(BATCH);
            logins += BATCH;
        }
        let login_after = spent / logins as f64;
        println!(
            "expiry: {login_before:.0} ns a login before, {login_after:.0} while {before} records \
             are cleared away, none left after {logins} logins"
        );
        Expiry {
            sessions,
            login_before,
            login_after,
            logins_until_clear: logins,
        }
    }

    /// Nanoseconds of so many logins.
    fn logins(&mut self, count: usize) -> f64 {
        let users: Vec<_> = (0..count).map(|n| format!("late-{n}")).collect();
        let start = Instant::now();
        users.into_iter().for_each(|user| drop(self.login(user)));
        start.elapsed().as_nanos() as f64
    }

    /// Records held, expired ones included, from the store's own words.
    fn records(&self) -> usize {
        let text = format!("{:?}", self.store.store);
        let digits = text.split("sessions: ").nth(1).unwrap_or_default();
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        digits
            .parse()
            .expect("MemoryStore's Debug names its sessions")
    }
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1000.0
}

/// Nanoseconds a load when so many threads load at once, each from another place on.
fn load_on(claims: &[Claim], threads: usize, load: impl Fn(&Claim) -> bool + Copy + Sync) -> f64 {
    let barrier = Barrier::new(threads);
    let one = |n: usize| {
        let from = n * claims.len() / threads;
        let mine = claims[from..]
            .iter()
            .chain(&claims[..from])
            .cycle()
            .take(LOADS);
        barrier.wait();
        let start = Instant::now();
        for claim in mine {
            assert!(load(claim), "a session that is there");
        }
        start.elapsed().as_nanos() as f64 / LOADS as f64
    };
    let times: Vec<f64> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|n| scope.spawn(move || one(n))).collect();
        running
            .into_iter()
            .map(|t| t.join().expect("a thread that loads"))
            .collect()
    });
    times.iter().sum::<f64>() / threads as f64
}

#[derive(Clone)]
struct User(String);

async fn handle(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let session = request
        .extensions()
        .get::<Session>()
        .expect("the layer stands above");
    if let Some(user) = request.extensions().get::<User>() {
        session.login(user.0.as_str());
    }
    Ok(Response::new(Body::from(if session.is_authenticated() {
        "in"
    } else {
        "out"
    })))
}

/// Bytes a session in a process that holds nothing else.
fn of_a_fresh_process(sessions: usize) -> f64 {
    let program = env::current_exe().expect("this program");
    let run = Command::new(program)
        .args(["--memory", &sessions.to_string()])
        .output();
    let said = String::from_utf8(run.expect("this program again").stdout).expect("a number");
    said.trim().parse().expect("a number")
}

fn memory(sessions: usize) -> f64 {
    let mut town = Town::new(sessions);
    let before = resident();
    (0..sessions).for_each(|n| drop(town.login(format!("user-{n}"))));
    (resident() - before) as f64 / sessions as f64
}
