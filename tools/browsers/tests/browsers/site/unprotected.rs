//! The careless twin: the same routes over cookie sessions as they must not be.
//!
//! It adopts any id, keeps it at the login, reads cookies leniently and takes the first of several, gives
//! every visitor a cookie, writes back what a request read at its beginning, and checks no origin. The
//! cookie's own attributes are fine: it is not for want of `Secure` or `HttpOnly` that it falls.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicU64, atomic::Ordering},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};

use super::{Gate, UNPROTECTED, WHO, hostile::decode};

#[derive(Clone, Debug, Default)]
struct Visitor {
    user: Option<String>,
    level: u8,
    data: String,
}

#[derive(Clone, Debug)]
struct Careless {
    visitors: Arc<Mutex<HashMap<String, Visitor>>>,
    count: Arc<AtomicU64>,
    gate: Gate,
}

pub fn app(gate: Gate) -> Router {
    let state = Careless {
        visitors: Arc::default(),
        count: Arc::default(),
        gate,
    };
    Router::new().fallback(handle).with_state(state)
}

async fn handle(State(careless): State<Careless>, request: Request) -> Response {
    let sent = id(request.headers());
    let is_new = sent.is_none();
    let id = sent.unwrap_or_else(|| {
        let number = careless.count.fetch_add(1, Ordering::Relaxed);
        format!("visitor-{number}")
    });
    let known = careless.visitors.lock().unwrap().get(&id).cloned();
    let mut visitor = known.unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(key, _)| *key == name);
        found.map(|(_, value)| value.to_owned())
    };
    if parameter("gate").is_some() {
        careless.gate.wait().await;
    }
    let mut body = String::new();
    match request.uri().path() {
        "/login" => (visitor.user, visitor.level) = (parameter("user"), 1),
        "/elevate" => visitor.level = 2,
        "/put" => visitor.data = parameter("v").unwrap_or_default(),
        "/get" => body.clone_from(&visitor.data),
        "/logout" => {
            careless.visitors.lock().unwrap().remove(&id);
            return answer(&Visitor::default(), body, Some("; Max-Age=0".to_owned()));
        }
        _ => {}
    }
    careless
        .visitors
        .lock()
        .unwrap()
        .insert(id.clone(), visitor.clone());
    answer(&visitor, body, is_new.then_some(id))
}

fn answer(visitor: &Visitor, body: String, cookie: Option<String>) -> Response {
    let who = match &visitor.user {
        Some(user) => format!("{user}@{}", visitor.level),
        None => "nobody".to_owned(),
    };
    let mut response = Response::builder().status(StatusCode::OK).header(WHO, who);
    if let Some(value) = cookie {
        let cookie = format!(
            "{}={value}; Path=/; Secure; HttpOnly; SameSite=Lax",
            UNPROTECTED.session
        );
        response = response.header(header::SET_COOKIE, cookie);
    }
    response.body(Body::from(body)).unwrap()
}

/// The first cookie whose name looks like ours to a lenient eye.
fn id(headers: &HeaderMap) -> Option<String> {
    headers.get_all(header::COOKIE).iter().find_map(|field| {
        let field = String::from_utf8_lossy(field.as_bytes());
        let values = field.split(';').filter_map(|pair| pair.rsplit_once('='));
        // One value that is not plain text, and the whole field is dropped.
        if !values.map(|(_, value)| value).all(str::is_ascii) {
            return None;
        }
        field.split([';', ',']).find_map(|pair| {
            let (name, value) = pair.trim().trim_start_matches('=').split_once('=')?;
            let name = String::from_utf8(decode(name)).ok()?;
            let name = name.trim_matches(|c: char| c.is_whitespace() || "\".$".contains(c));
            let same = name.eq_ignore_ascii_case(UNPROTECTED.session);
            same.then(|| value.trim_matches('"').to_owned())
        })
    })
}
