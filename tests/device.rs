//! Sessions that are bound to a device, met by a layer that checks no bindings: it keeps what the record says, and admits
//! none of them once a minute has passed.

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::{sync::Arc, time::Duration};

use common::{AnyLayer, Client, Events, SESSION, clock, keys, list::Counted};
use serde::Deserialize;
use tower_session_guard::{
    Endings, EventKind, KeyRing, MemoryStore, Record, SessionId, SessionLayer, SessionStore,
    Timestamp,
    store::{Replaced, Stored},
    testing::{ManualClock, RecordBuilder, claim_for},
};

const KEY: [u8; 64] = [0xC4; 64];

/// An application, and the store behind it, in which another node binds sessions.
struct Node {
    client: Client,
    events: Events,
    store: Arc<MemoryStore>,
    clock: ManualClock,
}

impl Node {
    fn new(lazily: bool) -> Self {
        let (events, store, clock) = (Events::default(), Arc::new(MemoryStore::new()), clock());
        let layer = SessionLayer::new(keys())
            .with_store(Arc::clone(&store))
            .with_clock(clock.clone())
            .with_observer(events.clone());
        let layer = if lazily { layer.lazily() } else { layer };
        Self {
            client: Client::of(layer),
            events,
            store,
            clock,
        }
    }

    /// Logs alice in, and tells the token and the session's id.
    async fn login(&self) -> (String, SessionId) {
        self.events.take();
        let token = self.client.login("alice").await;
        let began = self.events.all();
        let id = began
            .iter()
            .find_map(|event| event.successor.or(event.session));
        (token, id.unwrap())
    }

    async fn stored(&self, id: &SessionId) -> Option<Stored> {
        let claim = claim_for(id, [0; 16]);
        let now = common::now(&self.clock);
        self.store.load((&claim).into(), now).await.unwrap()
    }

    /// What another node does when the browser registers a key.
    async fn bind(&self, id: &SessionId) -> Record {
        let Stored {
            record, revision, ..
        } = self.stored(id).await.unwrap();
        let now = common::now(&self.clock);
        let bound = RecordBuilder::of(&record).bound_to_device(KEY, now).build();
        let replaced = self.store.replace(id, revision, &bound, now).await.unwrap();
        assert!(matches!(replaced, Replaced::Replaced(_)));
        bound
    }
}

/// D11, A50: whether the layer loads before the handler or when somebody looks.
#[tokio::test]
async fn a_bound_session_is_anonymous_where_nothing_checks_its_binding() {
    for lazily in [false, true] {
        let node = Node::new(lazily);
        let (token, id) = node.login().await;
        node.bind(&id).await;
        // The page after the login crosses with the binding.
        node.clock.advance(Duration::from_secs(59));
        assert_eq!(node.client.whoami(&[(SESSION, &token)]).await, "alice@1");
        node.events.take();
        node.clock.advance(Duration::from_secs(1));
        let before = node.stored(&id).await.unwrap();
        let answer = node.client.get("/whoami", &[(SESSION, &token)]).await;
        assert_eq!(answer.body, "nobody");
        assert_eq!(node.events.take(), [EventKind::UnboundUse]);
        assert!(answer.sets_nothing());
        assert_eq!(node.stored(&id).await, Some(before));
    }
}

/// D13: what a node writes that knows nothing of bindings leaves them as they are.
#[tokio::test]
async fn every_write_of_a_session_keeps_its_binding() {
    let node = Node::new(false);
    let (mut token, id) = node.login().await;
    let bound = node.bind(&id).await;
    for marks in ["put:k:v", "elevate", "renew", "step-down", "remove:k"] {
        let answer = node.client.mark(marks, &[(SESSION, &token)]).await;
        token = answer.cookie(SESSION).unwrap_or(token);
        let written = node.stored(&id).await.unwrap().record;
        assert_ne!(written, bound, "{marks}");
        assert_eq!(
            written.device_proved_at(),
            bound.device_proved_at(),
            "{marks}"
        );
    }
    node.clock.advance(Duration::from_secs(60));
    assert_eq!(node.client.whoami(&[(SESSION, &token)]).await, "nobody");
}

