//! What the contract does not ask: capacity, clearing away, and the subject of a record.

use std::time::Duration;

use super::MemoryStore;
use crate::{
    session::{id::SessionId, record::Record, time::Timestamp},
    store::{
        Counting, Created, IndexKey, Removed, Replaced, Revision, SessionStore, StoreErrorKind,
    },
    testing::{RecordBuilder, claim_for},
};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);

fn id(number: u64) -> SessionId {
    let mut bytes = [0; SessionId::LEN];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn alice() -> IndexKey {
    IndexKey::owner("", &"alice".into())
}

/// How many sessions of alice's are listed, of at most 1,000.
async fn listed(store: &MemoryStore) -> usize {
    let page = store.heads(&alice(), None, 1_000, NOW).await.unwrap();
    page.heads.len()
}

fn at(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn record(subject: Option<&str>, expires_at: Timestamp) -> Record {
    let guest = RecordBuilder::new(NOW).expires_at(expires_at);
    match subject {
        Some(subject) => guest.subject(subject).build(),
        None => guest.build(),
    }
}

/// Creates a session under the number's id that lives for so many seconds.
async fn create(store: &MemoryStore, number: u64, subject: Option<&str>, seconds: u64) {
    let record = record(subject, at(seconds));
    let created = store
        .create(&id(number), &record, Counting::Counted, NOW)
        .await
        .unwrap();
    assert!(matches!(created, Created::Created { .. }));
}

async fn alive(store: &MemoryStore, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut alive = Vec::new();
    for number in numbers {
        let claim = claim_for(&id(number), [0; 16]);
        if store.load((&claim).into(), NOW).await.unwrap().is_some() {
            alive.push(number);
        }
    }
    alive
}

#[tokio::test]
async fn a_full_store_lets_an_expired_session_go_first() {
    let store = MemoryStore::with_capacity(3);
    create(&store, 1, None, 50).await;
    create(&store, 2, Some("alice"), 10).await;
    create(&store, 3, None, 60).await;
    let late = at(20);
    let created = store
        .create(&id(4), &record(None, at(99)), Counting::Counted, late)
        .await;
    assert!(matches!(created.unwrap(), Created::Created { .. }));
    assert_eq!(alive(&store, 1..=4).await, [1, 3, 4]);
    assert_eq!(store.live_records(late).await.unwrap(), Some(3));
}

#[tokio::test]
async fn a_full_store_lets_the_guest_go_who_expires_first() {
    let store = MemoryStore::with_capacity(3);
    create(&store, 1, Some("alice"), 10).await;
    create(&store, 2, None, 90).await;
    create(&store, 3, None, 80).await;
    create(&store, 4, Some("bob"), 100).await;
    assert_eq!(alive(&store, 1..=4).await, [1, 2, 4]);
    create(&store, 5, None, 70).await;
    assert_eq!(alive(&store, 1..=5).await, [1, 4, 5]);
}

#[tokio::test]
async fn no_flood_of_guests_logs_anybody_out() {
    let store = MemoryStore::with_capacity(200);
    for number in 0..150 {
        create(&store, number, Some("alice"), 10).await;
    }
    for number in 1_000..3_000 {
        create(&store, number, None, 9_000).await;
    }
    assert_eq!(alive(&store, 0..150).await.len(), 150);
    assert_eq!(store.live_records(NOW).await.unwrap(), Some(200));
}

#[tokio::test]
async fn a_store_full_of_members_refuses_a_guest_and_takes_a_login() {
    let store = MemoryStore::with_capacity(2);
    create(&store, 1, Some("alice"), 20).await;
    create(&store, 2, Some("alice"), 10).await;
    let guest = record(None, at(99));
    let refused = store
        .create(&id(3), &guest, Counting::Counted, NOW)
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Full);
    assert_eq!(alive(&store, 1..=3).await, [1, 2]);
    create(&store, 4, Some("bob"), 30).await;
    assert_eq!(alive(&store, 1..=4).await, [1, 4]);
    assert_eq!(listed(&store).await, 1);
}

#[tokio::test]
async fn a_store_without_room_refuses_everybody() {
    let store = MemoryStore::with_capacity(0);
    for subject in [None, Some("alice")] {
        let refused = store
            .create(&id(1), &record(subject, at(9)), Counting::Counted, NOW)
            .await;
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Full);
    }
}

#[tokio::test]
async fn an_expiry_beyond_all_time_can_be_evicted() {
    let store = MemoryStore::with_capacity(1);
    let forever = record(None, Timestamp::from_unix_millis(u64::MAX));
    for number in 0..3 {
        let created = store
            .create(&id(number), &forever, Counting::Counted, NOW)
            .await
            .unwrap();
        assert!(matches!(created, Created::Created { .. }));
    }
    assert_eq!(alive(&store, 0..3).await, [2]);
}

#[tokio::test]
async fn expired_sessions_are_cleared_away_by_writes_alone() {
    let store = MemoryStore::new();
    for number in 0..2_000 {
        create(&store, number, Some("alice"), 10).await;
    }
    let late = at(20);
    for number in 10_000..12_000 {
        let created = store
            .create(&id(number), &record(None, at(99)), Counting::Counted, late)
            .await;
        assert!(matches!(created.unwrap(), Created::Created { .. }));
    }
    // Two for each write in its own shard: all but what the fewest writes of a shard left.
    assert!(store.0.capacity.sessions() < 2_100, "{store:?}");
    assert!(
        store
            .0
            .index
            .page(&alice().digest(), None, usize::MAX)
            .len()
            < 100
    );
}

