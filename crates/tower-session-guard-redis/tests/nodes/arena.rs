//! Sessions that end one after the other while two nodes read them, and what must hold then.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use tokio::{runtime::Handle, task::JoinSet, time::sleep};
use tower_session_guard::{
    SessionStore,
    store::{Counting, IndexKey, StoreError},
    testing::{RecordBuilder, claim_for},
};
use tower_session_guard_redis::RedisStore;

use crate::node::{Process, SESSIONS, Seen, Setup, Store, id, nanos, now, read, wait_until_live};

/// How many endings are under way at a time.
const ENDERS: usize = 8;

/// Two nodes and the sessions that they read.
pub(crate) struct Arena {
    /// The node in this process, which also ends sessions.
    pub(crate) here: Store,
    seen: Arc<Seen>,
    readers: Vec<thread::JoinHandle<()>>,
    there: Mutex<Process>,
    ended: Arc<Ended>,
    enders: JoinSet<()>,
    setup: Setup,
}

/// When each ending was acknowledged; 0 for never.
struct Ended(Vec<AtomicU64>);

impl Arena {
    /// Makes the sessions over `direct`, and starts both nodes. The other one may take another way to the server.
    pub(crate) async fn open(direct: &str, here: Setup, there: Setup) -> Self {
        let store = RedisStore::connect(direct).await.unwrap();
        let made = stream::iter(0..SESSIONS).for_each_concurrent(64, |number| {
            let store = &store;
            async move {
                let record = RecordBuilder::new(now()).subject(subject(number)).build();
                let created = store
                    .create(&id(number), &record, Counting::Counted, now())
                    .await;
                let _created = created.unwrap();
            }
        });
        made.await;
        let process = tokio::task::spawn_blocking(move || Process::start(&there));
        let store = here.start().await.unwrap();
        let process = process.await.unwrap();
        tokio::task::block_in_place(|| wait_until_live(&store));
        let seen = Arc::<Seen>::default();
        let mut arena = Self {
            readers: read(&store, &Handle::current(), &seen),
            here: store,
            seen,
            there: Mutex::new(process),
            ended: Arc::new(Ended((0..SESSIONS).map(|_| AtomicU64::new(0)).collect())),
            enders: JoinSet::new(),
            setup: here,
        };
        for number in 0..ENDERS {
            let (store, ended) = (arena.here.clone(), Arc::clone(&arena.ended));
            let seen = Arc::clone(&arena.seen);
            arena.enders.spawn(async move {
                sleep(Duration::from_millis(300)).await;
                loop {
                    let next = seen.next.fetch_add(1, SeqCst);
                    // The last ones live.
                    if next >= SESSIONS - 200 {
                        return;
                    }
                    // Again and again: what failed may have ended the session or not.
                    while end(&store, next).await.is_err() {
                        sleep(Duration::from_millis(20)).await;
                    }
                    ended.0[next].store(nanos(), SeqCst);
                    sleep(Duration::from_millis(50 + number as u64)).await;
                }
            });
        }
        arena
    }

    /// Lets time pass, and the other node know where the endings are.
    pub(crate) async fn pass(&self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            let next = self.seen.next.load(SeqCst);
            self.there.lock().unwrap().tell(next);
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn pid_of_the_other(&self) -> u32 {
        self.there.lock().unwrap().pid()
    }

    /// How long it takes until this node answers a request, and until it answers one from memory.
    pub(crate) async fn recovers(&self, what: &str, within: Duration) {
        let began = Instant::now();
        let claim = claim_for(&id(SESSIONS - 1), [0; 16]);
        while self.here.load((&claim).into(), now()).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
        let answers = began.elapsed();
        loop {
            // A reader may be in the middle of a load.
            let _filled = self.here.load((&claim).into(), now()).await;
            if self.here.try_load((&claim).into(), now()).is_some() {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{what}: never");
            sleep(Duration::from_millis(5)).await;
        }
        let from_memory = began.elapsed();
        println!("{what}: answers after {answers:?}, from memory after {from_memory:?}");
        assert!(answers < within, "{what}: {answers:?}");
        assert!(from_memory < within, "{what}: {from_memory:?}");
    }

    /// Ends the play. No read that began after an acknowledgment may have admitted the session; with a bounded lease,
    /// none that began later than that by the lease.
    pub(crate) async fn close(mut self, what: &str) {
        self.enders.abort_all();
        while self.enders.join_next().await.is_some() {}
        self.seen.stop();
        let there = self.there.into_inner().unwrap();
        let (readers, here) = (self.readers, self.seen);
        let stopped = tokio::task::spawn_blocking(move || {
            for reader in readers {
                reader.join().unwrap();
            }
            there.stop()
        });
        let (there, hits_there) = stopped.await.unwrap();
        let lease = self.setup.lease;
        let allowed = if lease.is_exact() {
            0
        } else {
            lease.time().as_nanos() as u64
        };
        let mut acknowledged = 0;
        let mut late = Vec::new();
        for (number, at) in self.ended.0.iter().enumerate() {
            let at = at.load(SeqCst);
            if at == 0 {
                continue;
            }
            acknowledged += 1;
            for (node, seen) in [("here", &*here), ("there", &there)] {
                let admitted = seen.admitted_at[number].load(SeqCst);
                if admitted >= at + allowed {
                    late.push((node, number, Duration::from_nanos(admitted - at)));
                }
            }
        }
        for (node, seen, hits) in [
            ("here", &*here, self.here.stats().hits()),
            ("there", &there, hits_there),
        ] {
            let [admitted, refused, failed] = [&seen.admitted, &seen.refused, &seen.failed];
            let [admitted, refused, failed] = [admitted, refused, failed].map(|of| of.load(SeqCst));
            println!(
                "{what}, {node}: {admitted} admitted, {hits} of them from memory, {refused} not, {failed} failed"
            );
            assert!(
                hits > 100 && refused > 10,
                "{what}, {node}: hardly anything was tried"
            );
        }
        println!(
            "{what}: {acknowledged} endings acknowledged, {} late admissions",
            late.len()
        );
        assert!(acknowledged > 20, "{what}: {acknowledged}");
        assert!(late.is_empty(), "{what}: {late:?}");
    }
}

fn subject(number: usize) -> String {
    format!("user{number}")
}

/// Ends a session and waits until that holds, as the layer does: half of them by their owner.
async fn end(store: &Store, number: usize) -> Result<(), StoreError> {
    if number.is_multiple_of(2) {
        let _removed = store.remove(&id(number), None).await?;
    } else {
        let key = IndexKey::owner("", &subject(number).as_str().into());
        let _ended = store.end_listed(&key, None, 10, None).await?;
    }
    match store.endings_hold() {
        Some(held) => held.await,
        None => Ok(()),
    }
}
