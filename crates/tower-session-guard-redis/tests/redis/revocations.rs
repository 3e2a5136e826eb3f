//! The shared list of ended self-contained tokens: the same as the one in memory, act by act.

use std::time::{Duration, SystemTime};

use test_support::redis::{Cluster, Server, redis};
use tower_session_guard::{
    SessionId, Subject, Timestamp,
    store::revocation::{IssuedToken, MemoryRevocations, Retirement, RevocationList, Standing},
};
use tower_session_guard_redis::RedisRevocations;

use crate::patient;

/// A repeatable source of small numbers.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn id(number: u64) -> SessionId {
    let mut bytes = [0; SessionId::LEN];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

/// Does the same to both lists, at random, and fails at the first difference.
async fn compare(redis: &RedisRevocations, seed: u64, begin: Timestamp) {
    let memory = MemoryRevocations::new();
    let mut dice = Dice(seed);
    let subjects = [Subject::from("alice"), Subject::from("bob {}")];
    let after = |seconds| begin.after(Duration::from_secs(seconds));
    let until = after(3600);
    let mut tokens: Vec<(SessionId, Option<Subject>, Timestamp)> = Vec::new();
    for step in 0..120 {
        // One clock is up to 20 seconds behind another.
        let now = after(step + dice.roll(20));
        let fresh = id(seed << 32 | step);
        let choice = dice.roll(tokens.len() as u64 + 1) as usize;
        let Some((token_id, subject, issued_at)) = tokens.get(choice).cloned() else {
            let subject = subjects.get(dice.roll(3) as usize).cloned();
            let mut issue = now;
            if let Some(subject) = &subject {
                issue = memory.issue_time(subject, now).await.unwrap();
                assert_eq!(redis.issue_time(subject, now).await.unwrap(), issue);
            }
            tokens.push((fresh, subject, issue));
            continue;
        };
        let token = IssuedToken::new(&token_id, subject.as_ref(), issued_at);
        let elevated = Retirement::Elevated { successor: fresh };
        let renewed = Retirement::Renewed {
            successor: fresh,
            grace_until: now.after(Duration::from_secs(10)),
        };
        match dice.roll(10) {
            0 => {
                let how = [Retirement::Ended, Retirement::Superseded][dice.roll(2) as usize];
                let expected = memory.retire(&token_id, how, until, now).await.unwrap();
                let found = redis.retire(&token_id, how, until, now).await.unwrap();
                assert_eq!(found, expected, "seed {seed} step {step}: {how:?}");
            }
            1..=5 => {
                let how = [elevated, renewed][dice.roll(2) as usize];
                let expected = memory.retire_of(token, how, until, now).await.unwrap();
                let found = redis.retire_of(token, how, until, now).await.unwrap();
                assert_eq!(found, expected, "seed {seed} step {step}: {how:?}");
                if let Some(at) = expected {
                    // The answer may be lost: asked again, it is the same.
                    let again = redis.retire_of(token, how, until, now).await.unwrap();
                    assert_eq!(again, expected, "seed {seed} step {step}: again {how:?}");
                    tokens.push((fresh, subject, at));
                }
            }
            6 => {
                let expected = memory.may_reissue(token, now).await.unwrap();
                assert_eq!(redis.may_reissue(token, now).await.unwrap(), expected);
            }
            7 => {
                memory.end_family(&token_id, until, now).await.unwrap();
                redis.end_family(&token_id, until, now).await.unwrap();
            }
            8 => {
                let subject = &subjects[dice.roll(2) as usize];
                memory.end_subject(subject, now, until).await.unwrap();
                redis.end_subject(subject, now, until).await.unwrap();
            }
            _ => {
                let expected = memory.end_others(token, now, until).await.unwrap();
                let found = redis.end_others(token, now, until).await.unwrap();
                assert_eq!(found, expected, "seed {seed} step {step}: end_others");
            }
        }
        for (number, (id, subject, issued_at)) in tokens.iter().enumerate() {
            let token = IssuedToken::new(id, subject.as_ref(), *issued_at);
            let expected = memory.standing(token, now).await.unwrap();
            let found = redis.standing(token, now).await.unwrap();
            assert_eq!(found, expected, "seed {seed} step {step}: token {number}");
        }
    }
}

/// Real times, and those of a manual clock that is years ahead or behind.
async fn compare_all(url: &str, seeds: u64) {
    let real = Timestamp::from(SystemTime::now());
    let begins = [
        real,
        Timestamp::from_unix_seconds(1_000_000),
        Timestamp::from_unix_seconds(4_000_000_000),
    ];
    for seed in 0..seeds {
        let redis = patient(url).await;
        let redis = RedisRevocations::over(redis.with_namespace(format!("walk{seed}:")));
        compare(&redis, seed, begins[seed as usize % begins.len()]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shared_list_is_the_one_in_memory() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendfsync", "no"]);
    compare_all(&server.url(), 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_shared_list_is_the_one_in_memory_on_a_cluster_too() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    compare_all(&cluster.url(), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_16_renewals_on_two_nodes_wins() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let redis = patient(server.url()).await;
        nodes.push(RedisRevocations::over(redis));
    }
    let now = Timestamp::from(SystemTime::now());
    let until = now.after(Duration::from_secs(3600));
    let tasks = (1..=16_u64).map(|number| {
        let node = nodes[number as usize % 2].clone();
        tokio::spawn(async move {
            let how = Retirement::Elevated {
                successor: id(number),
            };
            let first = id(0);
            node.retire_of(IssuedToken::new(&first, None, now), how, until, now)
                .await
                .unwrap()
        })
    });
    let mut winners = 0;
    for task in tasks.collect::<Vec<_>>() {
        winners += usize::from(task.await.unwrap().is_some());
    }
    assert_eq!(winners, 1);
    let first = id(0);
    let status = nodes[0]
        .standing(IssuedToken::new(&first, None, now), now)
        .await
        .unwrap();
    assert_eq!(status, Standing::Superseded);
}
