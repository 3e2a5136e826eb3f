//! The site, and a browser that uses it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use std::{collections::BTreeMap, sync::Arc};

use accounts::{database, demo, users::Users};
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header},
};
use sqlx::SqlitePool;
use test_support::{Answer, collect, keys};
use tower::ServiceExt;
use tower_session_guard::{RequireOrigin, SessionLayer, testing::ManualClock};
use tower_session_guard_sqlx::SqliteStore;

pub const ORIGIN: &str = "http://localhost:3000";
pub const CODE: &str = demo::CODE;

/// A browser with a jar of cookies, which sends its own pages' forms.
#[derive(Clone)]
pub struct Browser {
    pub app: Router,
    pub jar: BTreeMap<String, String>,
    pub agent: &'static str,
    /// The page that it shows.
    pub at: String,
}

/// The site as `main` serves it, with users and sessions in one database.
pub async fn site(clock: &ManualClock) -> Browser {
    site_and_database(clock).await.0
}

pub async fn site_and_database(clock: &ManualClock) -> (Browser, SqlitePool) {
    let pool = database::in_memory().await.unwrap();
    let store = SqliteStore::new(pool.clone());
    store.migrate().await.unwrap();
    let sessions = SessionLayer::new(keys()).with_store(store);
    let browser = with_sessions(sessions, pool.clone(), clock).await;
    (browser, pool)
}

/// The same with sessions elsewhere.
pub async fn with_sessions(
    sessions: SessionLayer,
    pool: SqlitePool,
    clock: &ManualClock,
) -> Browser {
    let users = Users::new(pool);
    demo::seed(&users).await.unwrap();
    let sessions = accounts::configured(sessions).unwrap();
    let sessions = sessions.with_clock(clock.clone());
    let origin = RequireOrigin::new(ORIGIN).unwrap();
    let clock = Arc::new(clock.clone());
    Browser {
        app: accounts::router(sessions, &keys(), users, clock, origin).unwrap(),
        jar: BTreeMap::new(),
        agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        at: "/".to_owned(),
    }
}

impl Browser {
    /// Another browser, without cookies.
    pub fn another(&self) -> Self {
        Self {
            jar: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// What goes with every request of a page of this site.
    pub fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost:3000")
            .header(header::USER_AGENT, self.agent)
            .header(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")
            .header(header::REFERER, format!("{ORIGIN}{}", self.at));
        for (name, value) in &self.jar {
            request = request.header(header::COOKIE, format!("{name}={value}"));
        }
        request
    }

    pub async fn send(&mut self, request: Request<Body>) -> Answer {
        let answer = self.app.clone().oneshot(request).await.unwrap();
        let answer = collect(answer).await;
        let set = answer.headers.get_all(header::SET_COOKIE).iter();
        for cookie in set.map(|cookie| cookie.to_str().unwrap()) {
            let pair = cookie.split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self
            .request("GET", path)
            .header("sec-fetch-site", "same-origin");
        let answer = self.send(request.body(Body::empty()).unwrap()).await;
        path.clone_into(&mut self.at);
        answer
    }

    pub async fn post(&mut self, path: &str, form: &str) -> Answer {
        self.post_from("same-origin", path, form).await
    }

    /// A form that a page of this, or of another, site sends.
    pub async fn post_from(&mut self, site: &str, path: &str, form: &str) -> Answer {
        let urlencoded = "application/x-www-form-urlencoded";
        let request = self.request("POST", path).header("sec-fetch-site", site);
        let request = request.header(header::CONTENT_TYPE, urlencoded);
        self.send(request.body(Body::from(form.to_owned())).unwrap())
            .await
    }

    /// Sends a form of the page at `page`, with the hidden token that is there.
    pub async fn submit(&mut self, page: &str, path: &str, form: &str) -> Answer {
        let csrf = self.csrf(page).await;
        self.post(path, &format!("csrf={csrf}&{form}")).await
    }

    pub async fn login(&mut self, user: &str) {
        let form = format!("name={user}&password={}", demo::PASSWORD);
        let answer = self.post("/login", &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    }

    /// The token in the forms of a page.
    pub async fn csrf(&mut self, path: &str) -> String {
        hidden(&self.get(path).await.body, "csrf").unwrap()
    }

    pub async fn step_up(&mut self) -> Answer {
        self.submit("/step-up", "/step-up", "code=123456&next=/transfer")
            .await
    }

    pub async fn text(&mut self, path: &str) -> String {
        self.get(path).await.body
    }

    pub async fn is_logged_in(&mut self) -> bool {
        self.text("/").await.contains("Your account")
    }
}

/// The value of an input of this name.
pub fn hidden(page: &str, name: &str) -> Option<String> {
    let (_, value) = page.split_once(&format!("name=\"{name}\""))?;
    let (_, value) = value.split_once("value=\"")?;
    Some(value.split('"').next()?.to_owned())
}

#[track_caller]
pub fn leads_to(answer: &Answer, location: &str) {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.headers[header::LOCATION], location);
}
