//! Requests of the same browser that cross each other.

use super::{FIXATED, LOGGED_OUT, has, known};
use crate::{
    site::{Seen, Target},
    stage::{Outcome, Stage},
};

/// A visitor's request is under way while another tab logs in; its answer comes last.
pub async fn late_answer_to_a_visitor(stage: &mut Stage, target: Target) -> Outcome {
    let page = stage.browser.tab().await;
    stage.begin(target, "/put?v=late&gate=1", 1).await;
    stage.browser.new_tab().await;
    stage.post(target, "/login?user=alice").await;
    stage.finish(&[&page]).await;
    let late = stage.last(target, "/put");
    let sets = late.sets(target.session).is_some();
    assert!(!(sets && target.is_ours()), "{late:?}");
    let seen = stage.whoami(target).await;
    Outcome {
        arrived: written(&late),
        harm: (seen.who != "alice@1").then_some(LOGGED_OUT),
    }
}

/// Two tabs log in at once, with a visitor's token that the attacker knows.
pub async fn two_tabs_log_in_at_once(stage: &mut Stage, target: Target) -> Outcome {
    let put = stage.post(target, "/put?v=cart").await;
    let token = put.sets(target.guest).unwrap();
    let first = stage.browser.tab().await;
    stage.begin(target, "/login?user=alice&gate=1", 1).await;
    let second = stage.browser.new_tab().await;
    stage.begin(target, "/login?user=alice&gate=1", 2).await;
    stage.finish(&[&first, &second]).await;
    let logins = stage.site.seen(target.host, "/login");
    let [one, other] = &logins[..] else {
        panic!("{logins:?}")
    };
    let arrived = [one, other].map(|login| has(&login.cookie, &token));
    assert_eq!(arrived, [true, true]);
    for tab in [&first, &second] {
        stage.browser.switch(tab).await;
        assert_eq!(stage.whoami(target).await.who, "alice@1");
    }
    if target.is_ours() {
        // Neither login was given the other's token.
        let [one, other] = [one, other].map(|login| login.sets(target.session));
        assert!(one.is_some() && other.is_some() && one != other);
    }
    Outcome {
        arrived: "both with the visitor's token".to_owned(),
        harm: known(stage, target, &token).await.then_some(FIXATED),
    }
}

/// The account page saves something while another tab logs out; its answer comes last.
pub async fn logout_with_the_page_open(stage: &mut Stage, target: Target) -> Outcome {
    let page = stage.browser.tab().await;
    let login = stage.post(target, "/login?user=alice").await;
    let token = login.sets(target.session).unwrap();
    assert_eq!(stage.whoami(target).await.who, "alice@1");
    stage.begin(target, "/put?v=late&gate=1", 1).await;
    stage.browser.new_tab().await;
    stage.post(target, "/logout").await;
    stage.finish(&[&page]).await;
    stage.browser.switch(&page).await;
    let seen = stage.whoami(target).await;
    assert_eq!(seen.who, "nobody");
    // The browser took the removal.
    assert!(!has(&seen.cookie, &token), "{seen:?}");
    Outcome {
        arrived: written(&stage.last(target, "/put")),
        harm: known(stage, target, &token)
            .await
            .then_some("the ended session lives again"),
    }
}

fn written(late: &Seen) -> String {
    let names = late.set.iter().filter_map(|cookie| cookie.split_once('='));
    let names: Vec<_> = names.map(|(name, _)| format!("`{name}`")).collect();
    match &names[..] {
        [] => "the late answer writes no cookie".to_owned(),
        names => format!("the late answer writes {}", names.join(", ")),
    }
}
