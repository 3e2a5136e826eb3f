//! The store on DynamoDB, held to the store contract and to outages (R14, R65, R66, R70, R71, A24, A25,
//! A27, A29, S01, S02, S05, S12, S13, S21), against an emulator, or against the server that `DYNAMODB_ENDPOINT` names.

mod emulator;
mod reads;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_sdk_dynamodb::{
    primitives::Blob,
    types::AttributeValue::{self, B, Bs, N, S},
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
use tower_session_guard_dynamodb::DynamoDbStore;

use emulator::{ChildProcess, client, endpoint, fresh_table};
use reads::Requests;

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
    let store = store_on(endpoint, &fresh_table());
    store.create_table().await.unwrap();
    store
}

/// A handle to a table, on a client of its own.
fn store_on(endpoint: &str, table: &str) -> DynamoDbStore {
    DynamoDbStore::new(client(endpoint), table).with_time_limit(PATIENCE)
}

/// An item, as the table holds it.
async fn item(
    endpoint: &str,
    table: &str,
    key: (&str, &str),
) -> Option<HashMap<String, AttributeValue>> {
    let get = client(endpoint).get_item().table_name(table);
    let get = get
        .key("pk", S(key.0.to_owned()))
        .key("sk", S(key.1.to_owned()));
    get.consistent_read(true).send().await.unwrap().item
}

fn alice() -> IndexKey {
    IndexKey::owner("", &"alice".into())
}

/// The partition of a key's index entries.
fn collection(key: &IndexKey) -> String {
    let digest = key.digest();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("index#{hex}")
}

async fn load(store: &DynamoDbStore, number: u16) -> Option<Stored> {
    let claim = claim_for(&id(number), [0; 16]);
    store.load((&claim).into(), now()).await.unwrap()
}

/// Creates a session that counts; its revision, and how many count.
async fn create(store: &DynamoDbStore, number: u16, record: &Record) -> (Revision, usize) {
    let id = id(number);
    let create = store.create(&id, record, Counting::Counted, now());
    match create.await.unwrap() {
        Created::Created { revision, sessions } => (revision, sessions),
        other => panic!("{number}: {other:?}"),
    }
}

async fn listed(store: &DynamoDbStore, key: &IndexKey) -> Vec<SessionId> {
    let page = store.heads(key, None, 1_000, now()).await.unwrap();
    assert_eq!(page.next, None);
    page.heads.into_iter().map(|head| head.id).collect()
}

