use std::fmt;

use super::{TOTP, Variables};

/// A user of the audited application that the audit may log in as.
///
/// Steps refer to it as `{username}`, `{password}`, `{basic}` (both, as HTTP's Basic scheme encodes them) and `{totp}`.
/// None of them appears in a report.
#[derive(Clone)]
pub struct Account {
    pub(in super::super) username: String,
    pub(in super::super) password: String,
    pub(in super::super) shown_as: Option<String>,
    pub(in super::super) totp: Option<String>,
}

impl Account {
    /// An account with its credentials.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            shown_as: None,
            totp: None,
        }
    }

    /// The text by which the application's answers tell this account from another; by default the user name.
    #[must_use]
    pub fn shown_as(mut self, text: impl Into<String>) -> Self {
        self.shown_as = Some(text.into());
        self
    }

    /// The secret of the account's authenticator app: base32, or an `otpauth://totp/…` address. `{totp}` in a step is
    /// the code of the moment (RFC 6238).
    ///
    /// A secret that cannot be read is reported when the audit is run.
    #[must_use]
    pub fn totp(mut self, secret: impl Into<String>) -> Self {
        self.totp = Some(secret.into());
        self
    }

    /// The user name.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    pub(in super::super) fn mark(&self) -> &str {
        self.shown_as.as_deref().unwrap_or(&self.username)
    }

    pub(in super::super) fn variables(&self) -> Variables {
        let mut variables = Variables::from([
            ("username".to_owned(), self.username.clone()),
            ("password".to_owned(), self.password.clone()),
        ]);
        if let Some(secret) = &self.totp {
            variables.insert(TOTP.to_owned(), secret.clone());
        }
        variables
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").finish_non_exhaustive()
    }
}
