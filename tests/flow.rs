//! Every row of design.md section 5, through the whole stack, in both modes.

mod common;

use common::{Client, Events, GUEST, SESSION, clock, keys};
use tower_session_guard::{EventKind, MemoryStore, SessionLayer};

fn layers(events: &Events) -> [SessionLayer; 2] {
    let layer = SessionLayer::new(keys())
        .with_clock(clock())
        .with_observer(events.clone());
    [layer.clone(), layer.with_store(MemoryStore::new())]
}

/// R01, R07, A01, A18, A43.
#[tokio::test]
async fn a_login_yields_a_new_token_and_kills_the_old_one() {
    for layer in layers(&Events::default()) {
        let client = Client::of(layer);
        let guest = client.guest().await;
        let answer = client.mark("login:alice", &[(GUEST, &guest)]).await;
        let token = answer.cookie(SESSION).unwrap();
        assert_eq!(answer.cookie(GUEST).as_deref(), Some(""));
        assert_ne!(token[..30], guest[..30]);
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "alice@1");
        assert_eq!(client.whoami(&[(GUEST, &guest)]).await, "nobody");
        let session = [(SESSION, &*token)];
        assert_eq!(client.get("/get?k=k", &session).await.body, "");
        assert_eq!(client.get("/get?k=locale", &session).await.body, "de");
        assert_eq!(
            client.get("/get?k=locale", &[(GUEST, &guest)]).await.body,
            ""
        );
    }
}

/// R05.
#[tokio::test]
async fn a_logout_kills_the_token_at_once() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        let token = client.login("alice").await;
        let answer = client.mark("logout", &[(SESSION, &token)]).await;
        assert_eq!(answer.cookie(SESSION).as_deref(), Some(""));
        events.take();
        for path in ["/whoami", "/get?k=k", "/public"] {
            let answer = client.get(path, &[(SESSION, &token)]).await;
            assert!(answer.sets_nothing());
            assert!(!answer.body.contains("alice"));
        }
        assert_eq!(events.take().len(), 3);
    }
}

/// R03, A19.
#[tokio::test]
async fn an_elevation_kills_the_old_token_without_grace() {
    let events = Events::default();
    for layer in layers(&events) {
        let client = Client::of(layer);
        let token = client.login("alice").await;
        let answer = client.mark("elevate", &[(SESSION, &token)]).await;
        let elevated = answer.cookie(SESSION).unwrap();
        assert_eq!(client.whoami(&[(SESSION, &elevated)]).await, "alice@2");
        events.take();
        assert_eq!(client.whoami(&[(SESSION, &token)]).await, "nobody");
        assert_eq!(events.take(), [EventKind::SupersededToken]);
        assert_eq!(client.whoami(&[(SESSION, &elevated)]).await, "alice@2");
    }
}
