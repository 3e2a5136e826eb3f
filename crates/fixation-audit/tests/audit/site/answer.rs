//! One request in, one answer out.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Method, Response, header};
use serde_json::{Value, json};

use super::sessions::{Session, Sessions};
use super::{Carrier, Csrf, Elevation, Logout, Remember};
use crate::rust::random;

const SESSION: &str = "__Host-Http-session";
const NUMBER: &str = "__Host-Http-user";
const REMEMBER: &str = "__Host-Http-remember";

type Fields = HashMap<String, String>;

struct Visit<'a> {
    sessions: &'a Sessions,
    cookies: Fields,
    query: Fields,
    fields: Fields,
    agent: String,
    /// The live session and its token.
    session: Option<(String, Session)>,
    set: Vec<String>,
}

pub(super) fn answer(sessions: &Sessions, head: &Parts, body: &str) -> Response<Body> {
    let text = |name: header::HeaderName| {
        let value = head.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let (path, parameters) = match head.uri.path().split_once(';') {
        Some((path, parameters)) => (path, parameters),
        None => (head.uri.path(), ""),
    };
    let query = pairs(head.uri.query().unwrap_or_default(), '&');
    let json = serde_json::from_str::<HashMap<String, String>>(body);
    let fields = json.unwrap_or_else(|_| pairs(body, '&'));
    let mut visit = Visit {
        sessions,
        cookies: cookies(&text(header::COOKIE)),
        query,
        fields,
        agent: text(header::USER_AGENT),
        session: None,
        set: Vec::new(),
    };
    let site = head
        .headers
        .get("sec-fetch-site")
        .map(|site| site.as_bytes() == b"cross-site");
    let unsafe_method = head.method != Method::GET;
    if site == Some(true) && unsafe_method && !sessions.behaviour.takes_other_sites {
        return visit.done(403, "text/plain", "another site".to_owned(), None);
    }
    visit.find(&text(header::AUTHORIZATION), &pairs(parameters, ';'));
    let post = head.method == Method::POST;
    match (post, path) {
        (true, "/login") => visit.login(),
        (_, "/whoami") => visit.whoami(),
        (false, "/") => visit.page(),
        (true, "/logout") => visit.logout(),
        (true, "/end-others") => visit.end_others(),
        (true, "/password") => visit.password(),
        (true, "/elevate") => visit.elevate(),
        (false, "/form") => visit.form(),
        (true, "/form") => visit.submit(),
        _ => visit.done(404, "text/plain", "no such page".to_owned(), None),
    }
}

fn pairs(text: &str, between: char) -> Fields {
    text.split(between)
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Two different values for one name mean that somebody plants: then neither counts.
fn cookies(text: &str) -> Fields {
    let mut found: HashMap<String, Option<String>> = HashMap::new();
    for pair in text.split(';') {
        let (name, value) = pair.trim().split_once('=').unwrap_or_default();
        let kept = found
            .entry(name.to_owned())
            .or_insert_with(|| Some(value.to_owned()));
        if kept.as_deref() != Some(value) {
            *kept = None;
        }
    }
    found
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

impl Visit<'_> {
    fn find(&mut self, authorization: &str, parameters: &Fields) {
        let behaviour = self.sessions.behaviour;
        let cookie = self.cookies.get(SESSION).cloned();
        let own = match behaviour.carrier {
            Carrier::Bearer => authorization.strip_prefix("Bearer ").map(ToOwned::to_owned),
            _ => cookie,
        };
        let by_url = parameters
            .get("jsessionid")
            .or_else(|| self.query.get("access_token"))
            .filter(|_| behaviour.reads_url);
        let candidates = [own.as_ref(), by_url];
        let found = candidates
            .into_iter()
            .flatten()
            .find_map(|token| Some((token.clone(), self.sessions.load(token, &self.agent)?)));
        self.session = found.filter(|(_, session)| {
            let number = session.user.as_deref().map(number);
            !behaviour.user_number
                || number.is_none()
                || self.cookies.get(NUMBER).map(String::as_str) == number
        });
        let remembered = self.cookies.get(REMEMBER);
        let remembered =
            remembered.and_then(|token| self.sessions.state().remembered.get(token).cloned());
        if let (None, Some(user)) = (&self.session, remembered) {
            self.start(Some(&user), 1);
        }
        if self.session.is_none() && behaviour.five_an_address {
            self.start(None, 0);
        }
        if self.session.is_none() && own.is_some() && behaviour.removes_unknown {
            self.remove(SESSION);
        }
    }

    fn user(&self) -> Option<&str> {
        self.session.as_ref()?.1.user.as_deref()
    }

    fn start(&mut self, user: Option<&str>, level: u8) {
        let token = self.sessions.start(user, level, &self.agent);
        let session = self.sessions.load(&token, &self.agent).unwrap();
        if self.sessions.behaviour.carrier != Carrier::Bearer {
            self.set(SESSION, &token);
        }
        self.session = Some((token, session));
    }

    fn set(&mut self, name: &str, value: &str) {
        let behaviour = self.sessions.behaviour;
        let same_site = if behaviour.takes_other_sites {
            "None"
        } else {
            "Lax"
        };
        let mut field = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site}");
        if name == REMEMBER {
            field.push_str("; Max-Age=604800");
        } else if behaviour.year_long {
            field.push_str("; Max-Age=31536000");
        }
        self.set
            .retain(|other| !other.starts_with(&format!("{name}=")));
        self.set.push(field);
    }

    fn remove(&mut self, name: &str) {
        self.set
            .retain(|other| !other.starts_with(&format!("{name}=")));
        self.set.push(format!(
            "{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
        ));
    }

    fn page(mut self) -> Response<Body> {
        let behaviour = self.sessions.behaviour;
        if self.session.is_none() && behaviour.keeps {
            self.start(None, 0);
        }
        let token = self.session.as_ref().map(|(token, _)| token.clone());
        let link = match token.filter(|_| behaviour.writes_url) {
            Some(token) => format!("<a href='/next;jsessionid={token}'>on</a>"),
            None => "<a href='/next'>on</a>".to_owned(),
        };
        self.done(200, "text/html", link, None)
    }

    fn login(mut self) -> Response<Body> {
        let behaviour = self.sessions.behaviour;
        let user = self.fields.get("user").cloned().unwrap_or_default();
        let right = self.sessions.state().passwords.get(&user).cloned();
        if right.is_none() || right != self.fields.get("password").cloned() {
            return self.done(401, "text/plain", "wrong".to_owned(), None);
        }
        match self.session.take() {
            Some((token, session)) if behaviour.keeps => {
                let user = Some(user.clone());
                self.sessions.keep(
                    &token,
                    Session {
                        user,
                        level: 1,
                        ..session
                    },
                );
                let session = self.sessions.load(&token, &self.agent).unwrap();
                self.session = Some((token, session));
            }
            old => {
                if let Some((token, _)) = old.as_ref().filter(|_| !behaviour.leaves_first) {
                    self.sessions.end(token);
                }
                self.start(Some(&user), 1);
                if let (Some((_, old)), Csrf::Kept) = (old, behaviour.csrf) {
                    let (token, session) = self.session.take().unwrap();
                    let session = Session {
                        csrf: old.csrf,
                        ..session
                    };
                    self.sessions.keep(&token, session.clone());
                    self.session = Some((token, session));
                }
            }
        }
        if behaviour.user_number {
            self.set(NUMBER, number(&user));
        }
        if behaviour.remember != Remember::No {
            let token = random();
            self.sessions
                .state()
                .remembered
                .insert(token.clone(), user.clone());
            self.set(REMEMBER, &token);
        }
        let token = self.session.as_ref().unwrap().0.clone();
        match behaviour.carrier {
            Carrier::Bearer => {
                let body = json!({"access_token": token, "token_type": "bearer"});
                self.done(200, "application/json", body.to_string(), None)
            }
            _ if behaviour.writes_url => {
                let to = format!("/;jsessionid={token}");
                self.done(303, "text/plain", String::new(), Some(to))
            }
            _ => self.done(303, "text/plain", String::new(), Some("/".to_owned())),
        }
    }

    fn whoami(self) -> Response<Body> {
        let Some((token, session)) = &self.session else {
            return self.done(
                401,
                "application/json",
                json!({"user": null}).to_string(),
                None,
            );
        };
        let mut body = json!({"user": session.user, "level": session.level});
        if self.sessions.behaviour.shows_id {
            body["session"] = Value::from(token.as_str());
        }
        let status = if session.user.is_some() { 200 } else { 401 };
        self.done(status, "application/json", body.to_string(), None)
    }

    fn logout(mut self) -> Response<Body> {
        let behaviour = self.sessions.behaviour;
        match behaviour.logout {
            Logout::Nothing => return self.done(200, "text/html", "<div id=app>".to_owned(), None),
            Logout::Asks => {
                let page = "<form method=post action=/really>Sure?</form>".to_owned();
                return self.done(200, "text/html", page, None);
            }
            Logout::Error => {
                let error = json!({"error": "unknown command"}).to_string();
                return self.done(200, "application/json", error, None);
            }
            Logout::Ends => {
                if let Some((token, _)) = &self.session {
                    self.sessions.end(token);
                }
            }
            Logout::InBrowser => {}
        }
        if behaviour.remember == Remember::UntilLogout
            && let Some(token) = self.cookies.get(REMEMBER)
        {
            self.sessions.state().remembered.remove(token);
        }
        for name in [SESSION, NUMBER, REMEMBER] {
            if self.cookies.contains_key(name) {
                self.remove(name);
            }
        }
        self.done(200, "text/plain", "bye".to_owned(), None)
    }

    fn end_others(self) -> Response<Body> {
        let (Some(user), Some((token, _))) = (self.user(), &self.session) else {
            return self.done(401, "text/plain", String::new(), None);
        };
        if !self.sessions.behaviour.leaves_others {
            self.sessions.end_others(user, token);
        }
        self.done(200, "text/plain", "ended".to_owned(), None)
    }

    fn password(self) -> Response<Body> {
        let (Some(user), Some((token, _))) = (self.user(), &self.session) else {
            return self.done(401, "text/plain", String::new(), None);
        };
        let (old, new) = (self.fields.get("old"), self.fields.get("new"));
        let right = self.sessions.state().passwords.get(user) == old;
        let Some(new) = new.filter(|_| right).cloned() else {
            return self.done(403, "text/plain", String::new(), None);
        };
        self.sessions.state().passwords.insert(user.to_owned(), new);
        if !self.sessions.behaviour.leaves_others {
            self.sessions.end_others(user, token);
        }
        self.done(200, "text/plain", "changed".to_owned(), None)
    }

    fn elevate(mut self) -> Response<Body> {
        let Some((token, session)) = self.session.take().filter(|(_, s)| s.user.is_some()) else {
            return self.done(401, "text/plain", String::new(), None);
        };
        // A wrong code gets the form again, as forms do: under status 200.
        if self.fields.get("code").map(String::as_str) != Some("123456") {
            return self.done(200, "text/html", "<form>Wrong code</form>".to_owned(), None);
        }
        let elevation = self.sessions.behaviour.elevation;
        if elevation == Elevation::Keeps {
            self.sessions.keep(
                &token,
                Session {
                    level: 2,
                    ..session.clone()
                },
            );
            self.session = Some((token, session));
        } else {
            if elevation == Elevation::Rotates {
                self.sessions.end(&token);
            }
            self.start(session.user.as_deref(), 2);
        }
        self.done(303, "text/plain", String::new(), Some("/".to_owned()))
    }

    fn form(mut self) -> Response<Body> {
        if self.session.is_none() {
            self.start(None, 0);
        }
        let token = &self.session.as_ref().unwrap().1.csrf;
        let page = format!("<form><input type=hidden name=csrf value='{token}'></form>");
        self.done(200, "text/html", page, None)
    }

    fn submit(self) -> Response<Body> {
        let own = self.session.as_ref().map(|(_, session)| &session.csrf);
        let unchecked = self.sessions.behaviour.csrf == Csrf::Unchecked;
        let good = own.is_some() && (unchecked || own == self.fields.get("csrf"));
        // Taken or not, the redirect leads to a page that does not exist.
        let to = if good { "/saved" } else { "/refused" };
        self.done(303, "text/plain", String::new(), Some(to.to_owned()))
    }

    fn done(&self, status: u16, kind: &str, body: String, to: Option<String>) -> Response<Body> {
        let mut response = Response::builder()
            .status(status)
            .header("content-type", kind);
        for field in &self.set {
            response = response.header("set-cookie", field);
        }
        // As an answer to GET sets a cookie for guests, caches have to know.
        if !self.set.is_empty() && !self.fields.contains_key("password") {
            response = response.header("cache-control", "private");
        }
        if let Some(to) = to {
            response = response.header("location", to);
        }
        let logs_in = self.fields.contains_key("password") && status < 400;
        if logs_in && self.sessions.behaviour.device_bound {
            let offer = r#"(ES256);path="/bind";challenge="c""#;
            response = response.header("secure-session-registration", offer);
        }
        response.body(Body::from(body)).unwrap()
    }
}

fn number(user: &str) -> &'static str {
    if user == "alice" { "17" } else { "18" }
}
