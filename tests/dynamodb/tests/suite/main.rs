//! The store on DynamoDB, held to the store contract and to outages (R14, R65, R66, R70, R71, A24, A25,
//! A27, A29), against an emulator, or against the server that `DYNAMODB_ENDPOINT` names.

#[path = "../../../common/mod.rs"]
mod common;
mod emulator;
#[path = "../../../common/outage.rs"]
mod outage;
#[path = "../../../common/process.rs"]
mod process;
#[path = "../../../common/proxy.rs"]
mod proxy;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::types::AttributeValue::{N, S};
use tower_session_guard::{
    SessionId, SessionStore, Subject, Timestamp,
    store::{Created, DynamoDbStore, Removed, Replaced, StoreErrorKind},
    testing::{
        RecordBuilder, claim_for,
        store_contract::{StoreContract, StoreUnderTest},
    },
};

use emulator::{ChildProcess, client, endpoint, fresh_table};
use outage::Outage;
use proxy::Proxy;

const LIMIT: Duration = Duration::from_millis(700);

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn id(number: u16) -> SessionId {
    let mut bytes = [7; SessionId::LEN];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

async fn store_at(endpoint: &str) -> DynamoDbStore {
    let store = DynamoDbStore::new(client(endpoint), fresh_table());
    store.create_table().await.unwrap();
    store
}

/// The session's item, as the table holds it.
async fn item(
    endpoint: &str,
    table: &str,
    key: (&str, &str),
) -> Option<std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>> {
    let get = client(endpoint).get_item().table_name(table);
    let get = get
        .key("pk", S(key.0.to_owned()))
        .key("sk", S(key.1.to_owned()));
    get.consistent_read(true).send().await.unwrap().item
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dynamodb_holds_the_contract() {
    let endpoint = endpoint().await;
    let make = || async {
        let table = fresh_table();
        let store = DynamoDbStore::new(client(&endpoint), table.clone());
        store.create_table().await.unwrap();
        StoreUnderTest::new(store).with_second_node(DynamoDbStore::new(client(&endpoint), table))
    };
    let report = StoreContract::new(now(), make).run().await;
    println!("dynamodb: {report}");
    report.assert_held();
    // The restarts are below; counting items would be a scan.
    assert_eq!(report.skipped(), 3, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_and_restarted_engine_holds_the_contract() {
    let server = Arc::new(ChildProcess::start());
    let make = || async {
        let table = fresh_table();
        let store = DynamoDbStore::new(client(&server.endpoint()), table.clone());
        store.create_table().await.unwrap();
        let again = Arc::clone(&server);
        StoreUnderTest::new(store)
            .with_second_node(DynamoDbStore::new(client(&server.endpoint()), table))
            .with_restart(move || {
                let server = Arc::clone(&again);
                async move {
                    server.kill();
                    server.start_again();
                }
            })
    };
    let contract = StoreContract::new(now(), make);
    let report = contract.run_where(|name| name.contains("restart")).await;
    println!("dynamodb, restarted: {report}");
    report.assert_held();
    assert_eq!((report.held(), report.skipped()), (2, 0), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stopped_killed_or_cut_off_dynamodb_costs_503_and_nothing_else() {
    let server = ChildProcess::start();
    let proxy = Proxy::to(server.address()).await;
    let store = store_at(&format!("http://{}", proxy.address())).await;
    let outage = Outage::prepare(Arc::new(store.with_time_limit(LIMIT)), LIMIT).await;

    server.pause();
    outage.expect_503("dynamodb paused").await;
    server.go_on();
    outage.recovers("dynamodb goes on").await;

    proxy.cut_answers(u64::MAX);
    outage
        .expect_503("dynamodb cut off after each command")
        .await;
    proxy.cut_answers(0);
    outage.recovers("dynamodb reachable again").await;

    server.kill();
    outage.expect_503("dynamodb killed").await;
    server.start_again();
    outage.recovers("dynamodb started again").await;
}

/// The client sends a write again whose answer was lost. It may not take its own work for another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_was_lost_knows_its_own_work() {
    let endpoint = endpoint().await;
    let proxy = Proxy::to(endpoint.trim_start_matches("http://").parse().unwrap()).await;
    let store = store_at(&format!("http://{}", proxy.address())).await;
    let guest = RecordBuilder::new(now()).build();
    let member = RecordBuilder::new(now()).subject("alice").build();
    for (number, record) in [(1, guest), (2, member)] {
        proxy.round_trips();
        proxy.cut_answers(1);
        let created = store.create(&id(number), &record, now()).await.unwrap();
        let Created::Created(revision) = created else {
            panic!("{number}: {created:?}");
        };
        assert_eq!(proxy.round_trips(), 2, "it was sent twice");
        proxy.cut_answers(1);
        let replaced = store.replace(&id(number), revision, &record, now()).await;
        let Replaced::Replaced(revision) = replaced.unwrap() else {
            panic!("{number}: the replacement took its own work for another's");
        };
        assert_eq!(proxy.round_trips(), 2, "it was sent twice");
        let claim = claim_for(&id(number), [0; 16]);
        let stored = store.load(&claim, now()).await.unwrap().unwrap();
        assert_eq!(stored.revision, revision);
        let again = store.create(&id(number), &record, now()).await.unwrap();
        assert_eq!(again, Created::Occupied);
        proxy.cut_answers(1);
        let _ = store.remove(&id(number)).await.unwrap();
        assert!(store.load(&claim, now()).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn round_trips_are_as_documented() {
    let endpoint = endpoint().await;
    let proxy = Proxy::to(endpoint.trim_start_matches("http://").parse().unwrap()).await;
    let store = store_at(&format!("http://{}", proxy.address())).await;
    let alice = Subject::from("alice");
    let guest = RecordBuilder::new(now()).build();
    let member = RecordBuilder::new(now()).subject("alice").build();
    let count = |what: &str, expected: u64| {
        let trips = proxy.round_trips();
        println!("dynamodb: {what}: {trips}");
        assert_eq!(trips, expected, "{what}");
    };
    proxy.round_trips();
    let _ = store.create(&id(1), &guest, now()).await.unwrap();
    count("create a guest's", 1);
    let created = store.create(&id(2), &member, now()).await.unwrap();
    let Created::Created(revision) = created else {
        panic!("{created:?}");
    };
    count("create a subject's", 1);
    let _ = store
        .load(&claim_for(&id(2), [0; 16]), now())
        .await
        .unwrap();
    count("load", 1);
    let replaced = store
        .replace(&id(2), revision, &member, now())
        .await
        .unwrap();
    assert!(matches!(replaced, Replaced::Replaced(_)));
    count("replace", 1);
    let conflict = store
        .replace(&id(2), revision, &member, now())
        .await
        .unwrap();
    assert_eq!(conflict, Replaced::Conflict);
    count("replace that conflicts", 1);
    assert_eq!(store.sessions_of(&alice, now()).await.unwrap().len(), 1);
    count("sessions_of", 2);
    let _ = store.remove(&id(1)).await.unwrap();
    count("remove a guest's", 1);
    let _ = store.remove(&id(2)).await.unwrap();
    count("remove a subject's", 2);
    for number in 10..15 {
        let _ = store.create(&id(number), &member, now()).await.unwrap();
    }
    proxy.round_trips();
    assert_eq!(store.remove_all_of(&alice, None).await.unwrap(), 5);
    // One connection each carries the five removals at once; each is a turn of its own.
    count("remove_all_of with 5 sessions", 1 + 5 + 1);
}

/// More than one batch and, with their keys alone, more than one page would be slow to show; batches are
/// of a hundred.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subject_of_several_batches_is_listed_and_revoked_whole() {
    let store = store_at(&endpoint().await).await;
    let store = store.with_time_limit(Duration::from_secs(20));
    let alice = Subject::from("alice");
    let member = RecordBuilder::new(now()).subject("alice").build();
    for number in 0..230 {
        let _ = store.create(&id(number), &member, now()).await.unwrap();
    }
    assert_eq!(store.sessions_of(&alice, now()).await.unwrap().len(), 230);
    let spared = id(111);
    assert_eq!(
        store.remove_all_of(&alice, Some(&spared)).await.unwrap(),
        229
    );
    let left = store.sessions_of(&alice, now()).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, spared);
}

/// An entry may not be cleared away before its session may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_entry_lasts_as_long_as_its_session() {
    let endpoint = endpoint().await;
    let table = fresh_table();
    let store = DynamoDbStore::new(client(&endpoint), table.clone());
    store.create_table().await.unwrap();
    let ttl = async |key: (&str, &str)| -> u64 {
        let found = item(&endpoint, &table, key).await.unwrap();
        let Some(N(seconds)) = found.get("ttl") else {
            panic!("{found:?}");
        };
        seconds.parse().unwrap()
    };
    let text = id(1).to_string();
    let session = format!("session#{text}");
    let begin = now();
    let day = Duration::from_secs(86_400);
    let record = RecordBuilder::new(begin).subject("alice").build();
    let Created::Created(revision) = store.create(&id(1), &record, begin).await.unwrap() else {
        panic!("occupied");
    };
    let hour = begin.after(Duration::from_secs(3600));
    let rounded_up = hour.as_unix_millis().div_ceil(1000);
    assert_eq!(ttl((&session, "session")).await, rounded_up);
    assert_eq!(ttl(("subject#alice", &text)).await, rounded_up + 86_400);
    let longer = RecordBuilder::of(&record)
        .expires_at(hour.after(day * 30))
        .build();
    let replaced = store
        .replace(&id(1), revision, &longer, begin)
        .await
        .unwrap();
    assert!(matches!(replaced, Replaced::Replaced(_)), "{replaced:?}");
    assert_eq!(ttl((&session, "session")).await, rounded_up + 86_400 * 30);
    assert_eq!(
        ttl(("subject#alice", &text)).await,
        rounded_up + 86_400 * 31
    );
    assert_eq!(store.remove(&id(1)).await.unwrap(), Removed::Removed);
    assert!(
        item(&endpoint, &table, ("subject#alice", &text))
            .await
            .is_none()
    );
}

/// A29: an item of one subject never answers for another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_of_another_subject_is_corrupt_and_an_entry_that_points_elsewhere_ends_nobody() {
    let endpoint = endpoint().await;
    let table = fresh_table();
    let store = DynamoDbStore::new(client(&endpoint), table.clone());
    store.create_table().await.unwrap();
    let record = RecordBuilder::new(now()).subject("alice").build();
    let _ = store.create(&id(1), &record, now()).await.unwrap();
    let mallory = Subject::from("mallory");

    let entry = client(&endpoint).put_item().table_name(&table);
    let entry = entry.item("pk", S("subject#mallory".to_owned()));
    entry.item("sk", S(id(1).to_string())).send().await.unwrap();
    assert_eq!(store.remove_all_of(&mallory, None).await.unwrap(), 0);
    let claim = claim_for(&id(1), [0; 16]);
    assert!(
        store.load(&claim, now()).await.unwrap().is_some(),
        "alice is still there"
    );
    let listed = store.sessions_of(&mallory, now()).await.unwrap();
    assert!(listed.is_empty(), "{listed:?}");

    let edit = client(&endpoint).update_item().table_name(&table);
    let edit = edit
        .key("pk", S(format!("session#{}", id(1))))
        .key("sk", S("session".to_owned()));
    let edit = edit.update_expression("SET subject = :s");
    let edit = edit.expression_attribute_values(":s", S("mallory".to_owned()));
    edit.send().await.unwrap();
    let error = store.load(&claim, now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_table_and_an_item_too_large_are_errors_of_their_own() {
    let endpoint = endpoint().await;
    let nowhere = DynamoDbStore::new(client(&endpoint), fresh_table());
    let claim = claim_for(&id(1), [0; 16]);
    let error = nowhere.load(&claim, now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error:?}");

    let store = store_at(&endpoint).await;
    store.create_table().await.unwrap();
    for subject in [None, Some("alice")] {
        let mut record = RecordBuilder::new(now()).entry("huge", vec![7; 500_000]);
        if let Some(subject) = subject {
            record = record.subject(subject);
        }
        let result = store.create(&id(1), &record.build(), now()).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error:?}");
        assert!(store.load(&claim, now()).await.unwrap().is_none());
    }
}
