//! `fixation-audit`: learn whether a login can be fixated. See `docs/audit.md`.

mod arguments;
mod assemble;
mod description;
mod discovery;
mod openapi;
mod output;
mod place_of_findings;
mod run;

use std::process::ExitCode;

/// Findings at or above `--fail-on`.
const FOUND: u8 = 1;
/// The audit could not run, or not to its end.
const NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    match arguments::parse(std::env::args_os()).and_then(run::run) {
        Ok(run::Ending::Clean) => ExitCode::SUCCESS,
        Ok(run::Ending::Found) => ExitCode::from(FOUND),
        Ok(run::Ending::NotComplete) => ExitCode::from(NOT_RUN),
        Err(message) => {
            eprintln!("fixation-audit: {message}");
            ExitCode::from(NOT_RUN)
        }
    }
}
