//! What the numbers were taken on, and which versions they belong to.

use std::fs;
use std::process::Command;
use std::thread;

use serde::{Deserialize, Serialize};

/// Whether this program hashes without the processor's SHA instructions.
pub const HASHES_IN_SOFTWARE: bool = cfg!(sha2_backend = "soft");

/// The machine and the tools.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The processor as it names itself.
    pub processor: String,
    /// How many threads run at once.
    pub threads: usize,
    /// Instructions that matter to hashing and searching.
    pub instructions: Vec<String>,
    /// The compiler.
    pub rustc: String,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = info.lines().find(|l| l.starts_with(name));
            line.and_then(|l| l.split_once(':'))
                .map_or("", |(_, v)| v.trim())
                .to_owned()
        };
        let flags = field("flags");
        let wanted = ["sha_ni", "avx2", "avx512f"];
        let known = wanted
            .into_iter()
            .filter(|w| flags.split(' ').any(|f| f == *w))
            .filter(|w| *w != "sha_ni" || !HASHES_IN_SOFTWARE);
        Self {
            processor: field("model name"),
            threads: thread::available_parallelism().map_or(1, usize::from),
            instructions: known.map(str::to_owned).collect(),
            rustc: rustc(),
        }
    }
}

/// The compiler's version, as `rustc --version` says it.
#[must_use]
pub fn rustc() -> String {
    let said = Command::new("rustc")
        .arg("--version")
        .output()
        .map(|o| o.stdout);
    let said = String::from_utf8(said.unwrap_or_default()).unwrap_or_default();
    said.split(' ').nth(1).unwrap_or("unknown").to_owned()
}

/// The version of a package in this crate's lock file.
#[must_use]
pub fn version(package: &str) -> Option<&'static str> {
    let lock = include_str!("../Cargo.lock");
    let head = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|l| *l != head);
    let version = lines.nth(1)?.strip_prefix("version = \"")?;
    version.strip_suffix('"')
}
