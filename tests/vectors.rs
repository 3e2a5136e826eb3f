//! The frozen tokens, records, challenges and proofs are what another implementation makes of their inputs.

use std::{path::Path, process::Command};

#[test]
fn an_independent_script_recomputes_the_frozen_vectors() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/check.py");
    match Command::new("python3").arg(script).output() {
        Ok(output) => assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
        Err(error) => println!("skipped: python3 does not run: {error}"),
    }
}
