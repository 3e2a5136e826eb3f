//! Reports after their schemas, and what code-scanning services make of them.

use std::path::Path;
use std::process::Command;

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn};
use serde_json::Value;

use super::{by_flags, folder, run, run_with, serve};
use crate::rust::{Faults, Spelling, app};

fn kept() -> Faults {
    Faults {
        never_rotates: true,
        one_name_for_all: true,
        ..Faults::default()
    }
}

#[track_caller]
fn validates(schema: &Value, document: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<_> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_json_report_follows_its_schema() {
    let schema = run(&["--json-schema"]).await.json();
    let url = serve(app(kept(), Spelling::Signed)).await;
    let accepted = [
        "--accept",
        "id-kept-at-reauth=known",
        "--framework",
        "Rails",
    ];
    let clean = serve(app(Faults::default(), Spelling::Plain)).await;
    for flags in [
        &[&*url][..],
        &[&[&*url], &accepted[..]].concat(),
        &[&*url, "--most-requests", "30"],
        &[&*clean],
    ] {
        let ended = run(&by_flags(&[flags, &["-q", "--format", "json"]].concat())).await;
        validates(&schema, &ended.json());
    }
    // And it does refuse what is no report.
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut report = run(&by_flags(&[&clean, "-q", "--format", "json"]))
        .await
        .json();
    report["checks"][0]["outcome"] = "fine".into();
    assert!(!validator.is_valid(&report));
}

/// The schema that OASIS publishes, or why it cannot be had.
fn sarif_schema() -> Result<Value, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/sarif/setup.sh");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sarif-schema");
    let output = Command::new("sh").arg(script).arg(folder).output();
    let output = output.map_err(|error| format!("sh: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() {
        return Err(said);
    }
    let text = std::fs::read_to_string(&said).map_err(|error| format!("{said}: {error}"))?;
    let mut schema: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    // Its pattern for languages has a bracket too many, which strict readers refuse. We name no language.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        language.as_object_mut().unwrap().remove("pattern");
    }
    Ok(schema)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sarif_log_validates() {
    let schema = match sarif_schema() {
        Ok(schema) => schema,
        Err(why) => {
            println!("skipped: the schema of SARIF: {why}");
            return;
        }
    };
    let url = serve(app(kept(), Spelling::Signed)).await;
    let file = folder("sarif").join("my audit.toml");
    std::fs::write(&file, "fail_on = \"low\"\n").unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let accepted = ["--accept", "id-kept-at-reauth=known"];
    for more in [&[][..], &config, &accepted, &["--most-requests", "30"]] {
        let flags = [&[&*url, "-q", "--format", "sarif"], more].concat();
        validates(&schema, &run(&by_flags(&flags)).await.json());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sarif_results_sort_by_what_was_found_and_are_known_again() {
    let url = serve(app(kept(), Spelling::Signed)).await;
    let flags = ["-q", "--format", "sarif", &*url, "--name", "shop"];
    let log = run(&by_flags(&flags)).await.json();
    let again = run(&by_flags(&flags)).await.json();
    let other = ["-q", "--format", "sarif", &*url, "--name", "forum"];
    let other = run(&by_flags(&other)).await.json();
    let run_of = |log: &Value| log["runs"][0].clone();
    let (log, again, other) = (run_of(&log), run_of(&again), run_of(&other));
    assert_eq!(log["automationDetails"]["id"], "fixation-audit/shop/");
    let results = log["results"].as_array().unwrap();
    assert!(results.len() > 3);
    for (at, result) in results.iter().enumerate() {
        let rule = &log["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        let severity = result["properties"]["severity"].as_str().unwrap();
        let (level, score) = match severity {
            "low" => ("note", "3.0"),
            "medium" => ("warning", "5.5"),
            "high" => ("error", "8.0"),
            _ => ("error", "9.5"),
        };
        assert_eq!(
            (
                result["level"].as_str(),
                rule["properties"]["security-severity"].as_str()
            ),
            (Some(level), Some(score))
        );
        assert!(
            rule["helpUri"]
                .as_str()
                .unwrap()
                .ends_with(&format!("#{}", rule["id"].as_str().unwrap()))
        );
        assert!(
            rule["help"]["markdown"]
                .as_str()
                .unwrap()
                .contains("## How to repair it")
        );
        assert_ne!(rule["name"], rule["id"]);
        let prints = &result["partialFingerprints"];
        assert_eq!(prints, &again["results"][at]["partialFingerprints"]);
        assert_ne!(prints, &other["results"][at]["partialFingerprints"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sarif_findings_point_to_the_description_or_the_workflow() {
    let url = serve(app(kept(), Spelling::Signed)).await;
    let here = folder("place of findings");
    let file = here.join("my audit.toml");
    std::fs::write(&file, "fail_on = \"low\"\n").unwrap();
    let place = |log: Value| {
        log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            .clone()
    };
    let flags = ["-q", "--format", "sarif", &*url];
    let config = [&flags[..], &["--config", file.to_str().unwrap()]].concat();
    let root = [("GITHUB_WORKSPACE", here.to_str().unwrap())];
    let ended = run_with(&by_flags(&config), &root).await;
    assert_eq!(place(ended.json()), "my%20audit.toml");
    let workflow = [(
        "GITHUB_WORKFLOW_REF",
        "o/n/.github/workflows/audit.yml@refs/heads/main",
    )];
    let ended = run_with(&by_flags(&flags), &workflow).await;
    assert_eq!(place(ended.json()), ".github/workflows/audit.yml");
    let named = [&flags[..], &["--sarif-location", "ci/login.md"]].concat();
    assert_eq!(place(run(&by_flags(&named)).await.json()), "ci/login.md");
    // No file that is not there is made up.
    let ended = run_with(&by_flags(&flags), &[("GITHUB_WORKFLOW_REF", "")]).await;
    assert_eq!(place(ended.json()), Value::Null);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repairs_name_the_settings_of_the_framework() {
    let express =
        app(kept(), Spelling::Signed).layer(from_fn(|request: Request, next: Next| async {
            let mut response = next.run(request).await;
            response
                .headers_mut()
                .insert("x-powered-by", HeaderValue::from_static("Express"));
            response
        }));
    let url = serve(express).await;
    let repair = |report: &Value| {
        let checks = report["checks"].as_array().unwrap();
        let check = checks
            .iter()
            .find(|check| check["id"] == "id-kept-at-login")
            .unwrap();
        check["framework_repair"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let report = run(&by_flags(&[&url, "-q", "--format", "json"]))
        .await
        .json();
    assert_eq!(report["framework"], "Express");
    assert!(repair(&report).contains("req.session.regenerate()"));
    let table = run(&by_flags(&[&url, "-q"])).await.out;
    assert!(
        table.contains("it looks like Express") && table.contains("req.session.regenerate()"),
        "{table}"
    );
    let named = ["-q", "--format", "json", "--framework", "django", &*url];
    let report = run(&by_flags(&named)).await.json();
    assert!(repair(&report).contains("cycle_key()"));
    let unknown = run(&by_flags(&["--framework", "cobol", &*url])).await;
    assert_eq!(unknown.status, 2);
    assert!(
        unknown.err.contains("cobol is none of Django"),
        "{}",
        unknown.err
    );
    let plain = serve(app(kept(), Spelling::Signed)).await;
    let report = run(&by_flags(&[&plain, "-q", "--format", "json"]))
        .await
        .json();
    assert_eq!(
        (report["framework"].clone(), repair(&report)),
        (Value::Null, String::new())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_show_the_request_that_proves_them() {
    let url = serve(app(kept(), Spelling::Signed)).await;
    let report = run(&by_flags(&[&url, "-q", "--format", "json"]))
        .await
        .json();
    let checks = report["checks"].as_array().unwrap();
    let check = checks
        .iter()
        .find(|check| check["id"] == "planted-cookie-authenticated")
        .unwrap();
    let exchanges = check["finding"]["evidence"][0]["exchanges"]
        .as_array()
        .unwrap();
    let last = exchanges.last().unwrap();
    assert!(
        last["request"]
            .as_str()
            .unwrap()
            .starts_with("GET /whoami, cookie __Host-Http-id = ‹"),
        "{last}"
    );
    assert_eq!(last["answer"], "200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_are_explained_and_their_pages_current() {
    let ended = run(&["--explain", "id-kept-at-login"]).await;
    assert_eq!(ended.status, 0);
    assert!(
        ended.out.starts_with("# id-kept-at-login\n"),
        "{}",
        ended.out
    );
    for part in ["## What it means", "| Django |", "CWE-384"] {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
    let unknown = run(&["--explain", "no-such-check"]).await;
    assert_eq!(unknown.status, 2);
    assert!(
        unknown
            .err
            .contains("no check no-such-check; see --list-checks"),
        "{}",
        unknown.err
    );

    let mut pages = String::from(
        "# The checks of fixation-audit\n\nWhat each check finds, how a finding is confirmed, and how to repair it. \
         `fixation-audit --explain ID` prints the same.\n",
    );
    for check in fixation_audit::checks() {
        pages.push('\n');
        // One level down, below the title of the page.
        pages.push_str(
            &check
                .page()
                .replace("\n## ", "\n### ")
                .replacen("# ", "## ", 1),
        );
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, pages).unwrap();
        return;
    }
    let current = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        current == pages,
        "docs/checks.md is not current: run the tests once with UPDATE_DOCS=1"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_example_of_a_description_is_printed() {
    let ended = run(&["--example-config"]).await;
    assert_eq!(ended.status, 0);
    let file = folder("example").join("audit.toml");
    std::fs::write(&file, &ended.out).unwrap();
    // It is read as it stands; what it needs next are the passwords.
    let ended = run(&["--config", file.to_str().unwrap()]).await;
    assert_eq!(ended.status, 2);
    assert!(
        ended.err.contains("ALICE_PASSWORD is not set"),
        "{}",
        ended.err
    );
}
