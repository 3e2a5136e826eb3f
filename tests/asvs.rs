//! The table of docs/asvs.md: no requirement is missing, and every test that it names is there.

use std::{collections::BTreeMap, fs, path::Path};

/// The requirements of ASVS 5.0 in V7, V3.3 and V4.4, and their levels.
const REQUIREMENTS: &[(&str, u8)] = &[
    ("3.3.1", 1),
    ("3.3.2", 2),
    ("3.3.3", 2),
    ("3.3.4", 2),
    ("3.3.5", 3),
    ("4.4.1", 1),
    ("4.4.2", 2),
    ("4.4.3", 2),
    ("4.4.4", 2),
    ("7.1.1", 2),
    ("7.1.2", 2),
    ("7.1.3", 2),
    ("7.2.1", 1),
    ("7.2.2", 1),
    ("7.2.3", 1),
    ("7.2.4", 1),
    ("7.3.1", 2),
    ("7.3.2", 2),
    ("7.4.1", 1),
    ("7.4.2", 1),
    ("7.4.3", 2),
    ("7.4.4", 2),
    ("7.4.5", 2),
    ("7.5.1", 2),
    ("7.5.2", 2),
    ("7.5.3", 3),
    ("7.6.1", 2),
    ("7.6.2", 2),
];

const COLUMNS: usize = 6;

fn docs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/docs"))
}

/// Requirement to the row's other columns.
fn rows() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(docs().join("asvs.md")).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let Some(row) = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"))
        else {
            continue;
        };
        let columns: Vec<_> = row
            .split(" |")
            .map(|column| column.trim().to_owned())
            .collect();
        if columns[0].starts_with(|first: char| first.is_ascii_digit()) {
            assert_eq!(columns.len(), COLUMNS, "{line}");
            let known = rows.insert(columns[0].clone(), columns[1..].to_vec());
            assert_eq!(known, None, "twice: {}", columns[0]);
        }
    }
    rows
}

#[test]
fn every_requirement_has_its_row() {
    let stated: Vec<_> = rows().into_keys().collect();
    let expected: Vec<_> = REQUIREMENTS
        .iter()
        .map(|(number, level)| format!("{number} (L{level})"))
        .collect();
    assert_eq!(stated, expected);
}

#[test]
fn every_row_says_who_does_what_and_names_a_test() {
    for (requirement, columns) in rows() {
        assert!(!columns[0].is_empty(), "{requirement}");
        let who = columns[1..4].iter().filter(|column| !column.is_empty());
        assert!(who.count() > 0, "{requirement}");
        assert!(columns[4].contains("]("), "{requirement} names no test");
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let mut named = 0;
    for (requirement, columns) in rows() {
        for link in columns[4].split(", ") {
            let (name, file) = link
                .strip_prefix('[')
                .and_then(|link| link.strip_suffix(')')?.split_once("]("))
                .unwrap_or_else(|| panic!("{requirement}: {link}"));
            let source = fs::read_to_string(docs().join(file))
                .unwrap_or_else(|error| panic!("{requirement}: {file}: {error}"));
            assert!(
                is_test(&source, name),
                "{requirement}: no test {name} in {file}"
            );
            named += 1;
        }
    }
    assert!(named > REQUIREMENTS.len());
}

/// Whether `source` has a function of this name with a test attribute before it.
fn is_test(source: &str, name: &str) -> bool {
    let Some(at) = source.find(&format!("fn {name}()")) else {
        return false;
    };
    let before = source[..at].trim_end_matches("async ").trim_end();
    let attribute = before.lines().next_back().unwrap_or_default().trim();
    attribute.starts_with("#[test") || attribute.starts_with("#[tokio::test")
}

#[test]
fn a_name_that_is_no_test_is_noticed() {
    let source = "#[test]\nfn one() {}\n\nfn two() {}\n#[tokio::test]\nasync fn three() {}";
    let found = ["one", "two", "three", "four"].map(|name| is_test(source, name));
    assert_eq!(found, [true, false, true, false]);
}
