//! The application's description: what the TOML file holds, and what flags fill in.

mod parts;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arguments::CsrfFlags;

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Description {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) framework: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allow_origins: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fail_on: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) insecure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bearer: Option<String>,
    /// The header that the token goes into; `Authorization` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_header: Option<String>,
    /// The word before the token; `Bearer` by default in `Authorization`, and none in another header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_scheme: Option<String>,
    /// Headers of every request.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) accounts: Vec<AccountText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) visit: Vec<StepText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) login: Vec<StepText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logged_in: Option<ProbeText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) elevate: Vec<StepText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) elevated: Option<ProbeText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) logout: Vec<StepText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<DataText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) csrf: Option<CsrfText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slow: Option<StepText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) end_others: Vec<StepText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) change_password: Vec<StepText>,
    #[serde(skip_serializing_if = "SessionsText::is_empty")]
    pub(crate) sessions: SessionsText,
    #[serde(skip_serializing)]
    pub(crate) openapi: OpenApiText,
    #[serde(skip_serializing_if = "Limits::is_default")]
    pub(crate) limits: Limits,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) accept: BTreeMap<String, String>,
    /// Fields that flags add to the login's last request.
    #[serde(skip)]
    pub(crate) login_fields: StepText,
    /// The CSRF token that flags add to it.
    #[serde(skip)]
    pub(crate) login_csrf: CsrfFlags,
    /// Requests that flags add after the login's.
    #[serde(skip)]
    pub(crate) then: Vec<StepText>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AccountText {
    pub(crate) username: String,
    /// Never written: a description is often kept where others read it.
    #[serde(skip_serializing)]
    pub(crate) password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_env: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    #[serde(skip_serializing)]
    pub(crate) totp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) totp_env: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) totp_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shown_as: Option<String>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StepText {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) query: BTreeMap<String, Texts>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) form: BTreeMap<String, Texts>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) multipart: BTreeMap<String, PartText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) pick: Vec<PickText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
}

/// A value, or several under the same name.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Texts {
    One(String),
    Many(Vec<String>),
}

/// A field of a multipart body, or a file.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum PartText {
    Field(String),
    File(FileText),
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileText {
    file_name: String,
    #[serde(default = "octets")]
    media_type: String,
    contents: String,
}

fn octets() -> String {
    "application/octet-stream".to_owned()
}

#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PickText {
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The form that the field is in, by the end of its action.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribute: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookie: Option<String>,
    /// Whether a cookie's percent-encoding is undone.
    #[serde(skip_serializing_if = "is_false")]
    decode: bool,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// A request that shows who is logged in. Its own fields, for `status` and `text` mean something else in a step.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProbeText {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(rename = "json", skip_serializing_if = "Option::is_none")]
    pub(crate) pointer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) equals: Option<Value>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DataText {
    pub(crate) put: StepText,
    pub(crate) get: StepText,
}

#[derive(Deserialize, Serialize)]
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
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SessionsText {
    /// The most of one account at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) most: Option<usize>,
    /// Seconds without a request after which one ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle: Option<f64>,
}

impl Limits {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Seconds that the audit may wait for something to expire.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wait: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) patience: Option<f64>,
    /// Seconds from one request to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) delay: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) samples: Option<usize>,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out a reference"
)]
fn is_false(flag: &bool) -> bool {
    !flag
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

    /// The description as a file, without passwords and secrets.
    pub(crate) fn to_toml(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| format!("the description cannot be written: {error}"))
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
        self.name = other.name.or(self.name);
        self.framework = other.framework.or(self.framework);
        self.ca_file = other.ca_file.or(self.ca_file);
        self.insecure |= other.insecure;
        self.bearer = other.bearer.or(self.bearer);
        self.token_header = other.token_header.or(self.token_header);
        self.token_scheme = other.token_scheme.or(self.token_scheme);
        self.headers.extend(other.headers);
        self.sessions.most = other.sessions.most.or(self.sessions.most);
        self.sessions.idle = other.sessions.idle.or(self.sessions.idle);
        self.allow_origins.extend(other.allow_origins);
        self.visit.extend(other.visit);
        instead(&mut self.accounts, other.accounts);
        self.logged_in = other
            .logged_in
            .filter(|probe| probe.path.is_some())
            .or(self.logged_in);
        self.accept.extend(other.accept);
        let (mine, flags) = (&mut self.limits, other.limits);
        mine.wait = flags.wait.or(mine.wait);
        mine.seconds = flags.seconds.or(mine.seconds);
        mine.patience = flags.patience.or(mine.patience);
        mine.delay = flags.delay.or(mine.delay);
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

#[cfg(test)]
mod tests {
    use super::Description;

    #[test]
    fn the_example_is_a_description_and_survives_being_written() {
        let example: Description = toml::from_str(include_str!("../example.toml")).unwrap();
        let written = example.to_toml().unwrap();
        let again: Description = toml::from_str(&written).unwrap();
        assert_eq!(again.to_toml().unwrap(), written);
        assert_eq!((again.login.len(), again.accounts.len()), (2, 2));
        let limits = &again.limits;
        limits.time_limit().unwrap();
        limits.patience().unwrap();
        assert!(limits.wait().unwrap().is_zero() && limits.delay(false).unwrap().is_zero());
        for step in again
            .login
            .into_iter()
            .chain(again.logout)
            .chain(again.visit)
        {
            step.step().unwrap();
        }
    }

    #[test]
    fn passwords_and_secrets_are_never_written() {
        let text =
            "[[accounts]]\nusername = \"a\"\npassword = \"hunter2hunter2\"\ntotp = \"GEZDGNBV\"\n";
        let written = toml::from_str::<Description>(text)
            .unwrap()
            .to_toml()
            .unwrap();
        assert!(
            !written.contains("hunter2") && !written.contains("GEZDGNBV"),
            "{written}"
        );
    }
}
