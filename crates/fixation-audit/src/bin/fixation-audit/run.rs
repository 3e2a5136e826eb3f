//! From the description to the report.

use std::path::Path;

use fixation_audit::{FixationAudit, HttpTransport, Place, Report, Trust, checks};

use crate::arguments::{Action, Arguments, Command};
use crate::assemble::{complete_login, described_audit, with_openapi, with_requests};
use crate::description::Description;
use crate::{discovery, output, place_of_findings};

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
        Command::ExampleConfig => return say(include_str!("example.toml")),
        Command::JsonSchema => return say(include_str!("../../../docs/report.schema.json")),
        Command::Explain(id) => {
            let check = checks().iter().find(|check| check.id == id);
            let check =
                check.ok_or_else(|| format!("there is no check {id}; see --list-checks"))?;
            return say(&check.page());
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(act(arguments))
}

fn say(text: &str) -> Result<Ending, String> {
    output::print(text).map(|()| Ending::Clean)
}

async fn act(arguments: Arguments) -> Result<Ending, String> {
    let Arguments {
        action,
        config,
        described,
        requests,
        format,
        writes,
        sarif_location,
        colour,
        quiet,
        verbose,
    } = arguments;
    let mut description = match &config {
        Some(file) => Description::read(file)?.overridden_by(described),
        None => described,
    };
    with_requests(&mut description, requests);
    let url = description
        .url
        .clone()
        .ok_or("the application's URL is missing; see --help")?;
    let mut base = place(&url)?;
    let mut origins = Vec::new();
    for origin in &description.allow_origins {
        origins.push(place(origin)?);
    }
    let transport = transport(&description, &base, &origins)?;
    with_openapi(&mut description, &transport, &base).await?;
    if description.login.is_empty() {
        let page = base.clone();
        // The URL is the login page's: paths of the description start at its origin.
        base = place(&base.origin())?;
        discovery::fill(&mut description, &transport, &base, &page, &origins, quiet).await?;
        if !quiet && action == Action::Audit {
            eprintln!("found out by itself:\n\n{}", description.to_toml()?);
        }
    }
    complete_login(&mut description);
    if action == Action::PrintConfig {
        return say(&description.to_toml()?);
    }
    let mut audit = described_audit(
        description,
        FixationAudit::over(transport, base.clone()),
        &base,
    )?;
    for origin in origins {
        audit = audit.allow_origin(origin);
    }
    if verbose {
        audit = audit.on_exchange(output::exchange);
    }
    if action == Action::DryRun {
        let rehearsal = audit.rehearse().await.map_err(|error| error.to_string())?;
        output::print(&rehearsal.to_string())?;
        return Ok(match rehearsal.stopped {
            None => Ending::Clean,
            Some(_) => Ending::NotComplete,
        });
    }
    if !quiet {
        audit = audit.on_progress(output::progress);
    }
    let outcome = audit.run().await;
    output::clear_progress();
    let report = outcome.map_err(|error| error.to_string())?;
    let location = place_of_findings::find(sarif_location, config.as_deref());
    let location = location.as_deref();
    for (format, file) in writes {
        output::write_file(&file, &format.write(&report, false, location))?;
    }
    output::print(&format.write(&report, colour.wanted(), location))?;
    Ok(ending(&report))
}

fn place(url: &str) -> Result<Place, String> {
    Place::parse(url).ok_or_else(|| format!("{url} is no http or https address"))
}

fn transport(
    description: &Description,
    base: &Place,
    origins: &[Place],
) -> Result<HttpTransport, String> {
    let places = || origins.iter().chain([base]);
    let trust = match (&description.ca_file, description.insecure) {
        (Some(_), true) => return Err("--ca-file and --insecure contradict each other".to_owned()),
        (Some(file), false) => Trust::File(absolute(file)),
        (None, true) => Trust::Anything,
        (None, false) => Trust::System,
    };
    HttpTransport::trusting(places(), description.limits.patience()?, &trust)
        .map_err(|error| error.to_string())
}

fn absolute(file: &Path) -> std::path::PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf())
}

fn ending(report: &Report) -> Ending {
    match (report.fails(), report.is_complete()) {
        (true, _) => Ending::Found,
        (false, true) => Ending::Clean,
        (false, false) => Ending::NotComplete,
    }
}
