//! A small site of HTML pages with a form, a CSRF token and sessions that end: what a description has to cope with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;

/// What the site wants, each off by default.
#[derive(Clone, Copy, Default)]
pub(crate) struct Site {
    /// A `Referer` of its own with each submission.
    pub(crate) wants_referer: bool,
    /// The login page sends those who are logged in home.
    pub(crate) sends_home: bool,
    /// The logout is a link to a page that asks again.
    pub(crate) asks_before_logout: bool,
    /// A second request with a one-time code ends the login.
    pub(crate) wants_code: bool,
    /// The form stands on a page that the start page links to, beside a search form with a token of its own.
    pub(crate) several_forms: bool,
    /// A login ends all sessions of the user but keeps the identifier: vulnerable.
    pub(crate) keeps_id: bool,
    /// Where the site lies, such as `/shop`.
    pub(crate) below: &'static str,
}

/// The sessions of a running site.
#[derive(Default)]
pub(crate) struct Sessions {
    known: Mutex<HashMap<String, Session>>,
    /// How often each path was called up.
    pub(crate) hits: Mutex<HashMap<String, usize>>,
}

#[derive(Clone, Default)]
struct Session {
    user: String,
    half: String,
    csrf: String,
}

impl Sessions {
    pub(crate) fn logged_in(&self) -> usize {
        let known = self.known.lock().unwrap();
        known
            .values()
            .filter(|session| !session.user.is_empty())
            .count()
    }
}

/// The secret behind the codes; the server computes them by itself, for the time of the request.
pub(crate) const TOTP: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

const GUEST: &str = "__Host-Http-guest";
const USER: &str = "__Host-Http-user";

pub(crate) fn site(site: Site) -> (Router, Arc<Sessions>) {
    let sessions = Arc::new(Sessions::default());
    let state = (site, Arc::clone(&sessions));
    let router = Router::new().fallback(any(serve)).with_state(state);
    (router, sessions)
}

async fn serve(
    State((site, sessions)): State<(Site, Arc<Sessions>)>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 65_536).await.unwrap_or_default();
    let path = head.uri.path().to_owned();
    *sessions
        .hits
        .lock()
        .unwrap()
        .entry(path.clone())
        .or_default() += 1;
    let Some(path) = path.strip_prefix(site.below) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut visit = Visit {
        site,
        sessions: &sessions,
        headers: &head.headers,
        form: form(&body),
        set: Vec::new(),
    };
    let post = head.method == Method::POST;
    let mut response = match (path, post) {
        ("/" | "", false) => visit.home(),
        ("/login", false) => visit.login_page(),
        ("/login", true) => visit.login(),
        ("/code", true) => visit.code(),
        ("/account", false) => visit.account(),
        ("/logout", post) => visit.logout(post),
        _ => StatusCode::NOT_FOUND.into_response(),
    };
    for field in visit.set {
        response
            .headers_mut()
            .append(header::SET_COOKIE, HeaderValue::from_str(&field).unwrap());
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

fn form(body: &Bytes) -> HashMap<String, String> {
    let text = String::from_utf8_lossy(body).replace('+', " ");
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| {
            (
                name.to_owned(),
                value.replace("%26", "&").replace("%3D", "="),
            )
        })
        .collect()
}

struct Visit<'a> {
    site: Site,
    sessions: &'a Sessions,
    headers: &'a HeaderMap,
    form: HashMap<String, String>,
    set: Vec<String>,
}

fn page(text: String) -> Response {
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response()
}

