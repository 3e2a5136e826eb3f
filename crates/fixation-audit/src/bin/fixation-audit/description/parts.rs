//! Accounts, steps, picks and probes as the library has them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fixation_audit::{Account, Pick, Probe, Step};
use serde_json::Value;

use super::{AccountText, Limits, PartText, PickText, ProbeText, SessionsText, StepText, Texts};

impl AccountText {
    pub(crate) fn account(self) -> Result<Account, String> {
        let user = &self.username;
        let password = secret(
            "password",
            user,
            self.password,
            self.password_env,
            self.password_file.as_deref(),
        )?;
        let password = password.ok_or_else(|| format!("the account {user} has no password"))?;
        let totp = secret(
            "secret for one-time codes",
            user,
            self.totp,
            self.totp_env,
            self.totp_file.as_deref(),
        )?;
        let mut account = Account::new(self.username, password);
        if let Some(secret) = totp {
            account = account.totp(secret);
        }
        Ok(match self.shown_as {
            Some(text) => account.shown_as(text),
            None => account,
        })
    }
}

fn secret(
    what: &str,
    user: &str,
    text: Option<String>,
    variable: Option<String>,
    file: Option<&Path>,
) -> Result<Option<String>, String> {
    match (text, variable, file) {
        (text, None, None) => Ok(text),
        (None, Some(variable), None) => std::env::var(&variable)
            .map(Some)
            .map_err(|_| format!("the variable {variable} is not set")),
        (None, None, Some(file)) => fs::read_to_string(file)
            .map(|text| Some(text.trim_end_matches(['\r', '\n']).to_owned()))
            .map_err(|error| format!("{}: {error}", file.display())),
        _ => Err(format!("the account {user} has more than one {what}")),
    }
}

impl Texts {
    pub(crate) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }

    /// One value more under the same name.
    pub(crate) fn push(&mut self, text: String) {
        let mut texts = std::mem::replace(self, Self::Many(Vec::new())).into_vec();
        texts.push(text);
        *self = Self::Many(texts);
    }
}

impl From<String> for Texts {
    fn from(text: String) -> Self {
        Self::One(text)
    }
}

impl StepText {
    pub(crate) fn step(self) -> Result<Step, String> {
        let path = self.path.ok_or("a step needs a path")?;
        let bodies = [
            !self.form.is_empty(),
            !self.multipart.is_empty(),
            self.json.is_some(),
        ];
        let bodies = bodies.into_iter().filter(|there| *there).count();
        if bodies > 1 {
            return Err("a step has one body: a form, multipart or JSON".to_owned());
        }
        let default = if bodies == 1 { "POST" } else { "GET" };
        let method = self.method.as_deref().unwrap_or(default);
        let method = method.to_ascii_uppercase();
        let method = method
            .parse()
            .map_err(|_| format!("{method} is no method"))?;
        let mut step = Step::new(method, path);
        for (name, values) in self.query {
            for value in values.into_vec() {
                step = step.query(&name, value);
            }
        }
        for (name, value) in self.headers {
            step = step.header(name, value);
        }
        if let Some(json) = self.json {
            step = step.json(json);
        }
        for (name, values) in self.form {
            for value in values.into_vec() {
                step = step.field(&name, value);
            }
        }
        for (name, part) in self.multipart {
            step = match part {
                PartText::Field(value) => step.part(name, value),
                PartText::File(file) => {
                    step.file(name, file.file_name, file.media_type, file.contents)
                }
            };
        }
        for pick in self.pick {
            step = step.picking(pick.pick()?);
        }
        if let Some(status) = self.status {
            step = step.expecting(status);
        }
        if let Some(text) = self.text {
            step = step.expecting_text(text);
        }
        Ok(step)
    }

    /// Whether the answer holds a bearer token.
    pub(crate) fn has_token(&self) -> bool {
        self.pick
            .iter()
            .any(|pick| pick.json.as_deref() == Some("/access_token"))
    }

    /// Adds fields and headers that flags gave.
    pub(crate) fn with_fields(mut self, fields: Self) -> Self {
        self.form.extend(fields.form);
        self.headers.extend(fields.headers);
        match (&mut self.json, fields.json) {
            (Some(Value::Object(own)), Some(Value::Object(more))) => own.extend(more),
            (own, Some(more)) => *own = Some(more),
            (_, None) => {}
        }
        self
    }

