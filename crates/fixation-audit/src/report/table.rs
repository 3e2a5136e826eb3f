//! The table for people.

use std::fmt::Write as _;

use super::super::{Check, Severity};
use super::{Finding, Outcome, Report, counts};

const WIDTH: usize = 100;

pub(super) fn write(report: &Report, colour: bool) -> String {
    let mut out = String::new();
    let paint = |code: &str, text: &str| {
        if colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    };
    let session = if report.session.is_empty() {
        "unknown".to_owned()
    } else {
        report.session.join(", ")
    };
    let _ = writeln!(out, "{} {}", paint("1", "fixation audit of"), report.target);
    let _ = writeln!(out, "the session rides on {session}");
    for note in &report.notes {
        let _ = writeln!(out, "{note}");
    }
    if let Some(framework) = report.framework {
        let _ = writeln!(out, "it looks like {framework}");
    }
    let _ = writeln!(out);
    for verdict in &report.verdicts {
        let (mark, code, note) = match &verdict.outcome {
            Outcome::Found(finding) => (
                finding.severity.name().to_uppercase(),
                shade(finding.severity),
                "",
            ),
            Outcome::Accepted(_, reason) => ("accepted".to_owned(), "36", &**reason),
            Outcome::Passed => ("ok".to_owned(), "32", ""),
            Outcome::NotJudged(reason) => ("-".to_owned(), "2", &**reason),
        };
        let mark = paint(code, &format!("{mark:<9}"));
        let id = if note.is_empty() {
            verdict.check.id.to_owned()
        } else {
            format!("{:<30}", verdict.check.id)
        };
        let _ = writeln!(out, "  {mark} {id} {}", paint("2", note));
    }
    let _ = writeln!(out);
    for (check, finding) in report.findings() {
        let id = paint(shade(finding.severity), check.id);
        finding_lines(&mut out, check, finding, &id, &report.repair(check));
    }
    if let Some(why) = &report.stopped {
        let _ = writeln!(out, "{} {why}\n", paint("1;31", "not complete:"));
    }
    let [found, accepted, passed, not_judged] = counts(report);
    let _ = writeln!(
        out,
        "{found} found, {accepted} accepted, {passed} passed, {not_judged} not judged; {} requests in {:.1} s",
        report.requests,
        report.took.as_secs_f64()
    );
    // No trailing blanks: a table is often kept as a file.
    out.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
        + "\n"
}

const fn shade(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "33",
        Severity::Medium => "1;33",
        Severity::High => "31",
        Severity::Critical => "1;31",
    }
}

fn finding_lines(out: &mut String, check: &Check, finding: &Finding, id: &str, repair: &str) {
    let Check {
        title,
        cwe,
        asvs,
        wstg,
        ..
    } = check;
    let severity = finding.severity;
    let _ = writeln!(out, "{id}: {title}");
    let _ = writeln!(
        out,
        "  {severity}, {}; CWE-{cwe}, ASVS 5.0 {asvs}, WSTG {wstg}",
        finding.certainty()
    );
    let mut line = |label: &str, text: &str| {
        let _ = writeln!(out, "  {label:<7} {}", wrapped(text));
    };
    let mut told = "";
    for pair in &finding.evidence {
        // What was done is said once where several things came of it.
        if pair.sent != told {
            line("sent", &pair.sent);
            told = &pair.sent;
        }
        line("seen", &pair.seen);
        if let Some(last) = pair.exchanges.last() {
            line("", &format!("{} → {}", last.request, last.answer));
        }
    }
    line("repair", repair);
    let _ = writeln!(out);
}

/// Breaks at blanks, and sets further lines in under the first.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty()
            && lines[last].chars().count() + word.chars().count() + 10 > WIDTH
        {
            lines.push(word.to_owned());
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines.join("\n          ")
}
