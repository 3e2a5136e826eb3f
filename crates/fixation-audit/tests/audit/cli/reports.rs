//! Exit statuses, formats, and what must not be in them.

use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::header;
use axum::middleware::{Next, from_fn};
use serde_json::Value;

use super::{by_flags, folder, run, serve};
use crate::rust::{Faults, Spelling, app};
use crate::truth::is_current;

fn kept() -> Faults {
    Faults {
        never_rotates: true,
        reads_query: true,
        one_name_for_all: true,
        ..Faults::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_is_0_for_a_clean_server_and_1_for_findings() {
    let clean = serve(app(Faults::default(), Spelling::Signed)).await;
    let ended = run(&by_flags(&[&clean])).await;
    assert_eq!(ended.status, 0, "{}{}", ended.out, ended.err);
    assert!(
        ended.err.contains("trying logout"),
        "no progress: {}",
        ended.err
    );

    let vulnerable = serve(app(kept(), Spelling::Signed)).await;
    let ended = run(&by_flags(&[&vulnerable, "-q"])).await;
    assert_eq!((ended.status, ended.err.as_str()), (1, ""), "{}", ended.out);
    assert!(
        ended.out.contains("HIGH      id-kept-at-login"),
        "{}",
        ended.out
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fail_on_and_accept_decide_what_fails() {
    let faults = Faults {
        one_name_for_all: true,
        ..Faults::default()
    };
    let url = serve(app(faults, Spelling::Plain)).await;
    assert_eq!(run(&by_flags(&[&url, "-q"])).await.status, 1);
    assert_eq!(
        run(&by_flags(&[&url, "-q", "--fail-on", "medium"]))
            .await
            .status,
        0
    );
    let accepted = ["-q", "--accept", "late-response-restores-cookie=known"];
    let ended = run(&by_flags(&[&[url.as_str()], &accepted[..]].concat())).await;
    assert_eq!(ended.status, 0, "{}", ended.out);
    assert!(
        ended
            .out
            .contains("accepted  late-response-restores-cookie  known"),
        "{}",
        ended.out
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_is_2_where_the_audit_cannot_run() {
    let url = serve(app(Faults::default(), Spelling::Plain)).await;
    let file = folder("not-run").join("audit.toml");
    let secret = "accounts = [{ username = \"alice\", password = \"hunter2hunter2\" ]\n";
    std::fs::write(&file, secret).unwrap();
    let cases: [(Vec<&str>, &str); 8] = [
        (vec![], "URL is missing"),
        (vec!["--nonsense"], "nonsense"),
        (by_flags(&["ftp://127.0.0.1/"]), "no http or https address"),
        (by_flags(&["http://127.0.0.1:1/", "-q"]), "refused"),
        (
            by_flags(&[&url, "--form", "password=wrong", "-q"]),
            "could not log in",
        ),
        (
            by_flags(&[&url, "--accept", "no-such-check=x", "-q"]),
            "no check no-such-check",
        ),
        (
            by_flags(&[&url, "--password-env", "AUDIT_UNSET"]),
            "AUDIT_UNSET is not set",
        ),
        (vec!["--config", file.to_str().unwrap()], "line 1"),
    ];
    for (arguments, message) in cases {
        let ended = run(&arguments).await;
        assert_eq!(ended.status, 2, "{arguments:?}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains(message), "{arguments:?}: {}", ended.err);
        assert!(!ended.err.contains("hunter2"), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_format_parses_and_none_holds_a_secret() {
    let issued = Arc::new(Mutex::new(Vec::<String>::new()));
    let seen = Arc::clone(&issued);
    let watched =
        app(kept(), Spelling::Signed).layer(from_fn(move |request: Request, next: Next| {
            let seen = Arc::clone(&seen);
            async move {
                let response = next.run(request).await;
                for field in response.headers().get_all(header::SET_COOKIE) {
                    let pair = field.to_str().unwrap().split(';').next().unwrap();
                    seen.lock()
                        .unwrap()
                        .push(pair.split_once('=').unwrap().1.to_owned());
                }
                response
            }
        }));
    let url = serve(watched).await;
    let folder = folder("formats");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let writes = ["json", "sarif", "junit"].map(|name| format!("{name}={}", file(name)));
    let [json, sarif, junit] = &writes;
    let flags = [
        &url, "--colour", "always", "--write", json, "--write", sarif, "--write", junit,
    ];
    let ended = run(&by_flags(&flags)).await;
    assert_eq!(ended.status, 1, "{}", ended.err);
    assert!(ended.out.contains("\x1b[31m"), "no colour");

    let read = |name: &str| std::fs::read_to_string(file(name)).unwrap();
    let json: Value = serde_json::from_str(&read("json")).unwrap();
    let sarif: Value = serde_json::from_str(&read("sarif")).unwrap();
    let junit = read("junit");
    let found = json["counts"]["found"].as_u64().unwrap();
    assert!(found > 5);
    assert_eq!(sarif["version"], "2.1.0");
    let (results, rules) = (
        &sarif["runs"][0]["results"],
        &sarif["runs"][0]["tool"]["driver"]["rules"],
    );
    assert_eq!(results.as_array().unwrap().len() as u64, found);
    for result in results.as_array().unwrap() {
        let at = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[at]["id"], result["ruleId"]);
        let place = &result["locations"][0]["logicalLocations"][0];
        assert_eq!(place["fullyQualifiedName"], url.as_str());
    }
    let xml = roxmltree::Document::parse(&junit).unwrap();
    let count = |name: &str| {
        xml.descendants()
            .filter(|node| node.has_tag_name(name))
            .count() as u64
    };
    assert_eq!(count("failure"), found);
    let suite = xml
        .descendants()
        .find(|node| node.has_tag_name("testsuite"))
        .unwrap();
    assert_eq!(
        suite.attribute("tests").unwrap(),
        count("testcase").to_string()
    );

    let everything = [
        ended.out,
        ended.err,
        json.to_string(),
        sarif.to_string(),
        junit,
    ]
    .concat();
    let values = issued.lock().unwrap();
    assert!(values.len() > 50);
    let ids = values.iter().filter_map(|value| value.split('.').next());
    let secrets = values
        .iter()
        .map(String::as_str)
        .chain(ids)
        .filter(|value| !value.is_empty());
    for secret in secrets.chain(["alice-password", "bob-password"]) {
        assert!(!everything.contains(secret), "{secret} is in a report");
    }
}

/// What differs from run to run gives way to something fixed.
fn still(text: &str, url: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once(" characters, ") {
        out.push_str(head);
        let (_, after) = tail.split_once('›').unwrap();
        out.push_str(" characters, digest›");
        rest = after;
    }
    out.push_str(rest);
    let out = out.replace(url, "http://127.0.0.1:8000");
    let (head, last) = out.trim_end().rsplit_once('\n').unwrap();
    format!("{head}\n{}\n", last.split(';').next().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documentation_shows_true_transcripts() {
    let kept = Faults {
        never_rotates: true,
        one_name_for_all: true,
        ..Faults::default()
    };
    for (name, faults) in [("signed-kept", kept), ("correct-signed", Faults::default())] {
        let url = serve(app(faults, Spelling::Signed)).await;
        let ended = run(&by_flags(&["-q", &url])).await;
        let command = "fixation-audit --quiet --login /login --form 'user={username}' --form 'password={password}' \\\n    \
                       --user alice --password-env ALICE --second-user bob --second-password-env BOB \\\n    \
                       --whoami /whoami --whoami-json /subject --visit / --elevate /elevate --logout /logout http://127.0.0.1:8000";
        let (table, status) = (still(&ended.out, &url), ended.status);
        let text = format!("```text\n$ {command}\n{table}$ echo $?\n{status}\n```");
        is_current(&format!("transcript of {name}"), &text);
    }
}
