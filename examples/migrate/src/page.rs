//! What the pages show: the same before, during and after the move.

use axum::{http::StatusCode, response::Html};
use serde::Deserialize;

/// A form with a theme.
#[derive(Debug, Deserialize)]
pub struct ThemeForm {
    /// The name of the theme.
    pub theme: String,
}

/// A form with a new password.
#[derive(Deserialize)]
pub struct PasswordForm {
    /// The new password.
    pub password: String,
}

/// Without the password.
impl std::fmt::Debug for PasswordForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordForm")
    }
}

/// The page of a user who is logged in. Both words are the application's own or checked by it, so they need no escaping.
pub fn home(name: &str, theme: Option<&str>) -> Html<String> {
    let theme = theme.unwrap_or("plain");
    Html(format!(
        "<p>{name}, {theme}</p>
<form method=post action=/theme><button name=theme value=dark>Dark</button> <button name=theme value=light>Light</button></form>
<form method=post action=/logout><button>Log out</button></form>"
    ))
}

/// The theme of the form, if there is such a theme.
#[must_use]
pub fn known_theme(form: &ThemeForm) -> Option<&'static str> {
    ["dark", "light"]
        .into_iter()
        .find(|theme| *theme == form.theme)
}

/// The login page.
pub async fn login() -> Html<&'static str> {
    Html(
        "<form method=post action=/login>
<input name=name value=alice autocomplete=username> <input type=password name=password value=demo autocomplete=current-password>
<button>Log in</button></form>",
    )
}

/// The answer where a session cannot be read or written; the log says why.
pub fn failed(error: impl std::fmt::Debug) -> StatusCode {
    tracing::error!(?error, "a session fails");
    StatusCode::INTERNAL_SERVER_ERROR
}
