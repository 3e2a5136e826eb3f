//! HTML, without a template engine.

use std::fmt::{self, Display, Write};

use axum::{
    http::header,
    response::{Html, IntoResponse},
};
use tower_session_guard::{AssuranceLevel, Session, Timestamp};

/// Text with the characters that HTML means something by written out.
pub(crate) struct Text<T>(pub(crate) T);

impl<T> Display for Text<T>
where
    T: Display,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A page with the site's header, which shows who is logged in.
pub(crate) fn page(session: &Session, title: &str, body: &str) -> Html<String> {
    let subject = session.subject();
    // Members see at once that they were signed out elsewhere.
    let script = match subject {
        Some(_) => r#"<script src="/live.js" defer></script>"#,
        None => "",
    };
    let account = match subject {
        Some(subject) => format!(
            r#"<span class="who">{} <span class="badge level-{level}">level {level}</span></span>
            <a href="/sessions">Sessions</a> <a href="/transfer">Transfer</a> {}"#,
            Text(subject),
            button(session, "/logout", "Log out", "quiet"),
            level = session.level().map_or(0, AssuranceLevel::get),
        ),
        None => r#"<a href="/login">Log in</a>"#.to_owned(),
    };
    Html(format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Session Guard Bank</title>
<link rel="stylesheet" href="/style.css">{script}
<header><a class="brand" href="/">Session Guard Bank</a><nav>{account}</nav></header>
<main><h1>{title}</h1>
{body}
</main>
<footer>A demonstration of tower-session-guard. No money moves.</footer>
</html>
"#,
        title = Text(title),
    ))
}

/// The hidden field that shows that a form is ours.
pub(crate) fn csrf(session: &Session) -> String {
    match session.csrf_token() {
        Some(token) => format!(r#"<input type="hidden" name="csrf" value="{token}">"#),
        None => String::new(),
    }
}

/// A form that is nothing but a button.
pub(crate) fn button(session: &Session, action: &str, label: &str, class: &str) -> String {
    format!(
        r#"<form method="post" action="{action}">{}<button class="{class}">{label}</button></form>"#,
        csrf(session)
    )
}

/// How far away a moment is, in words.
pub(crate) fn away(now: Timestamp, then: Timestamp) -> String {
    let (distance, future) = (now.since(then).max(then.since(now)), then > now);
    let seconds = distance.as_secs();
    let (count, unit) = match seconds {
        0..60 if !future => return "just now".to_owned(),
        0..60 => return "in less than a minute".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if future {
        format!("in {count} {unit}{plural}")
    } else {
        format!("{count} {unit}{plural} ago")
    }
}

pub(crate) async fn style() -> impl IntoResponse {
    let css = include_str!("style.css");
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], css)
}
