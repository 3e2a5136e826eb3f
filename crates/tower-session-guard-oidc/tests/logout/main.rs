//! Back-channel logout through the service, over an application with its session layer.

mod endings;
mod keys;
mod mistakes;
mod replay;
mod requests;
#[path = "../signer/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]
mod signer;
mod tokens;
#[allow(unreachable_pub, reason = "a test's module")]
mod world;
