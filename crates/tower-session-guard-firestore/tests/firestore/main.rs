//! The store on Firestore, held to the store contract and to outages in Google's own emulator (R14, R65,
//! R66, R70, R71, A24, A25, A27, A29). Skipped where there is none.

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
    server::StoreServer,
};
use tower_session_guard::{
    SessionId, SessionLayer, SessionStore, Subject, Timestamp,
    store::{Created, Removed, Replaced, StoreErrorKind},
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
        let store = || FirestoreStore::emulator(&host, project.clone()).unwrap();
        let again = Arc::clone(&emulator);
        StoreUnderTest::new(store())
            .with_second_node(store())
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
    // A Java program is slow at first.
    let warm = store.clone().with_time_limit(Duration::from_secs(20));
    let record = RecordBuilder::new(now()).build();
    let _ = warm.create(&id(1), &record, now()).await.unwrap();
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
    let alice = Subject::from("alice");
    let member = RecordBuilder::new(now()).subject("alice").build();
    let count = |what: &str, expected: u64| {
        let requests = proxy.http2_requests();
        println!("firestore: {what}: {requests}");
        assert_eq!(requests, expected, "{what}");
    };
    let created = store.create(&id(1), &member, now()).await.unwrap();
    let Created::Created(revision) = created else {
        panic!("{created:?}");
    };
    count("create", 1);
    let _ = store
        .load(&claim_for(&id(1), [0; 16]), now())
        .await
        .unwrap();
    count("load", 1);
    let replaced = store
        .replace(&id(1), revision, &member, now())
        .await
        .unwrap();
    assert!(matches!(replaced, Replaced::Replaced(_)));
    count("replace", 2);
    let conflict = store
        .replace(&id(1), revision, &member, now())
        .await
        .unwrap();
    assert_eq!(conflict, Replaced::Conflict);
    count("replace that conflicts", 1);
    assert_eq!(store.sessions_of(&alice, now()).await.unwrap().len(), 1);
    count("sessions_of", 1);
    assert_eq!(store.remove(&id(1)).await.unwrap(), Removed::Removed);
    count("remove", 1);
    for number in 10..15 {
        let _ = store.create(&id(number), &member, now()).await.unwrap();
    }
    proxy.http2_requests();
    assert_eq!(store.remove_all_of(&alice, None).await.unwrap(), 5);
    count("remove_all_of with 5 sessions", 2);
}

/// A write is sent again if the connection broke. It may not take its own work for another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_was_lost_knows_its_own_work() {
    let Some(emulator) = Emulator::start() else {
        return;
    };
    let proxy = Proxy::to(emulator.address()).await;
    let store = FirestoreStore::emulator(&proxy.address().to_string(), fresh_project()).unwrap();
    let store = store.with_time_limit(Duration::from_secs(20));
    let claim = claim_for(&id(2), [0; 16]);
    let member = RecordBuilder::new(now()).subject("alice").build();
    assert!(store.load(&claim, now()).await.unwrap().is_none());

    // What is cut may also be a frame that the server sends of itself, before it has the command: then the
    // write is not there yet when it is sent again.
    let mut recognised = 0;
    let mut first = None;
    for number in 2..12 {
        proxy.http2_requests();
        proxy.cut_answers(1);
        let created = store.create(&id(number), &member, now()).await.unwrap();
        let Created::Created(new) = created else {
            panic!("{created:?}");
        };
        recognised += u32::from(proxy.http2_requests() == 3);
        proxy.cut_answers(0);
        let claim = claim_for(&id(number), [0; 16]);
        let stored = store.load(&claim, now()).await.unwrap().unwrap();
        assert_eq!(stored.revision, new);
        let again = store.create(&id(number), &member, now()).await.unwrap();
        assert_eq!(again, Created::Occupied);
        first.get_or_insert(new);
    }
    assert!(
        recognised > 0,
        "none was written, written again and looked at"
    );
    let revision = first.unwrap();

    let replaced = store
        .replace(&id(2), revision, &member, now())
        .await
        .unwrap();
    let Replaced::Replaced(revision) = replaced else {
        panic!("{replaced:?}");
    };
    // Here the read before the write may be cut, or the write.
    let task = {
        let (store, member) = (store.clone(), member.clone());
        tokio::spawn(async move { store.replace(&id(2), revision, &member, now()).await })
    };
    proxy.cut_answers(1);
    let replaced = task.await.unwrap().unwrap();
    let Replaced::Replaced(revision) = replaced else {
        panic!("{replaced:?}");
    };
    proxy.cut_answers(0);
    let stored = store.load(&claim, now()).await.unwrap().unwrap();
    assert_eq!(stored.revision, revision);
    proxy.cut_answers(1);
    let _ = store.remove(&id(2)).await.unwrap();
    proxy.cut_answers(0);
    assert!(store.load(&claim, now()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subject_of_several_batches_is_revoked_whole_and_a_document_too_large_is_refused() {
    let Some(emulator) = Emulator::start() else {
        return;
    };
    let store = FirestoreStore::emulator(&emulator.host(), fresh_project()).unwrap();
    let store = store.with_time_limit(Duration::from_secs(20));
    let alice = Subject::from("alice");
    let member = RecordBuilder::new(now()).subject("alice").build();
    for number in 0..620 {
        let _ = store.create(&id(number), &member, now()).await.unwrap();
    }
    let spared = id(511);
    assert_eq!(
        store.remove_all_of(&alice, Some(&spared)).await.unwrap(),
        619
    );
    let left = store.sessions_of(&alice, now()).await.unwrap();
    assert_eq!(left, [(spared, member)]);

    let huge = RecordBuilder::new(now()).entry("huge", vec![7; 1_100_000]);
    let error = store
        .create(&id(1), &huge.build(), now())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error:?}");
    let claim = claim_for(&id(1), [0; 16]);
    assert!(store.load(&claim, now()).await.unwrap().is_none());
}

#[test]
fn a_host_without_a_port_is_refused() {
    for host in ["", "localhost", "http://localhost:1", "a b:1"] {
        let store = FirestoreStore::emulator(host, "demo");
        let error = store.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{host}");
    }
}
