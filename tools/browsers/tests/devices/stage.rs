//! What a test plays on: Chromium with keys in software, and the server.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use browsers::{
    driver::{Browser, PATIENCE},
    say,
};
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use crate::{
    APP, BANK, BOUND, IDP, REFRESH, REGISTER, SESSION,
    app::{self, Controls},
    example,
    record::{Record, Seen, Told, record},
    server::Server,
};

pub struct Stage {
    pub browser: Browser,
    pub controls: Controls,
    server: Server,
    record: Record,
    told: Vec<Told>,
    name: &'static str,
    /// The application's.
    pub host: &'static str,
}

type Hosts = Arc<[(&'static str, Router)]>;

impl Stage {
    /// Starts a fresh browser and a fresh server; `None`, and a word why, without Chromium.
    pub async fn begin(name: &'static str) -> Option<Self> {
        Self::begin_at(name, APP).await
    }

    /// The same for the application at this host.
    pub async fn begin_at(name: &'static str, host: &'static str) -> Option<Self> {
        let controls = Controls::new();
        let hosts: Hosts = Arc::new([
            (host, app::app(&controls, host)),
            (IDP, app::idp()),
            (BANK, example::app(&controls.clock).await),
        ]);
        let record = Record::new();
        let router = Router::new()
            .fallback(dispatch)
            .with_state(hosts)
            .layer(from_fn_with_state(record.clone(), self::record));
        let server = Server::start(&[host, IDP, BANK], router).await;
        let flags = server.flags();
        let mut browser = match Browser::chromium_with(&flags.each_ref().map(String::as_str)).await
        {
            Ok(browser) => browser,
            Err(missing) => {
                say(&format!("skipped: {name}: {missing}"));
                return None;
            }
        };
        let enable = json!({"enable": true});
        for command in ["Network.enable", "Network.enableDeviceBoundSessions"] {
            browser.devtools(command, &enable).await;
        }
        Some(Self {
            browser,
            controls,
            server,
            record,
            told: Vec::new(),
            name,
            host,
        })
    }

    /// What the browser told of its bindings so far.
    pub async fn told(&mut self) -> &[Told] {
        let event = "Network.deviceBoundSessionEventOccurred";
        let events = self.browser.network_events(event).await;
        self.told.extend(events.iter().filter_map(Told::of));
        &self.told
    }

    /// Writes the transcript, if it is wanted.
    pub async fn end(mut self) {
        self.told().await;
        self.record.write(self.name, &self.told);
    }

    /// Opens the page of the application that looks at no session.
    pub async fn page(&mut self) {
        self.browser.open(&format!("https://{}/", self.host)).await;
    }

    /// What the page's script is answered to a request of this path.
    pub async fn fetch(&mut self, method: &str, path: &str) -> String {
        let script = format!("return fetch('{path}', {{method: '{method}'}}).then(a => a.text())");
        let text = self.browser.run(&script).await;
        text.as_str().unwrap().to_owned()
    }

    pub async fn whoami(&mut self) -> String {
        self.fetch("GET", "/whoami").await
    }

    /// Follows the link of the page, and waits for the page behind it.
    pub async fn follow_link(&mut self, path: &str) -> String {
        self.browser
            .run("document.querySelector('a').click()")
            .await;
        self.arrives(path).await
    }

    /// Waits until a page of the application is loaded, and tells its text.
    pub async fn arrives(&mut self, path: &str) -> String {
        let script = format!(
            "return location.host === '{}' && location.pathname === '{path}'
                && document.readyState === 'complete' ? document.body.innerText : null",
            self.host
        );
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(text) = self.browser.run(&script).await.as_str() {
                return text.to_owned();
            }
            assert!(Instant::now() < deadline, "no {path}: {:#?}", self.seen());
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Alice logs in by a script of a page, and her session is bound.
    pub async fn bound(&mut self) {
        self.page().await;
        self.logs_in("alice").await;
        assert_eq!(self.whoami().await, "alice@1 bound");
    }

    /// A user logs in by a script of a page, and the browser has the bound cookie.
    pub async fn logs_in(&mut self, user: &str) {
        let before = self.answered(REGISTER).len();
        self.fetch("POST", &format!("/login?user={user}")).await;
        self.registers(before + 1).await;
    }

    /// Waits until there were so many registrations and the browser has what came of the last.
    pub async fn registers(&mut self, count: usize) {
        self.until("it registers", |stage| {
            stage.answered(REGISTER).len() >= count
        })
        .await;
        let deadline = Instant::now() + PATIENCE;
        while !self.has(BOUND).await {
            assert!(Instant::now() < deadline, "no cookie: {:#?}", self.seen());
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until `done`, for a while.
    pub async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            assert!(Instant::now() < deadline, "{what}: {:#?}", self.seen());
            sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn has(&mut self, cookie: &str) -> bool {
        let cookies = self.browser.cookies().await;
        cookies.iter().any(|(name, _)| name == cookie)
    }

    /// The bound cookie's time is over, at the browser and at the server.
    pub async fn bound_cookie_expires(&mut self) {
        self.browser.delete_cookie(BOUND).await;
        self.controls.clock.advance(Duration::from_secs(600));
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.record.all()
    }

    /// The requests for this path that were answered so far.
    pub fn answered(&self, path: &str) -> Vec<Seen> {
        let all = self.seen().into_iter();
        all.filter(|seen| seen.path == path).collect()
    }

    /// The statuses of the refreshes so far.
    pub fn refreshes(&self) -> Vec<u16> {
        let all = self.answered(REFRESH);
        all.iter().map(|seen| seen.status).collect()
    }

    /// Who the bearer of these cookies is to the server, in a client of their own.
    pub async fn replay(&self, cookies: &[(String, String)]) -> String {
        let cookies = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        let answer = self.server.ask(self.host, "/whoami", &cookies).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

impl Seen {
    pub fn came_with(&self, cookie: &str) -> bool {
        self.cookies.iter().any(|name| name == cookie)
    }

    /// The session's token came, and the bound cookie did or did not.
    #[track_caller]
    pub fn came_bound(&self, bound: bool) {
        assert!(self.came_with(SESSION), "{self:?}");
        assert_eq!(self.came_with(BOUND), bound, "{self:?}");
    }
}

async fn dispatch(State(hosts): State<Hosts>, request: Request) -> Response {
    let header = request.headers().get("host");
    let host = header.and_then(|host| host.to_str().ok());
    let host = request.uri().host().or(host).unwrap_or_default();
    let found = hosts.iter().find(|(known, _)| *known == host);
    match found.map(|(_, router)| router.clone()) {
        Some(router) if request.uri().path() != "/favicon.ico" => {
            router.oneshot(request).await.into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
