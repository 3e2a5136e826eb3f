//! Two testbeds over one Redis that answer from memory under a lease (R66, R75).

#[path = "process/mod.rs"]
mod process;

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use process::{Testbed, command};
use serde_json::Value;
use test_support::{
    redis::{Cluster, Server, redis},
    server::{PATIENCE, StoreServer},
};
use tokio::time::sleep;

const KEYS: &str = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";
const SESSION: &str = "__Host-Http-session";

struct Node {
    testbed: Testbed,
    client: Client<HttpConnector, Empty<Bytes>>,
}

struct Answer {
    status: StatusCode,
    token: Option<String>,
    body: String,
}

impl Node {
    fn start(store: &str, lease: &str) -> Self {
        Self::with(&[("TESTBED_STORE", store), ("TESTBED_LEASE", lease)])
    }

    fn with(settings: &[(&str, &str)]) -> Self {
        Self {
            testbed: Testbed::start(&[settings, &[("SESSION_KEYS", KEYS)]].concat()),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    async fn send(&self, method: Method, path: &str, token: Option<&str>) -> Answer {
        let uri = format!("http://{}{path}", self.testbed.address);
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(token) = token {
            request = request.header(header::COOKIE, format!("{SESSION}={token}"));
        }
        let answer = self
            .client
            .request(request.body(Empty::new()).unwrap())
            .await
            .unwrap();
        let cookies = answer.headers().get_all(header::SET_COOKIE).iter();
        let mut token = cookies.filter_map(|cookie| {
            let (name, value) = cookie.to_str().ok()?.split(';').next()?.split_once('=')?;
            (name == SESSION && !value.is_empty()).then(|| value.to_owned())
        });
        let token = token.next_back();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            token,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn login(&self, user: &str) -> String {
        let answer = self
            .send(Method::POST, &format!("/login?user={user}"), None)
            .await;
        assert_eq!(answer.status, 200);
        answer.token.unwrap()
    }

    async fn user(&self, token: &str) -> Value {
        let answer = self.send(Method::GET, "/whoami", Some(token)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str::<Value>(&answer.body).unwrap()["subject"].clone()
    }

    async fn loads(&self) -> u64 {
        let answer = self.send(Method::GET, "/_stats", None).await;
        let stats: Value = serde_json::from_str(&answer.body).unwrap();
        stats["calls"]["load"].as_u64().unwrap()
    }

    /// Waits until a session is answered from memory.
    async fn warm(&self, token: &str) {
        let began = Instant::now();
        loop {
            let before = self.loads().await;
            assert_eq!(self.user(token).await, "alice");
            if self.loads().await == before {
                return;
            }
            assert!(began.elapsed() < PATIENCE);
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn hold(store: &str) {
    let (a, b) = (
        Node::start(store, "exact:250"),
        Node::start(store, "bounded:300"),
    );
    let token = a.login("alice").await;
    b.warm(&token).await;
    a.warm(&token).await;
    let before = b.loads().await;
    for _ in 0..100 {
        assert_eq!(b.user(&token).await, "alice");
    }
    assert_eq!(b.loads().await, before, "from memory");

    // An ending at either node is acknowledged once it holds at the other: the longest lease counts.
    for (here, there) in [(&a, &b), (&b, &a)] {
        for path in ["/logout", "/revoke-user?user=alice", "/elevate"] {
            let token = here.login("alice").await;
            there.warm(&token).await;
            let began = Instant::now();
            let answer = here.send(Method::POST, path, Some(&token)).await;
            assert_eq!(answer.status, 200, "{path}");
            let took = began.elapsed();
            assert!(took >= Duration::from_millis(300), "{path}: {took:?}");
            assert_eq!(there.user(&token).await, Value::Null, "{path}");
        }
    }
    let began = Instant::now();
    a.login("bob").await;
    println!("a first login takes {:?}", began.elapsed());
}

/// R75.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_ending_holds_on_the_other_node() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    hold(&server.url()).await;
}

/// R75.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_ending_holds_on_the_other_node_of_a_cluster() {
    let Some(program) = redis() else { return };
    let cluster = Cluster::start(&program);
    hold(&cluster.url()).await;
}

/// R75: with self-contained tokens, whose list is pushed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledged_ending_of_a_token_holds_on_the_other_node() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let url = server.url();
    let start = |lease| {
        let list = ("TESTBED_REVOCATIONS", &*url);
        Node::with(&[("TESTBED_STORE", "cookie"), list, ("TESTBED_LEASE", lease)])
    };
    let (a, b) = (start("exact:250"), start("bounded:300"));
    server.wait_for("PUBSUB SHARDNUMSUB session:{revoked}", ":2");
    let token = a.login("bob").await;
    assert_eq!(b.user(&token).await, "bob");
    let scripts = || {
        let stats = server.ask("INFO commandstats").unwrap();
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        let calls = line.and_then(|line| line.split(',').next());
        calls.map_or(0, |calls| calls.parse::<u64>().unwrap())
    };
    let before = scripts();
    for _ in 0..50 {
        assert_eq!(b.user(&token).await, "bob");
    }
    // A lapse of the lease on a busy machine asks the list.
    assert!(
        scripts() - before < 25,
        "the list is asked for each request"
    );

    for path in ["/logout", "/revoke-user?user=alice", "/elevate"] {
        let token = a.login("alice").await;
        assert_eq!(b.user(&token).await, "alice");
        let began = Instant::now();
        let answer = a.send(Method::POST, path, Some(&token)).await;
        assert_eq!(answer.status, 200, "{path}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(300), "{path}: {took:?}");
        assert_eq!(b.user(&token).await, Value::Null, "{path}");
    }
}

/// R75: nodes without copies wait as well, and without an exact lease nobody does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_may_differ() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let url = server.url();
    let plain = Node::with(&[("TESTBED_STORE", &url)]);
    let logout = async |node: &Node| {
        let token = node.login("alice").await;
        let began = Instant::now();
        node.send(Method::POST, "/logout", Some(&token)).await;
        began.elapsed()
    };
    let bounded = Node::start(&url, "bounded:800");
    let token = bounded.login("alice").await;
    bounded.warm(&token).await;
    assert!(logout(&plain).await < Duration::from_millis(800));
    let exact = Node::start(&url, "exact:200");
    exact.warm(&token).await;
    let took = logout(&plain).await;
    assert!(took >= Duration::from_millis(800), "{took:?}");
}

/// R71, R75: 503 once the lease has run out, and fine again soon after the server is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_is_503_after_the_lease_and_fine_again_afterwards() {
    let Some(program) = redis() else { return };
    let server = Server::start(&program, &[]);
    let node = Node::start(&server.url(), "exact:250");
    let token = node.login("alice").await;
    node.warm(&token).await;
    server.pause();
    sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    let answer = node.send(Method::GET, "/whoami", Some(&token)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(began.elapsed() < Duration::from_secs(5));
    server.go_on();
    let began = Instant::now();
    while node.send(Method::GET, "/whoami", Some(&token)).await.status != 200 {
        assert!(began.elapsed() < PATIENCE);
    }
    node.warm(&token).await;
    println!("from memory {:?} after the server went on", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(3));

    server.wait_for("CLIENT KILL TYPE normal", ":");
    let began = Instant::now();
    assert_eq!(node.user(&token).await, "alice");
    node.warm(&token).await;
    println!("from memory {:?} after a cut", began.elapsed());
    assert!(began.elapsed() < Duration::from_millis(500));
}

#[test]
fn a_lease_that_cannot_be_held_is_refused_at_the_start() {
    for (store, lease, word) in [
        ("memory", "exact:250", "TESTBED_LEASE"),
        ("cookie", "exact:250", "TESTBED_REVOCATIONS"),
        ("memory", "exact", "exact:MS"),
        ("memory", "exact:x", "exact:MS"),
        ("memory", "weekly:7", "exact:MS"),
        ("memory", "exact:99", "100 milliseconds"),
        ("memory", "bounded:5001", "5 seconds"),
        ("nowhere", "exact:250", "no such store"),
    ] {
        let mut command = command();
        let command = command
            .env("TESTBED_STORE", store)
            .env("TESTBED_LEASE", lease);
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{store} {lease}");
        assert!(output.stdout.is_empty(), "{store} {lease}");
        assert!(told.contains(word), "{store} {lease}: {told}");
    }
}
