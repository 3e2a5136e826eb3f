//! The task that sweeps a store (R65).

#![cfg(feature = "testing")]

#[path = "sweep/garbage.rs"]
mod garbage;
#[path = "mistakes/log.rs"]
#[allow(dead_code, reason = "it is shared")]
mod log;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use garbage::{BEGIN, Garbage, TokioClock, settle};
use log::Log;
use tokio::{
    runtime::Runtime,
    task::yield_now,
    time::{Instant, sleep, timeout},
};
use tower_session_guard::{SweepTask, Sweeper, testing::ManualClock};

const HOUR: Duration = Duration::from_secs(3600);
const INTERVAL: Duration = Sweeper::DEFAULT_INTERVAL;

fn sweeper(garbage: &Garbage) -> Sweeper {
    Sweeper::new(garbage.clone()).with_clock(TokioClock::starting_now())
}

/// A task by a clock that the test sets. It rests until the first sweep.
async fn resting(garbage: &Garbage, batch: u32) -> (SweepTask, ManualClock) {
    let clock = ManualClock::starting_at(BEGIN);
    let sweeper = Sweeper::new(garbage.clone()).with_clock(clock.clone());
    let task = sweeper.with_batch(batch).unwrap().start();
    settle().await;
    (task, clock)
}

fn pauses(garbage: &Garbage) -> Vec<Duration> {
    let calls = garbage.calls();
    let pairs = calls.windows(2);
    pairs.map(|pair| pair[1].at - pair[0].at).collect()
}

#[tokio::test(start_paused = true)]
async fn sweeps_are_an_interval_and_up_to_a_tenth_apart() {
    let garbage = Garbage::of(0);
    let began = Instant::now();
    let task = sweeper(&garbage).start();
    sleep(24 * HOUR).await;
    assert!(garbage.calls()[0].at - began <= INTERVAL);
    let pauses = pauses(&garbage);
    assert!(pauses.len() > 200, "{}", pauses.len());
    // A timer of Tokio's is up to a millisecond late.
    let longest = INTERVAL * 11 / 10 + Duration::from_millis(2);
    for pause in &pauses {
        assert!((INTERVAL..=longest).contains(pause), "{pause:?}");
    }
    assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    assert_eq!(task.stats().completed(), garbage.calls().len() as u64);
}

/// A deployment starts all nodes at once.
#[tokio::test(start_paused = true)]
async fn nodes_that_start_together_do_not_sweep_together() {
    let nodes = [(); 8].map(|()| Garbage::of(0));
    let _tasks = nodes.each_ref().map(|node| sweeper(node).start());
    sleep(INTERVAL).await;
    settle().await;
    let mut first = nodes.map(|node| node.calls()[0].at);
    first.sort();
    let spread = first[7] - first[0];
    // By chance less than that once in ten million runs.
    assert!(spread > INTERVAL / 20, "{spread:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_goes_on_in_batches_until_nothing_is_left() {
    let garbage = Garbage::of(2500);
    let task = sweeper(&garbage).start();
    sleep(INTERVAL).await;
    settle().await;
    assert_eq!(garbage.left(), 0);
    let calls = garbage.calls();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| call.limit == 1000));
    assert!(calls.iter().all(|call| call.now == calls[0].now));
    assert_eq!(
        (task.stats().deleted(), task.stats().completed()),
        (2500, 1)
    );
}

/// A store that answers at once would else keep its thread.
#[tokio::test(start_paused = true)]
async fn other_tasks_run_between_two_batches() {
    let garbage = Garbage::of(1000);
    let (_task, clock) = resting(&garbage, 1).await;
    let turns = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&turns);
    let others = tokio::spawn(async move {
        loop {
            counted.fetch_add(1, SeqCst);
            yield_now().await;
        }
    });
    let before = turns.load(SeqCst);
    clock.advance(INTERVAL);
    while garbage.left() > 0 {
        yield_now().await;
    }
    assert!(turns.load(SeqCst) - before >= 1000);
    others.abort();
}