    /// Sets a field of the body that the step has; of a form, where it has none.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        if let Some(Value::Object(json)) = &mut self.json {
            json.insert(name.to_owned(), value.into());
        } else if self.multipart.is_empty() {
            let value = Texts::One(value.to_owned());
            self.form.insert(name.to_owned(), value);
        } else {
            let value = PartText::Field(value.to_owned());
            self.multipart.insert(name.to_owned(), value);
        }
    }
}

impl PickText {
    pub(crate) fn field(name: &str) -> Self {
        Self {
            field: Some(name.to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn cookie(name: &str) -> Self {
        Self {
            cookie: Some(name.to_owned()),
            decode: true,
            ..Self::default()
        }
    }

    pub(crate) fn json(pointer: &str, name: &str) -> Self {
        Self {
            json: Some(pointer.to_owned()),
            name: Some(name.to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn within(mut self, form: Option<String>) -> Self {
        self.form = form;
        self
    }

    fn pick(self) -> Result<Pick, String> {
        const ONE: &str =
            "a pick takes one of field, attribute, link, pattern, json, header and cookie";
        if self.form.is_some() && self.field.is_none() {
            return Err("a pick has a form only with a field".to_owned());
        }
        let mut found = Vec::new();
        found.extend(self.field.map(|name| match self.form {
            Some(form) => Pick::field_of(form, name),
            None => Pick::field(name),
        }));
        found.extend(self.attribute.map(Pick::attribute));
        found.extend(self.link.map(Pick::link));
        if let Some(pattern) = self.pattern {
            found.push(Pick::pattern(&pattern).map_err(|error| error.to_string())?);
        }
        found.extend(self.json.map(Pick::json));
        found.extend(self.header.map(Pick::header));
        let decode = self.decode;
        found.extend(self.cookie.map(|name| {
            if decode {
                Pick::decoded_cookie(name)
            } else {
                Pick::cookie(name)
            }
        }));
        let mut found = found.into_iter();
        let (Some(pick), None) = (found.next(), found.next()) else {
            return Err(ONE.to_owned());
        };
        Ok(match self.name {
            Some(name) => pick.named(name),
            None => pick,
        })
    }
}

impl ProbeText {
    pub(crate) fn probe(self) -> Result<Probe, String> {
        let Self {
            method,
            path,
            headers,
            status,
            text,
            pointer,
            equals,
        } = self;
        let step = StepText {
            method,
            path,
            headers,
            ..StepText::default()
        };
        let probe = Probe::new(step.step()?);
        Ok(match (status, text, pointer, equals) {
            (None, None, None, None) => probe,
            (Some(status), None, None, None) => probe.status(status),
            (None, Some(text), None, None) => probe.text(text),
            (None, None, Some(pointer), None) => probe.json(pointer),
            (None, None, Some(pointer), Some(value)) => probe.json_is(pointer, value),
            _ => {
                return Err(
                    "a probe takes one of status, text and json (with or without equals)"
                        .to_owned(),
                );
            }
        })
    }
}

impl Limits {
    /// For the whole audit.
    pub(crate) fn time_limit(&self) -> Result<Duration, String> {
        seconds(self.seconds, 300.0)
    }

    /// For what expires; not at all where nothing is said.
    pub(crate) fn wait(&self) -> Result<Duration, String> {
        match self.wait {
            None | Some(0.0) => Ok(Duration::ZERO),
            wait => seconds(wait, 0.0),
        }
    }

    /// For one answer.
    pub(crate) fn patience(&self) -> Result<Duration, String> {
        seconds(self.patience, 10.0)
    }
}

impl SessionsText {
    pub(crate) fn is_empty(&self) -> bool {
        self.most.is_none() && self.idle.is_none()
    }

    pub(crate) fn idle_limit(&self) -> Result<Option<Duration>, String> {
        self.idle.map(|idle| seconds(Some(idle), 0.0)).transpose()
    }
}

impl Limits {
    /// From one request to the next: none on this machine, a little on another.
    pub(crate) fn delay(&self, loopback: bool) -> Result<Duration, String> {
        let delay = self.delay.unwrap_or(if loopback { 0.0 } else { 0.05 });
        if !(0.0..=3_600.0).contains(&delay) {
            return Err("the delay in seconds is not negative, and an hour at most".to_owned());
        }
        Ok(Duration::from_secs_f64(delay))
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
