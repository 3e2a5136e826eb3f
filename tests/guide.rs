//! The guide's chapters are found, lead somewhere, and name what there is.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The chapters, by the names of their files.
fn chapters() -> Vec<(String, String)> {
    let pages = files_in(&root().join("docs/guide"), "md").into_iter();
    let pages = pages.map(|page| (page.file_name().unwrap().to_str().unwrap().to_owned(), page));
    let chapters = pages.filter(|(name, _)| name != "README.md");
    let chapters: Vec<_> = chapters
        .map(|(name, page)| (name, fs::read_to_string(page).unwrap()))
        .collect();
    assert!(chapters.len() > 10, "{chapters:?}");
    chapters
}

fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_in(&path, extension));
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
    found
}

/// What a page's link definitions are called, and where they lead.
fn definitions(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = page.lines().filter_map(|line| line.strip_prefix('['));
    lines.filter_map(|line| line.split_once("]: "))
}

#[test]
fn every_chapter_is_in_the_contents_and_in_the_documentation() {
    let (contents, module) = (read("docs/guide/README.md"), read("src/guide/mod.rs"));
    for (name, _) in chapters() {
        assert!(
            contents.contains(&format!("]({name})")),
            "{name} is not in the contents"
        );
        assert!(
            module.contains(&format!("docs/guide/{name}\"")),
            "{name} is not in the module"
        );
    }
}

/// rustdoc checks the links of `links.md`, which come first there; here are those that readers of the repository follow.
#[test]
fn every_link_of_a_chapter_leads_somewhere() {
    let checked = read("src/guide/links.md");
    let checked: BTreeSet<_> = definitions(&checked).map(|(label, _)| label).collect();
    for (name, page) in chapters() {
        for (label, target) in definitions(&page) {
            assert!(checked.contains(label), "{name}: links.md has no [{label}]");
            if !target.starts_with("https://") {
                let file = target.split('#').next().unwrap();
                let path = root().join("docs/guide").join(file);
                assert!(path.exists(), "{name}: {target} is not there");
            }
        }
    }
}

/// An event, a method or a feature that is renamed is renamed in the guide.
#[test]
fn what_the_guide_names_is_in_the_sources() {
    let folders = ["src", "crates"].map(|folder| files_in(&root().join(folder), "rs"));
    let sources = folders.into_iter().flatten();
    let sources: String = sources
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let words = sources.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let words: BTreeSet<_> = words.collect();
    let mut named = 0;
    for (name, page) in chapters() {
        let prose: String = page.split("```").step_by(2).collect();
        for span in prose.split('`').skip(1).step_by(2) {
            let is_name = span.contains('_')
                && span
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if is_name && !NAMES_OF_OTHERS.contains(&span) {
                named += 1;
                assert!(words.contains(span), "{name} names `{span}`");
            }
        }
    }
    assert!(named > 100, "{named}");
}

/// Names of other libraries.
const NAMES_OF_OTHERS: &[&str] = &[
    "allow_headers",
    "axum_session_auth",
    "axum_session_redispool",
    "cookie_domain",
    "cookie_name",
    "cookie_path",
    "cookie_same_site",
    "cycle_id",
    "get_remove",
    "session_ttl",
    "set_longterm",
    "state_ttl",
    "take_until",
    "with_always_save",
    "with_cookie_domain",
    "with_cookie_path",
    "with_cookie_same_site",
    "with_data_key",
    "with_domain",
    "with_http_only",
    "with_lifetime",
    "with_max_lifetime",
    "with_name",
    "with_path",
    "with_private",
    "with_same_site",
    "with_session_name",
    "with_signed",
];

/// Snippets with other libraries cannot be compiled here: they are parts of an example.
#[test]
fn what_a_chapter_quotes_of_an_example_is_there() {
    let mut quoted = 0;
    for (name, page) in chapters() {
        for snippet in page.split("```rust,ignore\n// examples/").skip(1) {
            let (file, rest) = snippet.split_once('\n').unwrap();
            let code = rest.split_once("```").unwrap().0;
            quoted += 1;
            assert!(
                read(&format!("examples/{file}")).contains(code),
                "{name} quotes of {file} what is not there: {code}"
            );
        }
    }
    assert!(quoted > 3, "{quoted}");
}

/// README is the front page of the documentation and of the registry too, so its links are whole.
#[test]
fn every_link_of_the_readme_leads_somewhere() {
    const REPOSITORY: &str = "https://github.com/tower-session-guard/tower-session-guard/";
    let readme = read("README.md");
    let targets = readme.split("](").skip(1);
    let targets: Vec<_> = targets.filter_map(|rest| rest.split(')').next()).collect();
    assert!(targets.len() > 20, "{targets:?}");
    for target in targets {
        let path = target.split('#').next().unwrap_or_default();
        match path.strip_prefix(REPOSITORY) {
            Some(path) => {
                let path = path.trim_start_matches("blob/main/");
                let path = path.trim_start_matches("tree/main/");
                assert!(root().join(path).exists(), "{target}");
            }
            None => assert!(path.is_empty() || path.starts_with("https://"), "{target}"),
        }
    }
}
