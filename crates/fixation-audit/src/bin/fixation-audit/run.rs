//! From the description to the report.

use std::path::Path;

use fixation_audit::{FixationAudit, HttpTransport, Place, Report};

use crate::arguments::{Arguments, Command};
use crate::assemble::{described_audit, with_csrf, with_openapi};
use crate::description::Description;
use crate::output;

pub(crate) enum Ending {
    Clean,
    Found,
    NotComplete,
}

pub(crate) fn run(command: Command) -> Result<Ending, String> {
    let arguments = match command {
        Command::Audit(arguments) => *arguments,
        Command::Help => return say(include_str!("usage.txt")),
        Command::Version => {
            return say(concat!("fixation-audit ", env!("CARGO_PKG_VERSION"), "\n"));
        }
        Command::ListChecks => return say(&output::list_checks()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(audit(arguments))
}

fn say(text: &str) -> Result<Ending, String> {
    output::print(text).map(|()| Ending::Clean)
}

async fn audit(arguments: Arguments) -> Result<Ending, String> {
    let Arguments {
        config,
        described,
        csrf_page,
        csrf_field,
        format,
        writes,
        colour,
        quiet,
    } = arguments;
    let location = config
        .as_deref()
        .map_or("fixation-audit.toml".into(), Path::to_string_lossy)
        .into_owned();
    let mut description = match &config {
        Some(file) => Description::read(file)?.overridden_by(described),
        None => described,
    };
    let url = description
        .url
        .take()
        .ok_or("the application's URL is missing; see --help")?;
    let place =
        |url: &str| Place::parse(url).ok_or_else(|| format!("{url} is no http or https address"));
    let base = place(&url)?;
    let mut origins = Vec::new();
    for origin in &description.allow_origins {
        origins.push(place(origin)?);
    }
    let patience = description.limits.patience()?;
    let transport = HttpTransport::new(origins.iter().chain([&base]), patience)
        .map_err(|error| error.to_string())?;
    with_openapi(&mut description, &transport, &base).await?;
    with_csrf(&mut description, csrf_page, csrf_field.as_deref());
    let mut audit = described_audit(description, FixationAudit::over(transport, base))?;
    for origin in origins {
        audit = audit.allow_origin(origin);
    }
    if !quiet {
        audit = audit.on_progress(output::progress);
    }
    let outcome = audit.run().await;
    output::clear_progress();
    let report = outcome.map_err(|error| error.to_string())?;
    for (format, file) in writes {
        output::write_file(&file, &format.write(&report, false, &location))?;
    }
    output::print(&format.write(&report, colour.wanted(), &location))?;
    Ok(ending(&report))
}

fn ending(report: &Report) -> Ending {
    match (report.fails(), report.is_complete()) {
        (true, _) => Ending::Found,
        (false, true) => Ending::Clean,
        (false, false) => Ending::NotComplete,
    }
}
