//! Which part of the crate may import which: the arrows of ARCHITECTURE.md, and no circles among files.

#[path = "layout/circles.rs"]
mod circles;
#[path = "layout/features.rs"]
mod features;
#[path = "layout/imports.rs"]
mod imports;

use std::{fs, path::Path};

use self::{circles::circles, features::switches, imports::Sources};

/// From, and what it may name of the crate besides itself.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("equal", &[]),
    ("mistake", &[]),
    ("original_uri", &[]),
    ("key", &["error", "equal"]),
    ("session", &["error", "equal"]),
    ("cookie", &["error", "key", "session"]),
    ("device", &["error", "key", "session", "cookie"]),
    ("store", &["error", "session"]),
    (
        "middleware",
        &[
            "error",
            "equal",
            "mistake",
            "original_uri",
            "key",
            "session",
            "cookie",
            "device",
            "store",
        ],
    ),
    ("guard", &["error", "mistake", "original_uri", "session"]),
    ("extract", &["mistake", "session", "middleware", "guard"]),
    ("sweep", &["error", "session", "store", "middleware"]),
    (
        "testing",
        &["error", "key", "session", "cookie", "store", "middleware"],
    ),
    ("guide", &[]),
    ("bench", &["key", "session", "cookie"]),
    (
        "fuzzing",
        &["key", "session", "cookie", "device", "store", "middleware"],
    ),
    (
        "simulation",
        &[
            "error",
            "key",
            "session",
            "cookie",
            "device",
            "store",
            "middleware",
        ],
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
    texts(at, found);
    found.retain(|(name, _)| !Path::new(name).ends_with("tests.rs"));
    for (_, text) in found {
        *text = code(text);
    }
}

/// Every source file below a folder, by its path below `src`.
fn texts(at: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            found.push((name, fs::read_to_string(&path).unwrap()));
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

/// The circles among these files, in words.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    circles(&Sources::parse(files.iter().copied()).imports())
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut files = Vec::new();
    texts(root(), &mut files);
    assert!(files.len() > 100);
    let files: Vec<_> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let found = circles_of(&files);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_circle_is_found_however_it_is_written() {
    let expected = ["a circle of imports:\n  \
        a.rs imports crate::room::B from room/b.rs\n  \
        room/b.rs imports super::super::a::A from a.rs"];
    let a = "use crate::room::B; pub struct A(B);";
    let b = "use super::super::a::A; pub struct B(Box<A>);";
    let room = ("room/mod.rs", "mod b; pub(crate) use self::b::B;");
    assert_eq!(circles_of(&[("a.rs", a), room, ("room/b.rs", b)]), expected);

    // A path in the code instead of a `use`, a module by its name, a macro, an inner module.
    for (b, path) in [
        ("pub struct B(Box<crate::a::A>);", "crate::a::A"),
        ("use crate::a; pub struct B(Box<a::A>);", "a::A"),
        (
            "pub fn b() { vec![crate::a::A::new()]; }",
            "crate::a::A::new",
        ),
        ("any! { b => $crate::a::A }", "crate::a::A"),
        (
            "mod inner { use super::super::super::a::A; }",
            "super::super::super::a::A",
        ),
        ("pub use crate::a::A; pub fn b() -> A {}", "A"),
        ("use crate::a::*;", "crate::a::*"),
    ] {
        let found = circles_of(&[("a.rs", a), room, ("room/b.rs", b)]);
        let last = format!("\n  room/b.rs imports {path} from a.rs");
        assert!(
            found.len() == 1 && found[0].ends_with(&last),
            "{b}: {found:?}"
        );
    }
}

#[test]
fn the_shortest_circle_of_each_knot_is_told() {
    let found = circles_of(&[
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::{a::A, d::D};"),
        ("d.rs", "use crate::c::C;"),
        ("e.rs", "use crate::{a::A, f::F};"),
        ("f.rs", "use crate::e::E;"),
    ]);
    assert_eq!(
        found,
        [
            "a circle of imports:\n  \
             c.rs imports crate::d::D from d.rs\n  d.rs imports crate::c::C from c.rs",
            "a circle of imports:\n  \
             e.rs imports crate::f::F from f.rs\n  f.rs imports crate::e::E from e.rs",
        ]
    );
}

#[test]
fn what_is_no_circle_is_not_taken_for_one() {
    let found = circles_of(&[
        (
            "lib.rs",
            "mod a; mod room; pub use self::a::A; pub use self::room::B;",
        ),
        // The root only passes on what `a` names through it.
        ("a.rs", "use crate::B; pub struct A(B);"),
        // The folder's own file has a type for its children, and passes theirs on.
        (
            "room/mod.rs",
            "mod b; mod c; pub(crate) use self::{b::B, c::C}; pub(crate) struct Key;",
        ),
        ("room/b.rs", "use super::{C, Key}; pub struct B(C, Key);"),
        (
            "room/c.rs",
            "//! Not [`B`](crate::room::B).\n\
             use super::Key; pub(in crate::room) struct C(Key);\n\
             const TEXT: &str = \"crate::room::B\";\n\
             #[cfg(test)] mod tests { use crate::room::B; }",
        ),
    ]);
    assert!(found.is_empty(), "{found:?}");
}

/// A feature adds whole items only, so the code that exists without it does the same with it.
#[test]
fn a_feature_adds_and_changes_nothing() {
    let mut files = Vec::new();
    texts(root(), &mut files);
    for (name, text) in files {
        // A mistake is said in the answer's body where its type is known; in debug builds only.
        // A router that keeps the path which the browser asked for is axum's.
        let known = ["mistake.rs", "original_uri.rs"];
        let known = usize::from(known.contains(&&*name));
        let found = switches(&text);
        assert_eq!(found.len(), known, "{name}: {found:?}");
    }
    let with = "#[cfg(feature = \"a\")] ";
    for text in [
        format!("{with} mod a; {with} fn f() {{}}"),
        format!("impl A {{ {with} fn f() {{}} }}"),
        format!("mod a {{ {with} use b::C; }}"),
        "fn f() { cfg!(debug_assertions); }".to_owned(),
        "#![cfg_attr(docsrs, feature(doc_cfg))]".to_owned(),
    ] {
        assert!(switches(&text).is_empty(), "{text}");
    }
    for text in [
        "#[cfg(not(feature = \"a\"))] mod a;".to_owned(),
        "fn f() -> bool { cfg!(feature = \"a\") }".to_owned(),
        format!("fn f() {{ {with} g(); }}"),
        format!("struct S {{ {with} field: u8 }}"),
        format!("fn f() {{ match x {{ {with} A => 1, _ => 2 }} }}"),
        "#[cfg_attr(not(feature = \"a\"), derive(Clone))] struct S;".to_owned(),
    ] {
        assert_eq!(switches(&text).len(), 1, "{text}");
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
