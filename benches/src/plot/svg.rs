//! The picture: one panel a scenario, one line a subject, time as a dot on a logarithmic scale.

use std::fmt::Write;

use crate::report::{Heap, Run};
use crate::scenario::Scenario;
use crate::stats::Spread;

use super::{BARE, FLOOR, OURS, grouped, title};

/// What the picture shows; S7 differs from S4 too little for a panel of its own.
const SHOWN: [Scenario; 6] = [
    Scenario::S1,
    Scenario::S2,
    Scenario::S3,
    Scenario::S4,
    Scenario::S5,
    Scenario::S6,
];

const WIDTH: f64 = 1130.0;
const NAMES: f64 = 286.0;
const PANEL: f64 = 396.0;
const GAP: f64 = 24.0;
const LINE: f64 = 20.0;
const HEAD: f64 = 62.0;
const PANEL_HEAD: f64 = 26.0;
const PANEL_FOOT: f64 = 40.0;
/// Room at a panel's right for the time and the allocations.
const FIGURES: f64 = 120.0;

const STYLE: &str = "
    .ground { fill: #ffffff } text { fill: #1f2328; font: 13px system-ui, sans-serif }
    .title { font-size: 17px; font-weight: 600 } .panel { font-weight: 600 }
    .quiet { fill: #59636e; font-size: 12px } .number { text-anchor: end }
    .grid { stroke: #d8dee4; stroke-width: 1 } .band { fill: #f3f6f9 }
    .other { fill: #6b7a8c; stroke: #6b7a8c } .floor { fill: #ffffff; stroke: #6b7a8c }
    .ours { fill: #0a66c2; stroke: #0a66c2 } text.ours { stroke: none; font-weight: 600 }
    .spread { stroke-width: 2; opacity: 0.55 } .dot { stroke-width: 1.5 }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9aa5b1 }
      .grid { stroke: #2d343d } .band { fill: #161b22 }
      .other { fill: #8b98a8; stroke: #8b98a8 } .floor { fill: #0d1117; stroke: #8b98a8 }
      .ours { fill: #6cb6ff; stroke: #6cb6ff } text.ours { fill: #6cb6ff }
    }";

/// A logarithmic scale from a panel's left edge.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// One that holds every time that is shown.
    fn of(run: &Run) -> Self {
        let shown = run
            .rows
            .iter()
            .filter(|r| r.subject != BARE && SHOWN.contains(&r.scenario));
        let (mut low, mut high) = (f64::MAX, 100.0_f64);
        for row in shown {
            low = low.min(row.net.median.max(10.0));
            high = high.max(row.net.p90);
        }
        Self {
            low: 10_f64.powf(low.log10().floor()),
            high: high * 1.15,
        }
    }

    fn x(&self, ns: f64) -> f64 {
        let share = (ns.clamp(self.low, self.high) / self.low).ln() / (self.high / self.low).ln();
        share * (PANEL - FIGURES)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let first = self.low.log10().round() as i32;
        (first..=self.high.log10().floor() as i32).map(|power| 10_f64.powi(power))
    }
}

/// The whole picture.
#[must_use]
pub fn draw(run: &Run, heap: &Heap) -> String {
    let subjects: Vec<_> = run.subjects().into_iter().filter(shown).collect();
    let tall = PANEL_HEAD + subjects.len() as f64 * LINE + PANEL_FOOT;
    let height = HEAD + tall * (SHOWN.len() / 2) as f64 + 8.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"Time and heap allocations a request of each session layer\">\n\
         <style>{STYLE}\n</style>\n\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    text(
        &mut out,
        16.0,
        26.0,
        "title",
        "What a session layer adds to a request",
    );
    let words = "Nanoseconds beyond the bare stack: median as a dot, 10th to 90th percentile as a \
                 line, logarithmic. Right: median, and heap allocations.";
    text(&mut out, 16.0, 46.0, "quiet", words);
    let scale = Scale::of(run);
    for (n, scenario) in SHOWN.into_iter().enumerate() {
        let (column, line) = ((n % 2) as f64, (n / 2) as f64);
        let x = NAMES + column * (PANEL + GAP);
        let y = HEAD + line * tall;
        if column == 0.0 {
            names(&mut out, run, &subjects, y + PANEL_HEAD);
        }
        panel(&mut out, (x, y), scenario, subjects.len(), &scale);
        for (n, subject) in subjects.iter().enumerate() {
            let y = y + PANEL_HEAD + (n as f64 + 0.5) * LINE;
            let Some(row) = run.row(subject, scenario) else {
                continue;
            };
            dot(&mut out, (x, y), row.net, class(subject), &scale);
            let calls = heap
                .row(subject, scenario)
                .map_or_else(String::new, |h| format!("{:.0}", h.allocations));
            let ours = if class(subject) == "ours" {
                " ours"
            } else {
                ""
            };
            let ns = grouped(row.net.median);
            text(
                &mut out,
                x + PANEL - 52.0,
                y + 4.5,
                &format!("number{ours}"),
                &ns,
            );
            text(
                &mut out,
                x + PANEL - 4.0,
                y + 4.5,
                &format!("number{ours}"),
                &calls,
            );
        }
    }
    out + "</svg>\n"
}

/// The steps between the floor and what this crate promises are for the tables.
fn shown(subject: &&str) -> bool {
    *subject != BARE && !subject.starts_with("floor, also")
}

fn class(subject: &str) -> &'static str {
    match subject {
        s if s.starts_with(OURS) => "ours",
        s if s.starts_with(FLOOR) => "floor",
        _ => "other",
    }
}

fn names(out: &mut String, run: &Run, subjects: &[&str], top: f64) {
    for (n, subject) in subjects.iter().enumerate() {
        let y = top + (n as f64 + 0.5) * LINE + 4.5;
        let class = if class(subject) == "ours" {
            "ours"
        } else {
            "name"
        };
        text(out, 16.0, y, class, &title(run, subject));
    }
}

fn panel(out: &mut String, (x, y): (f64, f64), scenario: Scenario, lines: usize, scale: &Scale) {
    let top = y + PANEL_HEAD;
    let bottom = top + lines as f64 * LINE;
    text(
        out,
        x,
        y + 17.0,
        "panel",
        &format!("{scenario:?}  {}", scenario.title()),
    );
    text(out, x + PANEL - 52.0, y + 17.0, "quiet number", "ns");
    text(out, x + PANEL - 4.0, y + 17.0, "quiet number", "allocs");
    for n in (0..lines).step_by(2) {
        let y = top + n as f64 * LINE;
        let _ = writeln!(
            out,
            "<rect class=\"band\" x=\"{x}\" y=\"{y}\" width=\"{PANEL}\" height=\"{LINE}\"/>"
        );
    }
    for ns in scale.ticks() {
        let at = x + scale.x(ns);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>"
        );
        let label = if ns < 1000.0 {
            format!("{ns} ns")
        } else {
            format!("{} µs", ns / 1000.0)
        };
        let _ = writeln!(
            out,
            "<text class=\"quiet\" text-anchor=\"middle\" x=\"{at:.1}\" y=\"{:.1}\">{label}</text>",
            bottom + 16.0
        );
    }
}

fn dot(out: &mut String, (x, y): (f64, f64), net: Spread, class: &str, scale: &Scale) {
    let (from, to, at) = (
        x + scale.x(net.p10),
        x + scale.x(net.p90),
        x + scale.x(net.median),
    );
    let _ = writeln!(
        out,
        "<line class=\"spread {class}\" x1=\"{from:.1}\" y1=\"{y}\" x2=\"{to:.1}\" y2=\"{y}\"/>\
         <circle class=\"dot {class}\" cx=\"{at:.1}\" cy=\"{y}\" r=\"4.5\"/>"
    );
}

fn text(out: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>"
    );
}
