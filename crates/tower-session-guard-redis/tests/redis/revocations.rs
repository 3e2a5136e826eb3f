//! The shared list of ended self-contained tokens: the same as the one in memory, act by act.

use std::time::{Duration, SystemTime};

use test_support::redis::{Cluster, Server, redis};
use tower_session_guard::{
    SessionId, Subject, Timestamp,
    store::{
        Admitted, Cutoff, IndexKey, StoreError, StoreErrorKind,
        revocation::{
            Ending, IssuedToken, MemoryRevocations, Occupancy, Replacement, RevocationList,
            Standing,
        },
    },
};
use tower_session_guard_redis::{RedisRevocations, redis::cluster_routing::Slot};

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

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn owner(subject: &Subject) -> IndexKey {
    IndexKey::owner("", subject)
}

fn real_now() -> Timestamp {
    SystemTime::now().into()
}

/// The process that admits or ends, and how many endings it has written.
fn mark(process: u8, sequence: u64) -> [u8; 16] {
    let mut mark = [process; 16];
    mark[8..].copy_from_slice(&sequence.to_be_bytes());
    mark
}

/// A token, as the walk remembers it.
#[derive(Clone)]
struct Token {
    family: SessionId,
    id: SessionId,
    subject: Option<Subject>,
    issued_at: Timestamp,
}

impl Token {
    fn issued(&self) -> IssuedToken<'_> {
        IssuedToken::new(
            &self.family,
            &self.id,
            self.subject.as_ref(),
            self.issued_at,
        )
    }
}

fn kind<T>(result: Result<T, StoreError>) -> Result<T, StoreErrorKind> {
    result.map_err(|error| error.kind())
}

/// Does the same to both lists, at random, and fails at the first difference.
async fn compare(
    redis: &RedisRevocations,
    memory: &MemoryRevocations,
    seed: u64,
    begin: Timestamp,
) {
    let mut dice = Dice(seed);
    let subjects = [Subject::from("alice"), Subject::from("bob {}")];
    let until = begin.after(seconds(3600));
    let mut tokens: Vec<Token> = Vec::new();
    for step in 0..120 {
        // One clock is up to 20 seconds behind another.
        let now = begin.after(seconds(step + dice.roll(20)));
        let fresh = id(seed << 32 | step);
        let choice = dice.roll(tokens.len() as u64 + 1) as usize;
        let at = format!("seed {seed} step {step}");
        let Some(chosen) = tokens.get(choice).cloned() else {
            let subject = subjects.get(dice.roll(3) as usize).cloned();
            let keys: Vec<_> = subject.iter().map(owner).collect();
            let admitted = Admitted::new(now, mark(dice.roll(2) as u8, dice.roll(step + 1)));
            let expected = kind(memory.issue(&keys, &admitted, now).await);
            assert_eq!(
                kind(redis.issue(&keys, &admitted, now).await),
                expected,
                "{at}: issue"
            );
            if let Ok(Some(issued_at)) = expected {
                tokens.push(Token {
                    family: fresh,
                    id: fresh,
                    subject,
                    issued_at,
                });
            }
            continue;
        };
        let token = chosen.issued();
        let cutoff = Cutoff::new(now, until, mark(dice.roll(2) as u8, step));
        match dice.roll(10) {
            0 => {
                let how = [Ending::Ended, Ending::Superseded][dice.roll(2) as usize];
                let expected = kind(memory.end(&chosen.family, how, until, now).await);
                let found = kind(redis.end(&chosen.family, how, until, now).await);
                assert_eq!(found, expected, "{at}: {how:?}");
            }
            1..=6 => {
                let renewed = Replacement::Renewed {
                    grace_until: now.after(seconds(10)),
                };
                let bound = Replacement::Bound {
                    crossing_until: now.after(seconds(30)),
                };
                let how = [Replacement::Elevated, renewed, bound][dice.roll(3) as usize];
                let expected = kind(memory.replace(token, fresh, how, until, now).await);
                let found = kind(redis.replace(token, fresh, how, until, now).await);
                assert_eq!(found, expected, "{at}: {how:?}");
                if let Ok(Some(issued_at)) = expected {
                    // The answer may be lost: asked again, it is the same.
                    let again = kind(redis.replace(token, fresh, how, until, now).await);
                    assert_eq!(again, expected, "{at}: again {how:?}");
                    tokens.push(Token {
                        id: fresh,
                        issued_at,
                        ..chosen.clone()
                    });
                }
            }
            7 => {
                let expected = kind(memory.may_reissue(token, now).await);
                let found = kind(redis.may_reissue(token, now).await);
                assert_eq!(found, expected, "{at}: may_reissue");
            }
            8 => {
                let key = owner(&subjects[dice.roll(2) as usize]);
                let expected = kind(memory.end_all(&key, &cutoff, now).await);
                let found = kind(redis.end_all(&key, &cutoff, now).await);
                assert_eq!(found, expected, "{at}: end_all");
            }
            _ => {
                let Some(key) = chosen.subject.as_ref().map(owner) else {
                    continue;
                };
                let expected = kind(memory.end_others(token, &key, &cutoff, now).await);
                let found = kind(redis.end_others(token, &key, &cutoff, now).await);
                assert_eq!(found, expected, "{at}: end_others");
            }
        }
        for (number, token) in tokens.iter().enumerate() {
            let expected = memory.standing(token.issued(), now).await.unwrap();
            let found = redis.standing(token.issued(), now).await.unwrap();
            assert_eq!(found, expected, "{at}: token {number}");
        }
        let expected = memory.ending(token, now).await.unwrap();
        let found = redis.ending(token, now).await.unwrap();
        assert_eq!(found, expected, "{at}: the end of the session");
        assert_eq!(redis.occupancy(), memory.occupancy(), "{at}");
    }
}

