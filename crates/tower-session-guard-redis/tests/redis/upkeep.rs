//! What the store leaves in the server: entries that heal, and keys that go by themselves.

use std::time::{Duration, SystemTime};

use test_support::redis::{self as servers, Server};
use tower_session_guard::{
    SessionId, SessionStore, Timestamp,
    store::{Created, Replaced, Revision, StoreErrorKind},
    testing::{RecordBuilder, claim_for},
};
use tower_session_guard_redis::{
    RedisStore,
    redis::{self, AsyncTypedCommands, Client, aio::MultiplexedConnection},
};

use crate::patient;

const HOUR: Duration = Duration::from_secs(3600);

struct Bench {
    server: Server,
    store: RedisStore,
    raw: MultiplexedConnection,
}

impl Bench {
    async fn new() -> Option<Self> {
        let server = Server::start(&servers::redis()?, &[]);
        let client = Client::open(server.url()).unwrap();
        Some(Self {
            store: patient(server.url()).await,
            raw: client.get_multiplexed_async_connection().await.unwrap(),
            server,
        })
    }

    async fn create(&self, id: &SessionId, subject: &str, now: Timestamp) -> Revision {
        let record = RecordBuilder::new(now).subject(subject).build();
        match self.store.create(id, &record, now).await.unwrap() {
            Created::Created(revision) => revision,
            other => panic!("{other:?}"),
        }
    }

    /// The one key of the kind that `pattern` finds.
    async fn key(&mut self, pattern: &str) -> String {
        let keys = self.raw.keys(pattern).await.unwrap();
        assert_eq!(keys.len(), 1, "{keys:?}");
        keys.into_iter().next().unwrap()
    }

    async fn seconds_left(&mut self, key: &str) -> i64 {
        let command = redis::cmd("TTL").arg(key).to_owned();
        command.query_async(&mut self.raw).await.unwrap()
    }
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::LEN])
}

fn real_now() -> Timestamp {
    SystemTime::now().into()
}

#[tokio::test]
async fn an_entry_without_a_record_heals_once_no_creation_can_be_under_way() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let now = real_now();
    bench.create(&id(1), "alice", now).await;
    let index = bench.key("session:of:*").await;
    let entry = |number: u8, made_at: u64| {
        let mut entry = id(number).as_bytes().to_vec();
        entry.extend_from_slice(made_at.to_string().as_bytes());
        entry
    };
    let later = now.after(HOUR).as_unix_millis();
    let young = now.as_unix_millis() - 14 * 60_000;
    let old = now.as_unix_millis() - 16 * 60_000;
    bench
        .raw
        .zadd(&index, entry(2, young), later)
        .await
        .unwrap();
    bench.raw.zadd(&index, entry(3, old), later).await.unwrap();
    bench
        .raw
        .zadd(&index, entry(4, old), now.as_unix_millis() - 1)
        .await
        .unwrap();
    assert_eq!(bench.raw.zcard(&index).await.unwrap(), 4);

    let listed = bench.store.sessions_of(&"alice".into(), now).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        bench.raw.zcard(&index).await.unwrap(),
        2,
        "the young one stays"
    );

    bench.raw.zadd(&index, entry(3, old), later).await.unwrap();
    let removed = bench
        .store
        .remove_all_of(&"alice".into(), None)
        .await
        .unwrap();
    assert_eq!(removed, 1);
    assert_eq!(
        bench.raw.zcard(&index).await.unwrap(),
        1,
        "the young one stays"
    );
}

