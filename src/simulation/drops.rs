//! The client goes away at every point at which a request waits.

use std::sync::Arc;

use super::{
    faults::{OPS, STARTS, Start, assert_no_gain, begin, level},
    world::{Cookies, Op, World},
};
use crate::store::MemoryStore;

/// Polls `op` `polls` times and drops it; says whether it was still under way.
async fn drop_after(polls: usize, stored: bool, start: Start, op: Op) -> bool {
    let world =
        World::new(stored.then(|| Arc::new(MemoryStore::new()) as _)).with_waiting_handlers();
    let (came, held) = begin(&world, start);
    let before = world.probe(&held);
    if let Some(store) = &world.store {
        store.begin(true, &[]);
    }
    let mut flight = world.send(op, &came);
    for _ in 0..polls {
        if flight.step().is_ready() {
            return false;
        }
    }
    // How many points there are before the handler's marks: the load, or the loads, and the handler's own.
    let marked = world.marked();
    drop(flight);
    // The settlement goes on by itself.
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    let after = world.probe(&held);
    let story = format!(
        "stored {stored} {start:?} {} dropped after {polls} polls: {after}",
        op.name
    );
    assert_no_gain(&before, &after, &story);
    if marked {
        // The handler had answered, so its settlement was completed.
        let came_as = if start == Start::Reused {
            "nobody"
        } else {
            &*before
        };
        let ends = ["logout", "switch", "forget", "login", "login-bob"].contains(&op.name);
        assert!(
            !ends || came_as.starts_with("nobody") || after.starts_with("nobody"),
            "{story}"
        );
        let rotates = op.name == "elevate" && level(came_as).1 > 0;
        assert!(!rotates || level(&after).1 == 0, "{story}");
    } else if start != Start::Reused {
        assert_eq!(level(&before), level(&after), "{story}");
    }
    if let Some(store) = &world.store {
        store.begin(false, &[]);
        // A login that nobody received leaves one session at most, and the ones that were there.
        assert!(world.records() <= 3, "{story}");
    }
    let nobody = world.probe(&Cookies::default());
    assert_eq!(nobody, "nobody");
    true
}

/// R10, invariants 4 and 9: exhaustive.
#[tokio::test]
async fn a_client_that_leaves_at_any_point_gains_nothing_and_undoes_nothing() {
    let mut drops = 0;
    for stored in [true, false] {
        for start in STARTS {
            for op in OPS {
                let mut polls = 0;
                while drop_after(polls, stored, start, op).await {
                    polls += 1;
                    drops += 1;
                }
            }
        }
    }
    println!("{drops} drops");
    assert!(drops > 400, "{drops}");
}
