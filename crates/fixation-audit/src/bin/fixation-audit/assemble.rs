//! From the description to the audit, and what flags and OpenAPI add to it on the way.

use std::collections::BTreeMap;
use std::path::Path;

use fixation_audit::{
    Account, FixationAudit, Flow, HttpTransport, Place, Probe, Severity, Step, Transport,
};

use crate::description::{Description, PickText, ProbeText, StepText};
use crate::openapi::Document;

/// Fills in from the OpenAPI document what was not described otherwise.
pub(crate) async fn with_openapi(
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
pub(crate) fn with_csrf(description: &mut Description, page: Option<String>, field: Option<&str>) {
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

pub(crate) fn described_audit(
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
    if !description.end_others.is_empty() {
        audit = audit.end_others(flow(description.end_others)?);
    }
    if !description.change_password.is_empty() {
        audit = audit.change_password(flow(description.change_password)?);
    }
    if let Some(most) = description.sessions.most {
        audit = audit.session_limit(most);
    }
    if let Some(idle) = description.sessions.idle_limit()? {
        audit = audit.idle_limit(idle);
    }
    for (check, reason) in description.accept {
        audit = audit.accept(check, reason);
    }
    let limits = description.limits;
    audit = audit.within(limits.time_limit()?).wait(limits.wait()?);
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

fn authorise(headers: &mut BTreeMap<String, String>, bearer: Option<&str>) {
    if bearer.is_some() {
        headers
            .entry("authorization".to_owned())
            .or_insert("Bearer {bearer}".to_owned());
    }
}
