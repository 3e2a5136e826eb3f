//! What each operation costs, in round trips counted between client and server.

use std::time::{Duration, SystemTime};

use test_support::{
    proxy::Proxy,
    redis::{Server, redis},
    server::StoreServer,
};
use tower_session_guard::{
    SessionId, SessionStore, Timestamp,
    store::{
        Admitted, Counting, Created, Cutoff, IndexKey, Removed, Replaced, StoreError,
        revocation::{Ending, IssuedToken, Replacement, RevocationList},
    },
    testing::{RecordBuilder, claim_for},
};
use tower_session_guard_redis::{RedisRevocations, RedisStore};

use crate::patient;

fn now() -> Timestamp {
    SystemTime::now().into()
}

/// The server behind the proxy.
fn url(proxy: &Proxy) -> String {
    format!("redis://{}/0", proxy.address())
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; SessionId::LEN])
}

/// Every script is in the server's cache, as it is after the first minute of its life.
async fn warm(store: &RedisStore) -> Result<(), StoreError> {
    let record = RecordBuilder::new(now()).subject("warm").build();
    let key = record.owner().unwrap();
    for number in [254, 255] {
        let created = store
            .create(&id(number), &record, Counting::Counted, now())
            .await;
        if let Created::Created { revision, .. } = created? {
            let _ = store.replace(&id(number), revision, &record, now()).await?;
        }
    }
    store.heads(&key, None, 10, now()).await?;
    let _ = store.remove(&id(254), Some(&key)).await?;
    let _ = store.end_listed(&key, None, 10, None).await?;
    let cutoff = Cutoff::new(now(), now(), [0; 16]);
    store.raise_cutoff(&key, &cutoff, now()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_and_a_rotation_take_one_round_trip_and_a_login_two() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let proxy = Proxy::to(server.address()).await;
    let store = patient(url(&proxy)).await;
    warm(&store).await.unwrap();

    let guest = RecordBuilder::new(now()).build();
    let member = RecordBuilder::new(now()).subject("alice").build();
    let key = member.owner().unwrap();
    let mut costs = Vec::new();

    let first = id(1);
    let create = store.create(&first, &guest, Counting::Counted, now());
    let (trips, created) = proxy.count(create).await;
    assert!(matches!(created.unwrap(), Created::Created { .. }));
    costs.push(("create, guest", trips));
    let second = id(2);
    let create = store.create(&second, &member, Counting::Counted, now());
    let (trips, created) = proxy.count(create).await;
    let Created::Created { revision, .. } = created.unwrap() else {
        panic!("the id was new")
    };
    costs.push(("create, login", trips));
    let claim = claim_for(&id(2), [0; 16]);
    let (trips, loaded) = proxy.count(store.load((&claim).into(), now())).await;
    assert_eq!(loaded.unwrap().unwrap().record, member);
    costs.push(("load", trips));
    let second = id(2);
    let replace = store.replace(&second, revision, &member, now());
    let (trips, replaced) = proxy.count(replace).await;
    assert!(matches!(replaced.unwrap(), Replaced::Replaced(_)));
    costs.push(("replace", trips));
    let (trips, removed) = proxy.count(store.remove(&id(1), None)).await;
    assert_eq!(removed.unwrap(), Removed::Removed);
    costs.push(("remove, guest", trips));
    let (trips, removed) = proxy.count(store.remove(&id(2), Some(&key))).await;
    assert_eq!(removed.unwrap(), Removed::Removed);
    costs.push(("remove, login", trips));
    let cutoff = Cutoff::new(now(), now().after(Duration::from_secs(60)), [1; 16]);
    let (trips, raised) = proxy.count(store.raise_cutoff(&key, &cutoff, now())).await;
    raised.unwrap();
    costs.push(("raise_cutoff", trips));
    let (trips, found) = proxy.count(store.cutoff(&key, now())).await;
    assert_eq!(found.unwrap(), Some(cutoff));
    costs.push(("cutoff", trips));

    for number in 10..30 {
        let created = store
            .create(&id(number), &member, Counting::Counted, now())
            .await;
        assert!(matches!(created.unwrap(), Created::Created { .. }));
    }
    let (trips, listed) = proxy.count(store.heads(&key, None, 50, now())).await;
    assert_eq!(listed.unwrap().heads.len(), 20);
    println!("round trips: heads of 20 sessions: {trips}");
    assert!(trips <= 5, "{trips}");
    let (trips, ended) = proxy.count(store.end_listed(&key, None, 50, None)).await;
    assert_eq!(ended.unwrap().ended, 20);
    println!("round trips: end_listed of 20 sessions: {trips}");
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
            ("raise_cutoff", 1),
            ("cutoff", 1),
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_to_the_revocation_list_takes_one_round_trip() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let proxy = Proxy::to(server.address()).await;
    let list = RedisRevocations::over(patient(url(&proxy)).await);
    let alice = "alice".into();
    let key = IndexKey::owner("", &alice);
    let keys = [key.clone()];
    let (now, until) = (now(), now().after(Duration::from_secs(3600)));
    let (first, second) = (id(1), id(2));
    let token = IssuedToken::new(&first, &first, Some(&alice), now);
    let admitted = Admitted::new(now.after(Duration::from_secs(1)), [1; 16]);
    let cutoff = Cutoff::new(now, until, [2; 16]);
    let renewed = Replacement::Renewed { grace_until: until };
    for round in 0..2 {
        let trips = [
            proxy.count(list.issue(&keys, &admitted, now)).await.0,
            proxy
                .count(list.replace(token, second, renewed, until, now))
                .await
                .0,
            proxy.count(list.standing(token, now)).await.0,
            proxy.count(list.ending(token, now)).await.0,
            proxy.count(list.may_reissue(token, now)).await.0,
            proxy
                .count(list.end_others(token, &key, &cutoff, now))
                .await
                .0,
            proxy.count(list.end_all(&key, &cutoff, now)).await.0,
            proxy
                .count(list.end(&first, Ending::Ended, until, now))
                .await
                .0,
        ];
        if round > 0 {
            assert_eq!(trips, [1; 8], "with the scripts in the server's cache");
        }
    }
}
