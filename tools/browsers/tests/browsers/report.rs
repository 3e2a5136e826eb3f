//! Judges what became of an attack, and writes it down as a row of the page.

use browsers::{
    driver::{Browser, Engine},
    say,
};

use crate::{
    ATTACKS,
    attacks::FIXATED,
    site::{Guarded, Site, Target},
    stage::{Outcome, Stage},
};

const PATH: &str = "docs/browsers.md";
const PAGE: &str = include_str!("../../../../docs/browsers.md");

/// One attack in one browser.
#[derive(Debug)]
pub struct Trial {
    pub stage: Stage,
    attack: &'static str,
    engine: Engine,
    cells: Vec<String>,
}

impl Trial {
    /// Starts a fresh browser and a fresh server; `None`, and a word why, without such a browser.
    pub async fn begin(attack: &'static str, engine: Engine) -> Option<Self> {
        match Browser::start(engine).await {
            Ok(browser) => {
                let site = Site::start().await;
                Some(Self {
                    stage: Stage { browser, site },
                    attack,
                    engine,
                    cells: Vec::new(),
                })
            }
            Err(missing) => {
                say(&format!("skipped: {attack} in {engine}: {missing}"));
                None
            }
        }
    }

    /// The attack must work on the careless twin, or it shows nothing, and must win nothing from ours.
    /// Where no prefix helps, the attacker still never becomes the victim.
    #[track_caller]
    pub fn judge(&mut self, target: Target, outcome: &Outcome) {
        let cell = match outcome.harm {
            Some(harm) => format!("{}, {harm}", outcome.arrived),
            None => format!("{}, held", outcome.arrived),
        };
        let (attack, engine, host) = (self.attack, self.engine, target.host);
        let as_it_must_be = match target.guarded {
            Guarded::Not => outcome.harm.is_some(),
            Guarded::Unprefixed => outcome.harm != Some(FIXATED),
            Guarded::Fully => outcome.harm.is_none(),
        };
        assert!(as_it_must_be, "{attack} on {host} in {engine}: {cell}");
        self.cells.push(cell);
    }

    pub fn end(self) {
        let (attack, engine) = (self.attack, self.engine);
        let (_, shows) = ATTACKS.iter().find(|(name, _)| *name == attack).unwrap();
        let cells = self.cells.join(" | ");
        let row = format!("| `{attack}` | {shows} | {engine} | {cells} |");
        let version = &self.stage.browser.version;
        say(&format!("matrix, {engine} {version}: {row}"));
        if !PAGE.lines().any(|line| line == row) {
            say(&format!("matrix, {engine} {version}: not so on {PATH}"));
        }
    }
}

/// What was observed changes with the browsers, and a run says so. What may not rot is which attacks there
/// are, what they show, and that they fail.
#[test]
fn the_page_has_every_attack_in_every_browser() {
    let engines = [Engine::Chromium, Engine::Firefox].map(|engine| engine.to_string());
    let expected: Vec<_> = ATTACKS
        .iter()
        .flat_map(|(name, shows)| {
            engines
                .iter()
                .map(move |engine| [format!("`{name}`"), (*shows).to_owned(), engine.clone()])
        })
        .collect();
    let rows: Vec<_> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect::<Vec<_>>())
        .filter(|row| row.len() == 7 && row[0].starts_with('`'))
        .collect();
    let listed: Vec<_> = rows.iter().map(|row| &row[..3]).collect();
    assert_eq!(listed, expected);
    for row in &rows {
        let held: Vec<_> = row[3..]
            .iter()
            .map(|cell| cell.ends_with(", held"))
            .collect();
        assert!(
            matches!(held[..], [false, _, true, true]),
            "the careless twin falls and ours holds: {row:?}"
        );
    }
}
