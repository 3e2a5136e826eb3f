//! The routes within the session layer.

use std::{collections::HashMap, str::FromStr, sync::Arc, time::Duration};

use axum::{
    Json, RequestExt, Router,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use tower_session_guard::{
    AssuranceLevel, AuthenticatedSession, DataError, DataErrorKind, DataKey, Login, Session,
    StepUp, Timestamp,
};

use crate::{backchannel, background, config::Testbed, control, impersonation, stream};

pub(crate) type Parameters = HashMap<String, String>;
type Answer = Result<Response, StatusCode>;

pub(crate) fn router(testbed: Arc<Testbed>) -> Router {
    Router::new()
        .route("/public", get(public))
        .route(
            "/whoami",
            get(|session: Session| async move { whoami(&session) }),
        )
        .route("/login", post(login))
        .route("/elevate", post(elevate))
        .route("/step-down", post(step_down))
        .route("/renew", post(renew))
        .route("/logout", post(logout))
        .route("/put", post(put))
        .route("/put-carried", post(put_carried))
        .route("/put-once", post(put_once))
        .route("/take", get(take))
        .route("/remove", post(remove))
        .route("/append", post(append))
        .route("/get", get(read))
        .route("/slow", post(slow))
        .route("/mark-then-wait", post(mark_then_wait))
        .route("/fail", post(fail))
        .route("/marks", post(marks))
        .route("/own-headers", get(own_headers))
        .route("/panic", post(panics))
        .route("/own-cookie", post(own_cookie))
        .route("/echo-cookie", get(echo_cookie))
        .merge(background::router())
        .merge(control::router())
        .merge(impersonation::router())
        .merge(stream::router(testbed.origin.clone()))
        .merge(backchannel::router(testbed.provider.clone()))
        .with_state(testbed)
}

async fn public() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=60")], "public")
}

async fn login(
    session: Session,
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Query<Parameters>,
) -> Answer {
    then_login(&testbed, &session, &parameters)
}

async fn elevate(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    then_elevate(&session, &parameters)
}

async fn step_down(_: AuthenticatedSession, session: Session) -> Response {
    session.step_down();
    whoami(&session)
}

async fn renew(session: Session) -> &'static str {
    session.renew();
    "renewed"
}

async fn logout(session: Session) -> &'static str {
    session.logout();
    "bye"
}

async fn put(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    then_put(&session, &parameters)
}

async fn put_carried(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    insert(&session, &key(&parameters)?.carried(), &parameters)
}

async fn put_once(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    let mut key = key(&parameters)?.once();
    if let Some(seconds) = number(&parameters, "for")? {
        key = key.expiring(Duration::from_secs(seconds));
    }
    insert(&session, &key, &parameters)
}

async fn take(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    let taken = session.take(&key(&parameters)?);
    let value = taken.map_err(|error| refusal(&error))?;
    Ok(Json(json!({ "value": value })).into_response())
}

async fn remove(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    session.remove(&key(&parameters)?);
    Ok("ok".into_response())
}

async fn append(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    let item = text(&parameters, "v")?.to_owned();
    let longer = move |list: Option<String>| {
        Some(match list {
            Some(list) => format!("{list},{item}"),
            None => item.clone(),
        })
    };
    let appended = session.update(&key(&parameters)?, longer);
    appended.map_err(|error| refusal(&error))?;
    Ok("ok".into_response())
}

async fn read(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    then_read(&session, &parameters)
}

async fn slow(
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Query<Parameters>,
    mut request: Request,
) -> Answer {
    let (gate, then) = (text(&parameters, "gate")?, text(&parameters, "then")?);
    if then == "none" {
        testbed.gates.wait(gate).await;
        return Ok("public".into_response());
    }
    // A look at the session on arrival.
    let session: Result<Session, _> = request.extract_parts().await;
    let session = session.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    testbed.gates.wait(gate).await;
    match then {
        "read" => then_read(&session, &parameters),
        "put" => then_put(&session, &parameters),
        "login" => then_login(&testbed, &session, &parameters),
        "elevate" => then_elevate(&session, &parameters),
        "renew" => Ok(renew(session).await.into_response()),
        "logout" => Ok(logout(session).await.into_response()),
        _ => Err(StatusCode::BAD_REQUEST),
    }
}