async fn end(store: &DynamoDbStore, key: &IndexKey) -> usize {
    let page = store.end_listed(key, None, 1_000, None).await.unwrap();
    assert_eq!(page.next, None);
    page.ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dynamodb_holds_the_contract() {
    let endpoint = endpoint().await;
    let make = || async {
        let table = fresh_table();
        let store = store_on(&endpoint, &table);
        store.create_table().await.unwrap();
        StoreUnderTest::new(store)
            .with_second_node(store_on(&endpoint, &table))
            .with_volume(2_000)
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
        let store = store_on(&server.endpoint(), &table);
        store.create_table().await.unwrap();
        let again = Arc::clone(&server);
        StoreUnderTest::new(store)
            .with_second_node(store_on(&server.endpoint(), &table))
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
    let layer = SessionLayer::new(keys()).with_store(store.with_time_limit(LIMIT));
    let mut outage = Outage::prepare(layer, LIMIT).await;
    let after = AfterDeath::SessionsAreThere;
    outage.hold("dynamodb", &server, &proxy, after).await;
}

/// The client sends a write again whose answer was lost. It may not take its own work for another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_was_lost_knows_its_own_work() {
    let endpoint = endpoint().await;
    let proxy = Proxy::to(endpoint.trim_start_matches("http://").parse().unwrap()).await;
    let store = store_at(&format!("http://{}", proxy.address())).await;
    let guest = RecordBuilder::new(now()).build();
    let member = RecordBuilder::new(now()).subject("alice").build();
    for (number, record, counts) in [(1, guest, 0), (2, member, 1)] {
        proxy.round_trips();
        proxy.cut_answers(1);
        let (revision, sessions) = create(&store, number, &record).await;
        assert_eq!(sessions, counts);
        let trips = proxy.round_trips();
        assert_eq!(trips, 2 + counts as u64, "it was sent twice, then counted");
        proxy.cut_answers(1);
        let replaced = store.replace(&id(number), revision, &record, now()).await;
        let Replaced::Replaced(revision) = replaced.unwrap() else {
            panic!("{number}: the replacement took its own work for another's");
        };
        assert_eq!(proxy.round_trips(), 2, "it was sent twice");
        let stored = load(&store, number).await.unwrap();
        assert_eq!(stored.revision, revision);
        let again = store
            .create(&id(number), &record, Counting::Counted, now())
            .await;
        assert_eq!(again.unwrap(), Created::Occupied);
        proxy.cut_answers(1);
        let _ = store.remove(&id(number), None).await.unwrap();
        assert!(load(&store, number).await.is_none());
    }
    let cutoff = Cutoff::new(now(), now().after(DAY), [1; 16]);
    proxy.cut_answers(1);
    store.raise_cutoff(&alice(), &cutoff, now()).await.unwrap();
    let held = store.cutoff(&alice(), now()).await.unwrap();
    assert_eq!(held, Some(cutoff));
}

const DAY: Duration = Duration::from_secs(86_400);

/// S13: neither a list nor an ending grows with the data of its sessions in requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn round_trips_are_as_documented() {
    let endpoint = endpoint().await;
    let proxy = Proxy::to(endpoint.trim_start_matches("http://").parse().unwrap()).await;
    let store = store_at(&format!("http://{}", proxy.address())).await;
    let guest = RecordBuilder::new(now()).build();
    let member = RecordBuilder::new(now())
        .subject("alice")
        .entry("noise", vec![7; 5_000])
        .build();
    let tagged = RecordBuilder::new(now()).subject("bob").tags(["a", "b"]);
    let count = |what: &str, expected: u64| {
        let trips = proxy.round_trips();
        println!("dynamodb: {what}: {trips}");
        assert_eq!(trips, expected, "{what}");
    };
    proxy.round_trips();
    create(&store, 1, &guest).await;
    count("create a guest's", 1);
    let (revision, _) = create(&store, 2, &member).await;
    count("create a subject's", 2);
    create(&store, 3, &tagged.build()).await;
    count("create a subject's with tags", 2);
    load(&store, 2).await.unwrap();
    count("load", 1);
    let second = id(2);
    let replace = || store.replace(&second, revision, &member, now());
    assert!(matches!(replace().await.unwrap(), Replaced::Replaced(_)));
    count("replace", 1);
    assert_eq!(replace().await.unwrap(), Replaced::Conflict);
    count("replace that conflicts", 1);
    assert_eq!(listed(&store, &alice()).await.len(), 1);
    count("heads", 2);
    let _ = store.remove(&id(1), None).await.unwrap();
    count("remove a guest's", 1);
    let foreign = store.remove(&id(3), Some(&alice())).await.unwrap();
    assert_eq!(foreign, Removed::Absent);
    count("remove under another's key", 1);
    let _ = store.remove(&id(3), None).await.unwrap();
    count("remove a subject's with tags", 2);
    let _ = store.remove(&id(2), Some(&alice())).await.unwrap();
    count("remove a subject's", 2);
    for number in 10..15 {
        create(&store, number, &member).await;
    }
    proxy.round_trips();
    assert_eq!(end(&store, &alice()).await, 5);
    // One connection each carries the five removals at once; each is a turn of its own.
    count("end_listed with 5 sessions", 1 + 5 + 1);
    let cutoff = |seconds: u64| {
        let at = Timestamp::from_unix_seconds(1_800_000_000 + seconds);
        Cutoff::new(at, at.after(DAY), [1; 16])
    };
    for (seconds, what, trips) in [
        (1, "raise_cutoff", 1),
        (0, "raise_cutoff of a lower one", 1),
    ] {
        let cutoff = cutoff(seconds);
        store.raise_cutoff(&alice(), &cutoff, now()).await.unwrap();
        count(what, trips);
    }
    assert!(store.cutoff(&alice(), now()).await.unwrap().is_some());
    count("cutoff", 1);
}

