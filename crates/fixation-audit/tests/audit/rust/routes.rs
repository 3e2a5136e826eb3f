//! The routes: a page, a login form, an account, and what goes with them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Form, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};

use super::sessions::{Record, Sessions};

type Fields = HashMap<String, String>;
type Reply = (StatusCode, HeaderMap, String);

pub(crate) fn router(sessions: Arc<Sessions>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/login", post(login))
        .route("/whoami", get(whoami).post(whoami_by_form))
        .route("/elevate", post(elevate))
        .route("/logout", post(logout))
        .route("/data", get(read_data).post(write_data))
        .route("/csrf", get(csrf).post(csrf_check))
        .route("/slow", post(slow))
        .with_state(sessions)
        .layer(from_fn(refuse_other_sites))
}

/// A page of another site may link here and no more.
async fn refuse_other_sites(request: Request, next: Next) -> Response {
    let other = request
        .headers()
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    if other && !request.method().is_safe() {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

/// Who the request comes from: the session where there is one, then the guest's.
fn session(sessions: &Sessions, headers: &HeaderMap, query: &Fields) -> Option<(String, Record)> {
    let by_query = query.get("sid").filter(|_| sessions.faults.reads_query);
    let by_header = headers
        .get("x-session-id")
        .filter(|_| sessions.faults.reads_form_and_header)
        .and_then(|value| value.to_str().ok());
    let other = by_query
        .map(String::as_str)
        .or(by_header)
        .and_then(|value| sessions.unspell(value));
    let names = [sessions.session_name(), sessions.guest_name()];
    let by_cookie = names
        .into_iter()
        .find_map(|name| sessions.load(sessions.presented(headers, name).as_deref()));
    by_cookie.or_else(|| sessions.load(other.as_deref()))
}

fn reply(status: StatusCode, body: impl Into<String>) -> Reply {
    (status, HeaderMap::new(), body.into())
}

fn account(session: Option<&Record>) -> Reply {
    let Some(Record {
        subject: Some(subject),
        level,
        ..
    }) = session
    else {
        return reply(StatusCode::UNAUTHORIZED, r#"{"subject": null, "level": 0}"#);
    };
    reply(
        StatusCode::OK,
        format!(r#"{{"subject": "{subject}", "level": {level}}}"#),
    )
}

async fn page(
    State(sessions): State<Arc<Sessions>>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Reply {
    let mut reply = reply(StatusCode::OK, "welcome");
    let faults = sessions.faults;
    if let Some(chosen) = query.get("sid").filter(|_| faults.query_to_cookie) {
        if sessions.load(Some(chosen)).is_none() {
            sessions.start(Some(chosen));
        }
        sessions.set(&mut reply.1, sessions.guest_name(), chosen);
    } else if faults.one_name_for_all && session(&sessions, &headers, &query).is_none() {
        let (id, _) = sessions.start(None);
        sessions.set(&mut reply.1, sessions.guest_name(), &id);
    }
    if faults.sets_refused_cookie {
        let field = "__Host-theme=dark; Path=/; Secure; Domain=example.test";
        reply
            .1
            .append(header::SET_COOKIE, HeaderValue::from_static(field));
    }
    reply
}

async fn login(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Reply {
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("password") != format!("{}-password", field("user")) {
        return reply(StatusCode::UNAUTHORIZED, "wrong");
    }
    let old = session(&sessions, &headers, &Fields::new());
    let presented = sessions.presented(&headers, sessions.session_name());
    let had_guest = sessions
        .presented(&headers, sessions.guest_name())
        .is_some();
    let id = sessions.log_in(old, presented.as_deref(), field("user"));
    let mut reply = account(sessions.load(Some(&id)).map(|(_, record)| record).as_ref());
    if had_guest && sessions.guest_name() != sessions.session_name() {
        sessions.remove(&mut reply.1, sessions.guest_name());
    }
    sessions.set(&mut reply.1, sessions.session_name(), &id);
    reply
}

async fn whoami(
    State(sessions): State<Arc<Sessions>>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Reply {
    account(
        session(&sessions, &headers, &query)
            .map(|(_, record)| record)
            .as_ref(),
    )
}

async fn whoami_by_form(State(sessions): State<Arc<Sessions>>, Form(form): Form<Fields>) -> Reply {
    let sid = form
        .get("sid")
        .filter(|_| sessions.faults.reads_form_and_header);
    let id = sid.and_then(|value| sessions.unspell(value));
    account(
        sessions
            .load(id.as_deref())
            .map(|(_, record)| record)
            .as_ref(),
    )
}

async fn elevate(State(sessions): State<Arc<Sessions>>, headers: HeaderMap) -> Reply {
    let found = session(&sessions, &headers, &Fields::new());
    let Some((id, record)) = found.filter(|(_, record)| record.subject.is_some()) else {
        return account(None);
    };
    let id = sessions.elevate(&id, record);
    let mut reply = account(sessions.load(Some(&id)).map(|(_, record)| record).as_ref());
    sessions.set(&mut reply.1, sessions.session_name(), &id);
    reply
}

async fn logout(State(sessions): State<Arc<Sessions>>, headers: HeaderMap) -> Reply {
    let mut reply = reply(StatusCode::OK, "bye");
    if let Some((id, _)) = session(&sessions, &headers, &Fields::new()) {
        sessions.log_out(&id);
    }
    sessions.remove(&mut reply.1, sessions.session_name());
    reply
}

async fn write_data(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Reply {
    let mut reply = reply(StatusCode::OK, "ok");
    let presented = sessions.presented(&headers, sessions.guest_name());
    let found = session(&sessions, &headers, &Fields::new());
    let is_new = found.is_none();
    let (id, record) = found.unwrap_or_else(|| sessions.start(presented.as_deref()));
    let data = form.get("value").cloned().unwrap_or_default();
    sessions.update(&id, Record { data, ..record });
    if is_new {
        sessions.set(&mut reply.1, sessions.guest_name(), &id);
    }
    reply
}

async fn read_data(State(sessions): State<Arc<Sessions>>, headers: HeaderMap) -> Reply {
    let found = session(&sessions, &headers, &Fields::new());
    reply(
        StatusCode::OK,
        found.map(|(_, record)| record.data).unwrap_or_default(),
    )
}

async fn csrf(State(sessions): State<Arc<Sessions>>, headers: HeaderMap) -> Reply {
    let mut reply = reply(StatusCode::OK, "");
    let found = session(&sessions, &headers, &Fields::new());
    let is_new = found.is_none();
    let (id, record) = found.unwrap_or_else(|| sessions.start(None));
    if is_new {
        sessions.set(&mut reply.1, sessions.guest_name(), &id);
    }
    reply.2 = format!(
        r#"<form><input type="hidden" name="csrf" value="{}"></form>"#,
        record.csrf
    );
    reply
}

async fn csrf_check(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
    Form(form): Form<Fields>,
) -> Reply {
    let found = session(&sessions, &headers, &Fields::new());
    let good = found.is_some_and(|(_, record)| form.get("csrf") == Some(&record.csrf));
    if good {
        reply(StatusCode::OK, "done")
    } else {
        reply(StatusCode::FORBIDDEN, "no")
    }
}

/// Reads the session, takes its time, and saves it.
async fn slow(State(sessions): State<Arc<Sessions>>, headers: HeaderMap) -> Reply {
    let Some((id, record)) = session(&sessions, &headers, &Fields::new()) else {
        return account(None);
    };
    tokio::time::sleep(Duration::from_millis(150)).await;
    sessions.update(
        &id,
        Record {
            data: "slow".to_owned(),
            ..record
        },
    );
    reply(StatusCode::OK, "ok")
}
