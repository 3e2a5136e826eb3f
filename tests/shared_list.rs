//! Self-contained tokens with a list of ended tokens that layers share (R05, R03, R67, A22, A28, S04).

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::{Client, Events, GUEST, SESSION, clock, keys};
use tower_session_guard::{
    EmptyFailure, Endings, EventKind, SelfContained, SessionId, SessionLayer, Timestamp,
    store::{
        Admitted, Cutoff, IndexKey, StoreError, StoreFuture,
        revocation::{
            Ending, IssuedToken, MemoryRevocations, Occupancy, Replacement, RevocationList,
            Standing,
        },
    },
    testing::ManualClock,
};

type Layer = SessionLayer<EmptyFailure, SelfContained>;

/// Two nodes under the same keys: with the same list, or each with its own.
fn nodes(time: &ManualClock, list: Option<&MemoryRevocations>) -> [(Layer, Client); 2] {
    [(); 2].map(|()| {
        let endings = match list {
            Some(list) => Endings::shared(list.clone()),
            None => Endings::this_process(),
        };
        let layer = SessionLayer::self_contained(keys(), endings).with_clock(time.clone());
        (layer.clone(), Client::of(layer))
    })
}

#[tokio::test]
async fn what_ended_on_one_node_has_ended_on_the_other() {
    let (time, list) = (clock(), MemoryRevocations::new());
    let [(layer, here), (_, there)] = nodes(&time, Some(&list));
    let token = here.login("alice").await;
    assert_eq!(there.whoami(&[(SESSION, &token)]).await, "alice@1");

    let elevated = there.mark("elevate", &[(SESSION, &token)]).await;
    let elevated = elevated.cookie(SESSION).unwrap();
    assert_eq!(here.whoami(&[(SESSION, &token)]).await, "nobody");
    assert_eq!(here.whoami(&[(SESSION, &elevated)]).await, "alice@2");

    let bye = there.mark("logout", &[(SESSION, &elevated)]).await;
    assert_eq!(bye.cookie(SESSION).as_deref(), Some(""));
    assert_eq!(here.whoami(&[(SESSION, &elevated)]).await, "nobody");

    let other = there.login("alice").await;
    layer.sessions().end_all(&"alice".into()).await.unwrap();
    assert_eq!(there.whoami(&[(SESSION, &other)]).await, "nobody");
    // Between processes a login has to come later by the clock.
    time.advance(Duration::from_millis(1));
    let again = there.login("alice").await;
    assert_eq!(here.whoami(&[(SESSION, &again)]).await, "alice@1");
}

/// S07: as `Endings::ThisProcess` says, which nobody has without asking for it.
#[tokio::test]
async fn nodes_without_a_shared_list_know_nothing_of_each_other() {
    let [(_, here), (_, there)] = nodes(&clock(), None);
    let token = here.login("alice").await;
    here.mark("logout", &[(SESSION, &token)]).await;
    assert_eq!(here.whoami(&[(SESSION, &token)]).await, "nobody");
    assert_eq!(there.whoami(&[(SESSION, &token)]).await, "alice@1");
}

/// A list on another machine: no answer is there at once, and none at all while it is down.
#[derive(Clone, Debug, Default)]
struct Far {
    list: MemoryRevocations,
    down: Arc<AtomicBool>,
}

impl Far {
    fn answer<'a, T>(&'a self, then: StoreFuture<'a, T>) -> StoreFuture<'a, T>
    where
        T: 'a,
    {
        Box::pin(async move {
            tokio::task::yield_now().await;
            if self.down.load(Ordering::Relaxed) {
                return Err(StoreError::unavailable(io::Error::other("it is down")));
            }
            then.await
        })
    }
}

impl RevocationList for Far {
    fn standing<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, Standing> {
        self.answer(self.list.standing(token, now))
    }

    fn may_reissue<'a>(&'a self, token: IssuedToken<'a>, now: Timestamp) -> StoreFuture<'a, bool> {
        self.answer(self.list.may_reissue(token, now))
    }

    fn ending<'a>(
        &'a self,
        token: IssuedToken<'a>,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Ending>> {
        self.answer(self.list.ending(token, now))
    }

    fn end<'a>(
        &'a self,
        family: &'a SessionId,
        how: Ending,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        self.answer(self.list.end(family, how, until, now))
    }

    fn replace<'a>(
        &'a self,
        token: IssuedToken<'a>,
        successor: SessionId,
        how: Replacement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        self.answer(self.list.replace(token, successor, how, until, now))
    }

    fn end_all<'a>(
        &'a self,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        self.answer(self.list.end_all(key, cutoff, now))
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        key: &'a IndexKey,
        cutoff: &'a Cutoff,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        self.answer(self.list.end_others(keep, key, cutoff, now))
    }

    fn issue<'a>(
        &'a self,
        keys: &'a [IndexKey],
        admitted: &'a Admitted,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        self.answer(self.list.issue(keys, admitted, now))
    }

    fn occupancy(&self) -> Occupancy {
        self.list.occupancy()
    }
}

