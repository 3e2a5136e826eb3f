//! [`Browser`]: one that keeps its cookies from one application to the next.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use http_body_util::BodyExt;
use tower::ServiceExt;

pub(crate) const LOGIN: &str = "name=alice&password=demo";

/// A browser, by its cookies.
#[derive(Clone, Default)]
pub(crate) struct Browser(BTreeMap<String, String>);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) location: String,
    pub(crate) body: String,
    cookies: Vec<String>,
}

impl Answer {
    /// Whether it leads to the login page.
    pub(crate) fn asks_for_login(&self) -> bool {
        (300..400).contains(&self.status) && self.location.starts_with("/login")
    }
}

impl Browser {
    /// One that has just logged in.
    pub(crate) async fn logged_in(app: &Router, path: &str) -> Self {
        let mut browser = Self::default();
        browser.log_in(app, path).await;
        browser
    }

    pub(crate) async fn log_in(&mut self, app: &Router, path: &str) {
        let answer = self.post(app, path, LOGIN).await;
        assert_eq!((answer.status, &*answer.location), (303, "/"));
    }

    pub(crate) async fn get(&mut self, app: &Router, path: &str) -> Answer {
        let answer = self.send(app, "GET", path, "").await;
        self.keep(&answer);
        answer
    }

    pub(crate) async fn post(&mut self, app: &Router, path: &str, form: &'static str) -> Answer {
        let answer = self.send(app, "POST", path, form).await;
        self.keep(&answer);
        answer
    }

    /// Whose page the application shows, and with what theme.
    pub(crate) async fn home(&mut self, app: &Router) -> Option<String> {
        let answer = self.get(app, "/").await;
        if answer.status != 200 {
            assert!(answer.asks_for_login(), "{}", answer.status);
            return None;
        }
        let shown = answer.body.strip_prefix("<p>")?.split_once("</p>")?.0;
        Some(shown.to_owned())
    }

    /// Sends a request as the page of a browser does, and keeps no cookies of the answer yet.
    pub(crate) async fn send(
        &self,
        app: &Router,
        method: &str,
        path: &str,
        form: &'static str,
    ) -> Answer {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, pairs.collect::<Vec<_>>().join("; "))
            .header(header::ACCEPT, "text/html")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate");
        let request = request.body(Body::from(form)).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        let field = |name| answer.headers().get_all(name).iter();
        let text = |name| field(name).map(|value| value.to_str().unwrap().to_owned());
        let (location, cookies) = (
            text(header::LOCATION).collect(),
            text(header::SET_COOKIE).collect(),
        );
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer {
            status,
            location,
            body,
            cookies,
        }
    }

    pub(crate) fn keep(&mut self, answer: &Answer) {
        for set in &answer.cookies {
            let (pair, attributes) = set.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.to_ascii_lowercase().contains("max-age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The value of the old session's cookie.
    pub(crate) fn old_cookie(&self) -> Option<&str> {
        self.0.get("id").map(String::as_str)
    }

    /// Whether it has a cookie of a new session.
    pub(crate) fn has_new_cookie(&self) -> bool {
        self.0.keys().any(|name| name != "id")
    }
}
