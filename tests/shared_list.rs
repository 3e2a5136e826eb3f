//! Self-contained tokens with a list of ended tokens that layers share (R05, R03, R67, A22, A28).

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use common::{Client, SESSION, keys};
use tower_session_guard::{
    SessionId, SessionLayer, Subject, Timestamp,
    store::{
        StoreError, StoreFuture,
        revocation::{IssuedToken, MemoryRevocations, Retirement, RevocationList, Standing},
    },
};

/// Two nodes under the same keys: with the same list, or each with its own.
fn nodes(list: Option<&MemoryRevocations>) -> [(SessionLayer, Client); 2] {
    [(); 2].map(|()| {
        let layer = SessionLayer::new(keys());
        let layer = match list {
            Some(list) => layer.with_revocations(list.clone()),
            None => layer,
        };
        (layer.clone(), Client::of(layer))
    })
}

#[tokio::test]
async fn what_ended_on_one_node_has_ended_on_the_other() {
    let list = MemoryRevocations::new();
    let [(layer, here), (_, there)] = nodes(Some(&list));
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
    let again = there.login("alice").await;
    assert_eq!(here.whoami(&[(SESSION, &again)]).await, "alice@1");
}

#[tokio::test]
async fn nodes_without_a_shared_list_know_nothing_of_each_other() {
    let [(_, here), (_, there)] = nodes(None);
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

    fn retire<'a>(
        &'a self,
        id: &'a SessionId,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, bool> {
        self.answer(self.list.retire(id, how, until, now))
    }

    fn retire_of<'a>(
        &'a self,
        token: IssuedToken<'a>,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Option<Timestamp>> {
        self.answer(self.list.retire_of(token, how, until, now))
    }

    fn end_family<'a>(
        &'a self,
        id: &'a SessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, ()> {
        self.answer(self.list.end_family(id, until, now))
    }

    fn end_subject<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'a, ()> {
        self.answer(self.list.end_subject(subject, now, until))
    }

    fn end_others<'a>(
        &'a self,
        keep: IssuedToken<'a>,
        now: Timestamp,
        until: Timestamp,
    ) -> StoreFuture<'a, bool> {
        self.answer(self.list.end_others(keep, now, until))
    }

    fn issue_time<'a>(
        &'a self,
        subject: &'a Subject,
        now: Timestamp,
    ) -> StoreFuture<'a, Timestamp> {
        self.answer(self.list.issue_time(subject, now))
    }
}

/// R71: a list that takes its time is waited for, and one that fails opens nothing and removes nothing.
#[tokio::test]
async fn a_far_list_is_waited_for_and_a_failed_one_refuses_the_request() {
    let list = Far::default();
    let layer = SessionLayer::new(keys()).with_revocations(list.clone());
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
