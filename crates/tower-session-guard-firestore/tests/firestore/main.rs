//! The store on Firestore, held to the store contract and to outages in Google's own emulator (R14, R65,
//! R66, R70, R71, A24, A25, A27, A29, S01, S02, S05, S12, S13, S21). Skipped where there is none.

#![cfg(unix)]

mod emulator;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use test_support::{
    keys,
    outage::{AfterDeath, Outage},
    proxy::Proxy,
    server::{PATIENCE, StoreServer},
};
use tower_session_guard::{
    Record, SessionId, SessionLayer, SessionStore, Timestamp,
    store::{
        Counting, Created, Cursor, Cutoff, IndexKey, Removed, Replaced, Revision, StoreErrorKind,
        Stored,
    },
    testing::{
        RecordBuilder, claim_for,
        store_contract::{StoreContract, StoreUnderTest},
    },
};
use tower_session_guard_firestore::FirestoreStore;

use emulator::Emulator;

const LIMIT: Duration = Duration::from_millis(700);

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn id(number: u16) -> SessionId {
    let mut bytes = [7; SessionId::LEN];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn alice() -> IndexKey {
    IndexKey::owner("", &"alice".into())
}

async fn load(store: &FirestoreStore, number: u16) -> Option<Stored> {
    let claim = claim_for(&id(number), [0; 16]);
    store.load((&claim).into(), now()).await.unwrap()
}

/// Creates a session that counts; its revision, and how many count.
async fn create(store: &FirestoreStore, number: u16, record: &Record) -> (Revision, usize) {
    let id = id(number);
    let create = store.create(&id, record, Counting::Counted, now());
    match create.await.unwrap() {
        Created::Created { revision, sessions } => (revision, sessions),
        other => panic!("{number}: {other:?}"),
    }
}

/// The emulator makes a project when it is named.
fn fresh_project() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("demo-{}", NUMBER.fetch_add(1, Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn firestore_holds_the_contract() {
    let Some(emulator) = Emulator::start().map(Arc::new) else {
        return;
    };
    let make = || async {
        let (host, project) = (emulator.host(), fresh_project());
        let store = || {
            let store = FirestoreStore::emulator(&host, project.clone()).unwrap();
            store.with_time_limit(PATIENCE)
        };
        let again = Arc::clone(&emulator);
        StoreUnderTest::new(store())
            .with_second_node(store())
            .with_volume(2_000)
            .with_restart(move || {
                let emulator = Arc::clone(&again);
                async move {
                    emulator.kill();
                    emulator.start_again();
                }
            })
    };
    let report = StoreContract::new(now(), make).run().await;
    println!("firestore: {report}");
    report.assert_held();
    // Counting documents is billed by the document.
    assert_eq!(report.skipped(), 1, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stopped_killed_or_cut_off_firestore_costs_503_and_nothing_else() {
    let Some(emulator) = Emulator::start() else {
        return;
    };
    let proxy = Proxy::to(emulator.address()).await;
    let store = FirestoreStore::emulator(&proxy.address().to_string(), fresh_project()).unwrap();
    let warm = store.clone().with_time_limit(PATIENCE);
    let record = RecordBuilder::new(now()).build();
    create(&warm, 1, &record).await;
    let member = RecordBuilder::new(now()).subject("alice").build();
    create(&warm, 2, &member).await;
    let _ = warm.cutoff(&alice(), now()).await.unwrap();
    let layer = SessionLayer::new(keys()).with_store(store.with_time_limit(LIMIT));
    let mut outage = Outage::prepare(layer, LIMIT).await;
    let after = AfterDeath::SessionsAreLost;
    outage.hold("firestore", &emulator, &proxy, after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn round_trips_are_as_documented() {
    let Some(emulator) = Emulator::start() else {
        return;
    };
    let proxy = Proxy::to(emulator.address()).await;
    let store = FirestoreStore::emulator(&proxy.address().to_string(), fresh_project()).unwrap();
    let store = store.with_time_limit(PATIENCE);
    let guest = RecordBuilder::new(now()).build();
    let member = RecordBuilder::new(now()).subject("alice").build();
    let count = |what: &str, expected: u64| {
        let requests = proxy.http2_requests();
        println!("firestore: {what}: {requests}");
        assert_eq!(requests, expected, "{what}");
    };
    create(&store, 1, &guest).await;
    count("create a guest's", 1);
    let (revision, sessions) = create(&store, 2, &member).await;
    assert_eq!(sessions, 1);
    count("create a subject's", 2);
    load(&store, 2).await.unwrap();
    count("load", 1);
    let second = id(2);
    let replace = || store.replace(&second, revision, &member, now());
    assert!(matches!(replace().await.unwrap(), Replaced::Replaced(_)));
    count("replace", 2);
    assert_eq!(replace().await.unwrap(), Replaced::Conflict);
    count("replace that conflicts", 1);
    let page = store.heads(&alice(), None, 10, now()).await.unwrap();
    assert_eq!((page.heads.len(), page.next), (1, None));
    count("heads", 1);
    let foreign = store.remove(&id(1), Some(&alice())).await.unwrap();
    assert_eq!(foreign, Removed::Absent);
    count("remove under another's key", 1);
    let removed = store.remove(&id(1), None).await.unwrap();
    assert_eq!(removed, Removed::Removed);
    count("remove", 1);
    let removed = store.remove(&id(2), Some(&alice())).await.unwrap();
    assert_eq!(removed, Removed::Removed);
    count("remove under a key", 2);
    for number in 10..15 {
        create(&store, number, &member).await;
    }
    proxy.http2_requests();
    let page = store.end_listed(&alice(), None, 10, None).await.unwrap();
    assert_eq!((page.ended, page.next), (5, None));
    count("end_listed with 5 sessions", 2);
    let at = Timestamp::from_unix_seconds(1_800_000_000);
    let cutoff = Cutoff::new(at, at.after(DAY), [1; 16]);
    for (what, requests) in [("raise_cutoff", 2), ("raise_cutoff of a lower one", 1)] {
        store.raise_cutoff(&alice(), &cutoff, now()).await.unwrap();
        count(what, requests);
    }
    let found = store.cutoff(&alice(), at).await.unwrap();
    assert_eq!(found, Some(cutoff));
    count("cutoff", 1);
}

const DAY: Duration = Duration::from_secs(86_400);

/// A write is sent again if the connection broke. It may not take its own work for another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_was_lost_knows_its_own_work() {
    let Some(emulator) = Emulator::start() else {
        return;
    };
    let proxy = Proxy::to(emulator.address()).await;
    let store = FirestoreStore::emulator(&proxy.address().to_string(), fresh_project()).unwrap();
    let store = store.with_time_limit(PATIENCE);
    let member = RecordBuilder::new(now()).subject("alice").build();
    let guest = RecordBuilder::new(now()).build();
    assert!(load(&store, 2).await.is_none());

    // What is cut may also be a frame that the server sends of itself, before it has the command: then the
    // write is not there yet when it is sent again.
    let mut recognised = 0;
    for number in 2..12 {
        proxy.http2_requests();
        proxy.cut_answers(1);
        let (new, _) = create(&store, number, &guest).await;
        recognised += u32::from(proxy.http2_requests() == 3);
        proxy.cut_answers(0);
        assert_eq!(load(&store, number).await.unwrap().revision, new);
        let id = id(number);
        let again = store.create(&id, &guest, Counting::Counted, now());
        assert_eq!(again.await.unwrap(), Created::Occupied);
    }
    assert!(
        recognised > 0,
        "none was written, written again and looked at"
    );

    let (revision, _) = create(&store, 1, &member).await;
    let replaced = store.replace(&id(1), revision, &member, now()).await;
    let Replaced::Replaced(revision) = replaced.unwrap() else {
        panic!("the replacement was refused");
    };
    // Here the read before the write may be cut, or the write.
    let task = {
        let (store, member) = (store.clone(), member.clone());
        tokio::spawn(async move { store.replace(&id(1), revision, &member, now()).await })
    };
    proxy.cut_answers(1);
    let replaced = task.await.unwrap().unwrap();
    let Replaced::Replaced(revision) = replaced else {
        panic!("{replaced:?}");
    };
    proxy.cut_answers(0);
    assert_eq!(load(&store, 1).await.unwrap().revision, revision);
    proxy.cut_answers(1);
    let page = store.end_listed(&alice(), None, 10, None).await.unwrap();
    assert!(page.ended <= 1 && page.next.is_none(), "{page:?}");
    proxy.cut_answers(0);
    assert!(load(&store, 1).await.is_none());
    proxy.cut_answers(1);
    let _ = store.remove(&id(2), None).await.unwrap();
    proxy.cut_answers(0);
    assert!(load(&store, 2).await.is_none());
}

/// S01, S13: more than one page, whose data nobody reads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_of_several_pages_is_ended_whole_and_a_document_too_large_is_refused() {
    let Some(emulator) = Emulator::start() else {
        return;
    };
    let store = FirestoreStore::emulator(&emulator.host(), fresh_project()).unwrap();
    let store = store.with_time_limit(PATIENCE);
    let member = RecordBuilder::new(now()).subject("alice");
    let member = member.entry("noise", vec![7; 5_000]).build();
    for number in 0..620 {
        let (_, sessions) = create(&store, number, &member).await;
        assert_eq!(sessions, usize::from(number) + 1);
    }
    let spared = id(511);
    let (mut ended, mut after, mut pages) = (0, None, 0);
    loop {
        let key = alice();
        let page = store.end_listed(&key, after.as_ref(), 10_000, Some(&spared));
        let page = page.await.unwrap();
        ended += page.ended;
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((ended, pages), (619, 2));
    let left = store.heads(&alice(), None, 10, now()).await.unwrap();
    let left: Vec<_> = left.heads.iter().map(|head| head.id).collect();
    assert_eq!(left, [spared]);
    let foreign = Cursor::new(*b"foreign");
    let page = store.heads(&alice(), Some(&foreign), 10, now()).await;
    assert_eq!(page.unwrap_err().kind(), StoreErrorKind::Unsupported);

    let huge = RecordBuilder::new(now()).entry("huge", vec![7; 1_100_000]);
    let huge = huge.build();
    let created = store.create(&id(1), &huge, Counting::Counted, now()).await;
    let error = created.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error:?}");
    assert!(load(&store, 1).await.is_none());
}

/// Above a bound nobody counts: the answer is then more than any limit, never less than there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_count_is_never_too_low_above_its_bound() {
    let Some(emulator) = Emulator::start() else {
        return;
    };
    let store = FirestoreStore::emulator(&emulator.host(), fresh_project()).unwrap();
    let store = store.with_time_limit(PATIENCE);
    let member = RecordBuilder::new(now()).subject("alice").build();
    for number in 0..1_000 {
        let (_, sessions) = create(&store, number, &member).await;
        let exact = usize::from(number) + 1;
        let expected = if exact < 1_000 { exact } else { usize::MAX };
        assert_eq!(sessions, expected);
    }
    let last = id(1_000);
    let created = store.create(&last, &member, Counting::LeftOut, now());
    let created = created.await.unwrap();
    assert!(
        matches!(
            created,
            Created::Created {
                sessions: usize::MAX,
                ..
            }
        ),
        "{created:?}"
    );
}

#[test]
fn a_host_without_a_port_is_refused() {
    for host in ["", "localhost", "http://localhost:1", "a b:1"] {
        let store = FirestoreStore::emulator(host, "demo");
        let error = store.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{host}");
    }
}
