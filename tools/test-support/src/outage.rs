//! What a store's outage may look like from outside: 503 within the time limit, and then fine again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tower_session_guard::{SessionLayer, SessionStore};

use crate::{Client, SESSION, keys};

/// What a busy machine may add to the time limit.
const SLACK: Duration = Duration::from_millis(1500);

/// An application on a store with a time limit.
pub struct Outage {
    client: Client,
    token: String,
    limit: Duration,
}

impl Outage {
    /// Logs somebody in while all is well. `limit` is the store's time limit.
    pub async fn prepare(store: Arc<dyn SessionStore>, limit: Duration) -> Self {
        let client = Client::of(SessionLayer::new(keys()).with_store(store));
        let token = client.login("alice").await;
        let this = Self {
            client,
            token,
            limit,
        };
        this.expect_fine("before the outage").await;
        this
    }

    /// While the engine is away: 24 requests at once, reads and logins, all answered 503 in time, and
    /// nothing that touches a cookie.
    #[expect(
        clippy::manual_async_fn,
        reason = "the caller is tracked, which an async fn cannot"
    )]
    #[track_caller]
    pub fn expect_503(&self, when: &'static str) -> impl Future<Output = ()> + '_ {
        async move {
            let mut requests = tokio::task::JoinSet::new();
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
                let (answer, took) = (answer.unwrap(), began.elapsed());
                assert_eq!(answer.status, 503, "{when}: {}", answer.body);
                assert!(answer.sets_nothing(), "{when}");
                assert!(answer.body.is_empty(), "{when}");
                assert!(took < self.limit + SLACK, "{when}: 503 after {took:?}");
            }
            println!(
                "{when}: 24 requests answered 503 within {:?}",
                began.elapsed()
            );
        }
    }

    /// Tries until a request is served again, and says how many were not.
    pub async fn recovers(&self, when: &str) -> usize {
        let began = Instant::now();
        let mut failed = 0;
        while self.whoami().await.0 != 200 {
            failed += 1;
            assert!(began.elapsed() < Duration::from_secs(15), "{when}: never");
        }
        println!("{when}: {failed} requests failed in {:?}", began.elapsed());
        self.expect_fine(when).await;
        failed
    }

    /// The same where the engine has lost what it held: who was logged in is so no longer, and can log in
    /// again.
    pub async fn recovers_empty(&mut self, when: &str) {
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
            assert!(began.elapsed() < Duration::from_secs(15), "{when}: never");
        }
        println!("{when}: {failed} logins failed in {:?}", began.elapsed());
        self.expect_fine(when).await;
    }

    /// Reads, writes, logs in and out.
    pub async fn expect_fine(&self, when: &str) {
        let (status, body) = self.whoami().await;
        assert_eq!((status, body.as_str()), (200, "alice@1"), "{when}");
        let cookies = [(SESSION, self.token.as_str())];
        assert_eq!(
            self.client.mark("put:k:v", &cookies).await.status,
            200,
            "{when}"
        );
        let other = self.client.login("bob").await;
        let other = [(SESSION, other.as_str())];
        assert_eq!(self.client.whoami(&other).await, "bob@1", "{when}");
        assert_eq!(
            self.client.mark("logout", &other).await.status,
            200,
            "{when}"
        );
        assert_eq!(self.client.whoami(&other).await, "nobody", "{when}");
    }

    async fn whoami(&self) -> (u16, String) {
        let cookies = [(SESSION, self.token.as_str())];
        let answer = self.client.get("/whoami", &cookies).await;
        (answer.status.as_u16(), answer.body)
    }
}
