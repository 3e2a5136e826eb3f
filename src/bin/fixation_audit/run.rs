//! From the description to the report.

use std::path::Path;
use std::time::Duration;

use tower_session_guard::testing::FixationAudit;
use tower_session_guard::testing::audit::{
    Account, Flow, HttpTransport, Place, Probe, Report, Severity, Step, Transport,
};

use crate::arguments::{Arguments, Command};
use crate::description::{Description, PickText, ProbeText, StepText};
use crate::openapi::Document;
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
    let patience = seconds(description.limits.patience, 10.0)?;
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

fn seconds(given: Option<f64>, default: f64) -> Result<Duration, String> {
    let seconds = given.unwrap_or(default);
    let sane = seconds > 0.0 && seconds <= 86_400.0;
    if !sane {
        return Err("a limit in seconds lies above 0 and within a day".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Fills in from the OpenAPI document what was not described otherwise.
async fn with_openapi(
    description: &mut Description,
    transport: &HttpTransport,
    base: &Place,
) -> Result<(), String> {
    let Some(source) = description.openapi.document.take() else {
        return Ok(());
    };
    let text = if source.starts_with('/') && !Path::new(&source).exists() {
        fetch(transport, base, &source).await?
    } else {
        std::fs::read_to_string(&source).map_err(|error| format!("{source}: {error}"))?
    };
    let document = Document::parse(&text)?;
    let fields = std::mem::take(&mut description.login_fields);
    if let Some(id) = &description.openapi.login {
        let step = document.step(id, &fields)?;
        if step.has_token() && description.bearer.is_none() {
            description.bearer = Some("/access_token".to_owned());
        }
        description.login.push(StepText {
            pick: Vec::new(),
            ..step
        });
    } else {
        description.login_fields = fields;
    }
    if let Some(id) = &description.openapi.whoami {
        let step = document.step(id, &StepText::default())?;
        let probe = description.logged_in.get_or_insert_default();
        (probe.method, probe.path) = (step.method, step.path);
    }
    if let Some(id) = &description.openapi.elevate {
        description
            .elevate
            .push(document.step(id, &StepText::default())?);
    }
    if let Some(id) = &description.openapi.logout {
        description
            .logout
            .push(document.step(id, &StepText::default())?);
    }
    Ok(())
}

async fn fetch(transport: &HttpTransport, base: &Place, path: &str) -> Result<String, String> {
    let place = base
        .join(path)
        .ok_or("the OpenAPI document has no valid path")?;
    let request = http::Request::get(place.to_string()).header("host", place.authority());
    let request = request
        .body(bytes::Bytes::new())
        .map_err(|error| error.to_string())?;
    let response = transport
        .send(request)
        .await
        .map_err(|error| format!("{place}: {error}"))?;
    if response.status() != http::StatusCode::OK {
        return Err(format!("{place} answered {}", response.status().as_u16()));
    }
    String::from_utf8(response.into_body().into()).map_err(|_| format!("{place} is not UTF-8"))
}

/// A token that the login's last request sends back: its page comes first.
fn with_csrf(description: &mut Description, page: Option<String>, field: Option<&str>) {
    let Some(field) = field else { return };
    let Some(last) = description.login.last_mut() else {
        return;
    };
    match &mut last.json {
        Some(json) => _ = json.insert(field.to_owned(), format!("{{{field}}}").into()),
        None => _ = last.form.insert(field.to_owned(), format!("{{{field}}}")),
    }
    let path = page.or_else(|| last.path.clone());
    let pick = vec![PickText::field(field)];
    description.login.insert(
        0,
        StepText {
            path,
            pick,
            ..StepText::default()
        },
    );
}

fn described_audit(
    mut description: Description,
    mut audit: FixationAudit,
) -> Result<FixationAudit, String> {
    for account in description.accounts {
        let account: Account = account.account()?;
        audit = audit.account(account);
    }
    let fields = description.login_fields;
    if let Some(last) = description.login.pop() {
        description.login.push(last.with_fields(fields));
    }
    let bearer = description.bearer.as_deref();
    if let (Some(pointer), Some(last)) = (bearer, description.login.last_mut()) {
        last.pick.push(PickText::json(pointer, "bearer"));
    }
    let step = |mut text: StepText| -> Result<Step, String> {
        authorise(&mut text.headers, bearer);
        text.step()
    };
    let flow = |steps: Vec<StepText>| -> Result<Flow, String> {
        Ok(steps
            .into_iter()
            .map(step)
            .collect::<Result<Vec<_>, _>>()?
            .into())
    };
    let probe = |mut text: ProbeText| -> Result<Probe, String> {
        authorise(&mut text.headers, bearer);
        text.probe()
    };
    for text in description.visit {
        audit = audit.visit(text.step()?);
    }
    if !description.login.is_empty() {
        let steps: Result<Vec<_>, _> = description.login.into_iter().map(StepText::step).collect();
        audit = audit.login(steps?);
    }
    if let Some(text) = description.logged_in.filter(|text| text.path.is_some()) {
        audit = audit.logged_in(probe(text)?);
    }
    if !description.elevate.is_empty() {
        audit = audit.elevate(flow(description.elevate)?);
    }
    if let Some(text) = description.elevated {
        audit = audit.elevated(probe(text)?);
    }
    if !description.logout.is_empty() {
        audit = audit.logout(flow(description.logout)?);
    }
    if let Some(data) = description.data {
        audit = audit.data(step(data.put)?, step(data.get)?);
    }
    if let Some(csrf) = description.csrf {
        audit = audit.csrf(step(csrf.page)?, step(csrf.guarded)?);
    }
    if let Some(slow) = description.slow {
        audit = audit.slow(step(slow)?);
    }
    for (check, reason) in description.accept {
        audit = audit.accept(check, reason);
    }
    let limits = description.limits;
    audit = audit.within(seconds(limits.seconds, 300.0)?);
    if let Some(most) = limits.requests {
        audit = audit.most_requests(most);
    }
    if let Some(samples) = limits.samples {
        audit = audit.samples(samples);
    }
    if let Some(name) = description.fail_on {
        audit =
            audit.fail_on(Severity::parse(&name).ok_or_else(|| format!("{name} is no severity"))?);
    }
    Ok(audit)
}

fn authorise(headers: &mut std::collections::BTreeMap<String, String>, bearer: Option<&str>) {
    if bearer.is_some() {
        headers
            .entry("authorization".to_owned())
            .or_insert("Bearer {bearer}".to_owned());
    }
}
