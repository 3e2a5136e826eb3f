//! Attacks on sessions, in real browsers: see docs/browsers.md.
#![cfg(unix)]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod attacks;
mod example;
mod moved;
mod pages;
mod report;
mod site;
mod stage;

use browsers::driver::{Browser, Engine};

/// An attack, and the tests that play it in each browser.
macro_rules! attacks {
    ($($name:ident: $module:ident, $rows:literal;)*) => {
        /// Every attack's name and the rows of the list of attacks and requirements that it shows.
        const ATTACKS: &[(&str, &str)] = &[$((stringify!($name), $rows)),*];

        mod chromium {
            $(#[tokio::test]
            async fn $name() {
                play!($name, $module, Chromium);
            })*
        }

        mod firefox {
            $(#[tokio::test]
            async fn $name() {
                play!($name, $module, Firefox);
            })*
        }
    };
}

macro_rules! play {
    ($name:ident, $module:ident, $engine:ident) => {
        let engine = crate::Engine::$engine;
        let Some(mut trial) = crate::report::Trial::begin(stringify!($name), engine).await else {
            return;
        };
        for target in crate::site::TARGETS {
            let outcome = crate::attacks::$module::$name(&mut trial.stage, target).await;
            trial.judge(target, &outcome);
        }
        trial.end();
    };
}

/// The browser goes with the test that started it, also with one that fails.
async fn goes_with_its_test(engine: Engine) {
    let browser = match Browser::start(engine).await {
        Ok(browser) => browser,
        Err(missing) => return browsers::say(&format!("skipped: the end of {engine}: {missing}")),
    };
    let folder = browser.folder().to_owned();
    assert!(!Browser::running_in(&folder).is_empty());
    let failing = tokio::spawn(async move { panic!("with {browser:?}") });
    assert!(failing.await.unwrap_err().is_panic());
    assert!(!folder.exists());
    assert!(Browser::running_in(&folder).is_empty());
}

#[tokio::test]
async fn chromium_goes_with_its_test() {
    goes_with_its_test(Engine::Chromium).await;
}

#[tokio::test]
async fn firefox_goes_with_its_test() {
    goes_with_its_test(Engine::Firefox).await;
}

attacks! {
    sibling_domain_cookie: planting, "A01, A18";
    chosen_value: planting, "A02";
    longer_path: planting, "A03, A04";
    script_before_the_login: planting, "A01, A18, A43";
    partitioned_twin: planting, "A08b";
    overflow_of_the_jar: planting, "A13";
    odd_names: names, "A06–A12";
    bad_byte_beside_ours: names, "A44";
    login_by_a_cross_site_form: forgery, "A03, R82";
    login_by_a_siblings_fetch: forgery, "A03, R82";
    late_answer_to_a_visitor: races, "A23, R15";
    two_tabs_log_in_at_once: races, "A25, R11";
    logout_with_the_page_open: races, "A24, A37";
    token_known_before_the_next_login: lifecycle, "A20, A22, R02";
    token_known_before_the_elevation: lifecycle, "A19, R03";
    next_user_of_the_browser: lifecycle, "A21, R04";
}
