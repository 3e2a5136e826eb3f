//! The recipes of the documentation, run as they stand.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::{folder, serve};
use crate::rust::{Faults, Spelling, app};

const DESCRIPTION: &str = "accounts = [{ username = \"alice\", password_env = \"ALICE_PASSWORD\" }]\n\
     [[visit]]\npath = \"/\"\n\
     [[login]]\npath = \"/login\"\nform = { user = \"{username}\", password = \"{password}\" }\n\
     [logged_in]\npath = \"/whoami\"\njson = \"/subject\"\n\
     [[logout]]\nmethod = \"POST\"\npath = \"/logout\"\n";

/// The script in `docs/ci.md`, with this binary in the path and a program that stands for the application.
async fn pipeline(url: &str, name: &str) -> (Option<i32>, std::path::PathBuf) {
    let page = include_str!("../../../docs/ci.md");
    let (_, script) = page
        .split_once("<!-- the test runs this script -->\n\n```sh\n")
        .unwrap();
    let (script, _) = script.split_once("```").unwrap();
    let folder = folder(name);
    std::fs::write(folder.join("audit.sh"), script).unwrap();
    std::fs::write(
        folder.join("audit.toml"),
        format!("url = \"{url}\"\n{DESCRIPTION}"),
    )
    .unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_fixation-audit"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let status = Command::new("sh")
        .arg("audit.sh")
        .current_dir(&folder)
        .env("PATH", path)
        .env("START", "sleep 600")
        .env("URL", url)
        .env("ALICE_PASSWORD", "alice-password")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let status = tokio::time::timeout(Duration::from_secs(120), status).await;
    (status.unwrap().unwrap().code(), folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pipeline_without_containers_passes_and_fails_as_it_says() {
    if std::process::Command::new("curl")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("skipped: the pipeline's script: curl is not installed");
        return;
    }
    let clean = serve(app(Faults::default(), Spelling::Plain)).await;
    let (status, folder) = pipeline(&clean, "pipeline-clean").await;
    assert_eq!(status, Some(0));
    for file in ["audit.xml", "audit.json"] {
        assert!(folder.join(file).exists(), "{file}");
    }
    let faults = Faults {
        never_rotates: true,
        one_name_for_all: true,
        ..Faults::default()
    };
    let vulnerable = serve(app(faults, Spelling::Plain)).await;
    assert_eq!(
        pipeline(&vulnerable, "pipeline-vulnerable").await.0,
        Some(1)
    );
}

/// Every flag that the documentation's commands use is one that the command knows.
#[test]
fn flags_in_the_documentation_are_flags() {
    let usage = include_str!("../../../src/bin/fixation-audit/usage.txt");
    let pages = [
        include_str!("../../../README.md"),
        include_str!("../../../docs/audit.md"),
        include_str!("../../../docs/ci.md"),
    ];
    let mut seen = 0;
    for line in pages.iter().flat_map(|page| page.lines()) {
        let own = line.contains("fixation-audit ")
            || line.starts_with("    --")
            || line.starts_with("          --");
        if !own || line.contains("cargo install") || line.contains("dev-dependency") {
            continue;
        }
        let words = line
            .split([' ', '`'])
            .filter(|word| word.starts_with("--") && word.len() > 2);
        for flag in words.map(|word| word.trim_end_matches([',', '.', ';', ':'])) {
            seen += 1;
            assert!(usage.contains(flag), "{flag} in: {line}");
        }
    }
    assert!(seen > 15, "{seen}");
}