/// Real times, and those of a manual clock that is years ahead or behind; with room, and with little.
async fn compare_all(url: &str, seeds: u64) {
    let begins = [
        real_now(),
        Timestamp::from_unix_seconds(1_000_000),
        Timestamp::from_unix_seconds(4_000_000_000),
    ];
    for seed in 0..seeds {
        let max = [1000, 16][seed as usize % 2];
        let redis = patient(url).await;
        let redis = RedisRevocations::over(redis.with_namespace(format!("walk{seed}:")));
        let redis = redis.with_max_entries(max);
        let memory = MemoryRevocations::with_max_entries(max);
        compare(&redis, &memory, seed, begins[seed as usize % begins.len()]).await;
    }
}

/// S17, and S04 where there is little room: the rules and the bound are those of the list in memory.
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

async fn list(server: &Server) -> RedisRevocations {
    RedisRevocations::over(patient(server.url()).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_16_renewals_on_two_nodes_wins() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let nodes = [list(&server).await, list(&server).await];
    let now = real_now();
    let until = now.after(seconds(3600));
    let tasks = (1..=16_u64).map(|number| {
        let node = nodes[number as usize % 2].clone();
        tokio::spawn(async move {
            let first = id(0);
            let token = IssuedToken::new(&first, &first, None, now);
            node.replace(token, id(number), Replacement::Elevated, until, now)
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
    let token = IssuedToken::new(&first, &first, None, now);
    let standing = nodes[0].standing(token, now).await.unwrap();
    assert_eq!(standing, Standing::Superseded);
}

/// S04: at the bound no token leaves, while endings go into the room kept for them; expired entries make room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_list_lets_no_token_leave_and_remembers_endings() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendfsync", "no"]);
    let list = list(&server).await.with_max_entries(32);
    let now = real_now();
    let until = now.after(seconds(3600));
    let end = async |number| list.end(&id(number), Ending::Ended, until, now).await;
    for number in 0..32 {
        let expected = if number < 16 {
            Occupancy::Low
        } else {
            Occupancy::High
        };
        assert_eq!(list.occupancy(), expected, "{number}");
        assert!(end(number).await.unwrap());
    }
    assert_eq!(list.occupancy(), Occupancy::Full);

    let alice = Subject::from("alice");
    let key = owner(&alice);
    let fresh = id(100);
    let token = IssuedToken::new(&fresh, &fresh, Some(&alice), now);
    let admitted = Admitted::new(now.after(seconds(1)), [1; 16]);
    let keys = [key.clone()];
    let full = |kind| assert_eq!(kind, StoreErrorKind::Full);
    full(list.issue(&keys, &admitted, now).await.unwrap_err().kind());
    full(list.may_reissue(token, now).await.unwrap_err().kind());
    let replaced = list.replace(token, id(101), Replacement::Elevated, until, now);
    full(replaced.await.unwrap_err().kind());
    assert_eq!(list.standing(token, now).await.unwrap(), Standing::Current);

    let cutoff = Cutoff::new(now, until, [2; 16]);
    list.end_all(&key, &cutoff, now).await.unwrap();
    assert_eq!(list.standing(token, now).await.unwrap(), Standing::Ended);
    assert!(end(32).await.unwrap());
    full(end(33).await.unwrap_err().kind());
    // What has an entry takes no more room.
    list.end_all(&key, &cutoff, now).await.unwrap();
    assert!(!end(32).await.unwrap());
}

/// S04: what is over gives its room back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_whose_time_is_over_takes_no_room() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendfsync", "no"]);
    let list = list(&server).await.with_max_entries(4);
    let now = real_now();
    let until = now.after(seconds(3600));
    for number in 0..4 {
        let ended = list.end(&id(number), Ending::Ended, until, now).await;
        assert!(ended.unwrap());
    }
    assert_eq!(list.occupancy(), Occupancy::Full);
    // As if they had been kept until the first second of 1970.
    server.wait_for("DEL session:{revoked}:due", ":1\r\n");
    let over = "ZADD session:{revoked}:due 1000 a 1000 b 1000 c 1000 d";
    server.wait_for(over, ":4\r\n");
    let ended = list.end(&id(4), Ending::Ended, until, now).await;
    assert!(ended.unwrap());
    assert_eq!(list.occupancy(), Occupancy::Low);
    server.wait_for("ZCARD session:{revoked}:due", ":1\r\n");
}

/// S14: however often a token was renewed, its session has one entry of a bounded size.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_many_renewals_has_one_small_entry() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendfsync", "no"]);
    let list = list(&server).await;
    let now = real_now();
    let until = now.after(seconds(3600));
    let family = id(0);
    let mut present = family;
    for number in 1..=500 {
        let at = now.after(seconds(number));
        let token = IssuedToken::new(&family, &present, None, at);
        let how = match number % 2 {
            0 => Replacement::Elevated,
            _ => Replacement::Renewed { grace_until: at },
        };
        let issued = list.replace(token, id(number), how, until, at).await;
        assert_eq!(issued.unwrap(), Some(at), "{number}");
        present = id(number);
    }
    let name = format!("session:{{revoked}}:{family}");
    let len = server.ask(&format!("STRLEN {name}")).unwrap();
    let len: usize = len.trim_start_matches(':').trim().parse().unwrap();
    assert!(len <= 114, "{len}");
    let keys = server.ask("DBSIZE").unwrap();
    assert_eq!(keys.trim(), ":3", "the entry, `due` and `latest`");
    // S17: an unknown one may be one that an elevation replaced, which an honest request may carry.
    let oldest = IssuedToken::new(&family, &family, None, now);
    let standing = list
        .standing(oldest, now.after(seconds(501)))
        .await
        .unwrap();
    assert_eq!(standing, Standing::Superseded);
}

/// S09, S15: a cut-off reaches tokens of a clock that is almost a minute ahead, and never lies further ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cutoff_reaches_what_a_clock_a_minute_ahead_issued_and_no_further() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendfsync", "no"]);
    let now = real_now();
    let allowance = 60_000;
    for (number, (ahead, reached)) in [
        (0, true),
        (allowance - 1, true),
        (allowance, false),
        (86_400_000, false),
    ]
    .into_iter()
    .enumerate()
    {
        let redis = patient(server.url()).await;
        let list = RedisRevocations::over(redis.with_namespace(format!("{number}:")));
        let alice = Subject::from("alice");
        let keys = [owner(&alice)];
        let theirs = now.after(Duration::from_millis(ahead));
        let admitted = Admitted::new(theirs, mark(1, 0));
        let issued = list.issue(&keys, &admitted, theirs).await.unwrap();
        assert_eq!(issued, Some(theirs));
        let cutoff = Cutoff::new(now, now.after(seconds(3600)), mark(2, 1));
        list.end_all(&keys[0], &cutoff, now).await.unwrap();
        let family = id(1);
        let token = IssuedToken::new(&family, &family, Some(&alice), theirs);
        let standing = list.standing(token, now).await.unwrap();
        assert_eq!(standing == Standing::Ended, reached, "{ahead}");
        // A login of the process that ended it, admitted afterwards, is issued at most a minute ahead.
        let admitted = Admitted::new(now, mark(2, 1));
        let issued = list.issue(&keys, &admitted, now).await.unwrap().unwrap();
        assert!(issued > now && issued <= now.after(seconds(60)), "{ahead}");
    }
}

/// S02: an ending outlives a later one that lasts shorter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cutoff_of_the_list_never_falls() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendfsync", "no"]);
    let list = list(&server).await;
    let now = real_now();
    let alice = Subject::from("alice");
    let key = owner(&alice);
    let long = Cutoff::new(now, now.after(seconds(3600)), mark(1, 1));
    list.end_all(&key, &long, now).await.unwrap();
    let short = Cutoff::new(now.after(seconds(1)), now.after(seconds(2)), mark(1, 2));
    list.end_all(&key, &short, now).await.unwrap();
    let keys = server.ask("KEYS *of:*").unwrap();
    let name = keys
        .lines()
        .find(|line| line.starts_with("session:"))
        .unwrap();
    let left = server.ask(&format!("TTL {name}")).unwrap();
    let left: u64 = left.trim_start_matches(':').trim().parse().unwrap();
    assert!((3600..=3670).contains(&left), "{left}");
}