/// R66: an operation that begins after a write was answered sees it, so no read may be an eventual one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_read_asks_for_consistency_and_a_list_for_no_data() {
    let endpoint = endpoint().await;
    let table = fresh_table();
    let store = store_on(&endpoint, &table);
    store.create_table().await.unwrap();
    let requests = Requests::default();
    let store = DynamoDbStore::new(requests.client(&endpoint), table);
    let store = store.with_time_limit(PATIENCE);
    let member = RecordBuilder::new(now()).subject("alice").build();
    create(&store, 1, &member).await;
    load(&store, 1).await.unwrap();
    assert_eq!(listed(&store, &alice()).await.len(), 1);
    let cutoff = Cutoff::new(now(), now().after(DAY), [1; 16]);
    store.raise_cutoff(&alice(), &cutoff, now()).await.unwrap();
    let _ = store.cutoff(&alice(), now()).await.unwrap();
    assert_eq!(end(&store, &alice()).await, 1);
    let sent = requests.take();
    let reads = sent.iter().filter(|(operation, _)| {
        let writes = [
            "PutItem",
            "DeleteItem",
            "BatchWriteItem",
            "TransactWriteItems",
        ];
        !writes.contains(&operation.as_str())
    });
    let reads: Vec<_> = reads.collect();
    for (operation, body) in &reads {
        assert!(
            body.contains(r#""ConsistentRead":true"#),
            "{operation} {body}"
        );
    }
    let operations: Vec<_> = reads.iter().map(|(operation, _)| operation).collect();
    let expected = [
        "Query",
        "GetItem",
        "Query",
        "BatchGetItem",
        "GetItem",
        "Query",
    ];
    assert_eq!(operations, expected);
    let (_, batch) = reads[3];
    assert!(batch.contains(r##""ProjectionExpression":"#pk, #head, #expires_at, #keys""##));
}

/// S01: several pages, each of more than one batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_subject_of_several_pages_is_listed_and_ended_whole() {
    let store = store_at(&endpoint().await).await;
    let member = RecordBuilder::new(now()).subject("alice").build();
    for number in 0..230 {
        let (_, sessions) = create(&store, number, &member).await;
        assert_eq!(sessions, usize::from(number) + 1);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let key = alice();
        let page = store.heads(&key, after.as_ref(), 120, now());
        let page = page.await.unwrap();
        found.extend(page.heads.into_iter().map(|head| head.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 230);
    let spared = id(111);
    let (mut ended, mut after) = (0, None);
    loop {
        let key = alice();
        let page = store.end_listed(&key, after.as_ref(), 120, Some(&spared));
        let page = page.await.unwrap();
        ended += page.ended;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(ended, 229);
    assert_eq!(listed(&store, &alice()).await, [spared]);
    let foreign = Cursor::new(*b"foreign");
    for result in [
        store
            .heads(&alice(), Some(&foreign), 1, now())
            .await
            .map(drop),
        store
            .end_listed(&alice(), Some(&foreign), 1, None)
            .await
            .map(drop),
    ] {
        assert_eq!(result.unwrap_err().kind(), StoreErrorKind::Unsupported);
    }
}

/// Above a bound nobody counts: the answer is then more than any limit, never less than there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_count_is_exact_up_to_its_bound_and_never_too_low_above() {
    let store = store_at(&endpoint().await).await;
    let member = RecordBuilder::new(now()).subject("alice").build();
    let mut counts = Vec::new();
    for number in 0..260 {
        let (id, counting) = match number {
            0..3 => (id(number), Counting::LeftOut),
            _ => (id(number), Counting::Counted),
        };
        let created = store.create(&id, &member, counting, now()).await;
        match created.unwrap() {
            Created::Created { sessions, .. } => counts.push(sessions),
            other => panic!("{other:?}"),
        }
    }
    let expected: Vec<_> = [0, 0, 0].into_iter().chain(1..256).collect();
    assert_eq!(counts[..258], expected);
    assert_eq!(counts[258..], [usize::MAX; 2]);
}

/// An entry may not be cleared away before its session may, and goes with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn index_entries_last_as_long_as_their_session() {
    let endpoint = endpoint().await;
    let table = fresh_table();
    let store = store_on(&endpoint, &table);
    store.create_table().await.unwrap();
    let begin = now();
    let record = RecordBuilder::new(begin).subject("alice").tags(["sid"]);
    let record = record.build();
    let sort = format!("counted#{}", id(1));
    let session = format!("session#{}", id(1));
    let entries = record.index_keys();
    let entries: Vec<_> = entries.iter().map(collection).collect();
    assert_eq!(entries.len(), 2);
    let ttl = async |partition: &str, sort: &str| -> u64 {
        let found = item(&endpoint, &table, (partition, sort)).await.unwrap();
        let Some(N(seconds)) = found.get("ttl") else {
            panic!("{found:?}");
        };
        seconds.parse().unwrap()
    };
    let (revision, _) = create(&store, 1, &record).await;
    let hour = begin.after(Duration::from_secs(3600));
    let rounded_up = hour.as_unix_millis().div_ceil(1000);
    assert_eq!(ttl(&session, "session").await, rounded_up);
    for entry in &entries {
        assert_eq!(ttl(entry, &sort).await, rounded_up + 86_400);
    }
    let longer = RecordBuilder::of(&record)
        .expires_at(hour.after(DAY * 30))
        .build();
    let replaced = store.replace(&id(1), revision, &longer, begin).await;
    assert!(
        matches!(replaced, Ok(Replaced::Replaced(_))),
        "{replaced:?}"
    );
    assert_eq!(ttl(&session, "session").await, rounded_up + 86_400 * 30);
    for entry in &entries {
        assert_eq!(ttl(entry, &sort).await, rounded_up + 86_400 * 31);
    }
    let removed = store.remove(&id(1), None).await.unwrap();
    assert_eq!(removed, Removed::Removed);
    for entry in &entries {
        assert!(item(&endpoint, &table, (entry, &sort)).await.is_none());
    }
}

/// What DynamoDB's time to live has cleared away of the sessions, or a crash has left of the index, does not
/// make the count grow for ever: a list takes it away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_takes_dead_entries_away_and_no_others() {
    let endpoint = endpoint().await;
    let table = fresh_table();
    let store = store_on(&endpoint, &table);
    store.create_table().await.unwrap();
    let member = RecordBuilder::new(now()).subject("alice").build();
    for number in 0..60 {
        create(&store, number, &member).await;
    }
    for number in 0..58 {
        let delete = client(&endpoint).delete_item().table_name(&table);
        let delete = delete.key("pk", S(format!("session#{}", id(number))));
        let delete = delete.key("sk", S("session".to_owned()));
        delete.send().await.unwrap();
    }
    let (_, before) = create(&store, 60, &member).await;
    assert_eq!(before, 61);
    // 50 of the 58 go with the first list, the others with the second.
    for (number, count) in [(61, 12), (62, 5)] {
        let alive: Vec<_> = (58..number).map(id).collect();
        let mut found = listed(&store, &alice()).await;
        found.sort_unstable();
        assert_eq!(found, alive);
        let (_, sessions) = create(&store, number, &member).await;
        assert_eq!(sessions, count);
    }
}

/// S02: what a cut-off says lasts longer than any session or token, whatever the time to live of DynamoDB does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cutoff_stays_until_its_end_and_the_slack() {
    let endpoint = endpoint().await;
    let table = fresh_table();
    let store = store_on(&endpoint, &table);
    store.create_table().await.unwrap();
    let begin = now();
    let cutoff = |lasting| Cutoff::new(begin, begin.after(lasting), [1; 16]);
    for days in [400, 1] {
        let cutoff = cutoff(DAY * days);
        store.raise_cutoff(&alice(), &cutoff, begin).await.unwrap();
    }
    assert_eq!(end(&store, &alice()).await, 0);
    let key = collection(&alice()).replace("index#", "cutoff#");
    let found = item(&endpoint, &table, (&key, "cutoff")).await.unwrap();
    let Some(N(ttl)) = found.get("ttl") else {
        panic!("{found:?}");
    };
    let end = cutoff(DAY * 400).until.after(Cutoff::SLACK);
    let ttl = Timestamp::from_unix_seconds(ttl.parse().unwrap());
    assert!(ttl >= end.after(DAY));
    let last = Timestamp::from_unix_millis(end.as_unix_millis() - 1);
    let found = store.cutoff(&alice(), last).await.unwrap();
    assert_eq!(found, Some(cutoff(DAY * 400)));
    assert_eq!(store.cutoff(&alice(), end).await.unwrap(), None);

    // A cut-off that cannot be read is not taken for none.
    let edit = client(&endpoint).update_item().table_name(&table);
    let edit = edit.key("pk", S(key)).key("sk", S("cutoff".to_owned()));
    let edit = edit.update_expression("REMOVE mark");
    edit.send().await.unwrap();
    let error = store.cutoff(&alice(), begin).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let raised = store.raise_cutoff(&alice(), &cutoff(DAY), begin).await;
    assert_eq!(raised.unwrap_err().kind(), StoreErrorKind::Corrupt);
}

