//! Markdown tables, and their place in a page.

use crate::report::{Heap, Row, Run};
use crate::scenario::Scenario;
use crate::subject::Keeps;

use super::{BARE, FLOOR, OURS, grouped, title};

/// What the run was taken on, in a sentence.
#[must_use]
pub fn machine(run: &Run) -> String {
    let machine = &run.machine;
    format!(
        "{}, {}, instruction sets {}; rustc {}, release build; {} rounds of {} requests.\n",
        machine.processor,
        match machine.threads {
            1 => "held to one processor".to_owned(),
            threads => format!("{threads} threads"),
        },
        machine.instructions.join(", "),
        machine.rustc,
        grouped(run.rounds as f64),
        run.batch,
    )
}

/// Nanoseconds a request.
#[must_use]
pub fn times(run: &Run) -> String {
    table(run, |subject, scenario| {
        let row = run.row(subject, scenario)?;
        let shown = if subject == BARE { row.ns } else { row.net };
        Some(format!(
            "{} ± {}",
            grouped(shown.median),
            grouped(shown.mad)
        ))
    })
}

/// Heap allocations and bytes a request.
#[must_use]
pub fn allocations(run: &Run, heap: &Heap) -> String {
    table(run, |subject, scenario| {
        let row = heap.row(subject, scenario)?;
        Some(format!(
            "{} / {}",
            tenths(row.allocations),
            grouped(row.bytes)
        ))
    })
}

/// Ours against the floor and against the fastest alternatives.
#[must_use]
pub fn ratios(run: &Run) -> String {
    let ours = run.subjects().into_iter().filter(|s| s.starts_with(OURS));
    let mut text = String::from("| | ");
    text += &Scenario::ALL.map(|s| format!("{s:?}")).join(" | ");
    text += &format!(" |\n|---|{}\n", "---:|".repeat(Scenario::ALL.len()));
    for subject in ours {
        type Against = fn(&Run, Scenario) -> Option<f64>;
        let (words, contract): (&str, Against) = if subject.ends_with("self-contained") {
            (
                "× the floor, also a session in the token",
                |run, scenario| named(run, scenario, "floor, also a session in the token"),
            )
        } else {
            ("× the floor, also a record", |run, scenario| {
                named(run, scenario, "floor, also a record")
            })
        };
        let against: [(&str, Against); 4] = [
            ("× the floor", |run, scenario| named(run, scenario, FLOOR)),
            (words, contract),
            (
                "× the fastest signed alternative that keeps sessions in a store",
                fastest_store,
            ),
            ("× the fastest signed alternative", fastest),
        ];
        for (words, other) in against {
            let cell = |scenario| {
                let net = run.row(subject, scenario)?.net.median;
                Some(format!("{:.2}", net / other(run, scenario)?))
            };
            let cells = Scenario::ALL.map(|s| cell(s).unwrap_or_default());
            text += &format!("| {subject} {words} | {} |\n", cells.join(" | "));
        }
    }
    text
}

fn named(run: &Run, scenario: Scenario, subject: &str) -> Option<f64> {
    Some(run.row(subject, scenario)?.net.median)
}

fn fastest(run: &Run, scenario: Scenario) -> Option<f64> {
    least(run, scenario, |keeps| {
        matches!(keeps, Keeps::InSignedCookie | Keeps::BehindSignedCookie)
    })
}

fn fastest_store(run: &Run, scenario: Scenario) -> Option<f64> {
    least(run, scenario, |keeps| keeps == Keeps::BehindSignedCookie)
}

fn least(run: &Run, scenario: Scenario, wanted: fn(Keeps) -> bool) -> Option<f64> {
    let other = |r: &&Row| !r.subject.starts_with(OURS) && !r.subject.starts_with(FLOOR);
    let rows = run
        .rows
        .iter()
        .filter(|r| r.scenario == scenario && wanted(r.keeps))
        .filter(other);
    rows.map(|r| r.net.median).min_by(f64::total_cmp)
}

/// A row for each subject, a column for each scenario.
fn table(run: &Run, cell: impl Fn(&str, Scenario) -> Option<String>) -> String {
    let heads = Scenario::ALL
        .map(|s| format!("{s:?} {}", s.title()))
        .join(" | ");
    let mut text = format!(
        "| | {heads} |\n|---|{}\n",
        "---:|".repeat(Scenario::ALL.len())
    );
    for subject in run.subjects() {
        let cells = Scenario::ALL
            .map(|s| cell(subject, s).unwrap_or_default())
            .join(" | ");
        text += &format!("| {} | {cells} |\n", title(run, subject));
    }
    text
}

fn tenths(number: f64) -> String {
    let text = format!("{number:.1}");
    text.strip_suffix(".0")
        .map_or_else(|| text.clone(), str::to_owned)
}

/// Puts `text` into `page` between `<!-- NAME -->` and `<!-- /NAME -->`.
///
/// # Panics
///
/// When the page has no such place.
#[must_use]
pub fn put(page: &str, name: &str, text: &str) -> String {
    let (open, close) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let parts = page.split_once(&open).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&close)?;
        Some((before, after))
    });
    let (before, after) = parts.unwrap_or_else(|| panic!("no place for {name} in the page"));
    format!("{before}{open}\n\n{text}\n{close}{after}")
}

#[cfg(test)]
mod tests {
    use super::put;

    #[test]
    fn a_text_takes_its_place_and_nothing_else() {
        let page = "a <!-- x -->old<!-- /x --> b";
        let once = put(page, "x", "new\n");
        assert_eq!(once, "a <!-- x -->\n\nnew\n\n<!-- /x --> b");
        assert_eq!(put(&once, "x", "new\n"), once);
    }
}
