//! The recipes of the documentation, run as they stand.

use std::path::{Path, PathBuf};
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

/// What an application whose login can be fixated does.
fn fixated() -> Faults {
    Faults {
        never_rotates: true,
        one_name_for_all: true,
        ..Faults::default()
    }
}

/// The status of a script in a folder, with this binary in the path.
async fn status(shell: &mut Command, folder: &Path) -> Option<i32> {
    let binary = Path::new(env!("CARGO_BIN_EXE_fixation-audit"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let status = shell
        .current_dir(folder)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    let status = tokio::time::timeout(Duration::from_secs(120), status).await;
    status.unwrap().unwrap().code()
}

/// The script in `docs/ci.md`, with a program that stands for the application.
async fn pipeline(url: &str, name: &str) -> (Option<i32>, PathBuf) {
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
    let mut shell = Command::new("sh");
    let shell = shell
        .arg("audit.sh")
        .env("START", "sleep 600")
        .env("URL", url)
        .env("ALICE_PASSWORD", "alice-password");
    (status(shell, &folder).await, folder)
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
    let vulnerable = serve(app(fixated(), Spelling::Plain)).await;
    assert_eq!(
        pipeline(&vulnerable, "pipeline-vulnerable").await.0,
        Some(1)
    );
}

/// The last script of the action.
fn script_of_the_action() -> String {
    let action = include_str!("../../../action.yml");
    let (_, script) = action.rsplit_once("      run: |\n").unwrap();
    script
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("        ").unwrap()))
        .collect()
}

/// What GitHub runs for the action, with its inputs.
async fn action(inputs: &[(&str, &str)], name: &str) -> (Option<i32>, PathBuf) {
    let folder = folder(name);
    std::fs::write(folder.join("script"), script_of_the_action()).unwrap();
    let all = [
        "AUDIT_PASSWORD",
        "URL",
        "CONFIG",
        "ACCOUNT",
        "LOGIN",
        "FORM",
        "JSON",
        "WHOAMI",
        "WHOAMI_JSON",
        "LOGOUT",
        "NAME",
        "FAIL_ON",
        "ARGUMENTS",
        "SARIF",
    ];
    // What is not given is empty.
    let environment = all.map(|input| {
        let given = inputs.iter().find(|(name, _)| *name == input);
        (input, given.map_or("", |(_, value)| value))
    });
    let mut shell = Command::new("bash");
    let shell = shell
        .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "script"])
        .envs(environment);
    (status(shell, &folder).await, folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_action_passes_and_fails_as_the_command_does() {
    for (faults, name, expected) in [
        (Faults::default(), "action-clean", 0),
        (fixated(), "action-vulnerable", 1),
    ] {
        let url = serve(app(faults, Spelling::Plain)).await;
        let inputs = [
            ("URL", &*url),
            ("ACCOUNT", "alice"),
            ("AUDIT_PASSWORD", "alice-password"),
            ("LOGIN", "/login"),
            ("FORM", "user={username}\npassword={password}\n"),
            ("WHOAMI", "/whoami"),
            ("WHOAMI_JSON", "/subject"),
            ("LOGOUT", "/logout"),
            ("FAIL_ON", "medium"),
            ("ARGUMENTS", "--visit\n/\n--quiet\n"),
            ("SARIF", "found.sarif"),
        ];
        let (ended, folder) = action(&inputs, name).await;
        assert_eq!(ended, Some(expected), "{name}");
        assert!(folder.join("found.sarif").exists(), "{name}");
    }
    // Without an address there is nothing to audit.
    let (ended, _) = action(&[("FAIL_ON", "low"), ("SARIF", "none")], "action-without").await;
    assert_eq!(ended, Some(2));
}

/// An input that is put into a script's text is run by the shell.
#[test]
fn the_action_puts_no_input_into_a_script() {
    let action = include_str!("../../../action.yml");
    for line in action.lines().filter(|line| line.contains("${{")) {
        let key = line.trim().split(':').next().unwrap();
        let is_variable = key.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        assert!(is_variable || ["key", "value"].contains(&key), "{line}");
    }
    let version = format!("    default: {}\n", env!("CARGO_PKG_VERSION"));
    assert!(
        action.contains(&version),
        "an action installs its own version"
    );
    let usage = include_str!("../../../src/bin/fixation-audit/usage.txt");
    for flag in script_of_the_action().split(['(', ' ']) {
        assert!(
            !flag.starts_with("--") || usage.contains(&format!(" {flag} ")),
            "{flag}"
        );
    }
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
