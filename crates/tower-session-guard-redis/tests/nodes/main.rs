//! Two nodes that answer from their own memory, one of them a process of its own, over a real Redis that faults befall
//! (R66, R75, A27): a session whose ending was acknowledged is admitted by neither.
//!
//! `REDIS_SERVER` names the program; without it `redis-server` is looked for in `PATH`.

mod arena;
mod counts;
mod faults;
mod node;
mod storm;
