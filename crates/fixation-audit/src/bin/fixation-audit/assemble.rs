//! From the description to the audit, and what flags and OpenAPI add to it on the way.

use std::collections::BTreeMap;
use std::path::Path;

use fixation_audit::{
    Account, FixationAudit, Flow, Framework, HttpTransport, Place, Probe, Severity, Step, Transport,
};

use crate::arguments::{CsrfFlags, Requests};
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
        let headers = fields.headers;
        description.login.push(
            StepText {
                pick: Vec::new(),
                ..step
            }
            .with_fields(StepText {
                headers,
                ..StepText::default()
            }),
        );
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
    let folder = base.path().trim_end_matches('/');
    let place = base
        .join(&format!("{folder}{path}"))
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

/// Puts the flags' requests in place of the file's.
pub(crate) fn with_requests(description: &mut Description, flags: Requests) {
    let Requests {
        login,
        then,
        elevate,
        logout,
        end_others,
        change_password,
    } = flags;
    if let Some(request) = login.request {
        description.login = vec![request];
    }
    description.login_fields = login.fields;
    login.csrf.add_later(description);
    description.then = then.into_steps("/");
    for (mine, flags) in [
        (&mut description.elevate, elevate),
        (&mut description.logout, logout),
        (&mut description.end_others, end_others),
        (&mut description.change_password, change_password),
    ] {
        if flags.request.is_some() {
            *mine = flags.into_steps("/");
        } else if let Some(last) = mine.pop() {
            mine.push(last.with_fields(flags.fields));
            flags.csrf.add(mine, "/");
        }
    }
}

/// Adds what flags say of the login's requests to those that the description has by now.
pub(crate) fn complete_login(description: &mut Description) {
    let fields = std::mem::take(&mut description.login_fields);
    if let Some(last) = description.login.pop() {
        description.login.push(last.with_fields(fields));
    }
    let path = description
        .login
        .last()
        .and_then(|step| step.path.clone())
        .unwrap_or_default();
    let csrf = std::mem::take(&mut description.login_csrf);
    csrf.add(&mut description.login, &path);
    description.login.append(&mut description.then);
}

impl CsrfFlags {
    fn add_later(self, description: &mut Description) {
        description.login_csrf = self;
    }

    /// A page to take the token from comes before the last request, which sends it.
    pub(crate) fn add(self, steps: &mut Vec<StepText>, page: &str) {
        let Some(last) = steps.last_mut() else { return };
        let (pick, name, default) = if let Some(field) = &self.field {
            (PickText::field(field), field.clone(), None)
        } else if let Some(cookie) = &self.cookie {
            let header = match cookie.to_ascii_lowercase().as_str() {
                "xsrf-token" => "X-XSRF-TOKEN",
                "csrftoken" => "X-CSRFToken",
                _ => "X-CSRF-Token",
            };
            (PickText::cookie(cookie), cookie.clone(), Some(header))
        } else if let Some(pointer) = &self.json {
            (
                PickText::json(pointer, "csrf"),
                "csrf".to_owned(),
                Some("X-CSRF-Token"),
            )
        } else {
            return;
        };
        let token = format!("{{{name}}}");
        match self.header.or(default.map(str::to_owned)) {
            Some(header) => _ = last.headers.insert(header, token),
            None => last.set(&name, &token),
        }
        let page = StepText {
            path: Some(self.page.unwrap_or_else(|| page.to_owned())),
            pick: vec![pick],
            ..StepText::default()
        };
        let at = steps.len() - 1;
        steps.insert(at, page);
    }
}

pub(crate) fn described_audit(
    description: Description,
    mut audit: FixationAudit,
    base: &Place,
) -> Result<FixationAudit, String> {
    let token = Token::of(&description);
    let mut login = description.login;
    for account in description.accounts {
        let account: Account = account.account()?;
        audit = audit.account(account);
    }
    if let (Some(pointer), Some(last)) = (&token.pointer, login.last_mut()) {
        last.pick.push(PickText::json(pointer, "bearer"));
    }
    let step = |mut text: StepText| -> Result<Step, String> {
        token.authorise(&mut text.headers);
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
        token.authorise(&mut text.headers);
        text.probe()
    };
    for text in description.visit {
        audit = audit.visit(text.step()?);
    }
    if !login.is_empty() {
        let steps: Result<Vec<_>, _> = login.into_iter().map(StepText::step).collect();
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
    for (name, value) in description.headers {
        audit = audit.header(name, value);
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
    if let Some(name) = description.name {
        audit = audit.named(name);
    }
    if let Some(name) = description.framework {
        let framework = Framework::parse(&name)
            .ok_or_else(|| format!("{name} is none of {}", Framework::names().join(", ")))?;
        audit = audit.framework(framework);
    }
    let limits = description.limits;
    audit = audit
        .within(limits.time_limit()?)
        .wait(limits.wait()?)
        .delay(limits.delay(base.is_loopback())?);
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

/// How a token is sent that the login answered with.
struct Token {
    pointer: Option<String>,
    header: String,
    value: String,
}

impl Token {
    fn of(description: &Description) -> Self {
        let header = description.token_header.as_deref();
        let header = header.unwrap_or("authorization").to_ascii_lowercase();
        let default = if header == "authorization" {
            "Bearer"
        } else {
            ""
        };
        let scheme = description.token_scheme.as_deref().unwrap_or(default);
        Self {
            pointer: description.bearer.clone(),
            header,
            value: format!("{scheme} {{bearer}}").trim_start().to_owned(),
        }
    }

    fn authorise(&self, headers: &mut BTreeMap<String, String>) {
        let has_one = headers
            .keys()
            .any(|name| name.eq_ignore_ascii_case(&self.header));
        if self.pointer.is_some() && !has_one {
            headers.insert(self.header.clone(), self.value.clone());
        }
    }
}
