//! Accounts, steps, picks and probes as the library has them.

use std::fs;
use std::time::Duration;

use fixation_audit::{Account, Pick, Probe, Step};
use serde_json::Value;

use super::{AccountText, Limits, PickText, ProbeText, SessionsText, StepText};

impl AccountText {
    pub(crate) fn account(self) -> Result<Account, String> {
        let user = &self.username;
        let password = match (self.password, self.password_env, self.password_file) {
            (Some(password), None, None) => password,
            (None, Some(variable), None) => std::env::var(&variable)
                .map_err(|_| format!("the variable {variable} is not set"))?,
            (None, None, Some(file)) => fs::read_to_string(&file)
                .map_err(|error| format!("{}: {error}", file.display()))?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
            (None, None, None) => return Err(format!("the account {user} has no password")),
            _ => return Err(format!("the account {user} has more than one password")),
        };
        let account = Account::new(self.username, password);
        Ok(match self.shown_as {
            Some(text) => account.shown_as(text),
            None => account,
        })
    }
}

impl StepText {
    pub(crate) fn step(self) -> Result<Step, String> {
        let path = self.path.ok_or("a step needs a path")?;
        let has_body = !self.form.is_empty() || self.json.is_some();
        let method = self
            .method
            .as_deref()
            .unwrap_or(if has_body { "POST" } else { "GET" });
        let method = method.to_ascii_uppercase();
        let method = method
            .parse()
            .map_err(|_| format!("{method} is no method"))?;
        let mut step = Step::new(method, path);
        for (name, value) in self.query {
            step = step.query(name, value);
        }
        for (name, value) in self.headers {
            step = step.header(name, value);
        }
        if let Some(json) = self.json {
            if !self.form.is_empty() {
                return Err("a step has a form or a JSON body, not both".to_owned());
            }
            step = step.json(Value::Object(json));
        }
        for (name, value) in self.form {
            step = step.field(name, value);
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

    /// Adds fields that flags gave.
    pub(crate) fn with_fields(mut self, fields: Self) -> Self {
        self.form.extend(fields.form);
        if let Some(json) = fields.json {
            self.json.get_or_insert_default().extend(json);
        }
        self
    }
}

impl PickText {
    pub(crate) fn field(name: &str) -> Self {
        Self {
            field: Some(name.to_owned()),
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

    fn pick(self) -> Result<Pick, String> {
        let pick = match (self.field, self.json, self.header, self.cookie) {
            (Some(name), None, None, None) => Pick::field(name),
            (None, Some(pointer), None, None) => Pick::json(pointer),
            (None, None, Some(name), None) => Pick::header(name),
            (None, None, None, Some(name)) => Pick::cookie(name),
            _ => return Err("a pick takes one of field, json, header and cookie".to_owned()),
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
        self.wait
            .map_or(Ok(Duration::ZERO), |wait| seconds(Some(wait), 0.0))
    }

    /// For one answer.
    pub(crate) fn patience(&self) -> Result<Duration, String> {
        seconds(self.patience, 10.0)
    }
}

impl SessionsText {
    pub(crate) fn idle_limit(&self) -> Result<Option<Duration>, String> {
        self.idle.map(|idle| seconds(Some(idle), 0.0)).transpose()
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
