//! The pages' pictures and tables, drawn from the reports.

mod more;
mod svg;
mod table;

pub use more::{parts, scaling, wire};
pub use svg::draw;
pub use table::{allocations, machine, put, ratios, times};

use crate::report::Run;

/// How the subjects of this crate begin their names.
pub const OURS: &str = "tower-session-guard";
/// The subject that others are compared with.
pub const FLOOR: &str = "floor";
/// The subject that everything is net of.
pub const BARE: &str = "bare stack";

/// A subject's name with its package's version.
#[must_use]
pub fn title(run: &Run, subject: &str) -> String {
    let version = run
        .rows
        .iter()
        .find(|r| r.subject == subject)
        .and_then(|r| r.version.clone());
    match (version, subject.split_once([',', ' '])) {
        (None, _) => subject.to_owned(),
        (Some(version), None) => format!("{subject} {version}"),
        (Some(version), Some((package, rest))) => {
            format!("{package} {version}, {}", rest.trim_start())
        }
    }
}

/// A number with a comma at the thousands.
#[must_use]
pub fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number <= -0.5 {
        format!("−{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        let shown: Vec<_> = [0.4, 999.0, 1000.0, 47_671.4, -1234.0].map(grouped).into();
        assert_eq!(shown, ["0", "999", "1,000", "47,671", "−1,234"]);
    }
}
