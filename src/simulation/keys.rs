//! The key ring is replaced while requests run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use super::world::{Cookies, LOGIN, READ, World};
use crate::{key::KeyRing, store::MemoryStore};

const REPLACEMENTS: u8 = 12;

/// R26: every key that was ever in the ring stays in it, so nobody has a reason to be logged out.
#[test]
fn replacing_the_ring_under_load_logs_nobody_out() {
    for stored in [true, false] {
        let world = World::new(stored.then(|| Arc::new(MemoryStore::new()) as _));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut jar = Cookies::default();
                        jar.take(&world.ask(LOGIN, &jar));
                        let mut requests = 0_u32;
                        while !done.load(SeqCst) || requests < 100 {
                            let answer = world.ask(READ, &jar);
                            assert_eq!(answer.came(), "alice@1", "after {requests} requests");
                            jar.take(&answer);
                            requests += 1;
                        }
                    })
                })
                .collect();
            let mut keys = vec![b"an unguessable key of 32 bytes!!".to_vec()];
            for n in 0..REPLACEMENTS {
                keys.insert(0, [&[n; 16][..], &[0xA5; 16]].concat());
                // Two at once, so that a slow request meets a newer ring than the one it prepares for.
                world.replace_keys(&KeyRing::from_bytes(&keys).unwrap());
                keys.insert(0, [&[n; 16][..], &[0x5A; 16]].concat());
                world.replace_keys(&KeyRing::from_bytes(&keys).unwrap());
                thread::yield_now();
            }
            done.store(true, SeqCst);
            for client in clients {
                client.join().unwrap();
            }
        });
    }
}
