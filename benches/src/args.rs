//! The few options that every measurement takes.

use std::env;
use std::path::{Path, PathBuf};

/// What the command line asked for.
#[derive(Debug)]
pub struct Args {
    /// `--smoke`: seconds instead of minutes, and nothing is written to `results/`.
    pub smoke: bool,
    /// Everything else, in order.
    pub rest: Vec<String>,
}

impl Args {
    /// Reads the command line.
    #[must_use]
    pub fn read() -> Self {
        let (flags, rest): (Vec<_>, Vec<_>) = env::args().skip(1).partition(|a| a == "--smoke");
        Self {
            smoke: !flags.is_empty(),
            rest,
        }
    }

    /// Whether a flag of the measurement's own was given.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        self.rest.iter().any(|a| a == flag)
    }

    /// What follows `flag`, if that was given.
    #[must_use]
    pub fn text(&self, flag: &str) -> Option<&str> {
        let value = self.rest.iter().skip_while(|a| *a != flag).nth(1);
        value.map(String::as_str)
    }

    /// The number after `flag`, or the default.
    ///
    /// # Panics
    ///
    /// When something that is not a number follows the flag.
    #[must_use]
    pub fn number(&self, flag: &str, default: usize) -> usize {
        let value = self.rest.iter().skip_while(|a| *a != flag).nth(1);
        value.map_or(default, |v| {
            v.parse()
                .unwrap_or_else(|_| panic!("{flag} takes a number"))
        })
    }
}

/// A file below this crate's folder.
#[must_use]
pub fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