/// Half of the time belongs to the requests.
#[tokio::test(start_paused = true)]
async fn a_full_batch_is_followed_by_a_pause_as_long() {
    let garbage = Garbage::behind_a_gate(20);
    let (_task, clock) = resting(&garbage, 10).await;
    clock.advance(INTERVAL);
    settle().await;
    sleep(Duration::from_secs(2)).await;
    garbage.let_through(9);
    sleep(Duration::from_secs(10)).await;
    let pauses = pauses(&garbage);
    assert!(pauses[0] >= Duration::from_secs(4), "{pauses:?}");
}

/// The clocks of two nodes may lie apart, and what has expired on one may live on the other.
#[tokio::test(start_paused = true)]
async fn a_sweep_spares_what_was_over_less_than_a_minute_ago() {
    let garbage = Garbage::of(1);
    let (_task, clock) = resting(&garbage, 10).await;
    let now = clock.advance(INTERVAL);
    settle().await;
    let minute = Duration::from_secs(60);
    assert_eq!(garbage.calls()[0].now.after(minute), now);
}

#[tokio::test(start_paused = true)]
async fn after_a_suspension_no_sweep_is_made_up_for() {
    let garbage = Garbage::of(0);
    let (_task, clock) = resting(&garbage, 10).await;
    for day in 1..=3 {
        clock.advance(24 * HOUR);
        settle().await;
        assert_eq!(garbage.calls().len(), day);
        clock.advance(INTERVAL - Duration::from_millis(1));
        settle().await;
        assert_eq!(garbage.calls().len(), day);
    }
}