impl Visit<'_> {
    fn cookie(&self, name: &str) -> Option<String> {
        let fields = self.headers.get_all(header::COOKIE).into_iter();
        let text: Vec<_> = fields.filter_map(|field| field.to_str().ok()).collect();
        let mut values: Vec<_> = text
            .iter()
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.trim_matches([' ', '\t']).split_once('='))
            .filter(|(own, _)| *own == name)
            .map(|(_, value)| value.to_owned())
            .collect();
        values.dedup();
        let known = self.sessions.known.lock().unwrap();
        let mut good = values.into_iter().filter(|id| known.contains_key(id));
        match (good.next(), good.next()) {
            (Some(id), None) => Some(id),
            _ => None,
        }
    }

    fn session(&self) -> Option<(String, Session)> {
        let id = self.cookie(USER).or_else(|| self.cookie(GUEST))?;
        let session = self.sessions.known.lock().unwrap().get(&id).cloned()?;
        Some((id, session))
    }

    fn start(&mut self, name: &str, session: Session) {
        let id = random();
        self.put(&id, session);
        self.set.push(format!(
            "{name}={id}; Path=/; Secure; HttpOnly; SameSite=Lax"
        ));
    }

    fn put(&self, id: &str, session: Session) {
        self.sessions
            .known
            .lock()
            .unwrap()
            .insert(id.to_owned(), session);
    }

    fn end(&mut self, name: &str) {
        if let Some(id) = self.cookie(name) {
            self.sessions.known.lock().unwrap().remove(&id);
            self.set
                .push(format!("{name}=; Path=/; Secure; HttpOnly; Max-Age=0"));
        }
    }

    fn user(&self) -> Option<Session> {
        Some(self.session()?.1).filter(|session| !session.user.is_empty())
    }

    fn redirect(&self, to: &str) -> Response {
        (
            StatusCode::SEE_OTHER,
            [(header::LOCATION, format!("{}{to}", self.site.below))],
        )
            .into_response()
    }

    fn home(&self) -> Response {
        let below = self.site.below;
        let Some(Session { user, csrf, .. }) = self.user() else {
            return page(format!("<p>Welcome</p><a href='{below}/login'>Sign in</a>"));
        };
        let out = if self.site.asks_before_logout {
            format!("<a href='{below}/logout'>Log out</a>")
        } else {
            format!(
                "<form action='{below}/logout' method=post><input type=hidden name=csrf value='{csrf}'><button>Log out</button></form>"
            )
        };
        page(format!(
            "<p>Hello {user}</p><a href='{below}/account'>Your account</a>{out}"
        ))
    }

    fn login_page(&mut self) -> Response {
        if self.site.sends_home && self.user().is_some() {
            return self.redirect("/");
        }
        let (csrf, below) = match self.session() {
            Some((_, session)) => (session.csrf, self.site.below),
            None => {
                let csrf = random();
                let session = Session {
                    csrf: csrf.clone(),
                    ..Session::default()
                };
                self.start(GUEST, session);
                (csrf, self.site.below)
            }
        };
        let search = if self.site.several_forms {
            "<form action=/search><input name=q><input type=hidden name=csrf value=of-the-search></form>"
        } else {
            ""
        };
        page(format!(
            "<body data-token='{csrf}'><script>window.token = \"{csrf}\";</script>{search}\
             <form action='{below}/login' method=post><input type=hidden name=csrf value='{csrf}'>\
             <input type=hidden name=next value='/'><input name=user autocomplete=username>\
             <input type=password name=pass><input type=checkbox name=keep value=1>\
             <button name=go value=in>Sign in</button></form>"
        ))
    }

    fn refuses(&self) -> Option<Response> {
        let referer = self
            .headers
            .get(header::REFERER)
            .and_then(|value| value.to_str().ok());
        let host = self
            .headers
            .get(header::HOST)
            .and_then(|value| value.to_str().ok());
        let own = format!("http://{}/", host.unwrap_or_default());
        if self.site.wants_referer && !referer.is_some_and(|referer| referer.starts_with(&own)) {
            return Some((StatusCode::BAD_REQUEST, "the Referer is missing").into_response());
        }
        let csrf = self.session().map(|(_, session)| session.csrf);
        let sent = self.form.get("csrf").cloned();
        let sent = sent.or_else(|| {
            let value = self.headers.get("x-csrf-token")?.to_str().ok()?;
            Some(value.to_owned())
        });
        (csrf.is_none() || csrf != sent)
            .then(|| (StatusCode::FORBIDDEN, "CSRF token missing or wrong").into_response())
    }

    fn login(&mut self) -> Response {
        if let Some(refusal) = self.refuses() {
            return refusal;
        }
        let field = |name: &str| self.form.get(name).cloned().unwrap_or_default();
        let (user, password) = (field("user"), field("pass"));
        if password != format!("{user}-password") {
            return self.login_page();
        }
        let csrf = random();
        if self.site.wants_code {
            let half = Session {
                half: user,
                csrf,
                ..Session::default()
            };
            self.end(GUEST);
            self.start(GUEST, half);
            return page("<form action=/code method=post><input name=code></form>".to_owned());
        }
        self.enter(user)
    }

    fn enter(&mut self, user: String) -> Response {
        let session = Session {
            user,
            csrf: random(),
            ..Session::default()
        };
        if self.site.keeps_id
            && let Some((id, _)) = self.session()
        {
            self.put(&id, session);
            return self.redirect("/");
        }
        self.end(GUEST);
        self.end(USER);
        self.set.retain(|field| !field.starts_with(USER));
        self.start(USER, session);
        self.redirect("/")
    }

    fn code(&mut self) -> Response {
        let half = self.cookie(GUEST);
        let session = half.and_then(|id| self.sessions.known.lock().unwrap().get(&id).cloned());
        let Some(session) = session.filter(|session| !session.half.is_empty()) else {
            return StatusCode::FORBIDDEN.into_response();
        };
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let good = [now - 30, now].map(code);
        match self.form.get("code") {
            Some(code) if good.contains(code) => self.enter(session.half),
            _ => (StatusCode::UNAUTHORIZED, "wrong code").into_response(),
        }
    }

    fn account(&self) -> Response {
        match self.user() {
            Some(session) => page(format!("<h1>{}</h1>", session.user)),
            None => self.redirect("/login"),
        }
    }

    fn logout(&mut self, post: bool) -> Response {
        if !post {
            let csrf = self.user().map(|session| session.csrf).unwrap_or_default();
            return page(format!(
                "Really?<form method=post><input type=hidden name=csrf value='{csrf}'><button>Yes</button></form>"
            ));
        }
        if let Some(refusal) = self.refuses() {
            return refusal;
        }
        self.end(USER);
        self.end(GUEST);
        self.redirect("/")
    }
}

fn random() -> String {
    use rcgen::{KeyPair, PKCS_ED25519};
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    key.public_key_raw()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// RFC 6238 with SHA-1, written apart from the audit's.
fn code(now: u64) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha1::Sha1>::new_from_slice(b"12345678901234567890").unwrap();
    mac.update(&(now / 30).to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}
