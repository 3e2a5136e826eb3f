//! A login at arrival meets device binding: its session is bound as any other, and it puts none in the place of a bound one.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tower_session_guard::{Endings, Login, SessionLayer};

use super::{BOUND, From, Node, common::keys, list::Watched};

/// Every request is vouched for; how often that was asked.
fn proxied<F, K>(layer: SessionLayer<F, K>, asked: &Arc<AtomicUsize>) -> SessionLayer<F, K> {
    let asked = Arc::clone(asked);
    layer.login_at_arrival(move |_| {
        asked.fetch_add(1, SeqCst);
        async { Some(Login::new("bob")) }
    })
}

/// In every mode, and however the layer loads.
fn nodes() -> impl Iterator<Item = (Node, Arc<AtomicUsize>)> {
    let kinds = [0, 1, 2]
        .into_iter()
        .flat_map(|kind| [false, true].map(|lazy| (kind, lazy)));
    kinds.map(|(kind, is_lazy)| {
        let asked = Arc::default();
        let endings = match kind {
            0 => return (Node::set(is_lazy, |layer| proxied(layer, &asked)), asked),
            1 => Endings::this_process(),
            _ => Endings::shared(Watched::default()),
        };
        let layer = SessionLayer::self_contained(keys(), endings);
        let layer = proxied(layer, &asked).into_any();
        (Node::without_store(keys(), layer, is_lazy), asked)
    })
}

/// R19, D01: the answer offers a registration, and the endpoints ask no hook.
#[tokio::test]
async fn a_session_of_a_login_at_arrival_is_bound_as_any_other() {
    for (node, asked) in nodes() {
        let mut browser = node.browser();
        assert_eq!(browser.send("GET", "/bound", From::Own).await.body, "bob@1");
        assert_eq!(browser.offered.len(), 1, "lazily: {}", node.is_lazy);
        assert_eq!(browser.register().await, [200]);
        assert_eq!(browser.whoami().await, "bob@1 bound");
        node.pass(1_200);
        assert_eq!(browser.whoami().await, "bob@1 bound");
        assert_eq!(asked.load(SeqCst), 1, "lazily: {}", node.is_lazy);

        // Without a session a registration finds none, and begins none.
        let mut nobody = node.browser();
        nobody.offered.clone_from(&browser.offered);
        for path in ["/dbsc/register", "/dbsc/refresh"] {
            let answer = nobody.send("POST", path, From::Own).await;
            assert!(answer.sets_nothing(), "{path}");
        }
        assert_eq!(asked.load(SeqCst), 1, "lazily: {}", node.is_lazy);
    }
}

/// R19, D11: a browser whose bound cookie has ended renews it; a login in between would end the bound session.
#[tokio::test]
async fn a_login_at_arrival_replaces_no_bound_session() {
    for (node, asked) in nodes() {
        let mut browser = node.browser();
        browser.send("GET", "/bound", From::Own).await;
        assert_eq!(browser.register().await, [200]);
        node.pass(1_200);
        let mut thief = browser.clone();
        thief.registered.clear();
        thief.jar.remove(BOUND);
        let stolen = thief.send("GET", "/bound", From::Own).await;
        assert_eq!(stolen.body, "nobody", "lazily: {}", node.is_lazy);
        assert!(stolen.sets_nothing(), "lazily: {}", node.is_lazy);
        assert_eq!(asked.load(SeqCst), 1, "lazily: {}", node.is_lazy);
        assert_eq!(browser.whoami().await, "bob@1 bound");
    }
}