#[tokio::test]
async fn a_refused_creation_takes_no_place() {
    let store = MemoryStore::with_capacity(2);
    create(&store, 1, Some("alice"), 10).await;
    create(&store, 2, None, 10).await;
    let again = record(Some("bob"), at(99));
    let answer = store
        .create(&id(1), &again, Counting::Counted, NOW)
        .await
        .unwrap();
    assert_eq!(answer, Created::Occupied);
    assert_eq!(alive(&store, 1..=2).await, [1, 2]);
}

#[tokio::test]
async fn a_record_keeps_its_subject() {
    let store = MemoryStore::new();
    let alices = record(Some("alice"), at(9));
    let Created::Created { revision, .. } = store
        .create(&id(1), &alices, Counting::Counted, NOW)
        .await
        .unwrap()
    else {
        panic!("the id was free");
    };
    for subject in [None, Some("bob")] {
        let other = record(subject, at(9));
        let refused = store.replace(&id(1), revision, &other, NOW).await;
        assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Unsupported);
    }
    let ended = store.end_listed(&alice(), None, 10, None).await.unwrap();
    assert_eq!(ended.ended, 1);
}

#[tokio::test]
async fn a_revision_never_comes_back_under_its_id() {
    let store = MemoryStore::new();
    let guest = record(None, at(9));
    let mut seen = Vec::<Revision>::new();
    for _ in 0..3 {
        let Created::Created { revision, .. } = store
            .create(&id(1), &guest, Counting::Counted, NOW)
            .await
            .unwrap()
        else {
            panic!("the id was free");
        };
        for old in &seen {
            let answer = store.replace(&id(1), *old, &guest, NOW).await.unwrap();
            assert_eq!(answer, Replaced::Conflict);
        }
        seen.push(revision);
        assert_eq!(store.remove(&id(1), None).await.unwrap(), Removed::Removed);
    }
}

/// Reused ids never come from the layer; even so nothing may escape a revocation.
#[test]
fn the_index_stays_exact_when_one_id_comes_and_goes_in_parallel() {
    let store = MemoryStore::new();
    let alices = record(Some("alice"), at(9));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    let _ = store.0.create(&id(1), &alices, Counting::Counted, NOW);
                    let _ = store.0.remove(&id(1), None);
                }
            });
        }
    });
    let _ = store.0.create(&id(1), &alices, Counting::Counted, NOW);
    assert_eq!(
        store.0.heads(&alice(), None, 10, NOW).unwrap().heads.len(),
        1
    );
    assert_eq!(
        store.0.end_listed(&alice(), None, 10, None).unwrap().ended,
        1
    );
    assert_eq!(store.0.capacity.sessions(), 0);
    assert_eq!(store.0.index.page(&alice().digest(), None, 10), []);
}

#[test]
fn the_capacity_holds_under_parallel_creations() {
    let store = MemoryStore::with_capacity(100);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..2_000 {
                    let guest = record(None, at(number % 50 + 1));
                    let number = thread * 10_000 + number;
                    let _ = store.0.create(&id(number), &guest, Counting::Counted, NOW);
                    assert!(store.0.capacity.sessions() <= 100);
                }
            });
        }
    });
    assert_eq!(store.0.capacity.sessions(), 100);
    assert_eq!(store.0.table.live_records(NOW), 100);
}

/// S07: the bytes of all sessions are bounded, and guests go first.
#[tokio::test]
async fn the_bytes_of_all_sessions_are_bounded() {
    let store = MemoryStore::with_max_bytes(64 * 1024);
    create(&store, 1, Some("alice"), 10).await;
    let large = RecordBuilder::new(NOW).entry("data", [7; 4096]).build();
    for number in 100..200 {
        let id = id(number);
        let create = store.create(&id, &large, Counting::Counted, NOW);
        assert!(matches!(create.await.unwrap(), Created::Created { .. }));
        assert!(store.0.capacity.bytes() <= 64 * 1024);
    }
    assert_eq!(alive(&store, 1..=1).await, [1]);
    let left = alive(&store, 100..200).await;
    assert!((10..16).contains(&left.len()), "{left:?}");
}

#[tokio::test]
async fn data_that_grows_makes_room_or_is_refused() {
    let store = MemoryStore::with_max_bytes(16 * 1024);
    for number in 1..=3 {
        create(&store, number, None, 10 * number).await;
    }
    let grown = RecordBuilder::new(NOW)
        .entry("data", [7; 12 * 1024])
        .build();
    let claim = claim_for(&id(3), [0; 16]);
    let stored = store.load((&claim).into(), NOW).await.unwrap().unwrap();
    let grow = store.replace(&id(3), stored.revision, &grown, NOW).await;
    let Replaced::Replaced(revision) = grow.unwrap() else {
        panic!("there was room");
    };
    let larger = RecordBuilder::new(NOW)
        .entry("data", [7; 17 * 1024])
        .build();
    let refused = store.replace(&id(3), revision, &larger, NOW).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Full);
    for number in 1..=3 {
        let _ = store.remove(&id(number), None).await.unwrap();
    }
    assert_eq!(store.0.capacity.bytes(), 0);
}
