//! Self-contained tokens with a list of ended tokens that layers share (R05, R03, R67, A22, A28).

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use common::{Client, SESSION, keys};
use tower_session_guard::{SessionLayer, store::revocation::MemoryRevocations};

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
