//! What the compiler says: the texts of the crate's own diagnostics, read from the compiler itself.
//!
//! Each program is checked against the library that this test was built with, which takes a second or two.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

/// The errors of a program that names the library as `tower_session_guard`.
fn errors(name: &str, program: &str) -> String {
    let test = env::current_exe().unwrap();
    let built = test.parent().unwrap();
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.rs"));
    fs::write(&source, program).unwrap();
    let checked = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata"])
        .arg(format!("--crate-name={name}"))
        .arg(format!("-Ldependency={}", built.display()))
        .arg(format!(
            "--extern=tower_session_guard={}",
            library(built, &test).display()
        ))
        .arg("--out-dir")
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .arg(&source)
        .output()
        .unwrap();
    assert!(!checked.status.success(), "{name} compiles");
    String::from_utf8(checked.stderr).unwrap()
}

/// The library as this test was linked with: the last one that was there before the test.
fn library(built: &Path, test: &Path) -> PathBuf {
    let modified = |path: &Path| path.metadata().and_then(|it| it.modified()).unwrap();
    let before: SystemTime = modified(test);
    let ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libtower_session_guard-") && name.ends_with(".rlib")
    };
    let files = fs::read_dir(built).unwrap();
    let libraries = files.map(|file| file.unwrap().path()).filter(ours);
    libraries
        .filter(|library| modified(library) <= before)
        .max_by_key(|library| modified(library))
        .unwrap()
}

#[track_caller]
fn says(name: &str, program: &str, sentences: &[&str]) {
    let errors = errors(name, program);
    for sentence in sentences {
        assert!(errors.contains(sentence), "{name}: {sentence}\n{errors}");
    }
}

/// F12: a body without a default beneath the session layer or a guard, as `TraceLayer` makes one. The services of both have
/// these bounds.
#[test]
fn a_body_without_a_default_beneath_a_layer_is_led_out() {
    let program = "use tower_session_guard::*;
        struct Changed;
        fn layered<F: FailureResponse<Changed>>(_: F) {}
        fn guarded<F: RefusalResponse<Changed>>(_: F) {}
        fn stack() {
            layered(EmptyFailure);
            guarded(EmptyRefusal);
        }";
    says(
        "no_default",
        program,
        &[
            "EmptyFailure` makes no response with a body of the type `Changed`",
            "give `SessionLayer::on_failure` a closure that makes a `Response<Changed>`",
            "outside of the session layer",
            "EmptyRefusal` makes no response with a body of the type `Changed`",
            "give `on_refusal` a closure that makes a `Response<Changed>`",
            "outside of the guard",
        ],
    );
}

/// A pool of connections is no store, and no list of ended tokens.
#[test]
fn what_is_no_store_is_led_to_one() {
    says(
        "no_store",
        "use tower_session_guard::*;
        struct Pool;
        fn layer(sessions: SessionLayer) -> SessionLayer {
            sessions.with_store(Pool)
        }
        fn endings() -> Endings {
            Endings::shared(Pool)
        }",
        &[
            "`Pool` is no session store",
            "implement it, and hold the implementation to `testing::store_contract`",
            "crates of the same version as this one",
            "`Pool` is no list of ended tokens",
            "a list in this process is `Endings::this_process()`",
        ],
    );
}
