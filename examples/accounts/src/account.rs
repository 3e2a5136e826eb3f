//! The home page, and the page "your sessions".

use std::fmt::Write;

use axum::{
    extract::State,
    http::StatusCode,
    response::{Html, Redirect},
};
use serde::Deserialize;
use tower_session_guard::{
    AssuranceLevel, AuthenticatedSession, Session, SessionError, SessionInfo, Timestamp,
};

use super::{
    Site,
    form::{Checked, Nothing},
    page::{Text, away, button, csrf, page},
    transfer::TRANSFERS,
};

pub(crate) async fn home(State(site): State<Site>, session: Session) -> Html<String> {
    let Some(user) = session.authenticated() else {
        let body = r#"<div class="card"><p>Nobody is logged in, so there is no session and no cookie.</p>
<p><a class="button" href="/login">Log in</a></p></div>"#;
        return page(&session, "Welcome", body);
    };
    let now = site.clock.now();
    let level = user.level();
    let rows = [
        ("Logged in as", user.subject().to_string()),
        ("Assurance level", level.to_string()),
        ("Last proved", away(now, user.authenticated_at())),
        ("Session began", away(now, user.created_at())),
        ("Ends at the latest", away(now, user.expires_at())),
        ("Known as", user.label().unwrap_or("—").to_owned()),
        ("Device", device(session.is_bound()).to_owned()),
        ("Session id", user.id().to_string()),
    ];
    let mut body = String::from(r#"<div class="card"><dl>"#);
    for (name, value) in rows {
        // Writing to a String cannot fail.
        let _ = write!(body, "<dt>{name}</dt><dd>{}</dd>", Text(value));
    }
    body.push_str("</dl><p class=\"actions\">");
    if level >= AssuranceLevel::AAL2 {
        body.push_str(&button(&session, "/step-down", "Give up level 2", "quiet"));
    } else {
        body.push_str(r#"<a class="button" href="/step-up">Step up to level 2</a>"#);
    }
    body.push_str("</p></div>");
    if let Ok(Some(transfers)) = session.get(&TRANSFERS)
        && !transfers.is_empty()
    {
        body.push_str("<h2>Transfers of this session</h2><div class=\"card\"><ul>");
        for transfer in transfers {
            let _ = write!(body, "<li>{}</li>", Text(transfer));
        }
        body.push_str("</ul></div>");
    }
    page(&session, "Your account", &body)
}

/// Right after the login the browser has not registered its device yet.
fn device(is_bound: bool) -> &'static str {
    if is_bound {
        "bound to this device"
    } else {
        "not bound, or not yet"
    }
}

pub(crate) async fn sessions(
    State(site): State<Site>,
    user: AuthenticatedSession,
) -> Result<Html<String>, StatusCode> {
    let list = site.sessions.list(user.subject()).await.map_err(failed)?;
    let (session, now) = (user.session(), site.clock.now());
    let mut body = String::from(
        r#"<div class="card"><table><thead><tr><th>Where</th><th>Logged in</th><th>Last seen</th>
<th>Level</th><th></th></tr></thead><tbody>"#,
    );
    for info in &list {
        body.push_str(&row(session, info, info.id == user.id(), now));
    }
    body.push_str("</tbody></table></div>");
    if list.len() > 1 {
        let end = button(session, "/sessions/end-others", "End all others", "danger");
        let _ = write!(body, r#"<p class="actions">{end}</p>"#);
    }
    body.push_str(
        r#"<p class="hint">Something you do not recognise? End it: its browser is logged out with its
next request. A session that is bound to its device is of no use to whoever copies its cookies.</p>"#,
    );
    Ok(page(session, "Your sessions", &body))
}

fn row(session: &Session, info: &SessionInfo, current: bool, now: Timestamp) -> String {
    let action = if current {
        r#"<span class="badge">this one</span>"#.to_owned()
    } else {
        format!(
            r#"<form method="post" action="/sessions/end">{}<input type="hidden" name="id"
value="{}"><button class="quiet">End</button></form>"#,
            csrf(session),
            info.id
        )
    };
    // A later release may have written what this one cannot read; the session can be ended all the same.
    let Some(details) = &info.details else {
        return format!(r#"<tr><td colspan="4">of a later version</td><td>{action}</td></tr>"#);
    };
    let bound = match details.device_proved_at {
        None => "",
        Some(_) if current => r#"<br><span class="badge good">bound to this device</span>"#,
        Some(_) => r#"<br><span class="badge good">bound to its device</span>"#,
    };
    format!(
        r#"<tr><td>{}{bound}</td><td data-head="Logged in">{}</td><td data-head="Last seen">{}</td>
<td data-head="Level">{}</td><td>{action}</td></tr>"#,
        Text(details.label.as_deref().unwrap_or("—")),
        away(now, details.created_at),
        away(now, details.last_seen_at),
        details.level.map_or(0, AssuranceLevel::get),
    )
}

#[derive(Deserialize)]
pub(crate) struct Which {
    id: String,
}

pub(crate) async fn end(
    State(site): State<Site>,
    user: AuthenticatedSession,
    Checked(which): Checked<Which>,
) -> Result<Redirect, StatusCode> {
    let id = which.id.parse().map_err(|_| StatusCode::NOT_FOUND)?;
    // Another subject's session is none of this list, so its id ends nothing.
    let ended = site.sessions.end(user.subject(), &id).await;
    if ended.map_err(failed)? {
        Ok(Redirect::to("/sessions"))
    } else {
        Err(StatusCode::NOT_FOUND)
    }
}

pub(crate) async fn end_others(
    State(site): State<Site>,
    user: AuthenticatedSession,
    _: Checked<Nothing>,
) -> Result<Redirect, StatusCode> {
    site.sessions.end_others(&user).await.map_err(failed)?;
    Ok(Redirect::to("/sessions"))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err wants it")]
fn failed(error: SessionError) -> StatusCode {
    error.status()
}
