//! Reports, and progress while the audit runs.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use fixation_audit::{Report, Trace, checks};

#[derive(Clone, Copy, Default)]
pub(crate) enum Format {
    #[default]
    Table,
    Json,
    Sarif,
    Junit,
}

impl Format {
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            "sarif" => Ok(Self::Sarif),
            "junit" => Ok(Self::Junit),
            _ => Err(format!("{name} is none of table, json, sarif and junit")),
        }
    }

    pub(crate) fn write(self, report: &Report, colour: bool, location: Option<&str>) -> String {
        match self {
            Self::Table => report.to_table(colour),
            Self::Json => report.to_json(),
            Self::Sarif => report.to_sarif(location),
            Self::Junit => report.to_junit(),
        }
    }
}

#[derive(Clone, Copy, Default)]
pub(crate) enum Colour {
    #[default]
    Auto,
    Always,
    Never,
}

impl Colour {
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => Err(format!("{name} is none of auto, always and never")),
        }
    }

    pub(crate) fn wanted(self) -> bool {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.wanted_on(io::stdout().is_terminal(), refused)
    }

    /// A flag decides; without one a terminal does, unless `NO_COLOR` is set (<https://no-color.org>).
    fn wanted_on(self, terminal: bool, refused: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && !refused,
        }
    }
}

pub(crate) fn print(text: &str) -> Result<(), String> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

pub(crate) fn write_file(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

pub(crate) fn list_checks() -> String {
    checks()
        .iter()
        .map(|check| format!("{:<30} {:<9} {}\n", check.id, check.severity, check.title))
        .collect()
}

/// One line that is written over on a terminal; a line each elsewhere.
pub(crate) fn progress(what: &str) {
    let mut err = io::stderr();
    let _ = if err.is_terminal() {
        write!(err, "\r\x1b[Ktrying {what} …")
    } else {
        writeln!(err, "trying {what}")
    };
    let _ = err.flush();
}

/// One request and its answer, while the audit runs.
pub(crate) fn exchange(trace: &Trace) {
    clear_progress();
    let _ = writeln!(io::stderr(), "{trace}");
}

pub(crate) fn clear_progress() {
    let mut err = io::stderr();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[K");
    }
}

#[cfg(test)]
mod tests {
    use super::Colour;

    #[test]
    fn colour_is_for_terminals_that_did_not_refuse_it() {
        for (colour, terminal, refused, expected) in [
            (Colour::Auto, true, false, true),
            (Colour::Auto, true, true, false),
            (Colour::Auto, false, false, false),
            (Colour::Always, false, true, true),
            (Colour::Never, true, false, false),
        ] {
            assert_eq!(colour.wanted_on(terminal, refused), expected);
        }
    }
}
