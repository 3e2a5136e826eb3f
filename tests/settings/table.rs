//! [`Table`]: what the chapter says, and how it writes times and numbers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The rows of each type, by the setting's name: what holds unless set, the range, what it sets.
pub(crate) struct Table(BTreeMap<String, BTreeMap<String, [String; 3]>>);

impl Table {
    pub(crate) fn of(chapter: &str) -> Self {
        let mut types: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        let mut of = String::new();
        for line in chapter.lines() {
            if let Some(name) = line.strip_prefix("### `") {
                of = name.trim_end_matches('`').to_owned();
                assert!(
                    types.insert(of.clone(), BTreeMap::new()).is_none(),
                    "{of} comes twice"
                );
            } else if let Some(row) = line.strip_prefix("| [`") {
                let cells: Vec<_> = row
                    .trim_end_matches(" |")
                    .split(" | ")
                    .map(str::trim)
                    .collect();
                let [first, unless, range, what] = cells[..] else {
                    panic!("not four cells: {line}");
                };
                let (setting, link) = first.split_once("`][").unwrap();
                assert_eq!(link, format!("{of}::{setting}]"), "{line}");
                let cells = [unless, range, what].map(str::to_owned);
                let rows = types.get_mut(&of).unwrap();
                assert!(rows.insert(setting.to_owned(), cells).is_none(), "{line}");
            }
        }
        Self(types)
    }

    pub(crate) fn types(&self) -> BTreeSet<String> {
        self.0.keys().cloned().collect()
    }

    pub(crate) fn settings(&self, of: &str) -> BTreeSet<String> {
        self.0[of].keys().cloned().collect()
    }

    pub(crate) fn unless_set(&self, of: &str, setting: &str) -> String {
        self.cell(of, setting, 0)
    }

    pub(crate) fn range(&self, of: &str, setting: &str) -> String {
        self.cell(of, setting, 1)
    }

    pub(crate) fn what(&self, of: &str, setting: &str) -> String {
        self.cell(of, setting, 2)
    }

    fn cell(&self, of: &str, setting: &str, column: usize) -> String {
        let row = self.0[of].get(setting);
        row.unwrap_or_else(|| panic!("no row {of}::{setting}"))[column].clone()
    }
}

/// The units, the largest first.
const UNITS: &[(&str, u64)] = &[
    ("day", 24 * 3_600_000),
    ("hour", 3_600_000),
    ("minute", 60_000),
    ("second", 1000),
    ("millisecond", 1),
];

/// A time as the chapter writes it, in the largest unit that it is a whole number of; one day is 24 hours.
pub(crate) fn time(time: Duration) -> String {
    let millis = time.as_millis() as u64;
    let fits = |(name, unit): &&(&str, u64)| {
        millis.is_multiple_of(*unit) && !(*name == "day" && millis == *unit)
    };
    let (name, unit) = UNITS.iter().find(fits).unwrap();
    let count = millis / unit;
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

/// The time that is written so.
pub(crate) fn duration(text: &str) -> Duration {
    if text == "0" {
        return Duration::ZERO;
    }
    let (count, name) = text.split_once(' ').unwrap();
    let unit = UNITS
        .iter()
        .find(|(unit, _)| name.trim_end_matches('s') == *unit);
    Duration::from_millis(count.parse::<u64>().unwrap() * unit.unwrap().1)
}

/// A number with commas.
pub(crate) fn number(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| str::from_utf8(group).unwrap())
        .collect();
    groups.join(",")
}

/// A number of bytes in MiB.
pub(crate) fn bytes(bytes: usize) -> String {
    assert!(bytes.is_multiple_of(1 << 20));
    format!("{} MiB", bytes >> 20)
}
