//! What the clients do, and what must come back.

use std::{
    fmt,
    ops::AddAssign,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use crate::{
    client::{Client, Failure},
    server::Server,
};

/// What came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    logins: u64,
    /// Answers that name another user than the one who asked, or nobody where somebody is logged in.
    mismatches: u64,
    failures: u64,
    /// How long each answer took, in microseconds.
    took: Vec<u32>,
}

impl Totals {
    /// How long the quickest answers of this share took at most, in milliseconds.
    pub(crate) fn within(&mut self, share: f64) -> f64 {
        self.took.sort_unstable();
        let place = (self.took.len() as f64 * share) as usize;
        let took = self.took.get(place).or(self.took.last());
        f64::from(took.copied().unwrap_or_default()) / 1000.0
    }

    pub(crate) fn must_be_sound(&self) -> Result<(), Failure> {
        if self.mismatches + self.failures > 0 {
            return Err(format!("{self}").into());
        }
        Ok(())
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} logins, {} mismatches, {} failures",
            self.requests, self.logins, self.mismatches, self.failures
        )
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.logins += other.logins;
        self.mismatches += other.mismatches;
        self.failures += other.failures;
        self.took.extend(other.took);
    }
}

/// Numbers that need not be unpredictable.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

/// `requests` of all kinds from `clients` users, each at its own `pace` or as fast as it goes.
pub(crate) async fn mixed(
    server: &Server,
    clients: u64,
    requests: u64,
    pace: Option<Duration>,
) -> Result<Totals, Failure> {
    let mut tasks = JoinSet::new();
    for number in 0..clients {
        let client = Client::new(server.address);
        tasks.spawn(one_user(client, number, requests / clients, pace));
    }
    let mut totals = Totals::default();
    while let Some(done) = tasks.join_next().await {
        totals += done??;
    }
    Ok(totals)
}

async fn one_user(
    mut client: Client,
    number: u64,
    requests: u64,
    pace: Option<Duration>,
) -> Result<Totals, Failure> {
    let mut totals = Totals::default();
    let mut dice = Dice(number + 1);
    let mut ticks = pace.map(interval);
    if let Some(ticks) = &mut ticks {
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    }
    let mut logged_in = false;
    for _ in 0..requests {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await;
        }
        let login = format!("/login?user=user{number}");
        let (method, path) = match dice.roll() % 100 {
            0..5 => ("POST", &*login),
            5..8 if logged_in => ("POST", "/elevate"),
            8..12 => ("POST", "/renew"),
            12..14 => ("POST", "/logout"),
            14..24 => ("POST", "/put?k=cart&v=3"),
            24..34 => ("GET", "/get?k=cart"),
            34..38 => ("GET", "/public"),
            _ => ("GET", "/whoami"),
        };
        let sent = Instant::now();
        let answer = client.send(method, path, None).await?;
        totals.took.push(sent.elapsed().as_micros() as u32);
        totals.requests += 1;
        totals.failures += u64::from(answer.status != 200);
        match path {
            "/logout" => logged_in = false,
            "/whoami" | "/elevate" => {
                let user = format!("\"subject\":\"user{number}\"");
                let nobody = answer.body.contains("\"subject\":null");
                let right = if logged_in {
                    answer.body.contains(&user)
                } else {
                    nobody
                };
                totals.mismatches += u64::from(!right);
            }
            path if path.starts_with("/login") => {
                logged_in = true;
                totals.logins += 1;
            }
            _ => {}
        }
    }
    // The next round begins with a client that holds nothing.
    client.send("POST", "/logout", None).await?;
    Ok(totals)
}

/// Over how many connections a flood comes.
pub(crate) const FLOOD_CONNECTIONS: u64 = 20;

/// `requests` with forged cookies, every hundredth with 64 KiB of them, spread over `seconds`.
pub(crate) async fn flood(server: &Server, requests: u64, seconds: f64) -> Result<u64, Failure> {
    let junk = "x".repeat(1000);
    let long: String = (0..64).map(|n| format!("c{n}={junk}; ")).collect();
    let long = Arc::new(long);
    let mut tasks = JoinSet::new();
    let each = requests / FLOOD_CONNECTIONS;
    for connection in 0..FLOOD_CONNECTIONS {
        let (mut client, long) = (Client::new(server.address), Arc::clone(&long));
        tasks.spawn(async move {
            let mut dice = Dice(connection + 1_000_000);
            let mut ticks = interval(Duration::from_secs_f64((seconds / each as f64).max(1e-6)));
            for n in 0..each {
                if seconds > 0.0 {
                    ticks.tick().await;
                }
                let token: String = (0..16)
                    .map(|_| format!("{:06x}", dice.roll() & 0xFF_FFFF))
                    .collect();
                let name = if n % 2 == 0 {
                    "__Host-Http-session"
                } else {
                    "__Host-Http-session-guest"
                };
                let mut cookies = format!("{name}={token}");
                if n % 100 == 0 {
                    cookies.insert_str(0, &long);
                }
                let answer = client.send("GET", "/whoami", Some(&cookies)).await?;
                if !answer.body.contains("\"subject\":null") {
                    return Err(Failure::from("a forged cookie opened something"));
                }
            }
            Ok(each)
        });
    }
    let mut sent = 0;
    while let Some(done) = tasks.join_next().await {
        sent += done??;
    }
    Ok(sent)
}
