//! A connection to the testbed, and what its answers say.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::sleep};

use super::ledger::{Entry, Opens};

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// None where the connection broke after the head.
    pub(super) body: Option<String>,
}

/// A connection that is kept.
pub(super) struct Connection(SendRequest<Empty<Bytes>>);

impl Connection {
    pub(super) async fn open(server: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// The answer, if its head came whole.
    pub(super) async fn send(&mut self, path: &str, cookie: Option<&str>) -> Option<Answer> {
        let reads = path.starts_with("/whoami") || path.starts_with("/get");
        let method = if reads { "GET" } else { "POST" };
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(header::HOST, "testbed");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        self.0.ready().await.ok()?;
        let request = request.body(Empty::new()).unwrap();
        let (head, body) = self.0.send_request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok().map(|body| {
            let body = body.to_bytes().to_vec();
            String::from_utf8(body).unwrap()
        });
        Some(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
        })
    }

    /// What a token opens; `data` is what its browser put as a guest.
    pub(super) async fn look(&mut self, entry: &Entry, data: &str) -> Opens {
        let who = self.read("/whoami", &entry.cookie).await;
        let found = user(&who);
        if !entry.is_guest || found != Opens::Nothing {
            return found;
        }
        let read = self.read("/get?k=k", &entry.cookie).await;
        match serde_json::from_str::<Value>(&read).unwrap()["value"].as_str() {
            None => Opens::Nothing,
            Some(found) => {
                assert_eq!(found, data, "another guest's data");
                Opens::Guest
            }
        }
    }

    /// What is read once everything runs again; a busy machine may let a try run out of time.
    async fn read(&mut self, path: &str, cookie: &str) -> String {
        let mut tries = 0;
        loop {
            let answer = self.send(path, Some(cookie)).await.expect("an answer");
            if answer.status == 503 && tries < 50 {
                tries += 1;
                sleep(Duration::from_millis(100)).await;
                continue;
            }
            assert_eq!(answer.status, 200, "{path}");
            return answer.body.expect("a whole answer");
        }
    }
}

/// Whom an answer of `/whoami` names.
pub(super) fn user(body: &str) -> Opens {
    let who: Value = serde_json::from_str(body).unwrap();
    match who["subject"].as_str() {
        None => Opens::Nothing,
        Some(name) => Opens::User {
            name: name.to_owned(),
            level: who["level"].as_u64().unwrap(),
        },
    }
}

/// The value that an answer sets under `name`.
pub(super) fn set(headers: &HeaderMap, name: &str) -> Option<String> {
    let set = headers.get_all(header::SET_COOKIE).iter();
    let pairs = set.filter_map(|value| value.to_str().unwrap().split(';').next()?.split_once('='));
    let mut ours = pairs.filter(|(given, _)| *given == name);
    ours.next().map(|(_, value)| value.to_owned())
}
