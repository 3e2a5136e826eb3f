//! What each operation costs, in round trips counted between client and server.

use std::time::{Duration, SystemTime};

use tower_session_guard::{
    SessionId, SessionStore, Timestamp,
    store::{
        Created, Removed, Replaced, StoreError,
        redis::{RedisRevocations, RedisStore},
        revocation::{IssuedToken, Retirement, RevocationList},
    },
    testing::{RecordBuilder, claim_for},
};

use crate::{
    proxy::Proxy,
    server::{Server, redis},
};

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::LEN])
}

/// Every script is in the server's cache, as it is after the first minute of its life.
async fn warm(store: &RedisStore) -> Result<(), StoreError> {
    let record = RecordBuilder::new(now()).subject("warm").build();
    if let Created::Created(revision) = store.create(&id(255), &record, now()).await? {
        let _ = store.replace(&id(255), revision, &record, now()).await?;
    }
    store.remove_all_of(record.subject().unwrap(), None).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_and_a_rotation_take_one_round_trip_and_a_login_two() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let proxy = Proxy::start(server.port).await;
    let store = RedisStore::connect(proxy.url()).await.unwrap();
    warm(&store).await.unwrap();

    let guest = RecordBuilder::new(now()).build();
    let member = RecordBuilder::new(now()).subject("alice").build();
    let subject = member.subject().unwrap();
    let mut costs = Vec::new();

    let (trips, created) = proxy.count(store.create(&id(1), &guest, now())).await;
    assert!(matches!(created.unwrap(), Created::Created(_)));
    costs.push(("create, guest", trips));
    let (trips, created) = proxy.count(store.create(&id(2), &member, now())).await;
    let Created::Created(revision) = created.unwrap() else {
        panic!("the id was new")
    };
    costs.push(("create, login", trips));
    let claim = claim_for(&id(2), [0; 16]);
    let (trips, loaded) = proxy.count(store.load(&claim, now())).await;
    assert_eq!(loaded.unwrap().unwrap().record, member);
    costs.push(("load", trips));
    let second = id(2);
    let replace = store.replace(&second, revision, &member, now());
    let (trips, replaced) = proxy.count(replace).await;
    assert!(matches!(replaced.unwrap(), Replaced::Replaced(_)));
    costs.push(("replace", trips));
    let (trips, removed) = proxy.count(store.remove(&id(1))).await;
    assert_eq!(removed.unwrap(), Removed::Removed);
    costs.push(("remove, guest", trips));
    let (trips, removed) = proxy.count(store.remove(&id(2))).await;
    assert_eq!(removed.unwrap(), Removed::Removed);
    costs.push(("remove, login", trips));

    for number in 10..30 {
        assert!(matches!(
            store.create(&id(number), &member, now()).await.unwrap(),
            Created::Created(_)
        ));
    }
    let (trips, listed) = proxy.count(store.sessions_of(subject, now())).await;
    assert_eq!(listed.unwrap().len(), 20);
    println!("round trips: sessions_of 20 sessions: {trips}");
    assert!(trips <= 5, "{trips}");
    let (trips, removed) = proxy.count(store.remove_all_of(subject, None)).await;
    assert_eq!(removed.unwrap(), 20);
    println!("round trips: remove_all_of 20 sessions: {trips}");
    assert!(trips <= 6, "{trips}");

    println!("round trips: {costs:?}");
    assert_eq!(
        costs,
        [
            ("create, guest", 1),
            ("create, login", 2),
            ("load", 1),
            ("replace", 1),
            ("remove, guest", 1),
            ("remove, login", 2),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_to_the_revocation_list_takes_one_round_trip() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let proxy = Proxy::start(server.port).await;
    let list = RedisRevocations::over(RedisStore::connect(proxy.url()).await.unwrap());
    let alice = "alice".into();
    let (now, until) = (now(), now().after(Duration::from_secs(3600)));
    let (first, second) = (id(1), id(2));
    let token = IssuedToken::new(&first, Some(&alice), now);
    for round in 0..2 {
        let renewed = Retirement::Renewed {
            successor: second,
            grace_until: until,
        };
        let mut trips = Vec::new();
        trips.push(proxy.count(list.issue_time(&alice, now)).await.0);
        trips.push(
            proxy
                .count(list.retire_of(token, renewed, until, now))
                .await
                .0,
        );
        trips.push(proxy.count(list.standing(token, now)).await.0);
        trips.push(proxy.count(list.may_reissue(token, now)).await.0);
        trips.push(proxy.count(list.end_subject(&alice, now, until)).await.0);
        if round > 0 {
            assert_eq!(trips, [1; 5], "with the scripts in the server's cache");
        }
    }
}
