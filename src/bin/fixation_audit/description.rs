//! The application's description: what the TOML file holds, and what flags fill in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};
use tower_session_guard::testing::audit::{Account, Pick, Probe, Step};

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Description {
    pub(crate) url: Option<String>,
    pub(crate) allow_origins: Vec<String>,
    pub(crate) fail_on: Option<String>,
    pub(crate) bearer: Option<String>,
    pub(crate) accounts: Vec<AccountText>,
    pub(crate) visit: Vec<StepText>,
    pub(crate) login: Vec<StepText>,
    pub(crate) logged_in: Option<ProbeText>,
    pub(crate) elevate: Vec<StepText>,
    pub(crate) elevated: Option<ProbeText>,
    pub(crate) logout: Vec<StepText>,
    pub(crate) data: Option<DataText>,
    pub(crate) csrf: Option<CsrfText>,
    pub(crate) slow: Option<StepText>,
    pub(crate) openapi: OpenApiText,
    pub(crate) limits: Limits,
    pub(crate) accept: BTreeMap<String, String>,
    /// Fields that flags add to the login's last request.
    #[serde(skip)]
    pub(crate) login_fields: StepText,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AccountText {
    pub(crate) username: String,
    pub(crate) password: Option<String>,
    pub(crate) password_env: Option<String>,
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) shown_as: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StepText {
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) json: Option<Map<String, Value>>,
    pub(crate) pick: Vec<PickText>,
    pub(crate) status: Option<u16>,
    pub(crate) text: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PickText {
    field: Option<String>,
    json: Option<String>,
    header: Option<String>,
    cookie: Option<String>,
    #[serde(rename = "as")]
    name: Option<String>,
}

/// A request that shows who is logged in. Its own fields, for `status` and `text` mean something else in a step.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProbeText {
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) status: Option<u16>,
    pub(crate) text: Option<String>,
    #[serde(rename = "json")]
    pub(crate) pointer: Option<String>,
    pub(crate) equals: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataText {
    pub(crate) put: StepText,
    pub(crate) get: StepText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CsrfText {
    pub(crate) page: StepText,
    pub(crate) guarded: StepText,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OpenApiText {
    pub(crate) document: Option<String>,
    pub(crate) login: Option<String>,
    pub(crate) whoami: Option<String>,
    pub(crate) elevate: Option<String>,
    pub(crate) logout: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(crate) seconds: Option<f64>,
    pub(crate) patience: Option<f64>,
    pub(crate) requests: Option<usize>,
    pub(crate) samples: Option<usize>,
}

impl Description {
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let at = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = fs::read_to_string(file).map_err(|error| at(&error))?;
        // The parser's own message quotes the line, and the line may hold a password.
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(0, |span| {
                text.get(..span.start)
                    .unwrap_or_default()
                    .matches('\n')
                    .count()
                    + 1
            });
            at(&format_args!("line {line}: {}", error.message()))
        })
    }

    /// What `other` (the flags) says comes first; lists are replaced, maps are merged.
    pub(crate) fn overridden_by(mut self, other: Self) -> Self {
        fn instead<T>(mine: &mut Vec<T>, other: Vec<T>) {
            if !other.is_empty() {
                *mine = other;
            }
        }
        self.url = other.url.or(self.url);
        self.fail_on = other.fail_on.or(self.fail_on);
        self.bearer = other.bearer.or(self.bearer);
        self.allow_origins.extend(other.allow_origins);
        self.visit.extend(other.visit);
        instead(&mut self.accounts, other.accounts);
        instead(&mut self.login, other.login);
        instead(&mut self.elevate, other.elevate);
        instead(&mut self.logout, other.logout);
        self.logged_in = other
            .logged_in
            .filter(|probe| probe.path.is_some())
            .or(self.logged_in);
        self.login_fields = other.login_fields;
        self.accept.extend(other.accept);
        let (mine, flags) = (&mut self.limits, other.limits);
        mine.seconds = flags.seconds.or(mine.seconds);
        mine.patience = flags.patience.or(mine.patience);
        mine.requests = flags.requests.or(mine.requests);
        mine.samples = flags.samples.or(mine.samples);
        let (mine, flags) = (&mut self.openapi, other.openapi);
        mine.document = flags.document.or(mine.document.take());
        mine.login = flags.login.or(mine.login.take());
        mine.whoami = flags.whoami.or(mine.whoami.take());
        mine.elevate = flags.elevate.or(mine.elevate.take());
        mine.logout = flags.logout.or(mine.logout.take());
        self
    }
}

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
