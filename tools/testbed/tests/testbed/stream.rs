//! `GET /stream`: it ends with its session.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{GUEST, SESSION, Server};

/// A stream that a client reads.
struct Events {
    head: (StatusCode, HeaderMap),
    body: Incoming,
    read: String,
}

impl Events {
    async fn open(server: &Server, cookies: &[(&str, &str)], headers: &[(&str, &str)]) -> Self {
        let mut request =
            Request::builder().uri(format!("http://{}/stream", server.testbed.address));
        for (name, value) in cookies {
            request = request.header(header::COOKIE, format!("{name}={value}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::<Bytes>::default()).unwrap();
        let (head, body) = server.client.request(request).await.unwrap().into_parts();
        Self {
            head: (head.status, head.headers),
            body,
            read: String::new(),
        }
    }

    /// One that has told that it is open.
    async fn of(server: &Server, token: &str) -> Self {
        let mut events = Self::open(server, &[(SESSION, token)], &[]).await;
        assert_eq!(events.head.0, 200);
        assert_eq!(events.head.1[header::CONTENT_TYPE], "text/event-stream");
        let open = events.next().await.unwrap();
        assert!(open.lines().any(|line| line == "event: open"), "{open}");
        events
    }

    /// The next event, in the lines in which it came.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(event);
            }
            let frame = self.body.frame().await?.unwrap();
            let data = frame.into_data().unwrap();
            self.read += std::str::from_utf8(&data).unwrap();
        }
    }

    async fn is_open(&mut self) -> bool {
        timeout(Duration::from_millis(50), self.next())
            .await
            .is_err()
    }

    /// The cause that it ends with, which comes within a second.
    async fn cause(mut self) -> String {
        let last = timeout(Duration::from_secs(1), self.next()).await;
        let last = last.expect("it ends at once").unwrap();
        let cause = last.strip_prefix("event: ended\ndata: ");
        let cause = cause.unwrap_or_else(|| panic!("{last}")).to_owned();
        assert_eq!(self.next().await, None, "nothing follows the end");
        cause
    }
}

/// R56: each cause, in both modes; a new token of the session is none.
#[tokio::test]
async fn a_stream_ends_with_its_session() {
    for server in Server::both(&[]) {
        for (path, cause) in [
            ("/logout", "logout"),
            ("/login?user=bob", "replaced"),
            ("/login?user=alice", "replaced"),
            ("/revoke-user?user=alice", "revoked"),
            ("/revoke-tag?tag=sid", "revoked"),
        ] {
            let login = server.post("/login?user=alice&tag=sid", &[]).await;
            let mut token = login.cookie(SESSION).unwrap();
            let mut events = Events::of(&server, &token).await;
            for next in ["/elevate", "/renew", "/step-down"] {
                let answer = server.post(next, &[(SESSION, &token)]).await;
                token = answer.cookie(SESSION).unwrap();
            }
            assert!(events.is_open().await, "{path}");
            server.post(path, &[(SESSION, &token)]).await;
            assert_eq!(events.cause().await, cause, "{path}");
        }
        let (one, two) = (server.login("carol").await, server.login("carol").await);
        let (mut own, other) = (
            Events::of(&server, &one).await,
            Events::of(&server, &two).await,
        );
        server.post("/revoke-others", &[(SESSION, &one)]).await;
        assert_eq!(other.cause().await, "revoked");
        assert!(own.is_open().await);
    }
}

/// R56: a manual clock ends it as the real one does, and a reused token ends the session.
#[tokio::test]
async fn a_stream_ends_when_its_session_expires_or_is_ended_by_reuse() {
    let settings = [("TESTBED_CLOCK", "manual"), ("TESTBED_IDLE", "600")];
    for server in Server::both(&settings) {
        let mut token = server.login("alice").await;
        let mut events = Events::of(&server, &token).await;
        server.post("/_clock?advance=500", &[]).await;
        let used = server.get("/whoami", &[(SESSION, &token)]).await;
        token = used.cookie(SESSION).unwrap_or(token);
        server.post("/_clock?advance=500", &[]).await;
        assert!(events.is_open().await);
        server.post("/_clock?advance=100", &[]).await;
        assert_eq!(events.cause().await, "expired");
        assert!(server.who(&[(SESSION, &token)]).await.is_null());

        let token = server.login("alice").await;
        let renewed = server.post("/renew", &[(SESSION, &token)]).await;
        let events = Events::of(&server, &renewed.cookie(SESSION).unwrap()).await;
        server.post("/_clock?advance=60", &[]).await;
        server.get("/whoami", &[(SESSION, &token)]).await;
        assert_eq!(events.cause().await, "reused");
    }
}

/// R56: for users alone, and from our own pages.
#[tokio::test]
async fn a_stream_is_for_users_on_our_own_pages() {
    let origin = [("TESTBED_ORIGIN", "https://app.example")];
    for server in Server::both(&origin) {
        let guest = server
            .post("/put?k=k&v=v", &[])
            .await
            .cookie(GUEST)
            .unwrap();
        let token = server.login("alice").await;
        let user = [(SESSION, &*token)];
        for (cookies, headers, status) in [
            (&[][..], &[][..], 401),
            (&[(GUEST, &*guest)], &[], 401),
            (&user, &[], 200),
            (&user, &[("origin", "https://app.example")], 200),
            (&user, &[("origin", "https://evil.example")], 403),
            (&user, &[("origin", "null")], 403),
            (&[], &[("origin", "https://evil.example")], 403),
            (&user, &[("sec-fetch-site", "cross-site")], 403),
        ] {
            let events = Events::open(&server, cookies, headers).await;
            assert_eq!(events.head.0, status, "{cookies:?} {headers:?}");
        }
    }
    let server = Server::start(&[]);
    let token = server.login("alice").await;
    let anywhere = [("origin", "https://evil.example")];
    let events = Events::open(&server, &[(SESSION, &token)], &anywhere).await;
    assert_eq!(events.head.0, 200, "where no origin is set");
}
