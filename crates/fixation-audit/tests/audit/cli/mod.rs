//! Starting servers and the command, and reading what it says.

mod care;
mod describe;
mod discover;
mod formats;
mod frameworks;

mod limits;
mod login;
mod python;
mod recipes;
mod reports;
mod site;
mod tls;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::Router;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;

/// Serves an app on loopback for as long as the test runs, and hands out its address.
pub(crate) async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err))
    }

    pub(crate) fn found(&self) -> BTreeSet<String> {
        let report = self.json();
        let checks = report["checks"].as_array().unwrap();
        let found = checks.iter().filter(|check| check["outcome"] == "found");
        found
            .map(|check| check["id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Checks with the severities that were found.
    pub(crate) fn findings(&self) -> Vec<(String, String)> {
        let report = self.json();
        let checks = report["checks"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        checks
            .iter()
            .filter(|check| check["outcome"] == "found")
            .map(|check| (text(&check["id"]), text(&check["finding"]["severity"])))
            .collect()
    }
}

pub(crate) async fn run(arguments: &[&str]) -> Ended {
    run_with(arguments, &[]).await
}

pub(crate) async fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_fixation-audit"))
        .args(arguments)
        .env("AUDIT_ALICE", "alice-password")
        .env("AUDIT_BOB", "bob-password")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    Ended {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A folder of the test's own, empty.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The description of the Rust servers, by flags.
pub(crate) const BY_FLAGS: &[&str] = &[
    "--login",
    "/login",
    "--form",
    "user={username}",
    "--form",
    "password={password}",
    "--user",
    "alice",
    "--password-env",
    "AUDIT_ALICE",
    "--second-user",
    "bob",
    "--second-password-env",
    "AUDIT_BOB",
    "--whoami",
    "/whoami",
    "--whoami-json",
    "/subject",
    "--visit",
    "/",
    "--elevate",
    "/elevate",
    "--logout",
    "/logout",
];

pub(crate) fn by_flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [BY_FLAGS, more].concat()
}