/// R71: a list that takes its time is waited for, and one that fails opens nothing and removes nothing.
#[tokio::test]
async fn a_far_list_is_waited_for_and_a_failed_one_refuses_the_request() {
    let list = Far::default();
    let layer = SessionLayer::self_contained(keys(), Endings::shared(list.clone()));
    let client = Client::of(layer);
    let token = client.login("alice").await;
    assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@1");
    let elevated = client.mark("elevate", &[(SESSION, &token)]).await;
    let elevated = elevated.cookie(SESSION).unwrap();
    assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");

    list.down.store(true, Ordering::Relaxed);
    for cookie in [&token, &elevated] {
        let refused = client.get("/whoami", &[(SESSION, cookie)]).await;
        assert_eq!((refused.status.as_u16(), &*refused.body), (503, ""));
        assert!(refused.sets_nothing());
    }
    // Nobody asks the list about a request without a session.
    assert_eq!(client.whoami(&[]).await, "nobody");
    list.down.store(false, Ordering::Relaxed);
    assert_eq!(client.whoami(&[(SESSION, &elevated)]).await, "alice@2");
}

/// S04: a list that fills up is told of at half, once; at the bound no token leaves, while endings go into the room
/// kept for them; what expires makes room again.
#[tokio::test]
async fn a_full_list_refuses_logins_and_still_remembers_endings() {
    for shared in [false, true] {
        let (time, events) = (clock(), Events::default());
        let list = MemoryRevocations::with_max_entries(32);
        let endings = match shared {
            true => Endings::shared(list),
            false => Endings::ThisProcess(list),
        };
        let layer = SessionLayer::self_contained(keys(), endings);
        let layer = layer.with_clock(time.clone()).with_observer(events.clone());
        let client = Client::of(layer);
        let mut tokens = Vec::new();
        for _ in 0..36 {
            tokens.push(client.login("alice").await);
        }
        let mut logout = async || {
            let token = tokens.pop().unwrap();
            let answer = client.mark("logout", &[(SESSION, &token)]).await;
            (
                answer.status.as_u16(),
                client.whoami(&[(SESSION, &token)]).await,
            )
        };
        let mut fill = async |count: usize| {
            events.take();
            for _ in 0..count {
                assert_eq!(logout().await, (200, "nobody".to_owned()));
            }
            let mut told = events.take();
            told.retain(|kind| !matches!(kind, EventKind::LoggedOut | EventKind::RevokedToken));
            told
        };
        assert_eq!(fill(15).await, []);
        assert_eq!(fill(1).await, [EventKind::EndedTokensHalfFull]);
        assert_eq!(fill(15).await, []);
        assert_eq!(fill(1).await, [EventKind::EndedTokensFull]);
        let refused = client.mark("login:alice", &[]).await;
        assert_eq!((refused.status.as_u16(), &*refused.body), (503, ""));
        assert!(refused.sets_nothing());
        // A sixteenth is kept for endings.
        assert_eq!(fill(2).await, []);
        // One that cannot be remembered is not acknowledged.
        assert_eq!(logout().await, (503, "alice@1".to_owned()));
        let spared = tokens.pop().unwrap();
        let cookies = [(SESSION, &*spared)];
        assert_eq!(client.whoami(&cookies).await, "alice@1");
        for marks in ["elevate", "renew", "put:k:v"] {
            let answer = client.mark(marks, &cookies).await;
            assert_eq!(answer.status.as_u16(), 503, "{marks}");
            assert!(answer.sets_nothing(), "{marks}");
        }
        // Anonymous visitors are served.
        assert_eq!(client.whoami(&[]).await, "nobody");
        time.advance(Duration::from_secs(25 * 3600));
        let again = client.login("alice").await;
        assert_eq!(client.whoami(&[(SESSION, &again)]).await, "alice@1");
    }
}

/// S04: the token of a guest that ended is remembered for minutes only, so that visitors without an account do not
/// fill the list; it gives no authority when it comes back.
#[tokio::test]
async fn a_guests_ending_is_remembered_for_minutes() {
    let time = clock();
    let endings = Endings::ThisProcess(MemoryRevocations::with_max_entries(32));
    let layer = SessionLayer::self_contained(keys(), endings).with_clock(time.clone());
    let client = Client::of(layer);
    for _ in 0..40 {
        let guest = client.guest().await;
        let cookies = [(GUEST, &*guest)];
        client.mark("login:alice", &cookies).await;
        assert_eq!(client.get("/get?k=k", &cookies).await.body, "");
        time.advance(Duration::from_secs(30));
        assert_eq!(client.get("/get?k=k", &cookies).await.body, "");
        assert_eq!(client.whoami(&cookies).await, "nobody");
    }
}
