//! What the store leaves in the server: entries that heal, and keys that go by themselves.

use std::time::{Duration, SystemTime};

use test_support::redis::{self as servers, Server};
use tower_session_guard::{
    SessionId, SessionStore, Timestamp,
    store::{Counting, Created, Cutoff, IndexKey, Replaced, Revision, StoreErrorKind},
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
        let created = self.store.create(id, &record, Counting::Counted, now);
        match created.await.unwrap() {
            Created::Created { revision, .. } => revision,
            other => panic!("{other:?}"),
        }
    }

    async fn listed(&self, key: &IndexKey) -> usize {
        let page = self.store.heads(key, None, 256, real_now()).await.unwrap();
        page.heads.len()
    }

    async fn end(&self, key: &IndexKey) -> usize {
        let page = self.store.end_listed(key, None, 256, None).await.unwrap();
        page.ended
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

fn owner(subject: &str) -> IndexKey {
    IndexKey::owner("", &subject.into())
}

/// An entry of an index: whether it counts, the id, when it was made and until when it is kept.
fn entry(id: SessionId, made_at: u64, until: u64) -> Vec<u8> {
    let [made_at, until] = [made_at, until].map(u64::to_be_bytes);
    [&[1][..], id.as_bytes(), &made_at, &until].concat()
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
    let later = now.after(HOUR).as_unix_millis();
    let young = now.as_unix_millis() - 14 * 60_000;
    let old = now.as_unix_millis() - 16 * 60_000;
    let over = now.as_unix_millis() - 1;
    for member in [
        entry(id(2), young, later),
        entry(id(3), old, later),
        entry(id(4), old, over),
    ] {
        bench.raw.zadd(&index, member, 0).await.unwrap();
    }
    assert_eq!(bench.raw.zcard(&index).await.unwrap(), 4);

    assert_eq!(bench.listed(&owner("alice")).await, 1);
    let left = bench.raw.zcard(&index).await.unwrap();
    assert_eq!(left, 2, "the young one stays");

    let orphan = entry(id(3), old, later);
    bench.raw.zadd(&index, orphan, 0).await.unwrap();
    assert_eq!(bench.end(&owner("alice")).await, 1);
    let left = bench.raw.zcard(&index).await.unwrap();
    assert_eq!(left, 1, "the young one stays");
}

/// The entries of a subject who never logs out, and is never listed, do not pile up.
#[tokio::test]
async fn a_login_drops_entries_whose_time_is_over() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let now = real_now();
    bench.create(&id(1), "alice", now).await;
    let index = bench.key("session:of:*").await;
    let past = now.as_unix_millis() - 1;
    for number in 2..10 {
        let member = entry(id(number), past, past);
        bench.raw.zadd(&index, member, 0).await.unwrap();
    }
    let record = RecordBuilder::new(now).subject("alice").build();
    let first = bench
        .store
        .create(&id(11), &record, Counting::Counted, now)
        .await;
    let Created::Created { sessions, .. } = first.unwrap() else {
        panic!("the id was new")
    };
    assert!(sessions <= 3, "{sessions}");
    bench.create(&id(12), "alice", now).await;
    assert_eq!(bench.raw.zcard(&index).await.unwrap(), 3);
}

/// S12: a value that is not ours to read stands in the way of neither a list nor an ending.
#[tokio::test]
async fn a_damaged_record_is_listed_without_details_and_ended() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let now = real_now();
    bench.create(&id(1), "alice", now).await;
    let record = bench.key("session:{*").await;
    bench.create(&id(2), "alice", now).await;
    bench.raw.set(&record, "damaged").await.unwrap();
    let alice = owner("alice");
    let page = bench.store.heads(&alice, None, 9, now).await.unwrap();
    let unreadable = |id| {
        let mut heads = page.heads.iter();
        heads.find(|one| one.id == id).unwrap().head.is_err()
    };
    assert!(unreadable(id(1)) && !unreadable(id(2)));
    let refused = bench.store.remove(&id(1), Some(&alice)).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Corrupt);
    assert_eq!(bench.end(&alice).await, 2);
    assert!(!bench.raw.exists(&record).await.unwrap());
}

/// S01: a page is bounded, however much is asked for.
#[tokio::test]
async fn a_page_is_bounded_whatever_its_limit() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let now = real_now();
    bench.create(&id(1), "alice", now).await;
    let index = bench.key("session:of:*").await;
    let (made, until) = (now.as_unix_millis(), now.after(HOUR).as_unix_millis());
    for number in 0..300_u16 {
        let mut bytes = [2; SessionId::LEN];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        let member = entry(SessionId::from_bytes(bytes), made, until);
        bench.raw.zadd(&index, member, 0).await.unwrap();
    }
    let alice = owner("alice");
    let page = bench.store.heads(&alice, None, usize::MAX, now).await;
    let next = page.unwrap().next.expect("more than a page");
    let page = bench.store.heads(&alice, Some(&next), usize::MAX, now);
    assert!(page.await.unwrap().next.is_none());
    let foreign = tower_session_guard::store::Cursor::new(*b"another store's");
    let refused = bench
        .store
        .end_listed(&alice, Some(&foreign), 9, None)
        .await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Unsupported);
}

