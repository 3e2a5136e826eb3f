//! JUnit XML, as CI services take it.

use std::fmt::Write as _;

use super::{Outcome, Report};

pub(super) fn write(report: &Report) -> String {
    let mut cases = String::new();
    let (mut failures, mut skipped) = (0, 0);
    let target = escape(&report.name);
    for verdict in &report.verdicts {
        let check = verdict.check;
        let inner = match &verdict.outcome {
            Outcome::Passed => String::new(),
            Outcome::NotJudged(reason) => {
                skipped += 1;
                format!("<skipped message=\"{}\"/>", escape(reason))
            }
            Outcome::Accepted(finding, reason) => {
                let text = format!("accepted: {reason}. {}", finding.text(check, report));
                format!("<system-out>{}</system-out>", escape(&text))
            }
            Outcome::Found(finding) => {
                let (severity, text) = (finding.severity, escape(&finding.text(check, report)));
                if finding.severity < report.fail_on {
                    format!("<system-out>{severity}: {text}</system-out>")
                } else {
                    failures += 1;
                    let title = escape(check.title);
                    format!("<failure type=\"{severity}\" message=\"{title}\">{text}</failure>")
                }
            }
        };
        let id = check.id;
        let _ = writeln!(
            cases,
            "    <testcase classname=\"{target}\" name=\"{id}\">{inner}</testcase>"
        );
    }
    let (tests, time) = (report.verdicts.len(), report.took.as_secs_f64());
    let errors = usize::from(!report.is_complete());
    if let Some(why) = &report.stopped {
        let why = escape(why);
        let _ = writeln!(
            cases,
            "    <testcase classname=\"{target}\" name=\"complete\"><error message=\"{why}\"/></testcase>"
        );
    }
    let tests = tests + errors;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"fixation-audit\" tests=\"{tests}\" \
         failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{time:.3}\">\n{cases}  </testsuite>\n</testsuites>\n"
    )
}

/// XML text: the five entities, and nothing that XML 1.0 cannot hold.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' => out.push(' '),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(
            super::escape("<a b='\u{1}'>&\"\n"),
            "&lt;a b=&apos;\u{fffd}&apos;&gt;&amp;&quot; "
        );
    }
}
