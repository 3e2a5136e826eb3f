//! What the suites of both engines share.

use std::time::{Duration, Instant, SystemTime};

use tower_session_guard::{
    Record, SessionId, SessionStore, SweepStats, SweepTask, Sweeper, Timestamp,
    store::{Counting, Created, Cutoff, IndexKey, ListedHead, Revision, Stored, Sweep},
    testing::{ManualClock, RecordBuilder, claim_for},
};

/// How many entries the layer asks for at a time.
const PAGE: usize = 256;

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

pub(crate) fn numbered(number: u64) -> SessionId {
    let mut bytes = [0; SessionId::LEN];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(bytes)
}

pub(crate) fn owner(subject: &str) -> IndexKey {
    IndexKey::owner("", &subject.into())
}

pub(crate) async fn load(
    store: &dyn SessionStore,
    id: &SessionId,
    now: Timestamp,
) -> Option<Stored> {
    let claim = claim_for(id, [0; 16]);
    store.load((&claim).into(), now).await.unwrap()
}

/// Creates a record, and says at which revision and how many sessions of its owner count.
pub(crate) async fn create(
    store: &dyn SessionStore,
    id: &SessionId,
    record: &Record,
    now: Timestamp,
) -> (Revision, usize) {
    match store.create(id, record, Counting::Counted, now).await {
        Ok(Created::Created { revision, sessions }) => (revision, sessions),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn list(
    store: &dyn SessionStore,
    key: &IndexKey,
    now: Timestamp,
) -> Vec<ListedHead> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.heads(key, after.as_ref(), PAGE, now).await.unwrap();
        found.extend(page.heads);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

pub(crate) async fn end(store: &dyn SessionStore, key: &IndexKey) -> usize {
    let (mut ended, mut after) = (0, None);
    loop {
        let page = store.end_listed(key, after.as_ref(), PAGE, None);
        let page = page.await.unwrap();
        ended += page.ended;
        after = page.next;
        if after.is_none() {
            return ended;
        }
    }
}

/// Prints what listing and ending many sessions of one owner takes: the numbers of the README.
pub(crate) async fn measure(name: &str, store: &(impl SessionStore + Clone)) {
    for count in [2_000, 20_000] {
        let record = RecordBuilder::new(now()).subject("crowd");
        let record = record.entry("data", [7; 512]).build();
        let began = Instant::now();
        let logins = (0..16).map(|task| {
            let (store, record) = (store.clone(), record.clone());
            tokio::spawn(async move {
                for number in (0..count).filter(|number| number % 16 == task) {
                    create(&store, &numbered(number), &record, now()).await;
                }
            })
        });
        for login in logins.collect::<Vec<_>>() {
            login.await.unwrap();
        }
        let created = began.elapsed();
        let key = owner("crowd");
        let began = Instant::now();
        let (_, sessions) = create(store, &numbered(count), &record, now()).await;
        let one_more = began.elapsed();
        let began = Instant::now();
        let listed = list(store, &key, now()).await.len();
        let list_took = began.elapsed();
        let began = Instant::now();
        let ended = end(store, &key).await;
        let end_took = began.elapsed();
        assert_eq!([listed, ended], [count as usize + 1; 2]);
        assert!(sessions > count as usize, "{sessions}");
        println!(
            "{name}: {count} sessions: created in {created:?}, one more in {one_more:?}, \
             listed in {list_took:?}, ended in {end_took:?}"
        );
    }
}

/// So many sessions of the subject count, as the next login learns.
pub(crate) async fn expect_counted(store: &dyn SessionStore, subject: &str, sessions: usize) {
    let record = RecordBuilder::new(now()).subject(subject).build();
    let id = numbered(u64::MAX);
    assert_eq!(create(store, &id, &record, now()).await.1, sessions + 1);
    let _ = store.remove(&id, None).await.unwrap();
}

/// S02: a sweep takes a cut-off no sooner than a minute after its end, and then does.
pub(crate) async fn expect_cutoffs_swept(
    store: &dyn SessionStore,
    sweep: impl AsyncFn(Timestamp) -> u64,
) {
    let begin = now();
    let until = begin.after(Duration::from_secs(10));
    for name in ["alice", "bob", "carol"] {
        let cutoff = Cutoff::new(begin, until, [7; 16]);
        store
            .raise_cutoff(&owner(name), &cutoff, begin)
            .await
            .unwrap();
    }
    let end = until.after(Cutoff::SLACK);
    let just_before = Timestamp::from_unix_millis(end.as_unix_millis() - 1);
    assert_eq!(sweep(just_before).await, 0);
    let held = store.cutoff(&owner("alice"), just_before).await.unwrap();
    assert_eq!(held.map(|cutoff| cutoff.until), Some(until));
    assert_eq!(sweep(end).await, 3);
    assert_eq!(store.cutoff(&owner("alice"), begin).await.unwrap(), None);
}

/// Two nodes sweep: what has expired goes, in batches, and nothing else.
pub(crate) async fn expect_swept_by_tasks(store: &(impl SessionStore + Sweep + Clone)) {
    let begin = now();
    let expiring = |after: Duration| RecordBuilder::new(begin).expires_at(begin.after(after));
    let expired = expiring(Duration::from_secs(1)).subject("alice").build();
    for number in 0..45 {
        create(store, &numbered(number), &expired, begin).await;
    }
    let living = expiring(Duration::from_secs(365 * 24 * 60 * 60)).build();
    create(store, &numbered(45), &living, begin).await;
    assert_eq!(store.live_records(begin).await.unwrap(), Some(46));

    let clock = ManualClock::starting_at(begin);
    let sweeper = Sweeper::new(store.clone()).with_clock(clock.clone());
    let sweeper = sweeper.with_batch(10).unwrap();
    let tasks = [sweeper.clone().start(), sweeper.start()];
    let stats = tasks.each_ref().map(SweepTask::stats);
    for _ in 0..500 {
        if stats.iter().all(|stats| stats.completed() > 0) {
            break;
        }
        clock.advance(Sweeper::DEFAULT_INTERVAL);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for task in tasks {
        task.stop().await;
    }
    assert_eq!(stats.iter().map(SweepStats::deleted).sum::<u64>(), 45);
    assert_eq!(stats.iter().map(SweepStats::failed).sum::<u64>(), 0);
    assert_eq!(store.live_records(begin).await.unwrap(), Some(1));
    expect_counted(store, "alice", 0).await;
}