/// The same where the timers go on while the machine stands still.
#[tokio::test(start_paused = true)]
async fn a_timer_that_is_days_late_brings_one_sweep() {
    let garbage = Garbage::of(0);
    let _task = sweeper(&garbage).start();
    settle().await;
    for day in 1..=3 {
        tokio::time::advance(24 * HOUR).await;
        settle().await;
        assert_eq!(garbage.calls().len(), day);
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_and_survived() {
    let log = Log::start();
    let garbage = Garbage::of(10);
    garbage.is_down(true);
    let task = sweeper(&garbage).start();
    let stats = task.stats();
    sleep(8 * HOUR).await;
    log.of_level("WARN", &["cannot be swept"]);
    let failed = stats.failed();
    assert_eq!(failed, garbage.calls().len() as u64);
    assert!((8..=13).contains(&failed), "{failed}");
    let pauses = pauses(&garbage);
    assert!(pauses.is_sorted_by(|one, next| *one <= *next * 11 / 10));
    assert!(*pauses.last().unwrap() >= HOUR);

    garbage.is_down(false);
    sleep(2 * HOUR).await;
    assert_eq!((garbage.left(), stats.deleted()), (0, 10));
    log.of_level("INFO", &["swept again"]);

    // The next outage is another one.
    garbage.is_down(true);
    sleep(8 * HOUR).await;
    log.of_level("WARN", &["cannot be swept", "cannot be swept"]);
    drop(task);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_one_that_fails() {
    let log = Log::start();
    let garbage = Garbage::of(10);
    garbage.falls_silent();
    let task = sweeper(&garbage).start();
    sleep(HOUR).await;
    assert!(task.stats().failed() >= 3);
    log.of_level("WARN", &["cannot be swept"]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_rests_stops_at_once() {
    let garbage = Garbage::of(10);
    let task = sweeper(&garbage).start();
    settle().await;
    let began = Instant::now();
    task.stop().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(garbage.holders(), 1);
    let calls = garbage.calls().len();
    sleep(24 * HOUR).await;
    assert_eq!(garbage.calls().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn stopping_completes_the_batch_under_way_and_begins_no_other() {
    let garbage = Garbage::behind_a_gate(100);
    let (task, clock) = resting(&garbage, 10).await;
    let stats = task.stats();
    clock.advance(INTERVAL);
    settle().await;
    assert_eq!(garbage.calls().len(), 1);
    let stopping = tokio::spawn(task.stop());
    settle().await;
    assert!(!stopping.is_finished());
    garbage.let_through(9);
    stopping.await.unwrap();
    assert_eq!((garbage.left(), garbage.calls().len()), (90, 1));
    assert_eq!((stats.deleted(), stats.completed()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn a_task_between_two_batches_stops_at_once() {
    let garbage = Garbage::behind_a_gate(100);
    let (task, clock) = resting(&garbage, 10).await;
    clock.advance(INTERVAL);
    sleep(Duration::from_secs(8)).await;
    garbage.let_through(9);
    settle().await;
    let began = Instant::now();
    task.stop().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!((garbage.left(), garbage.calls().len()), (90, 1));
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_ten_seconds_at_most_for_a_store_that_hangs() {
    let garbage = Garbage::of(10);
    garbage.falls_silent();
    let (task, clock) = resting(&garbage, 10).await;
    clock.advance(INTERVAL);
    settle().await;
    assert_eq!(garbage.calls().len(), 1);
    let limit = Duration::from_secs(11);
    timeout(limit, task.stop()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_dropped_sweeps_no_longer_and_lets_go_of_the_store() {
    // While it rests, and within a batch.
    for is_under_way in [false, true] {
        let garbage = Garbage::behind_a_gate(10);
        let (task, clock) = resting(&garbage, 10).await;
        if is_under_way {
            clock.advance(INTERVAL);
            settle().await;
            assert_eq!(garbage.calls().len(), 1);
        }
        drop(task);
        settle().await;
        assert_eq!(garbage.holders(), 1);
        garbage.let_through(9);
        clock.advance(24 * HOUR);
        settle().await;
        assert_eq!(garbage.calls().len(), usize::from(is_under_way));
        assert_eq!(garbage.left(), 10);
    }
}

#[test]
fn a_task_keeps_no_runtime_alive() {
    let garbage = Garbage::of(10);
    let runtime = Runtime::new().unwrap();
    let task = runtime.block_on(async { sweeper(&garbage).start() });
    drop(runtime);
    assert_eq!(garbage.holders(), 1);
    Runtime::new().unwrap().block_on(task.stop());
}

/// On two nodes, or twice on one by mistake.
#[tokio::test(start_paused = true)]
async fn two_tasks_on_one_store_delete_what_one_would() {
    let garbage = Garbage::of(2500);
    let tasks = [sweeper(&garbage).start(), sweeper(&garbage).start()];
    sleep(INTERVAL * 2).await;
    assert_eq!(garbage.left(), 0);
    let deleted = tasks.each_ref().map(|task| task.stats().deleted());
    assert_eq!(deleted.iter().sum::<u64>(), 2500);
}

#[test]
fn intervals_and_batches_that_cannot_work_are_refused() {
    let sweeper = || Sweeper::new(Garbage::of(0));
    let millisecond = Duration::from_millis(1);
    for interval in [
        Duration::ZERO,
        Sweeper::MIN_INTERVAL - millisecond,
        Sweeper::MAX_INTERVAL + millisecond,
    ] {
        let refused = sweeper().with_interval(interval).unwrap_err().to_string();
        assert!(refused.contains("choose a second to a day"), "{refused}");
        assert!(refused.contains(&format!("{interval:?}")), "{refused}");
    }
    for interval in [Sweeper::MIN_INTERVAL, Sweeper::MAX_INTERVAL] {
        assert!(sweeper().with_interval(interval).is_ok());
    }
    for batch in [0, Sweeper::MAX_BATCH + 1] {
        let refused = sweeper().with_batch(batch).unwrap_err().to_string();
        assert!(refused.contains("choose 1 to 10,000 rows"), "{refused}");
    }
    for batch in [1, Sweeper::MAX_BATCH] {
        assert!(sweeper().with_batch(batch).is_ok());
    }
}
