//! Each token is carried out once: in any order, in parallel, and after failures.

use std::sync::{Arc, Mutex};

use tokio::{
    sync::Notify,
    task::{JoinHandle, JoinSet},
};
use tower_session_guard::{
    Timestamp,
    store::{StoreError, StoreErrorKind, StoreFuture},
};
use tower_session_guard_oidc::{Claim, ReplayMemory, SeenTokens, TokenId};

use crate::world::{SID, World};

/// R57: a token that was carried out ends nothing later, by `sid` and by `sub`, until it expires.
#[tokio::test]
async fn a_token_that_was_carried_out_ends_no_later_login() {
    for world in World::both() {
        for by in ["sid", "sub"] {
            let other = if by == "sid" { "sub" } else { "sid" };
            let claims = world.claims_with(other, None);
            let token = world.provider.token(&claims);
            assert_eq!(world.status(&token).await, 200);
            world.pass(1);
            let later = world.login("alice", SID).await;
            for _ in 0..2 {
                assert_eq!(world.status(&token).await, 400);
            }
            world.pass(118);
            assert_eq!(world.status(&token).await, 400);
            // It has expired, and nobody has to remember it.
            world.pass(1);
            assert_eq!(world.status(&token).await, 400);
            assert_eq!(world.who(&later).await, "alice");
        }
    }
}

/// R57: nodes that share a memory carry a token out once; without one each does.
#[tokio::test]
async fn nodes_that_share_a_memory_carry_a_token_out_once() {
    for (shared, status) in [(true, 400), (false, 200)] {
        let memory = Arc::new(SeenTokens::new());
        let node = World::new();
        let other = node.clone().with_keys(node.published.keys());
        let [node, other] = [node, other].map(|world| {
            let memory = Arc::clone(&memory);
            world.with(|logout| {
                if shared {
                    logout.with_replay_memory(memory)
                } else {
                    logout.with_replay_memory(SeenTokens::new())
                }
            })
        });
        let token = node.token();
        assert_eq!(node.status(&token).await, 200);
        assert_eq!(other.status(&token).await, status);
    }
}

/// R57: it is `jti` that is used up, and not the bytes of the token.
#[tokio::test]
async fn another_signature_over_the_same_id_is_the_same_token() {
    let world = World::new();
    let mut claims = world.claims();
    assert_eq!(world.status(&world.provider.token(&claims)).await, 200);
    claims["exp"] = (world.now() + 200).into();
    assert_eq!(world.status(&world.provider.token(&claims)).await, 400);
}

/// R57, R71: a logout that the store did not carry out was none: it is answered with 503, and the same token does it later.
#[tokio::test]
async fn a_token_whose_ending_failed_may_be_sent_again() {
    for operation in ["raise_cutoff", "end_listed"] {
        let world = World::new();
        let session = world.login("alice", SID).await;
        let token = world.token();
        world.fail(operation, 2);
        for _ in 0..2 {
            let answer = world.log_out(&token).await;
            assert_eq!(answer.status, 503, "{operation}");
            assert_eq!(answer.headers["retry-after"], "6");
            assert_eq!(answer.headers["cache-control"], "no-store");
        }
        assert_eq!(world.status(&token).await, 200, "{operation}");
        assert_eq!(world.who(&session).await, "nobody");
        assert_eq!(world.status(&token).await, 400, "{operation}");
    }
}

/// R57: a token that is refused is not used up.
#[tokio::test]
async fn a_forged_token_uses_up_no_id() {
    let world = World::new();
    let claims = world.claims();
    let forged = crate::signer::Signer::es256("one").token(&claims);
    assert_eq!(world.status(&forged).await, 400);
    assert_eq!(world.status(&world.provider.token(&claims)).await, 200);
}

/// What a gate lets through one by one, and what it saw.
#[derive(Clone, Debug, Default)]
struct Gate(Arc<Gated>);

#[derive(Debug, Default)]
struct Gated {
    seen: SeenTokens,
    calls: Mutex<Vec<&'static str>>,
    claimed: Notify,
    open: Notify,
    /// Which call fails.
    failing: Mutex<Option<&'static str>>,
}

impl Gate {
    fn called(&self, name: &'static str) -> Result<(), StoreError> {
        self.0.calls.lock().unwrap().push(name);
        match *self.0.failing.lock().unwrap() {
            Some(failing) if failing == name => Err(StoreError::new(StoreErrorKind::Unavailable)),
            _ => Ok(()),
        }
    }

    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.calls.lock().unwrap())
    }
}

impl ReplayMemory for Gate {
    fn claim<'a>(
        &'a self,
        token: &'a TokenId,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Claim> {
        Box::pin(async move {
            self.called("claim")?;
            let claim = self.0.seen.claim(token, until, now).await?;
            if claim == Claim::Granted && self.0.failing.lock().unwrap().is_none() {
                self.0.claimed.notify_one();
                self.0.open.notified().await;
            }
            Ok(claim)
        })
    }

    fn finish<'a>(&'a self, token: &'a TokenId, until: Timestamp) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.called("finish")?;
            self.0.seen.finish(token, until).await
        })
    }

    fn release<'a>(&'a self, token: &'a TokenId) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.called("release")?;
            self.0.seen.release(token).await
        })
    }
}

