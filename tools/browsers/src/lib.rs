//! Drives Chromium and Firefox for the attacks in `tests/browsers`, which docs/browsers.md describes.
#![cfg(unix)]
#![allow(missing_docs, reason = "for tests only")]

pub mod driver;