#[tokio::test]
async fn a_record_never_outlives_its_entry() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let now = real_now();
    let revision = bench.create(&id(1), "alice", now).await;
    let index = bench.key("session:of:*").await;
    let record_key = bench.key("session:{*").await;

    let record = RecordBuilder::new(now).subject("alice");
    let record = record.expires_at(now.after(30 * 24 * HOUR)).build();
    let replaced = bench
        .store
        .replace(&id(1), revision, &record, now)
        .await
        .unwrap();
    assert!(matches!(replaced, Replaced::Replaced(_)));
    let left = bench.seconds_left(&record_key).await;
    assert!(left > 29 * 24 * 3600, "{left}");
    assert!(bench.seconds_left(&index).await > left);
    let command = redis::cmd("ZRANGE")
        .arg(&index)
        .arg("(0")
        .arg("+inf")
        .arg("BYSCORE")
        .arg("WITHSCORES")
        .to_owned();
    let listed: Vec<(Vec<u8>, f64)> = command.query_async(&mut bench.raw).await.unwrap();
    let latest = listed.iter().map(|(_, until)| *until).fold(0.0, f64::max);
    assert!(latest > now.after(30 * 24 * HOUR).as_unix_millis() as f64);
    let removed = bench
        .store
        .remove_all_of(&"alice".into(), None)
        .await
        .unwrap();
    assert_eq!(removed, 1);
}

#[tokio::test]
async fn a_key_stays_as_long_as_either_clock_says_and_goes_by_itself() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let real = real_now();
    let year = 365 * 24 * HOUR;
    let behind = Timestamp::from_unix_millis(real.as_unix_millis() - year.as_millis() as u64);
    for (number, now, least, most) in [
        (1, real, 3600, 3700),
        (2, behind, 3600, 3700),
        (3, real.after(year), 365 * 24 * 3600, 366 * 24 * 3600),
    ] {
        let record = RecordBuilder::new(now).build();
        let created = bench.store.create(&id(number), &record, now).await.unwrap();
        let Created::Created(revision) = created else {
            panic!("the id was new")
        };
        let key = bench.key("session:{*").await;
        let left = bench.seconds_left(&key).await;
        assert!((least..most).contains(&left), "{number}: {left}");
        let replaced = bench
            .store
            .replace(&id(number), revision, &record, now)
            .await
            .unwrap();
        assert!(matches!(replaced, Replaced::Replaced(_)), "{number}");
        let left = bench.seconds_left(&key).await;
        assert!((least..most).contains(&left), "{number}: {left}");
        let claim = claim_for(&id(number), [0; 16]);
        assert!(bench.store.load(&claim, now).await.unwrap().is_some());
        assert!(
            bench
                .store
                .load(&claim, now.after(HOUR))
                .await
                .unwrap()
                .is_none()
        );
        let _ = bench.store.remove(&id(number)).await.unwrap();
        assert_eq!(bench.raw.keys("*").await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_full_server_takes_no_new_session_and_keeps_those_it_has() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    let now = real_now();
    let revision = bench.create(&id(1), "alice", now).await;
    bench.server.wait_for("CONFIG SET maxmemory 1", "OK");
    for record in [
        RecordBuilder::new(now).build(),
        RecordBuilder::new(now).subject("alice").build(),
    ] {
        let refused = bench.store.create(&id(2), &record, now).await.unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Full, "{refused:?}");
    }
    let larger = RecordBuilder::new(now)
        .subject("alice")
        .entry("k", b"\"v\"");
    let larger = larger.build();
    let claimed = id(1);
    let grow = bench.store.replace(&claimed, revision, &larger, now);
    assert_eq!(grow.await.unwrap_err().kind(), StoreErrorKind::Full);

    let same = RecordBuilder::new(now).subject("alice").build();
    let replaced = bench.store.replace(&id(1), revision, &same, now).await;
    assert!(matches!(replaced.unwrap(), Replaced::Replaced(_)));
    let claim = claim_for(&id(1), [0; 16]);
    assert!(bench.store.load(&claim, now).await.unwrap().is_some());
    let removed = bench.store.remove_all_of(&"alice".into(), None).await;
    assert_eq!(removed.unwrap(), 1);
}

/// R29, R31: neither a name of a user nor a secret is in a key.
#[tokio::test]
async fn no_key_shows_who_has_a_session() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    bench.create(&id(1), "alice", real_now()).await;
    let keys = bench.raw.keys("*").await.unwrap();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.iter().all(|key| !key.contains("alice")), "{keys:?}");
}
