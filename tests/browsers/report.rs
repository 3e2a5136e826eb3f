//! Judges what became of an attack, and writes it down as a row of the page.

use std::io::{Write, stdout};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    driver::{Browser, Engine},
    site::{Site, Target},
    stage::{Outcome, Stage},
};

/// Browsers are heavy: this many at once.
static SLOTS: Semaphore = Semaphore::const_new(2);

/// One attack in one browser.
#[derive(Debug)]
pub struct Trial {
    pub stage: Stage,
    attack: &'static str,
    engine: Engine,
    cells: Vec<String>,
    _slot: SemaphorePermit<'static>,
}

impl Trial {
    /// Starts a fresh browser and a fresh server; `None`, and a word why, without such a browser.
    pub async fn begin(attack: &'static str, engine: Engine) -> Option<Self> {
        let slot = SLOTS.acquire().await.unwrap();
        match Browser::start(engine).await {
            Ok(browser) => {
                let site = Site::start().await;
                Some(Self {
                    stage: Stage { browser, site },
                    attack,
                    engine,
                    cells: Vec::new(),
                    _slot: slot,
                })
            }
            Err(missing) => {
                say(&format!("skipped: {attack} in {engine}: {missing}"));
                None
            }
        }
    }

    /// The attack must work on the careless twin, or it shows nothing, and must win nothing from ours.
    #[track_caller]
    pub fn judge(&mut self, target: Target, outcome: Outcome) {
        let cell = match outcome.harm {
            Some(harm) => format!("{}, {harm}", outcome.arrived),
            None => format!("{}, held", outcome.arrived),
        };
        let (attack, engine, host) = (self.attack, self.engine, target.host);
        assert_eq!(
            outcome.harm.is_none(),
            target.protected,
            "{attack} on {host} in {engine}: {cell}"
        );
        self.cells.push(cell);
    }

    pub fn end(self) {
        say(&format!(
            "| `{}` | {} {} | {} |",
            self.attack,
            self.engine,
            self.stage.browser.version,
            self.cells.join(" | ")
        ));
    }
}

/// To standard output, past the capturing of passing tests' output.
fn say(line: &str) {
    writeln!(stdout(), "{line}").unwrap();
}