/// A29: an item of one subject never answers for another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_of_another_subject_is_corrupt_and_an_entry_that_points_elsewhere_ends_nobody() {
    let endpoint = endpoint().await;
    let table = fresh_table();
    let store = store_on(&endpoint, &table);
    store.create_table().await.unwrap();
    let record = RecordBuilder::new(now()).subject("alice").build();
    create(&store, 1, &record).await;
    let mallory = IndexKey::owner("", &"mallory".into());

    let entry = client(&endpoint).put_item().table_name(&table);
    let entry = entry.item("pk", S(collection(&mallory)));
    let entry = entry.item("sk", S(format!("counted#{}", id(1))));
    entry.send().await.unwrap();
    assert!(listed(&store, &mallory).await.is_empty());
    assert_eq!(end(&store, &mallory).await, 0);
    assert!(load(&store, 1).await.is_some(), "alice is still there");
    assert_eq!(listed(&store, &alice()).await, [id(1)]);

    let edit = client(&endpoint).update_item().table_name(&table);
    let edit = edit
        .key("pk", S(format!("session#{}", id(1))))
        .key("sk", S("session".to_owned()));
    let edit = edit.update_expression("SET #keys = :keys");
    let edit = edit.expression_attribute_names("#keys", "keys");
    let keys = Bs(vec![Blob::new(mallory.digest())]);
    let edit = edit.expression_attribute_values(":keys", keys);
    edit.send().await.unwrap();
    let claim = claim_for(&id(1), [0; 16]);
    let error = store.load((&claim).into(), now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(listed(&store, &mallory).await.is_empty());
}

