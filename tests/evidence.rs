//! The evidence that is claimed is there.

use std::{collections::BTreeSet, fs, path::Path};

/// The folders that hold tests: the library's own, and those of the other crates of this repository.
const WITH_TESTS: &[&str] = &["src", "tests", "crates", "tools", "examples"];

fn tests_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("fn ").skip(1).map(|rest| {
                rest.chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect()
            });
            found.extend(names);
        }
    }
}

#[test]
fn every_test_that_the_evidence_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeSet::new();
    for folder in WITH_TESTS {
        tests_in(&root.join(folder), &mut found);
    }
    let text = fs::read_to_string(root.join("docs/evidence.md")).unwrap();
    let claims = text.split("## Claims").nth(1).unwrap();
    let claims = claims.split("\n## ").next().unwrap();
    let named: Vec<_> = claims.split('`').skip(1).step_by(2).collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(found.contains(name), "{name} is claimed and does not exist");
    }
}

/// SECURITY.md: every claim has its evidence, and every test is in the file that its link names.
#[test]
fn every_claim_of_the_threat_model_leads_to_its_evidence() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let defended = text.split("## What is defended").nth(1).unwrap();
    let defended = defended.split("\n## ").next().unwrap();
    let rows = defended.lines().filter(|line| line.starts_with("| "));
    let claims: Vec<_> = rows.skip(1).collect();
    assert!(claims.len() > 25, "{claims:?}");
    for claim in claims {
        assert!(claim.contains("]("), "without evidence: {claim}");
    }
    for link in text.split('[').skip(1) {
        let Some((name, rest)) = link.split_once("](") else {
            continue;
        };
        let path = rest.split(')').next().unwrap();
        if let Some(section) = path.strip_prefix('#') {
            let mut headings = text.lines().filter(|line| line.starts_with('#'));
            let is_meant = |heading: &str| anchor(heading) == section;
            assert!(headings.any(is_meant), "no section is called {section}");
            continue;
        }
        let file = fs::read_to_string(root.join(path));
        let file = file.unwrap_or_else(|error| panic!("{path}: {error}"));
        if let Some(test) = name.strip_prefix('`') {
            let test = format!("fn {}(", test.trim_end_matches('`'));
            assert!(file.contains(&test), "{path} has no {test}");
        }
    }
}

/// What a link to this heading of the same page says after the `#`.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
