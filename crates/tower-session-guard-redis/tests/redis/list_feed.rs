//! The feed of ended tokens: a node's copy has what the list has, and hears of more before a later fence is answered.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use test_support::redis::{Cluster, Server, redis};
use tower_session_guard::{
    SessionId, Subject, Timestamp,
    store::{
        Cutoff, IndexKey, Lease, StoreError, StoreErrorKind,
        feed::{Feed, FeedList, ListCopy},
        revocation::{Ending, IssuedToken, Replacement, RevocationList, Standing},
    },
};
use tower_session_guard_redis::{ConnectOptions, RedisRevocations};

use crate::{feed::drop_lease, patient};

type Family = (Option<SessionId>, Timestamp);
type CutOff = (Timestamp, Option<SessionId>, Timestamp);

/// A node's copy of a list.
#[derive(Debug, Default)]
struct Copy {
    families: Mutex<BTreeMap<SessionId, Family>>,
    cutoffs: Mutex<BTreeMap<[u8; 16], CutOff>>,
}

impl ListCopy for Copy {
    fn put_family(&self, family: &SessionId, current: Option<&SessionId>, until: Timestamp) {
        let mut families = self.families.lock().unwrap();
        families.insert(*family, (current.copied(), until));
    }

    fn put_cutoff(
        &self,
        key: &[u8; 16],
        at: Timestamp,
        spared: Option<&SessionId>,
        until: Timestamp,
    ) {
        let mut cutoffs = self.cutoffs.lock().unwrap();
        cutoffs.insert(*key, (at, spared.copied(), until));
    }
}

impl Copy {
    fn contents(&self) -> (BTreeMap<SessionId, Family>, BTreeMap<[u8; 16], CutOff>) {
        let families = self.families.lock().unwrap().clone();
        (families, self.cutoffs.lock().unwrap().clone())
    }

    fn has_ended(&self, family: &SessionId) -> bool {
        let families = self.families.lock().unwrap();
        families
            .get(family)
            .is_some_and(|(current, _)| current.is_none())
    }
}

async fn list(url: &str) -> RedisRevocations {
    RedisRevocations::over(patient(url).await)
}

fn exact(millis: u64) -> Lease {
    Lease::exact(Duration::from_millis(millis)).unwrap()
}

async fn follow(
    list: &RedisRevocations,
    lease: Lease,
) -> Result<(Box<dyn Feed>, Arc<Copy>), StoreError> {
    let copy = Arc::<Copy>::default();
    let feed = list.open_feed(Arc::clone(&copy) as _, lease).await?;
    Ok((feed, copy))
}

