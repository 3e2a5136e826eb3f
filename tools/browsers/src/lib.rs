//! Drives Chromium and Firefox for the tests of this package, which docs/browsers.md describes.
#![cfg(unix)]
#![allow(missing_docs, reason = "for tests only")]

pub mod driver;

use std::io::{Write, stdout};

/// To standard output, past the capturing of passing tests' output, each line whole.
pub fn say(line: &str) {
    let line = format!("{line}\n");
    stdout().write_all(line.as_bytes()).unwrap();
}
