//! A thief who has every cookie and sees every answer, and no key.

use proptest::{
    collection::vec,
    prelude::{Strategy, prop_oneof},
    proptest,
    sample::select,
    strategy::Just,
    test_runner::Config,
};

use super::{
    BOUND, From, Node, SESSION,
    browser::{Browser, key, proof},
    common,
};

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// The user asks for a page, or has something done.
    Asks(&'static str),
    /// So many of the endpoints' answers to the user's browser are lost from now on.
    Loses(u32),
    /// Time passes, in seconds.
    Passes(u64),
    /// The thief copies the user's cookies, all of them.
    Steals,
    /// The thief registers and refreshes with a key of their own and everything that was seen.
    Forges,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let marks = select(vec![
        "",
        "",
        "put:k:v",
        "elevate",
        "step-down",
        "renew",
        "login:alice",
        "login:bob",
        "logout",
    ]);
    let step = prop_oneof![
        6 => marks.prop_map(Step::Asks),
        1 => (1..3_u32).prop_map(Step::Loses),
        5 => select(vec![1_u64, 29, 59, 60, 61, 300, 570, 599, 600, 601, 1_200, 1_900]).prop_map(Step::Passes),
        3 => Just(Step::Steals),
        3 => Just(Step::Forges),
    ];
    vec(step, 1..40)
}

/// A jar as it was stolen, and when.
struct Loot {
    browser: Browser,
    at: u64,
}

/// The longer of the lifetime of a bound cookie and of the minute after the binding.
const AT_MOST: u64 = 600;

async fn live(steps: Vec<Step>, node: Node) {
    let mut user = node.browser();
    user.mark("login:alice").await;
    user.register().await;
    let (mut loot, mut challenges) = (Vec::<Loot>::new(), Vec::<(String, String)>::new());
    let seconds = || common::now(&node.clock).as_unix_seconds();
    for step in steps {
        match step {
            Step::Asks(marks) => {
                user.mark(marks).await;
                challenges.extend(
                    user.offered
                        .iter()
                        .map(|offer| (offer.challenge.clone(), String::new())),
                );
                user.register().await;
            }
            Step::Loses(count) => user.loses = count,
            Step::Passes(seconds) => node.pass(seconds),
            Step::Steals => loot.push(Loot {
                browser: user.clone(),
                at: seconds(),
            }),
            Step::Forges => {
                for session in &user.registered {
                    let challenge = session.challenge.clone().unwrap_or_default();
                    challenges.push((challenge, session.identifier.clone()));
                }
                let mut thief = user.clone();
                for (challenge, identifier) in &challenges {
                    let forged =
                        [true, false].map(|registers| proof(&key(200), challenge, registers));
                    for (path, proof) in [
                        ("/dbsc/register", &forged[0]),
                        ("/dbsc/refresh", &forged[1]),
                    ] {
                        let mut fields = vec![("secure-session-response", &**proof)];
                        fields.push(("sec-secure-session-id", identifier));
                        let answer = thief.ask("POST", path, From::Own, &fields).await;
                        assert!(answer.status.is_client_error(), "{path}");
                        assert!(answer.sets_nothing());
                    }
                    thief.jar.remove(SESSION);
                }
            }
        }
        // Whatever the thief combines of what was stolen.
        for token in &loot {
            let Some((value, _)) = token.browser.jar.get(SESSION) else {
                continue;
            };
            for bound in [None].into_iter().chain(loot.iter().map(Some)) {
                let mut cookies = vec![(SESSION, &**value)];
                let cookie = bound.and_then(|bound| bound.browser.jar.get(BOUND));
                cookies.extend(cookie.map(|(value, _)| (BOUND, &**value)));
                let at = bound.map_or(token.at, |bound| token.at.max(bound.at));
                let (seen, age) = (super::replayed(&node, &cookies).await, seconds() - at);
                assert!(
                    seen == "nobody" || age < AT_MOST,
                    "{seen} {age} s after the theft"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(100) })]

    /// D11, D14, A50: over random lives, in which the browser binds every session that it is offered to, in either mode.
    #[test]
    fn a_thief_without_the_key_has_the_session_for_ten_minutes_at_most(steps in steps(), mode in 0..5_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { live(steps, Node::all().swap_remove(mode)).await });
    }
}
