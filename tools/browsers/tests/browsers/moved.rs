//! A change of the cookies' `Domain` leaves two cookies of one name in the user's browser.

use browsers::{driver::Engine, say};
use http::Method;

use crate::{
    report::Trial,
    site::{MOVED, MOVED_SEALED, Release, Seen, Target},
    stage::Stage,
};

/// The values that came under the name of logged-in sessions, in the browser's order.
fn sent(seen: &Seen, target: Target) -> Vec<String> {
    let cookie = String::from_utf8(seen.cookie.clone()).unwrap();
    let pairs = cookie.split("; ").filter_map(|pair| pair.split_once('='));
    let ours = pairs.filter(|(name, _)| *name == target.session);
    ours.map(|(_, value)| value.to_owned()).collect()
}

impl Stage {
    async fn logs_in(&mut self, target: Target) -> Seen {
        let login = self.post(target, "/login?user=alice").await;
        assert_eq!(login.who, "alice@1", "{login:?}");
        login
    }

    /// The user is logged in, and the browser sends these tokens, in any order.
    async fn sends(&mut self, target: Target, who: &str, tokens: &[&str]) -> Vec<String> {
        let seen = self.whoami(target).await;
        assert_eq!(seen.who, who, "{seen:?}");
        assert!(seen.set.is_empty(), "a read changes no cookie: {seen:?}");
        let order = sent(&seen, target);
        let [mut came, mut expected] = [order.clone(), Vec::new()];
        expected.extend(tokens.iter().map(|token| (*token).to_owned()));
        came.sort();
        expected.sort();
        assert_eq!(came, expected);
        order
    }

    async fn opens(&self, target: Target, token: &str) -> bool {
        let cookie = format!("{}={token}", target.session);
        let reply = self.attacker(target, Method::GET, "/whoami", cookie.as_bytes());
        reply.await.who != "nobody"
    }
}

/// R05, R76: a user logs in, the cookies move to a domain, the user goes on, logs in again and logs out.
async fn the_cookies_move(engine: Engine) {
    let Some(mut trial) = Trial::begin("a change of Domain", engine).await else {
        return;
    };
    for target in [MOVED, MOVED_SEALED] {
        let stage = &mut trial.stage;
        let token = |seen: &Seen| seen.sets(target.session).unwrap();
        let first = token(&stage.logs_in(target).await);
        stage.sends(target, "alice@1", &[&first]).await;

        stage.site.deploy(target, Release::Domain);
        // The old cookie goes on.
        stage.sends(target, "alice@1", &[&first]).await;
        let second = token(&stage.logs_in(target).await);
        // The old one is dead, stays in the browser, and locks nobody out.
        let order = stage.sends(target, "alice@1", &[&first, &second]).await;
        let place = if order[0] == first { "first" } else { "last" };
        say(&format!(
            "a change of Domain, {engine}: the old cookie comes {place}"
        ));
        assert!(!stage.opens(target, &first).await);

        let out = stage.post(target, "/logout").await;
        assert_eq!(sent(&out, target).len(), 2, "{out:?}");
        // Where only the new scope is known, the old cookie stays, and is worth nothing.
        stage.sends(target, "nobody", &[&first]).await;
        for dead in [&first, &second] {
            assert!(!stage.opens(target, dead).await);
        }

        let third = token(&stage.logs_in(target).await);
        stage.sends(target, "alice@1", &[&first, &third]).await;
        stage.site.deploy(target, Release::DomainFormerlyHostOnly);
        stage.sends(target, "alice@1", &[&first, &third]).await;
        let login = stage.logs_in(target).await;
        let values: Vec<_> = login
            .set
            .iter()
            .filter_map(|set| crate::site::value(set, target.session))
            .collect();
        let fourth = values.iter().find(|value| !value.is_empty()).unwrap();
        assert_eq!(values.len(), 2, "{login:?}");
        // The login took the old cookie away.
        stage.sends(target, "alice@1", &[fourth]).await;
        stage.post(target, "/logout").await;
        stage.sends(target, "nobody", &[]).await;
        assert!(!stage.opens(target, fourth).await);
    }
    two_tokens_of_one_session(&mut trial.stage).await;
}

/// R76: the first write after the change makes two self-contained tokens of one session, of which the newer counts.
async fn two_tokens_of_one_session(stage: &mut Stage) {
    let target = MOVED_SEALED;
    stage.site.deploy(target, Release::HostOnly);
    let older = stage.logs_in(target).await.sets(target.session).unwrap();
    stage.site.deploy(target, Release::Domain);
    let write = stage.post(target, "/put?v=newer").await;
    let newer = write.sets(target.session).unwrap();
    stage.sends(target, "alice@1", &[&older, &newer]).await;
    assert_eq!(stage.read(target).await, "newer");
    stage.post(target, "/logout").await;
    for dead in [&older, &newer] {
        assert!(!stage.opens(target, dead).await);
    }
}

#[tokio::test]
async fn a_change_of_domain_locks_nobody_out_in_chromium() {
    the_cookies_move(Engine::Chromium).await;
}

#[tokio::test]
async fn a_change_of_domain_locks_nobody_out_in_firefox() {
    the_cookies_move(Engine::Firefox).await;
}