fn id(number: u64) -> SessionId {
    let mut bytes = [9; SessionId::LEN];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn until() -> Timestamp {
    now().after(Duration::from_secs(3600))
}

async fn end(list: &RedisRevocations, number: u64) -> Result<bool, StoreError> {
    list.end(&id(number), Ending::Ended, until(), now()).await
}

/// Acts of every kind, and what came of each token.
async fn act(list: &RedisRevocations, from: u64, count: u64) {
    for number in from..from + count {
        let (family, next) = (id(number), id(number + 1_000_000));
        let subject = Subject::from(format!("user{}", number % 7).as_str());
        let key = IndexKey::owner("", &subject);
        let token = IssuedToken::new(&family, &family, Some(&subject), now());
        let grace_until = now().after(Duration::from_secs(5));
        let cutoff = Cutoff::new(now(), until(), [3; 16]);
        match number % 6 {
            0 => assert!(end(list, number).await.unwrap()),
            1 => {
                let how = Ending::Superseded;
                list.end(&family, how, until(), now()).await.unwrap();
            }
            2 => {
                let how = Replacement::Renewed { grace_until };
                list.replace(token, next, how, until(), now())
                    .await
                    .unwrap();
                let token = IssuedToken::new(&family, &next, Some(&subject), now());
                let third = id(number + 2_000_000);
                let how = Replacement::Elevated;
                list.replace(token, third, how, until(), now())
                    .await
                    .unwrap();
            }
            3 => {
                let crossing_until = grace_until;
                let how = Replacement::Bound { crossing_until };
                list.replace(token, next, how, until(), now())
                    .await
                    .unwrap();
            }
            4 => {
                list.end_others(token, &key, &cutoff, now()).await.unwrap();
            }
            _ => list.end_all(&key, &cutoff, now()).await.unwrap(),
        }
    }
}

/// R75: what was there before, and what comes while the list is read and afterwards.
async fn a_copy_has_what_the_list_has(url: &str) {
    let (here, there) = (list(url).await, list(url).await);
    act(&there, 0, 2_000).await;
    let meanwhile = {
        let there = there.clone();
        tokio::spawn(async move { act(&there, 10_000, 500).await })
    };
    let (mut feed, copy) = follow(&here, exact(250)).await.unwrap();
    let early = copy.contents();
    assert!(early.0.len() >= 1_200, "{}", early.0.len());
    meanwhile.await.unwrap();
    act(&here, 20_000, 100).await;
    act(&there, 30_000, 100).await;
    feed.fence().await.unwrap();
    let (_second, snapshot) = follow(&there, exact(250)).await.unwrap();
    assert_eq!(copy.contents(), snapshot.contents());
    assert!(copy.has_ended(&id(30_000)));
    let (families, _) = copy.contents();
    assert_eq!(families[&id(2)].0, Some(id(2_000_002)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_has_what_the_list_of_one_server_has() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendonly", "no"]);
    a_copy_has_what_the_list_has(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_has_what_the_list_of_a_cluster_has() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    a_copy_has_what_the_list_has(&cluster.url()).await;
}

/// Redis 6 has no channels of shards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_channels_of_shards_will_do() {
    let Some(program) = redis() else { return };
    let without = [
        "--rename-command",
        "SPUBLISH",
        "",
        "--rename-command",
        "SSUBSCRIBE",
        "",
    ];
    let server = Server::start(&program, &[&without[..], &["--appendonly", "no"]].concat());
    a_copy_has_what_the_list_has(&server.url()).await;
}

/// How many of `count` endings were not in the copy when a later fence was answered.
async fn rounds(url: String, count: u64, from: u64) -> u64 {
    let (here, there) = (list(&url).await, list(&url).await);
    let (mut feed, copy) = follow(&here, exact(250)).await.unwrap();
    let mut late = 0;
    for number in from..from + count {
        assert!(end(&there, number).await.unwrap());
        feed.fence().await.unwrap();
        late += u64::from(!copy.has_ended(&id(number)));
    }
    late
}

/// R75.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_ending_is_told_after_the_answer_of_a_later_fence() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendonly", "no"]);
    assert_eq!(rounds(server.url(), 1_000, 0).await, 0);
    let loaded = (1..9).map(|number| tokio::spawn(rounds(server.url(), 150, number * 100_000)));
    for late in loaded.collect::<Vec<_>>() {
        assert_eq!(late.await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "45,000 rounds take a minute or two"]
async fn no_ending_is_told_after_the_answer_of_a_later_fence_in_many_rounds() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendonly", "no"]);
    println!(
        "alone: {} of 20,000 late",
        rounds(server.url(), 20_000, 0).await
    );
    let loaded = (1..9).map(|number| tokio::spawn(rounds(server.url(), 2_500, number * 100_000)));
    let mut late = 0;
    for rounds in loaded.collect::<Vec<_>>() {
        late += rounds.await.unwrap();
    }
    println!("loaded: {late} of 20,000 late");
    let cluster = Cluster::start(&program);
    let there = rounds(cluster.url(), 5_000, 0).await;
    println!("cluster: {there} of 5,000 late");
    assert_eq!(late + there, 0);
}

async fn expect_the_end(feed: &mut Box<dyn Feed>) {
    let ended = tokio::time::timeout(Duration::from_secs(2), feed.listen()).await;
    println!("{}", ended.expect("the feed ends").unwrap_err());
    feed.fence().await.unwrap_err();
}

/// R75: while no lease counts nothing is published, so a feed that lost its lease may have missed something.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_ends_with_its_connection_or_its_lease() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let list = list(&server.url()).await;
    assert!(end(&list, 1).await.unwrap());
    let told = server.ask("INFO commandstats").unwrap();
    assert!(!told.contains("publish"), "nobody listens: {told}");

    let (mut feed, copy) = follow(&list, exact(200)).await.unwrap();
    assert!(copy.has_ended(&id(1)));
    let began = Instant::now();
    list.endings_hold().unwrap().await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(200));
    server.wait_for("CLIENT KILL TYPE pubsub", ":1");
    expect_the_end(&mut feed).await;

    let (mut feed, _) = follow(&list, exact(200)).await.unwrap();
    drop_lease(&server, "session:{revoked}:lease", "e200");
    feed.fence().await.unwrap_err();
    expect_the_end(&mut feed).await;
    // Also where another node has made it anew.
    let (mut feed, _) = follow(&list, exact(200)).await.unwrap();
    drop_lease(&server, "session:{revoked}:lease", "e200");
    let (mut second, _) = follow(&list, exact(200)).await.unwrap();
    feed.fence().await.unwrap_err();
    second.fence().await.unwrap();
    expect_the_end(&mut feed).await;
}

/// R75: an entry of a kind that this release does not know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_ends_the_feed() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let list = list(&server.url()).await;
    for entry in ["nonsense", "of:nonsense", "{}"] {
        let (mut feed, _) = follow(&list, exact(200)).await.unwrap();
        server.wait_for(&format!("SPUBLISH session:{{revoked}} {entry}"), ":1");
        expect_the_end(&mut feed).await;
    }
}

/// S18: nothing is ended that other nodes would not hear of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_publish_is_refused_where_nodes_listen() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    server.wait_for("ACL SETUSER app on >secret ~* +@all resetchannels", "OK");
    let url = format!("redis://app:secret@127.0.0.1:{}/0", server.port);
    let store = ConnectOptions::new().connect(&url).await.unwrap();
    let mute = RedisRevocations::over(store);
    assert!(end(&mute, 1).await.unwrap(), "nobody listens");
    let refused = follow(&mute, exact(250)).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unsupported);
    assert!(format!("{refused:?}").contains("+spublish"), "{refused:?}");

    let list = list(&server.url()).await;
    let (_feed, copy) = follow(&list, exact(250)).await.unwrap();
    end(&mute, 2).await.unwrap_err();
    let (second, now) = (id(2), now());
    let token = IssuedToken::new(&second, &second, None, now);
    assert_eq!(list.standing(token, now).await.unwrap(), Standing::Current);
    assert!(!copy.has_ended(&second));
}