/// One that stands at the gate, with a session and a token for it.
async fn gated() -> (World, Gate, String, String) {
    let gate = Gate::default();
    let world = World::new().with(|logout| logout.with_replay_memory(gate.clone()));
    let (session, token) = (world.login("alice", SID).await, world.token());
    (world, gate, session, token)
}

/// A delivery that has claimed the token, and stands at the gate.
async fn claimed(world: &World, gate: &Gate, token: &str) -> JoinHandle<u16> {
    let (world, token) = (world.clone(), token.to_owned());
    let delivery = tokio::spawn(async move { world.status(&token).await });
    gate.0.claimed.notified().await;
    delivery
}

/// R57, A25: of two deliveries of one token at the same time one ends sessions; the other may be tried again and is a replay then.
#[tokio::test]
async fn of_two_deliveries_at_the_same_time_one_ends_sessions() {
    let (world, gate, session, token) = gated().await;
    let first = claimed(&world, &gate, &token).await;
    assert_eq!(world.status(&token).await, 503);
    assert_eq!(world.who(&session).await, "alice");
    gate.0.open.notify_one();
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(world.who(&session).await, "nobody");
    assert_eq!(world.status(&token).await, 400);
    assert_eq!(gate.calls(), ["claim", "claim", "finish", "claim"]);
}

/// R57, A25: the same where the first one fails: the second was told to come again, and does it.
#[tokio::test]
async fn of_two_deliveries_the_second_does_what_the_first_could_not() {
    let (world, gate, session, token) = gated().await;
    let first = claimed(&world, &gate, &token).await;
    assert_eq!(world.status(&token).await, 503);
    world.fail("write", 1);
    gate.0.open.notify_one();
    assert_eq!(first.await.unwrap(), 503);
    gate.0.open.notify_one();
    assert_eq!(world.status(&token).await, 200);
    assert_eq!(world.who(&session).await, "nobody");
    assert_eq!(
        gate.calls(),
        ["claim", "claim", "release", "claim", "finish"]
    );
}

/// R57: a provider that hangs up undoes no logout, and leaves no token that nobody carries out.
#[tokio::test]
async fn a_logout_completes_without_its_caller() {
    let (world, gate, session, token) = gated().await;
    let first = claimed(&world, &gate, &token).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    gate.0.open.notify_one();
    let mut told = 503;
    for _ in 0..100 {
        tokio::task::yield_now().await;
        if told == 503 {
            told = world.status(&token).await;
        }
    }
    assert_eq!((told, &*world.who(&session).await), (400, "nobody"));
}

/// R71: a memory that fails is a logout that failed: before the ending nothing ends, after it nothing is told as done.
#[tokio::test]
async fn a_memory_that_fails_acknowledges_nothing() {
    for (failing, who, calls) in [
        ("claim", "alice", &["claim"][..]),
        ("finish", "nobody", &["claim", "finish"]),
    ] {
        let (world, gate, session, token) = gated().await;
        *gate.0.failing.lock().unwrap() = Some(failing);
        assert_eq!(world.status(&token).await, 503, "{failing}");
        assert_eq!(world.who(&session).await, who, "{failing}");
        assert_eq!(gate.calls(), calls);
    }
    let (world, gate, session, token) = gated().await;
    *gate.0.failing.lock().unwrap() = Some("release");
    world.fail("write", 1);
    assert_eq!(world.status(&token).await, 503);
    // The claim stays until it lapses.
    *gate.0.failing.lock().unwrap() = Some("none");
    assert_eq!(world.status(&token).await, 503);
    world.pass(60);
    assert_eq!(world.status(&token).await, 200);
    assert_eq!(world.who(&session).await, "nobody");
}

/// R57: so it is with many at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_deliveries_one_is_acknowledged() {
    for _ in 0..20 {
        let world = World::new();
        let token = world.token();
        let mut deliveries = JoinSet::new();
        for _ in 0..20 {
            let (world, token) = (world.clone(), token.clone());
            deliveries.spawn(async move { world.status(&token).await });
        }
        let statuses = deliveries.join_all().await;
        let done = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(done, 1, "{statuses:?}");
        assert!(
            statuses
                .iter()
                .all(|status| [200, 400, 503].contains(status))
        );
    }
}

/// R57: full, the memory forgets nothing that it would have to refuse.
#[tokio::test]
async fn a_full_memory_carries_nothing_out() {
    let memory = SeenTokens::new().with_max_tokens(1);
    let world = World::new().with(|logout| logout.with_replay_memory(memory));
    let first = world.token();
    assert_eq!(world.status(&first).await, 200);
    let session = world.login("alice", SID).await;
    assert_eq!(world.status(&world.token()).await, 503);
    assert_eq!(world.status(&first).await, 400);
    assert_eq!(world.who(&session).await, "alice");
    world.pass(120);
    assert_eq!(world.status(&world.token()).await, 200);
}
