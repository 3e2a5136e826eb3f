//! The application's description: what the TOML file holds, and what flags fill in.

mod parts;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

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
    pub(crate) end_others: Vec<StepText>,
    pub(crate) change_password: Vec<StepText>,
    pub(crate) sessions: SessionsText,
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

/// What the application announces of its sessions.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SessionsText {
    /// The most of one account at once.
    pub(crate) most: Option<usize>,
    /// Seconds without a request after which one ends.
    pub(crate) idle: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Seconds that the audit may wait for something to expire.
    pub(crate) wait: Option<f64>,
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
        mine.wait = flags.wait.or(mine.wait);
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
