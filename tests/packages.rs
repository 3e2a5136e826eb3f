//! What the registry and docs.rs are told of the published crates.

#[path = "packages/metadata.rs"]
mod metadata;

use std::{fs, path::Path, process::Command};

use self::metadata::{Package, packages, published};

/// The categories of the registry that crates of this workspace may be filed under.
const CATEGORIES: &[&str] = &[
    "authentication",
    "caching",
    "command-line-utilities",
    "database",
    "development-tools::testing",
    "web-programming",
    "web-programming::http-server",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The registry's rule: at most 20 characters of ASCII, a letter or digit first.
fn is_keyword(word: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || "-_+".contains(c);
    word.len() <= 20
        && word.starts_with(|c: char| c.is_ascii_alphanumeric())
        && word.chars().all(rest)
}

#[test]
fn the_library_and_what_is_in_crates_is_published_and_nothing_else() {
    for package in packages() {
        let folder = package.folder.strip_prefix(root()).unwrap().to_owned();
        let public = folder == Path::new("") || folder.starts_with("crates");
        assert_eq!(package.is_published(), public, "{}", package.name);
    }
    assert!(published().len() > 8);
}

#[test]
fn published_crates_have_one_version_and_one_licence() {
    for package in published() {
        let name = &package.name;
        assert_eq!(package.text("version"), env!("CARGO_PKG_VERSION"), "{name}");
        assert_eq!(package.text("license"), "MIT OR Apache-2.0", "{name}");
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let path = package.folder.join(licence);
            // A link is a file with a path in it where the system knows no links.
            assert!(!path.is_symlink(), "{name}: {licence}");
            assert_eq!(
                read(&path),
                read(&root().join(licence)),
                "{name}: {licence}"
            );
        }
    }
}

#[test]
fn published_crates_say_what_the_registry_shows() {
    for package in published() {
        let name = &package.name;
        let description = package.text("description");
        assert!(description.ends_with('.'), "{name}: {description}");
        assert_eq!(
            package.text("repository"),
            env!("CARGO_PKG_REPOSITORY"),
            "{name}"
        );
        assert_eq!(package.text("readme"), "README.md", "{name}");
        assert!(!package.text("rust_version").is_empty(), "{name}");
        let keywords = package.texts("keywords");
        assert!((1..=5).contains(&keywords.len()), "{name}: {keywords:?}");
        assert!(
            keywords.iter().all(|word| is_keyword(word)),
            "{name}: {keywords:?}"
        );
        let categories = package.texts("categories");
        assert!(
            (1..=5).contains(&categories.len()),
            "{name}: {categories:?}"
        );
        assert!(
            categories
                .iter()
                .all(|category| CATEGORIES.contains(category)),
            "{name}: {categories:?}"
        );
    }
}

#[test]
fn a_readme_begins_with_the_name_of_its_crate_and_changelogs_have_a_section() {
    for package in published() {
        let readme = read(&package.folder.join("README.md"));
        assert_eq!(readme.lines().next(), Some(&*format!("# {}", package.name)));
        let changelog = read(&package.folder.join("CHANGELOG.md"));
        assert!(changelog.starts_with("# Changelog\n"), "{}", package.name);
        assert!(
            changelog.contains("\n## [Unreleased]\n"),
            "{}",
            package.name
        );
    }
}

/// Without the attribute docs.rs shows no item's feature.
#[test]
fn docs_rs_shows_every_feature() {
    for package in published() {
        let name = &package.name;
        let settings = &package.json["metadata"]["docs"]["rs"];
        assert_eq!(settings["all-features"], true, "{name}");
        assert_eq!(
            settings["rustdoc-args"],
            serde_json::json!(["--cfg", "docsrs"]),
            "{name}"
        );
        let features = package.json["features"].as_object().unwrap();
        if features.keys().any(|feature| feature != "default") {
            let library = read(&package.folder.join("src/lib.rs"));
            assert!(
                library.contains("#![cfg_attr(docsrs, feature(doc_cfg))]\n"),
                "{name}"
            );
        }
    }
}

#[test]
fn a_package_holds_what_a_dependant_needs_and_no_tests() {
    for package in published() {
        let files = package.files();
        for wanted in [
            "README.md",
            "CHANGELOG.md",
            "LICENSE-MIT",
            "LICENSE-APACHE",
            "src/lib.rs",
        ] {
            assert!(
                files.iter().any(|file| file == wanted),
                "{}: {wanted}",
                package.name
            );
        }
        // Files of Cargo's own begin with a dot or are the manifest.
        let known = [
            "src",
            "docs",
            "examples",
            "Cargo.toml",
            "Cargo.toml.orig",
            "Cargo.lock",
        ];
        for file in files {
            let first = file.split('/').next().unwrap();
            let page =
                !file.contains('/') && (file.ends_with(".md") || file.starts_with("LICENSE-"));
            assert!(
                page || known.contains(&first) || file == ".cargo_vcs_info.json",
                "{}: {file}",
                package.name
            );
        }
    }
}

/// A later version of one could not be told from what was tested with the others.
#[test]
fn published_crates_need_each_other_in_this_version_and_no_other_member() {
    let (members, version) = (packages(), env!("CARGO_PKG_VERSION"));
    for package in published() {
        for dependency in package.dependencies() {
            let Some(member) = members.iter().find(|member| member.name == dependency.name) else {
                continue;
            };
            let place = format!("{} needs {}", package.name, dependency.name);
            // Cargo leaves out of the published manifest what has a path and no version.
            if dependency.is_development() && dependency.requirement == "*" {
                continue;
            }
            assert!(member.is_published(), "{place}");
            assert_eq!(dependency.requirement, format!("^{version}"), "{place}");
        }
    }
}

/// Readers copy these lines.
#[test]
fn readmes_name_the_minor_version_that_there_is() {
    let minor = env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0;
    let names: Vec<_> = published()
        .into_iter()
        .map(|package| package.name)
        .collect();
    let mut seen = 0;
    for package in published() {
        for line in read(&package.folder.join("README.md")).lines() {
            let Some((name, value)) = line.split_once(" = ") else {
                continue;
            };
            if names.iter().any(|known| known == name) {
                seen += 1;
                assert!(
                    value.contains(&format!("\"{minor}\"")),
                    "{}: {line}",
                    package.name
                );
            }
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn a_report_of_a_bug_can_name_every_crate() {
    let form = read(&root().join(".github/ISSUE_TEMPLATE/bug.yml"));
    for package in published() {
        let option = format!("        - {}\n", package.name);
        assert!(form.contains(&option), "{}", package.name);
    }
}

#[test]
fn a_release_publishes_a_crate_after_those_that_it_needs() {
    let script = root().join("scripts/release");
    let output = match Command::new("python3").arg(script).arg("--order").output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: the order of a release: python3 does not run: {error}");
            return;
        }
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let order = String::from_utf8(output.stdout).unwrap();
    let order: Vec<_> = order.lines().collect();
    let place = |package: &Package| order.iter().position(|name| *name == package.name);
    let crates = published();
    assert_eq!(order.len(), crates.len());
    for package in &crates {
        for dependency in package.dependencies() {
            let needed = crates.iter().find(|other| other.name == dependency.name);
            if let Some(needed) = needed.filter(|_| dependency.requirement != "*") {
                assert!(
                    place(needed).unwrap() < place(package).unwrap(),
                    "{} before {}",
                    package.name,
                    needed.name
                );
            }
        }
    }
}
