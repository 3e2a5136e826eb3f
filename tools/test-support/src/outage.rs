//! What a store's outage may look like from outside: 503 within the time limit, and then fine again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tower_session_guard::{EmptyFailure, SessionLayer};

use crate::{
    Client, SESSION,
    proxy::Proxy,
    server::{PATIENCE, StoreServer},
};

/// What a request may take in addition to the time limit, on a machine that keeps up.
const SLACK: Duration = Duration::from_millis(500);

/// What becomes of the sessions in a server that was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterDeath {
    SessionsAreThere,
    SessionsAreLost,
}

/// An application on a store with a time limit.
pub struct Outage {
    client: Client,
    token: String,
    limit: Duration,
}

impl Outage {
    /// Logs somebody in while all is well. `limit` is the store's time limit.
    pub async fn prepare<K: 'static>(
        layer: SessionLayer<EmptyFailure, K>,
        limit: Duration,
    ) -> Self {
        let client = Client::of(layer);
        let token = client.login("alice").await;
        let this = Self {
            client,
            token,
            limit,
        };
        this.expect_fine("before the outage").await;
        this
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Pauses the server, cuts its answers off and kills it: each time 503, and then fine again. The store
    /// reaches the server through `proxy`.
    pub async fn hold(
        &mut self,
        name: &str,
        server: &impl StoreServer,
        proxy: &Proxy,
        after_death: AfterDeath,
    ) {
        server.pause();
        self.expect_503(&format!("{name} paused")).await;
        server.go_on();
        self.recovers(&format!("{name} goes on")).await;

        proxy.cut_answers(u64::MAX);
        let cut_off = format!("{name} cut off after each command");
        self.expect_503(&cut_off).await;
        proxy.cut_answers(0);
        self.recovers(&format!("{name} reachable again")).await;

        server.kill();
        self.expect_503(&format!("{name} killed")).await;
        server.start_again();
        let again = format!("{name} started again");
        match after_death {
            AfterDeath::SessionsAreThere => {
                self.recovers(&again).await;
            }
            AfterDeath::SessionsAreLost => self.recovers_empty(&again).await,
        }
    }

    /// While the engine is away: 24 requests at once, reads and logins, all answered 503 in time, and
    /// nothing that touches a cookie. A request without a session needs no store.
    pub async fn expect_503(&self, when: &str) {
        let lost = LostTime::watch();
        let mut requests = JoinSet::new();
        let began = Instant::now();
        for number in 0..24 {
            let (client, token) = (self.client.clone(), self.token.clone());
            requests.spawn(async move {
                let cookies = [(SESSION, token.as_str())];
                match number % 3 {
                    0 => client.get("/whoami", &cookies).await,
                    1 => client.mark("put:k:v", &cookies).await,
                    _ => client.mark("login:bob", &[]).await,
                }
            });
        }
        while let Some(answer) = requests.join_next().await {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 503, "{when}: {}", answer.body);
            assert!(answer.sets_nothing(), "{when}");
            assert!(answer.body.is_empty(), "{when}");
        }
        let (took, lost) = (began.elapsed(), lost.so_far());
        println!("{when}: 24 requests answered 503 within {took:?}, {lost:?} of it lost");
        let most = self.limit + SLACK + 3 * lost;
        assert!(took < most, "{when}: 503 after {took:?}, {lost:?} lost");
        assert_eq!(self.client.get("/public", &[]).await.status, 200, "{when}");
    }

    /// Tries until a request is served again, and says how many were not.
    pub async fn recovers(&self, when: &str) -> usize {
        let began = Instant::now();
        let mut failed = 0;
        while self.whoami().await.0 != 200 {
            failed += 1;
            assert!(began.elapsed() < PATIENCE, "{when}: never");
        }
        println!("{when}: {failed} requests failed in {:?}", began.elapsed());
        self.expect_fine(when).await;
        failed
    }

    /// The same where the engine has lost what it held: who was logged in is so no longer, and can log in
    /// again.
    async fn recovers_empty(&mut self, when: &str) {
        let began = Instant::now();
        let mut failed = 0;
        loop {
            let (status, body) = self.whoami().await;
            assert!(status == 503 || body == "nobody", "{when}: {body}");
            let login = self.client.mark("login:alice", &[]).await;
            if let (200, Some(token)) = (login.status.as_u16(), login.cookie(SESSION)) {
                self.token = token;
                break;
            }
            failed += 1;
            assert!(began.elapsed() < PATIENCE, "{when}: never");
        }
        println!("{when}: {failed} logins failed in {:?}", began.elapsed());
        self.expect_fine(when).await;
    }

    /// Reads, writes, logs in and out.
    pub async fn expect_fine(&self, when: &str) {
        let (status, body) = self.whoami().await;
        assert_eq!((status, body.as_str()), (200, "alice@1"), "{when}");
        let cookies = [(SESSION, self.token.as_str())];
        let put = self.client.mark("put:k:v", &cookies).await;
        assert_eq!(put.status, 200, "{when}");
        let other = self.client.login("bob").await;
        let other = [(SESSION, other.as_str())];
        assert_eq!(self.client.whoami(&other).await, "bob@1", "{when}");
        let logout = self.client.mark("logout", &other).await;
        assert_eq!(logout.status, 200, "{when}");
        assert_eq!(self.client.whoami(&other).await, "nobody", "{when}");
    }

    async fn whoami(&self) -> (u16, String) {
        let cookies = [(SESSION, self.token.as_str())];
        let answer = self.client.get("/whoami", &cookies).await;
        (answer.status.as_u16(), answer.body)
    }
}

/// How long this process stood still, because the machine had other work: the delays of a timer in sum. What a
/// test measures meanwhile says nothing about the store for that long.
struct LostTime {
    micros: Arc<AtomicU64>,
    watch: JoinHandle<()>,
}

impl LostTime {
    fn watch() -> Self {
        const TICK: Duration = Duration::from_millis(10);
        let micros = Arc::<AtomicU64>::default();
        let sum = Arc::clone(&micros);
        let watch = tokio::spawn(async move {
            loop {
                let began = Instant::now();
                sleep(TICK).await;
                let late = began.elapsed().saturating_sub(TICK + TICK / 2);
                sum.fetch_add(late.as_micros() as u64, Relaxed);
            }
        });
        Self { micros, watch }
    }

    fn so_far(&self) -> Duration {
        Duration::from_micros(self.micros.load(Relaxed))
    }
}

impl Drop for LostTime {
    fn drop(&mut self) {
        self.watch.abort();
    }
}
