//! What an attack plays on: a victim's browser, the server, and the attacker's own client.

use std::time::Duration;

use browsers::driver::{Browser, PATIENCE, Tab};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::{Instant, sleep};

use crate::site::{ATTACKER, Seen, Site, Target, WHO, encode, text, value};

#[derive(Debug)]
pub struct Stage {
    pub browser: Browser,
    pub site: Site,
}

/// What became of an attack on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What of it reached the server.
    pub arrived: String,
    /// What the attacker won.
    pub harm: Option<&'static str>,
}

impl Outcome {
    /// The attacker's cookie was or was not in what the server received.
    pub fn planted(arrived: bool, harm: Option<&'static str>) -> Self {
        let arrived = if arrived {
            "delivered"
        } else {
            "not delivered"
        };
        Self {
            arrived: arrived.to_owned(),
            harm,
        }
    }
}

/// What the attacker's own client was answered.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub who: String,
    headers: HeaderMap,
}

impl Reply {
    /// The value of the cookie that the answer set.
    #[track_caller]
    pub fn cookie(&self, name: &str) -> String {
        let set = self.headers.get_all(header::SET_COOKIE).iter();
        let mut values = set.filter_map(|cookie| value(cookie.to_str().unwrap(), name));
        values
            .next()
            .expect("the answer sets the cookie")
            .to_owned()
    }
}

impl Stage {
    pub fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}:{}{path}", self.site.address.port())
    }

    /// Opens a page of the host that runs `script`, and tells what that returned.
    pub async fn script(&mut self, host: &str, script: &str) -> String {
        let page = format!("/page?{}", encode(script.as_bytes()));
        self.browser.open(&self.url(host, &page)).await;
        self.browser.title("done").await
    }

    /// Opens a page of the host that sets these cookies, byte for byte.
    pub async fn set(&mut self, host: &str, cookies: &[Vec<u8>]) {
        let cookies: Vec<_> = cookies.iter().map(|cookie| encode(cookie)).collect();
        let page = format!("/set?{}", cookies.join("&"));
        self.browser.open(&self.url(host, &page)).await;
    }

    /// A page of the target posts to it, and the browser has the answer; what the server made of it.
    pub async fn post(&mut self, target: Target, path: &str) -> Seen {
        let post = format!("return (await fetch('{path}', {{ method: 'POST' }})).status");
        self.script(target.host, &post).await;
        self.last(target, path.split('?').next().unwrap())
    }

    /// Opens a page of the host whose script goes elsewhere, and waits until it is there.
    pub async fn leave(&mut self, host: &str, script: &str) {
        let page = self.url(host, &format!("/page?{}", encode(script.as_bytes())));
        self.browser.open(&page).await;
        self.becomes(&format!("location.href !== '{page}'")).await;
    }

    /// Waits until this holds in the browser's page.
    pub async fn becomes(&mut self, condition: &str) {
        let deadline = Instant::now() + PATIENCE;
        let script = format!("return {condition}");
        while self.browser.run(&script).await != true {
            assert!(Instant::now() < deadline, "{condition}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// A page of the target posts to it, and the answer waits at the gate, as do `waiting` in all.
    pub async fn begin(&mut self, target: Target, path: &str, waiting: usize) {
        let post = format!(
            "fetch('{path}', {{ method: 'POST' }}).then(() => document.title = 'answered');
            return 'sent'"
        );
        self.script(target.host, &post).await;
        self.until("they wait", |site| site.gate.waiting() == waiting)
            .await;
    }

    /// Lets the answers go, and waits until the pages in these tabs have them.
    pub async fn finish(&mut self, tabs: &[&Tab]) {
        self.site.gate.open();
        for tab in tabs {
            self.browser.switch(tab).await;
            self.browser.title("answered").await;
        }
        self.site.gate.close();
    }

    /// The victim looks who is logged in; what the server received and thought.
    pub async fn whoami(&mut self, target: Target) -> Seen {
        self.browser.open(&self.url(target.host, "/whoami")).await;
        self.last(target, "/whoami")
    }

    /// What the victim reads of the session's data.
    pub async fn read(&mut self, target: Target) -> String {
        let read = "return (await fetch('/get')).text()";
        let read = self.script(target.host, read).await;
        read.trim_start_matches("done").trim().to_owned()
    }

    /// The last of the browser's requests for the path.
    #[track_caller]
    pub fn last(&self, target: Target, path: &str) -> Seen {
        let seen = self.site.seen(target.host, path).pop();
        seen.expect("the browser has asked for it")
    }

    /// The attacker's own request, with these cookies.
    pub async fn attacker(
        &self,
        target: Target,
        method: Method,
        path: &str,
        cookies: &[u8],
    ) -> Reply {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.site.address))
            .header(header::HOST, target.host)
            .header(ATTACKER, "1")
            .header(header::COOKIE, cookies)
            .body(Empty::<Bytes>::new())
            .unwrap();
        let answer = client.request(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        body.collect().await.unwrap();
        Reply {
            status: parts.status,
            who: text(&parts.headers, WHO),
            headers: parts.headers,
        }
    }

    /// Who the attacker is with these cookies.
    pub async fn replay(&self, target: Target, cookies: &[u8]) -> String {
        let reply = self.attacker(target, Method::GET, "/whoami", cookies);
        let reply = reply.await;
        assert!(reply.status.is_success(), "{reply:?}");
        reply.who
    }

    /// A visitor's token that the attacker fetched for themselves.
    pub async fn visitors_token(&self, target: Target) -> String {
        let put = self.attacker(target, Method::POST, "/put?v=planted", b"");
        put.await.cookie(target.guest)
    }

    /// A token with which the attacker is logged in under a name of their own.
    pub async fn attackers_token(&self, target: Target) -> String {
        let login = self.attacker(target, Method::POST, "/login?user=mallory", b"");
        login.await.cookie(target.session)
    }

    /// Waits until `done`, for a while.
    pub async fn until(&self, what: &str, done: impl Fn(&Site) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(&self.site) {
            assert!(Instant::now() < deadline, "{what}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}