/// S12, S13: a list needs no data, and no record that can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_reads_heads_alone_and_a_damaged_record_is_listed_and_removed() {
    let endpoint = endpoint().await;
    let table = fresh_table();
    let store = store_on(&endpoint, &table);
    store.create_table().await.unwrap();
    let record = RecordBuilder::new(now()).subject("alice");
    let record = record.entry("noise", vec![7; 5_000]).build();
    for number in [1, 2] {
        create(&store, number, &record).await;
        let edit = client(&endpoint).update_item().table_name(&table);
        let edit = edit
            .key("pk", S(format!("session#{}", id(number))))
            .key("sk", S("session".to_owned()))
            .expression_attribute_names("#part", ["data", "head"][usize::from(number) - 1])
            .expression_attribute_values(":junk", B(Blob::new([9])));
        let edit = edit.update_expression("SET #part = :junk");
        edit.send().await.unwrap();
    }
    let page = store.heads(&alice(), None, 10, now()).await.unwrap();
    let readable: Vec<_> = page.heads.iter().map(|one| one.head.is_ok()).collect();
    assert_eq!(readable, [true, false]);
    for number in [1, 2] {
        let claim = claim_for(&id(number), [0; 16]);
        let error = store.load((&claim).into(), now()).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        let removed = store.remove(&id(number), Some(&alice())).await.unwrap();
        assert_eq!(removed, Removed::Removed);
    }
    assert!(listed(&store, &alice()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_table_and_an_item_too_large_are_errors_of_their_own() {
    let endpoint = endpoint().await;
    let nowhere = store_on(&endpoint, &fresh_table());
    let claim = claim_for(&id(1), [0; 16]);
    let error = nowhere.load((&claim).into(), now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error:?}");

    let store = store_at(&endpoint).await;
    store.create_table().await.unwrap();
    for subject in [None, Some("alice")] {
        let mut record = RecordBuilder::new(now()).entry("huge", vec![7; 500_000]);
        if let Some(subject) = subject {
            record = record.subject(subject);
        }
        let record = record.build();
        let id = id(1);
        let create = store.create(&id, &record, Counting::Counted, now());
        let error = create.await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unsupported, "{error:?}");
        assert!(load(&store, 1).await.is_none());
        assert!(listed(&store, &alice()).await.is_empty());
    }
}
