//! Attacks on sessions, in real browsers.
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod attacks;
mod driver;
mod report;
mod site;
mod stage;

use driver::Engine;

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
        for target in [
            crate::site::UNPROTECTED,
            crate::site::STORED,
            crate::site::SEALED,
        ] {
            let outcome = crate::attacks::$module::$name(&mut trial.stage, target).await;
            trial.judge(target, outcome);
        }
        trial.end();
    };
}

attacks! {
    sibling_domain_cookie: planting, "A01";
}