/// S04: endings go into a server whose memory is full, and tokens do not leave it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_server_remembers_endings_and_lets_no_token_leave() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &["--appendfsync", "no"]);
    let list = list(&server).await;
    let now = real_now();
    let until = now.after(seconds(3600));
    server.wait_for("CONFIG SET maxmemory 1", "OK");
    let alice = Subject::from("alice");
    let keys = [owner(&alice)];
    let family = id(1);
    let token = IssuedToken::new(&family, &family, Some(&alice), now);
    let admitted = Admitted::new(now, [1; 16]);
    let full = |kind| assert_eq!(kind, StoreErrorKind::Full);
    full(list.issue(&keys, &admitted, now).await.unwrap_err().kind());
    full(list.may_reissue(token, now).await.unwrap_err().kind());
    let replaced = list.replace(token, id(2), Replacement::Elevated, until, now);
    full(replaced.await.unwrap_err().kind());
    assert_eq!(list.standing(token, now).await.unwrap(), Standing::Current);
    assert!(list.end(&family, Ending::Ended, until, now).await.unwrap());
    assert_eq!(list.standing(token, now).await.unwrap(), Standing::Ended);
    let cutoff = Cutoff::new(now, until, [2; 16]);
    list.end_all(&keys[0], &cutoff, now).await.unwrap();
}