/// D02, A50: a session's own token suffices to end it, and a new login begins one that is bound to nothing.
#[tokio::test]
async fn a_logout_and_a_login_end_a_bound_session_without_its_device() {
    for (marks, bearer) in [("logout", "nobody"), ("login:alice", "alice@1")] {
        let node = Node::new(false);
        let (token, id) = node.login().await;
        node.bind(&id).await;
        node.clock.advance(Duration::from_secs(600));
        let answer = node.client.mark(marks, &[(SESSION, &token)]).await;
        assert_eq!(answer.body, bearer);
        assert_eq!(node.stored(&id).await, None, "{marks}");
        if let Some(token) = answer.cookie(SESSION).filter(|token| !token.is_empty()) {
            node.clock.advance(Duration::from_secs(600));
            assert_eq!(node.client.whoami(&[(SESSION, &token)]).await, bearer);
        }
    }
}

/// A50: a request without the device's cookie writes nothing, and begins nothing that would end the session.
#[tokio::test]
async fn a_bound_session_is_not_written_without_its_device() {
    let node = Node::new(false);
    let (token, id) = node.login().await;
    node.bind(&id).await;
    node.clock.advance(Duration::from_secs(60));
    let before = node.stored(&id).await;
    for marks in ["put:k:v", "elevate", "renew", "step-down"] {
        node.events.take();
        let answer = node.client.mark(marks, &[(SESSION, &token)]).await;
        let dropped = EventKind::UnboundUseDataDropped;
        assert_eq!(node.events.take().contains(&dropped), marks == "put:k:v");
        assert!(answer.sets_nothing(), "{marks}");
        assert_eq!(node.stored(&id).await, before, "{marks}");
    }
}

/// The frozen self-contained token of a session that is bound to a device.
#[derive(Deserialize)]
struct Frozen {
    key: String,
    token: String,
    state: FrozenState,
}

#[derive(Deserialize)]
struct FrozenState {
    last_seen_at: u64,
}

fn frozen() -> Frozen {
    let file = include_str!("vectors/tokens.json");
    let mut file: serde_json::Value = serde_json::from_str(file).unwrap();
    let cases = file["self_contained_3"].as_array_mut().unwrap();
    let has_device = |case: &&mut serde_json::Value| case["state"]["extra"]["device"].is_object();
    let case = cases.iter_mut().find(has_device).unwrap().take();
    serde_json::from_value(case).unwrap()
}

/// D11, A50: wherever the list of ended tokens is, and whether it answers at once.
#[tokio::test]
async fn a_self_contained_session_that_is_bound_is_refused_alike() {
    let Frozen { key, token, state } = frozen();
    let bound_at = Timestamp::from_unix_millis(state.last_seen_at);
    let lists: [fn() -> Endings; 3] = [
        Endings::this_process,
        || Endings::shared(Counted::default()),
        || {
            Endings::shared(Counted {
                has_copy: true,
                ..Counted::default()
            })
        },
    ];
    for list in lists {
        let (events, clock) = (Events::default(), ManualClock::starting_at(bound_at));
        let keys = KeyRing::parse(&key).unwrap();
        let layer: AnyLayer = SessionLayer::self_contained(keys, list())
            .with_clock(clock.clone())
            .with_observer(events.clone())
            .into_any();
        let client = Client::of(layer);
        clock.advance(Duration::from_millis(59_999));
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "42@1");
        events.take();
        clock.advance(Duration::from_millis(1));
        let answer = client.get("/whoami", &[(SESSION, &token)]).await;
        assert_eq!(
            (&*answer.body, events.take()),
            ("nobody", vec![EventKind::UnboundUse])
        );
        assert!(answer.sets_nothing());
        let answer = client.mark("put:k:v", &[(SESSION, &token)]).await;
        assert!(answer.sets_nothing());
        assert!(events.take().contains(&EventKind::UnboundUseDataDropped));
        // Its own token suffices to end it.
        client.mark("logout", &[(SESSION, &token)]).await;
        assert!(events.take().contains(&EventKind::PresentedSessionEnded));
        client.whoami(&[(SESSION, &token)]).await;
        assert_eq!(events.take(), [EventKind::RevokedToken]);
    }
}
