//! Real frameworks, installed into a folder under the target directory.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::{Ended, run};
use crate::truth::{FrameworkServer, Score, framework_servers};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/audit/frameworks")
}

/// The folder with a kind of frameworks, or why there is none.
async fn installed(kind: &str) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("frameworks-{kind}"));
    let setup = Command::new("sh")
        .arg(sources().join("setup.sh"))
        .arg(kind)
        .arg(&folder)
        .output()
        .await;
    let output = setup.map_err(|error| format!("sh: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    if kind == "node" {
        // Node looks for packages next to the program.
        for entry in std::fs::read_dir(sources()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "js") {
                std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    Ok(folder)
}

async fn start(folder: &Path, name: &str) -> (Child, String) {
    let mut words = name.split(' ');
    let program = words.next().unwrap_or_default();
    let (interpreter, at) = if program.ends_with(".js") {
        (PathBuf::from("node"), folder.to_owned())
    } else {
        (folder.join("bin/python"), sources())
    };
    let mut child = Command::new(interpreter)
        .arg(program)
        .args(words)
        .current_dir(at)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap();
    let line = line.unwrap_or_else(|| panic!("{name} did not start"));
    // Whatever it says later must not fill the pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let url = line.strip_prefix("listening on ").unwrap().to_owned();
    (child, url)
}

async fn audited(folder: &Path, server: &FrameworkServer) -> Ended {
    let (_child, url) = start(folder, server.truth.name).await;
    let config = sources().join(server.described_by);
    let config = config.to_str().unwrap();
    run(&[
        "--quiet",
        "--format",
        "json",
        "--fail-on",
        "medium",
        "--config",
        config,
        &url,
    ])
    .await
}

async fn compare(kind: &str, extension: &str) {
    let folder = match installed(kind).await {
        Ok(folder) => folder,
        Err(why) => {
            println!("skipped: the frameworks of {kind}: {why}");
            return;
        }
    };
    let only = std::env::var("AUDIT_ONLY").unwrap_or_default();
    let mut score = Score::default();
    for server in framework_servers() {
        let program = server.truth.name.split(' ').next().unwrap_or_default();
        if !program.ends_with(extension) || !server.truth.name.contains(&only) {
            continue;
        }
        let ended = audited(&folder, &server).await;
        let report = ended.json();
        println!(
            "{:<28} {:>4} requests {:>6} s",
            server.truth.name, report["requests"], report["seconds"]
        );
        if std::env::var_os("AUDIT_SHOW").is_some() {
            println!("{report:#}");
            continue;
        }
        assert_eq!(
            report["complete"], true,
            "{}: {report:#}",
            server.truth.name
        );
        if server.correct {
            assert_eq!(ended.status, 0, "{}: {report:#}", server.truth.name);
        }
        score.add_pairs(&server.truth, &ended.findings());
    }
    score.assert_exact();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_in_each_framework_of_python_is_what_is_known_of_it() {
    compare("python", ".py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_in_each_framework_of_node_is_what_is_known_of_it() {
    compare("node", ".js").await;
}