async fn mark_then_wait(
    session: Session,
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Query<Parameters>,
) -> Result<&'static str, StatusCode> {
    mark(&session, &parameters)?;
    testbed.gates.wait(text(&parameters, "gate")?).await;
    Ok("done")
}

async fn fail(
    session: Session,
    Query(parameters): Query<Parameters>,
) -> Result<StatusCode, StatusCode> {
    let status = number(&parameters, "status")?.ok_or(StatusCode::BAD_REQUEST)?;
    let status = StatusCode::from_u16(status).map_err(|_| StatusCode::BAD_REQUEST)?;
    mark(&session, &parameters)?;
    Ok(status)
}

async fn panics(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    mark(&session, &parameters)?;
    #[expect(clippy::panic, reason = "it is what the route is for")]
    {
        panic!("asked to")
    }
}

async fn marks(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    for step in text(&parameters, "do")?.split(',') {
        let mut words = step.splitn(3, ':');
        let step = (words.next(), words.next(), words.next());
        match step {
            (Some("login"), Some(user), None) => session.login(user),
            (Some("elevate"), level, None) => session.elevate(parse_level(level.unwrap_or("2"))?),
            (Some("step-down"), None, None) => session.step_down(),
            (Some("renew"), None, None) => session.renew(),
            (Some("logout"), None, None) => session.logout(),
            (Some("put"), Some(k), Some(v)) => store(&session, &named(k)?, v)?,
            (Some("carried"), Some(k), Some(v)) => store(&session, &named(k)?.carried(), v)?,
            (Some("remove"), Some(k), None) => session.remove(&named(k)?),
            _ => return Err(StatusCode::BAD_REQUEST),
        }
    }
    Ok(whoami(&session))
}

async fn own_headers(session: Session, Query(parameters): Query<Parameters>) -> Answer {
    let _ = session.subject();
    if parameters.contains_key("mark") {
        mark(&session, &parameters)?;
    }
    let headers = [
        (header::CACHE_CONTROL, "max-age=60"),
        (header::VARY, "Accept"),
    ];
    Ok((headers, "ok").into_response())
}

async fn own_cookie(
    session: Session,
    State(testbed): State<Arc<Testbed>>,
    Query(parameters): Query<Parameters>,
) -> Answer {
    mark(&session, &parameters)?;
    let name = testbed.cookies.session_name();
    let intruder = format!("{name}=intruder; Path=/; Secure; HttpOnly");
    let cookies = AppendHeaders([
        (header::SET_COOKIE, "theme=dark".to_owned()),
        (header::SET_COOKIE, intruder),
    ]);
    Ok((cookies, "ok").into_response())
}

async fn echo_cookie(headers: HeaderMap) -> Json<Value> {
    let latin1 = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
    let seen: Vec<String> = headers.get_all(header::COOKIE).iter().map(latin1).collect();
    Json(json!({ "cookie": seen }))
}

/// What `/whoami` tells, marks of this request included.
pub(crate) fn whoami(session: &Session) -> Response {
    Json(seen(session)).into_response()
}

pub(crate) fn seen(session: &Session) -> Value {
    let level = session.level().map_or(0, AssuranceLevel::get);
    let at = session.authenticated_at().map(Timestamp::as_unix_seconds);
    let subject = session.subject().map(|subject| subject.to_string());
    json!({ "subject": subject, "level": level, "authenticated_at": at })
}

