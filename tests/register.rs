//! Every id that code, tests and documents cite has a row in the register, and the page that traces
//! each row to its tests is up to date.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

const REGISTER: &str = "docs/requirements.md";
const TRACES: &str = "docs/traceability.md";

/// What the trace pages say above their table.
const PREFACE: &str = "\
# Traceability

Which tests cite which row of [the register](requirements.md).
A test cites a row when its documentation, a comment inside it, or the head of its file names the row's id.
`tests/register.rs` generates this page: `UPDATE_REGISTER=1 cargo test --test register`.

";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of the repository that may cite an id.
fn files(at: &Path, found: &mut Vec<PathBuf>) {
    let skipped = ["target", "corpus", "results", "vectors", "node_modules"];
    for entry in fs::read_dir(at).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !skipped.contains(&&*name) {
                files(&path, found);
            }
        } else if [".rs", ".md", ".py"].iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
}

/// The ids in a text: `R`, `A`, `D` or `S`, two digits and perhaps a letter, as a word.
///
/// A range such as `R01–R05` names each id in it.
fn ids(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut range = false;
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest = text;
    while let Some(start) = rest.find(word) {
        let between = &rest[..start];
        let end = rest[start..]
            .find(|c| !word(c))
            .unwrap_or(rest.len() - start);
        let token = &rest[start..start + end];
        rest = &rest[start + end..];
        let is_range = range && between == "–";
        range = is_id(token);
        if !range {
            continue;
        }
        if let Some(first) = found.last().filter(|_| is_range)
            && first[..1] == token[..1]
            && let (Ok(from), Ok(to)) = (first[1..3].parse::<u8>(), token[1..3].parse::<u8>())
        {
            let kind = &token[..1];
            let inner: Vec<_> = (from + 1..to).map(|n| format!("{kind}{n:02}")).collect();
            found.extend(inner);
        }
        found.push(token.to_owned());
    }
    found
}

fn is_id(token: &str) -> bool {
    let bytes = token.as_bytes();
    let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    matches!(bytes, [b'R' | b'A' | b'D' | b'S', a, b] if digits(&[*a, *b]))
        || matches!(bytes, [b'R' | b'A' | b'D' | b'S', a, b, b'a'..=b'z'] if digits(&[*a, *b]))
}

/// The rows of the register: id and what it promises, in its order.
fn rows() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join(REGISTER)).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split_once(" | "))
        .filter(|(id, _)| is_id(id))
        .map(|(id, rest)| {
            let promise = rest.split(" | ").next().unwrap();
            (id.to_owned(), promise.trim_end_matches(" |").to_owned())
        })
        .collect()
}

/// Ids in the range syntax name rows that need not exist, such as `R19` between two sections.
fn cited_alone(text: &str) -> BTreeSet<String> {
    let mut alone = BTreeSet::new();
    let word = |c: char| !(c.is_alphanumeric() || c == '_');
    alone.extend(
        text.split(word)
            .filter(|token| is_id(token))
            .map(str::to_owned),
    );
    alone
}

/// Which functions of a source file cite an id: in their documentation, or within.
fn citations(path: &str, text: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let mut cite = |id: String, test: String| {
        found.entry(id).or_default().insert(test);
    };
    let (mut waiting, mut current) = (Vec::new(), None::<String>);
    let file = format!("all of `{path}`");
    for line in text.lines() {
        let code = line.trim_start();
        if let Some(head) = code.strip_prefix("//!") {
            for id in ids(head) {
                cite(id, file.clone());
            }
        } else if code.starts_with("//") {
            waiting.extend(ids(code));
        } else if let Some(name) = function(code) {
            for id in waiting.drain(..) {
                cite(id, format!("`{name}`"));
            }
            current = Some(name);
        } else {
            let of = current
                .as_ref()
                .map_or(file.clone(), |name| format!("`{name}`"));
            for id in ids(code) {
                cite(id, of.clone());
            }
            if !code.is_empty() && !code.starts_with('#') {
                for id in waiting.drain(..) {
                    cite(id, of.clone());
                }
            }
        }
    }
}

/// The name of the function that begins on this line.
fn function(code: &str) -> Option<String> {
    let heads = [
        "fn ",
        "pub fn ",
        "async fn ",
        "pub async fn ",
        "pub(crate) fn ",
        "pub(super) fn ",
    ];
    let rest = heads.iter().find_map(|head| code.strip_prefix(head))?;
    let name = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_');
    Some(name.collect())
}

/// Whether a file holds tests: a suite, a test module, or a suite that is published.
fn is_test(path: &str, text: &str) -> bool {
    let names = [
        "tests/",
        "tests.rs",
        "/testing/",
        "simulation/",
        "fuzzing/",
        "src/proof/",
        "misuse.rs",
    ];
    names.iter().any(|name| path.contains(name)) || text.contains("#[cfg(test)]")
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn every_id_that_is_cited_has_one_row_in_the_register() {
    let mut known = BTreeSet::new();
    for (id, promise) in rows() {
        assert!(
            promise.len() > 10 || is_id(&promise),
            "{id} promises nothing: {promise}"
        );
        assert!(known.insert(id.clone()), "{id} has two rows");
    }
    assert!(known.len() > 150, "{}", known.len());
    let mut paths = Vec::new();
    files(root(), &mut paths);
    let own = [Path::new("tests/register.rs"), Path::new(TRACES)];
    let mut missing = Vec::new();
    for path in paths
        .iter()
        .filter(|path| !own.iter().any(|own| path.ends_with(own)))
    {
        let text = fs::read_to_string(path).unwrap();
        for id in cited_alone(&text).difference(&known) {
            missing.push(format!("{} cites {id}", relative(path)));
        }
    }
    assert!(
        missing.is_empty(),
        "without a row in {REGISTER}: {missing:#?}"
    );
}

#[test]
fn the_traceability_page_is_up_to_date() {
    let mut paths = Vec::new();
    files(root(), &mut paths);
    paths.sort();
    let mut found = BTreeMap::new();
    for path in paths {
        let name = relative(&path);
        let text = fs::read_to_string(&path).unwrap();
        if name.ends_with(".rs") && name != "tests/register.rs" && is_test(&name, &text) {
            citations(&name, &text, &mut found);
        }
    }
    let mut page = String::from(PREFACE);
    page.push_str("| id | promise | tests |\n|---|---|---|\n");
    let (mut without, mut held) = (Vec::new(), 0);
    for (id, promise) in rows() {
        match found.get(&id) {
            None => without.push(id),
            Some(tests) => {
                held += 1;
                let tests: Vec<_> = tests.iter().map(String::as_str).collect();
                page.push_str(&format!("| {id} | {promise} | {} |\n", tests.join(", ")));
            }
        }
    }
    page.push_str("\n## Rows that no test cites\n\n");
    page.push_str(&without.join(", "));
    page.push('\n');
    assert!(held > 80, "only {held} rows are cited");
    let path = root().join(TRACES);
    if std::env::var_os("UPDATE_REGISTER").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "{TRACES} is out of date: UPDATE_REGISTER=1 cargo test --test register"
    );
}

#[test]
fn ids_are_found_as_words_and_in_ranges() {
    assert_eq!(ids("R01, (A08b) and S3; xR02 R033 R04_"), ["R01", "A08b"]);
    assert_eq!(ids("R40–R43."), ["R40", "R41", "R42", "R43"]);
    assert_eq!(ids("R40, R43"), ["R40", "R43"]);
}