/// R71: while the slot of the list moves, nothing is answered from a part of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_whose_slot_moves_revives_nothing() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    let list = RedisRevocations::over(patient(cluster.url()).await);
    let (ended, now) = (id(1), real_now());
    let until = now.after(seconds(3600));
    let end = list.end(&ended, Ending::Ended, until, now);
    assert!(end.await.unwrap());
    let token = IssuedToken::new(&ended, &ended, None, now);

    let slot = Slot::for_key("session:{revoked}");
    let slot = (0..16_384).find(|number| Slot::new(*number) == Some(slot));
    let slot = slot.unwrap();
    let lasts = [5_461, 10_922, 16_383];
    let owner = lasts.iter().position(|last| slot <= *last).unwrap();
    let (from, to) = (&cluster.0[owner], &cluster.0[(owner + 1) % 3]);
    let id_of = |server: &Server| {
        let answer = server.ask("CLUSTER MYID").unwrap();
        answer.lines().nth(1).unwrap().to_owned()
    };
    let (source, target) = (id_of(from), id_of(to));
    to.wait_for(&format!("CLUSTER SETSLOT {slot} IMPORTING {source}"), "OK");
    from.wait_for(&format!("CLUSTER SETSLOT {slot} MIGRATING {target}"), "OK");
    let keys = from.ask(&format!("CLUSTER GETKEYSINSLOT {slot} 10"));
    let keys = keys.unwrap();
    let keys = keys.lines().filter(|line| line.starts_with("session:"));
    for key in keys {
        let standing = list.standing(token, now).await;
        println!("before {key} has moved: {standing:?}");
        assert!(standing.is_err(), "before {key} has moved: {standing:?}");
        from.wait_for(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", to.port), "OK");
    }
    for server in [to, from] {
        server.wait_for(&format!("CLUSTER SETSLOT {slot} NODE {target}"), "OK");
    }
    assert_eq!(list.standing(token, now).await.unwrap(), Standing::Ended);
}
