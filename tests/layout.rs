//! Which part of the crate may import which: the arrows of ARCHITECTURE.md.

use std::{fs, path::Path};

/// From, and what it may name of the crate besides itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("equal", &[]),
    ("key", &["error", "equal"]),
    ("session", &["error", "equal"]),
    ("cookie", &["error", "key", "session"]),
    ("store", &["error", "session"]),
    (
        "middleware",
        &["error", "equal", "key", "session", "cookie", "store"],
    ),
    ("guard", &["error", "session"]),
    ("extract", &["session", "guard"]),
    ("testing", &["error", "key", "session", "cookie", "store"]),
    ("bench", &["key", "session", "cookie"]),
    ("fuzzing", &["key", "session", "cookie"]),
    (
        "simulation",
        &["error", "key", "session", "cookie", "store", "middleware"],
    ),
];

/// Words that have no place on the ground floor: protocols, runtimes, clocks and random sources.
const NOT_ON_FLOOR_1: &[&str] = &[
    "http::",
    "tower::",
    "tower_",
    "tokio",
    "SystemTime::now",
    "Instant::now",
    "rand::",
    "getrandom",
];

fn sources(at: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("tests.rs")
        {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            found.push((name, code(&fs::read_to_string(&path).unwrap())));
        }
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

/// The lines that are neither comments nor in a trailing test module.
fn code(text: &str) -> String {
    let before_tests = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = before_tests.lines();
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The parts that the code names as `crate::part` or within `use crate::{…}`.
fn named(code: &str) -> Vec<String> {
    let mut parts = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let (mut depth, mut word) = (0, String::new());
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => word.clear(),
                    c if depth == 0 && (c.is_alphanumeric() || c == '_') => word.push(c),
                    ':' if depth == 0 && !word.is_empty() => {
                        parts.push(std::mem::take(&mut word));
                    }
                    _ => {}
                }
            }
        } else {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            parts.push(rest.chars().take_while(|c| word(*c)).collect());
        }
    }
    parts
}

#[test]
fn nothing_imports_from_a_floor_above() {
    let mut files = Vec::new();
    sources(root(), &mut files);
    assert!(files.len() > 30);
    for (name, code) in files {
        let part = name.split(['/', '.']).next().unwrap();
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == part) else {
            assert!(
                ["lib", "misuse"].contains(&part),
                "{name}: a new room needs its arrows"
            );
            continue;
        };
        for used in named(&code) {
            let known = ARROWS.iter().any(|(to, _)| *to == used);
            assert!(
                !known || used == part || allowed.contains(&&*used),
                "{name} imports from {used}"
            );
        }
    }
}

#[test]
fn the_ground_floor_knows_no_protocol_runtime_clock_or_chance() {
    let mut files = Vec::new();
    sources(&root().join("session"), &mut files);
    sources(&root().join("key"), &mut files);
    for (name, code) in files {
        for word in NOT_ON_FLOOR_1 {
            // Keys come from somewhere: `KeyRing::generate` asks the operating system.
            let may = name == "key/source.rs" && *word == "rand::";
            assert!(may || !code.contains(word), "{name} names {word}");
        }
    }
}

#[test]
fn one_file_reads_the_systems_clock() {
    let mut files = Vec::new();
    sources(root(), &mut files);
    for (name, code) in files {
        let may = name == "middleware/clock.rs" || name.starts_with("testing");
        assert!(may || !code.contains("SystemTime::now"), "{name}");
    }
}