/// S02: neither the end of the sessions nor an earlier end takes a cut-off away.
#[tokio::test]
async fn a_cutoff_is_kept_for_as_long_as_it_says_by_either_clock() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let real = real_now();
    let day = 24 * HOUR;
    let behind = Timestamp::from_unix_millis(real.as_unix_millis() - day.as_millis() as u64);
    for (now, least, most) in [
        (real, 3660, 3670),
        (behind, 3660, 3670),
        (real.after(day), 24 * 3600, 26 * 3600),
    ] {
        let cutoff = Cutoff::new(now, now.after(HOUR), [1; 16]);
        let alice = owner("alice");
        bench
            .store
            .raise_cutoff(&alice, &cutoff, now)
            .await
            .unwrap();
        let shorter = Cutoff::new(now.after(Duration::from_secs(1)), now, [2; 16]);
        bench
            .store
            .raise_cutoff(&alice, &shorter, now)
            .await
            .unwrap();
        let key = bench.key("session:cut:*").await;
        let left = bench.seconds_left(&key).await;
        assert!((least - 5..=most).contains(&left), "{left}");
        bench.raw.del(key).await.unwrap();
    }
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
    let command = redis::cmd("ZRANGE").arg(&index).arg(0).arg(-1).to_owned();
    let listed: Vec<Vec<u8>> = command.query_async(&mut bench.raw).await.unwrap();
    assert_eq!(listed.len(), 1, "one entry for each record");
    let until = u64::from_be_bytes(*listed[0].last_chunk().unwrap());
    assert!(until > now.after(30 * 24 * HOUR).as_unix_millis());
    assert_eq!(bench.end(&owner("alice")).await, 1);
}

/// Whether a session counts stays as its creation said, also when its entry is made anew.
#[tokio::test]
async fn a_session_that_was_left_out_of_the_count_stays_so() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let now = real_now();
    let record = RecordBuilder::new(now).subject("alice");
    let created = record.clone().build();
    let created = bench
        .store
        .create(&id(1), &created, Counting::LeftOut, now)
        .await;
    let Created::Created { revision, sessions } = created.unwrap() else {
        panic!("the id was new")
    };
    assert_eq!(sessions, 0);
    let longer = record.expires_at(now.after(30 * 24 * HOUR)).build();
    let claimed = id(1);
    let replaced = bench.store.replace(&claimed, revision, &longer, now).await;
    assert!(matches!(replaced.unwrap(), Replaced::Replaced(_)));
    let page = bench
        .store
        .heads(&owner("alice"), None, 9, now)
        .await
        .unwrap();
    assert!(matches!(&page.heads[..], [one] if !one.counted));
    let index = bench.key("session:of:*").await;
    assert_eq!(bench.raw.zcard(&index).await.unwrap(), 1);
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
        let created = bench
            .store
            .create(&id(number), &record, Counting::Counted, now)
            .await;
        let Created::Created { revision, .. } = created.unwrap() else {
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
        for (at, is_there) in [(now, true), (now.after(HOUR), false)] {
            let found = bench.store.load((&claim).into(), at).await.unwrap();
            assert_eq!(found.is_some(), is_there);
        }
        let _ = bench.store.remove(&id(number), None).await.unwrap();
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
        let refused = bench
            .store
            .create(&id(2), &record, Counting::Counted, now)
            .await;
        let refused = refused.unwrap_err();
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
    let found = bench.store.load((&claim).into(), now).await.unwrap();
    assert!(found.is_some());
    let cutoff = Cutoff::new(now, now.after(HOUR), [1; 16]);
    let alice = owner("alice");
    bench
        .store
        .raise_cutoff(&alice, &cutoff, now)
        .await
        .unwrap();
    assert_eq!(bench.listed(&alice).await, 1);
    assert_eq!(bench.end(&alice).await, 1);
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

/// S01: a creation that was held up until its entries may have been cleared away writes nothing, so that no record is
/// there without them.
#[tokio::test]
async fn no_record_is_created_long_after_its_entries() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let script = redis::Script::new(include_str!("../../src/scripts/create.lua"));
    let now = real_now().as_unix_millis();
    let expires = now + 3_600_000;
    let listed_until = expires + 700_000;
    for (listed_at, listed_until, outcome) in [
        (now, listed_until, 1),
        (now - 280_000, listed_until, 1),
        (now - 320_000, listed_until, -1),
        (now, expires + 600_000, -1),
    ] {
        let key = format!("late:{listed_at}:{listed_until}");
        let mut call = script.key(&key);
        call.arg("a value").arg(now).arg(expires);
        call.arg(listed_at).arg(listed_until);
        let answer: i64 = call.invoke_async(&mut bench.raw).await.unwrap();
        assert_eq!(answer, outcome, "{key}");
        let exists: bool = bench.raw.exists(&key).await.unwrap();
        assert_eq!(exists, outcome == 1, "{key}");
    }
}