fn then_login(testbed: &Testbed, session: &Session, parameters: &Parameters) -> Answer {
    let login = Login::new(text(parameters, "user")?);
    let method = parameters.get("method").map_or("password", String::as_str);
    let mut login = login
        .at_level(level(parameters, AssuranceLevel::AAL1)?)
        .by(method);
    if let Some(seconds) = number(parameters, "idle")? {
        login = login.idle(Duration::from_secs(seconds));
    }
    if let Some(seconds) = number(parameters, "absolute")? {
        login = login.absolute(Duration::from_secs(seconds));
    }
    if let Some(tag) = parameters.get("tag") {
        login = login.tagged(tag);
        if let Some(provider) = &testbed.provider {
            login = provider.tagged(login, tag);
        }
    }
    session.login(login);
    Ok(whoami(session))
}

fn then_elevate(session: &Session, parameters: &Parameters) -> Answer {
    if !session.is_authenticated() {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let mut step_up = StepUp::to(level(parameters, AssuranceLevel::AAL2)?);
    if let Some(seconds) = number(parameters, "for")? {
        step_up = step_up.lasting(Duration::from_secs(seconds));
    }
    if let Some(method) = parameters.get("method") {
        step_up = step_up.by(method);
    }
    session.elevate(step_up);
    Ok(whoami(session))
}

fn then_put(session: &Session, parameters: &Parameters) -> Answer {
    insert(session, &key(parameters)?, parameters)
}

fn then_read(session: &Session, parameters: &Parameters) -> Answer {
    let value = session.get(&key(parameters)?);
    let value = value.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(Json(json!({ "value": value })).into_response())
}

fn insert(session: &Session, key: &DataKey<String>, parameters: &Parameters) -> Answer {
    store(session, key, text(parameters, "v")?)?;
    Ok("ok".into_response())
}

fn store(session: &Session, key: &DataKey<String>, value: &str) -> Result<(), StatusCode> {
    let inserted = session.insert(key, value);
    inserted.map_err(|error| refusal(&error))
}

fn refusal(error: &DataError) -> StatusCode {
    match error.kind() {
        DataErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn mark(session: &Session, parameters: &Parameters) -> Result<(), StatusCode> {
    match parameters.get("mark").map_or("none", String::as_str) {
        "none" => {}
        "login" => session.login(text(parameters, "user")?),
        "elevate" => session.elevate(AssuranceLevel::AAL2),
        "step-down" => session.step_down(),
        "renew" => session.renew(),
        "logout" => session.logout(),
        "put" => {
            let or = |name| parameters.get(name).map_or(name, String::as_str);
            store(session, &named(or("k"))?, or("v"))?;
        }
        _ => return Err(StatusCode::BAD_REQUEST),
    }
    Ok(())
}

pub(crate) fn text<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, StatusCode> {
    let value = parameters.get(name).ok_or(StatusCode::BAD_REQUEST)?;
    Ok(value)
}

fn key(parameters: &Parameters) -> Result<DataKey<String>, StatusCode> {
    named(text(parameters, "k")?)
}

fn named(name: &str) -> Result<DataKey<String>, StatusCode> {
    DataKey::named(name).map_err(|_| StatusCode::BAD_REQUEST)
}

/// The number under `name`; none where it is left out.
pub(crate) fn number<N>(parameters: &Parameters, name: &str) -> Result<Option<N>, StatusCode>
where
    N: FromStr,
{
    let number = parameters.get(name).map(|text| text.parse());
    number.transpose().map_err(|_| StatusCode::BAD_REQUEST)
}

pub(crate) fn level(
    parameters: &Parameters,
    default: AssuranceLevel,
) -> Result<AssuranceLevel, StatusCode> {
    match parameters.get("level") {
        Some(text) => parse_level(text),
        None => Ok(default),
    }
}

fn parse_level(text: &str) -> Result<AssuranceLevel, StatusCode> {
    let level = text.parse().ok().and_then(AssuranceLevel::new);
    level.ok_or(StatusCode::BAD_REQUEST)
}
