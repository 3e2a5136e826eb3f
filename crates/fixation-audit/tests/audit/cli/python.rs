//! The Python servers, in a virtual environment that a script makes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::run;
use crate::truth::{DescribedBy, PythonServer, Score, python_servers};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/python")
}

/// The interpreter, or why there is none.
async fn interpreter() -> Result<PathBuf, String> {
    let given = std::env::var_os("AUDIT_VENV").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("audit-venv"));
    let setup = Command::new("sh")
        .arg(sources().join("setup.sh"))
        .arg(&folder)
        .output()
        .await;
    let output = setup.map_err(|error| format!("sh: {error}"))?;
    if output.status.success() {
        return Ok(folder.join("bin/python"));
    }
    Err(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

async fn start(python: &Path, name: &str) -> (Child, String) {
    let mut words = name.split(' ');
    let program = words.next().unwrap_or_default();
    let mut child = Command::new(python)
        .arg(format!("{program}.py"))
        .args(words)
        .current_dir(sources())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines
        .next_line()
        .await
        .unwrap()
        .unwrap_or_else(|| panic!("{name} did not start"));
    (
        child,
        line.strip_prefix("listening on ").unwrap().to_owned(),
    )
}

async fn audited(python: &Path, server: &PythonServer) -> super::Ended {
    let (_child, url) = start(python, server.truth.name).await;
    let by_openapi = [
        "--openapi",
        "/openapi.json",
        "--login-operation",
        "issueToken",
        "--whoami-operation",
        "readMe",
        "--whoami-json",
        "/subject",
        "--logout-operation",
        "endSession",
        "--user",
        "alice",
        "--password-env",
        "AUDIT_ALICE",
    ];
    let config = match server.described_by {
        DescribedBy::OpenApi => PathBuf::new(),
        DescribedBy::File(file) => sources().join(file),
    };
    let by_file = ["--config", config.to_str().unwrap()];
    let how: &[&str] = match server.described_by {
        DescribedBy::OpenApi => &by_openapi,
        DescribedBy::File(_) => &by_file,
    };
    run(&[&["--quiet", "--format", "json", url.as_str()], how].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_in_each_python_server_is_what_is_wrong_with_it() {
    let python = match interpreter().await {
        Ok(python) => python,
        Err(why) => {
            println!("skipped: the Python servers: {why}");
            return;
        }
    };
    let mut score = Score::default();
    // For work on one server.
    let only = std::env::var("AUDIT_ONLY").unwrap_or_default();
    let servers = python_servers();
    for server in servers
        .iter()
        .filter(|server| server.truth.name.contains(&only))
    {
        let ended = audited(&python, server).await;
        let report = ended.json();
        println!(
            "{:<28} {:>4} requests {:>6} s",
            server.truth.name, report["requests"], report["seconds"]
        );
        assert_eq!(
            report["complete"], true,
            "{}: {report:#}",
            server.truth.name
        );
        assert_eq!(
            ended.status,
            i32::from(!server.truth.expected.is_empty()),
            "{}",
            ended.err
        );
        score.add_pairs(&server.truth, &ended.findings());
    }
    score.assert_exact();
}
