//! The testbed as a process of its own, over real sockets: its contract, in both modes.

#[path = "testbed/backchannel.rs"]
mod backchannel;
#[path = "testbed/device.rs"]
mod device;
#[path = "process/mod.rs"]
mod process;
#[path = "testbed/stream.rs"]
mod stream;

use std::{process::Command, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use process::Testbed;
use serde_json::Value;
use tokio::task::JoinSet;

const SESSION: &str = "__Host-Http-session";
const GUEST: &str = "__Host-Http-session-guest";

/// A running testbed and a client of it.
struct Server {
    testbed: Testbed,
    client: Client<HttpConnector, Full<Bytes>>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all(header::SET_COOKIE).iter();
        set.filter_map(|value| value.to_str().unwrap().split(';').next()?.split_once('='))
            .find(|(given, _)| *given == name)
            .map(|(_, value)| value.to_owned())
    }
}

impl Server {
    fn start(settings: &[(&str, &str)]) -> Self {
        Self {
            testbed: Testbed::start(settings),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    fn both(settings: &[(&str, &str)]) -> [Self; 2] {
        ["cookie", "memory"]
            .map(|store| Self::start(&[settings, &[("TESTBED_STORE", store)]].concat()))
    }

    async fn send(&self, method: Method, path: &str, cookies: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.testbed.address));
        if !cookies.is_empty() {
            let cookies = cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"));
            request = request.header(header::COOKIE, cookies.collect::<Vec<_>>().join("; "));
        }
        self.answer(request.body(Full::default()).unwrap()).await
    }

    async fn send_body(&self, method: Method, path: &str, kind: &str, body: String) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.testbed.address))
            .header(header::CONTENT_TYPE, kind);
        self.answer(request.body(body.into()).unwrap()).await
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Answer {
        let response = self.client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str, cookies: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, cookies).await
    }

    async fn post(&self, path: &str, cookies: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, cookies).await
    }

    async fn login(&self, user: &str) -> String {
        let answer = self.post(&format!("/login?user={user}"), &[]).await;
        answer.cookie(SESSION).unwrap()
    }

    async fn who(&self, cookies: &[(&str, &str)]) -> Value {
        self.get("/whoami", cookies).await.json()["subject"].clone()
    }
}

/// A setting that is refused means a message, a status other than zero, and no `listening` line.
#[test]
fn a_refused_setting_ends_the_start() {
    let weak = "00112233".repeat(7);
    for (name, value) in [
        ("SESSION_KEYS", "abcd"),
        ("SESSION_KEYS", &weak),
        ("SESSION_KEYS", "not hexadecimal"),
        ("TESTBED_COOKIE", "a b"),
        ("TESTBED_COOKIE", "__host-session"),
        ("TESTBED_STORE", "oracle://somewhere"),
        ("TESTBED_REVOCATIONS", "oracle://somewhere"),
        ("TESTBED_IDLE", "soon"),
        ("TESTBED_CLOCK", "fast"),
        ("TESTBED_DBSC", "always"),
        ("TESTBED_DBSC", "0"),
        ("TESTBED_DBSC", "901"),
        ("TESTBED_ORIGIN", "app.example"),
        ("TESTBED_ORIGIN", "https://app.example/"),
    ] {
        let mut start = process::command();
        if name == "TESTBED_REVOCATIONS" {
            start.env("TESTBED_STORE", "cookie");
        }
        let refused = start.env(name, value).output().unwrap();
        assert!(!refused.status.success(), "{name}={value}");
        assert!(refused.stdout.is_empty(), "{name}={value}");
        assert!(!refused.stderr.is_empty(), "{name}={value}");
    }
}

/// R31: what is refused is not told.
#[test]
fn a_refused_key_does_not_show() {
    let key = "0123456789abcdef".repeat(3);
    let refused = process::command()
        .env("SESSION_KEYS", &key)
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&refused.stderr).contains(&key[..8]));
}

#[tokio::test]
async fn sigterm_ends_it_cleanly() {
    let mut server = Server::start(&[]);
    server.get("/public", &[]).await;
    let pid = server.testbed.process.id().to_string();
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    assert!(server.testbed.process.wait().unwrap().success());
}

/// The answers of the contract's table.
#[tokio::test]
async fn every_route_answers_as_the_contract_says() {
    for server in Server::both(&[]) {
        let token = server.login("alice").await;
        let session = [(SESSION, &*token)];
        assert_eq!(server.get("/public", &[]).await.body, "public");
        let nobody = server.get("/whoami", &[]).await.json();
        let expected = serde_json::json!({"subject": null, "level": 0, "authenticated_at": null});
        assert_eq!(nobody, expected);
        let alice = server.get("/whoami", &session).await.json();
        assert_eq!(
            (&alice["subject"], &alice["level"]),
            (&"alice".into(), &1.into())
        );
        assert!(alice["authenticated_at"].is_u64());
        for (path, cookies, status) in [
            ("/elevate", &[][..], 401),
            ("/step-down", &[], 401),
            ("/elevate?level=0", &session, 400),
            ("/login", &[], 400),
            ("/marks?do=nothing", &[], 400),
            ("/fail?mark=none&status=418", &[], 418),
            ("/panic?mark=login&user=bob", &[], 500),
            ("/_clock?advance=1", &[], 409),
        ] {
            assert_eq!(server.post(path, cookies).await.status, status, "{path}");
        }
        let strong = server.post("/login?user=bob&level=3", &[]).await.json();
        assert_eq!(strong["level"], 3);
        for (path, body) in [
            ("/renew", "renewed"),
            ("/put?k=a&v=b", "ok"),
            ("/logout", "bye"),
        ] {
            assert_eq!(server.post(path, &[]).await.body, body);
        }
        let marks = "/marks?do=login:alice,elevate:3,put:k:v,carried:c:v,remove:k,renew";
        let answer = server.post(marks, &[]).await;
        assert_eq!(answer.json()["level"], 3);
        let token = answer.cookie(SESSION).unwrap();
        let read = server.get("/get?k=c", &[(SESSION, &token)]).await;
        assert_eq!(read.json(), serde_json::json!({"value": "v"}));
        let read = server.get("/get?k=k", &[(SESSION, &token)]).await;
        assert_eq!(read.json(), serde_json::json!({"value": null}));
    }
}

/// R11: the last item of each answer is its own, and in a store none of the others' is lost.
#[tokio::test]
async fn fifty_appends_at_once_are_all_answered_and_kept() {
    for (server, is_stored) in Server::both(&[]).into_iter().zip([false, true]) {
        let server = Arc::new(server);
        let token = server.login("alice").await;
        let session = [(SESSION, &*token)];
        let mut tasks = JoinSet::new();
        for n in 0..50 {
            let (server, token) = (Arc::clone(&server), token.clone());
            tasks.spawn(async move {
                let path = format!("/append?k=list&v={n}");
                (n, server.post(&path, &[(SESSION, &token)]).await)
            });
        }
        for (n, answer) in tasks.join_all().await {
            assert_eq!((answer.status.as_u16(), &*answer.body), (200, "ok"));
            if let Some(own) = answer.cookie(SESSION) {
                assert!(!is_stored);
                let read = server.get("/get?k=list", &[(SESSION, &own)]).await;
                assert_eq!(read.json()["value"], n.to_string());
            }
        }
        if is_stored {
            let read = server.get("/get?k=list", &session).await.json();
            let list = read["value"].as_str().unwrap();
            let mut items: Vec<u32> = list.split(',').map(|n| n.parse().unwrap()).collect();
            items.sort_unstable();
            assert_eq!(items, (0..50).collect::<Vec<_>>());
        }
    }
}

/// R17: a guest's session ends with its last value, and a user's does not.
#[tokio::test]
async fn a_guest_whose_last_value_is_removed_holds_nothing() {
    for (server, is_stored) in Server::both(&[]).into_iter().zip([false, true]) {
        let records = || async {
            let stats = server.get("/_stats", &[]).await.json();
            stats["records"].as_u64()
        };
        let token = server
            .post("/append?k=a&v=1", &[])
            .await
            .cookie(GUEST)
            .unwrap();
        let answer = server.post("/put?k=b&v=2", &[(GUEST, &token)]).await;
        let token = answer.cookie(GUEST).unwrap_or(token);
        let answer = server.post("/remove?k=a", &[(GUEST, &token)]).await;
        assert_ne!(answer.cookie(GUEST).as_deref(), Some(""));
        let token = answer.cookie(GUEST).unwrap_or(token);
        let guest = [(GUEST, &*token)];
        let answer = server.post("/remove?k=b", &guest).await;
        assert_eq!((answer.status.as_u16(), &*answer.body), (200, "ok"));
        assert_eq!(answer.cookie(GUEST).as_deref(), Some(""));
        let read = server.get("/get?k=b", &guest).await.json();
        assert_eq!(read["value"], Value::Null);
        assert_eq!(records().await, is_stored.then_some(0));
        let events = server.get("/_events", &[]).await.json();
        let ended = |event: &&Value| event["kind"] == "guest_ended";
        let ended: Vec<_> = events.as_array().unwrap().iter().filter(ended).collect();
        assert_eq!(ended.len(), 1);
        assert!(ended[0]["session"].is_string() && ended[0]["except"].is_null());

        let answer = server.post("/marks?do=login:alice,put:k:v", &[]).await;
        let token = answer.cookie(SESSION).unwrap();
        let answer = server.post("/remove?k=k", &[(SESSION, &token)]).await;
        let token = answer.cookie(SESSION).unwrap_or(token);
        assert_eq!(server.who(&[(SESSION, &token)]).await, "alice");
    }
}

/// R90: where all others end, the events name the session that is left.
#[tokio::test]
async fn the_events_name_the_session_that_was_spared() {
    for server in Server::both(&[]) {
        let token = server.login("alice").await;
        server.post("/revoke-others", &[(SESSION, &token)]).await;
        let events = server.get("/_events", &[]).await.json();
        let events = events.as_array().unwrap();
        let of = |kind: &str| events.iter().find(|event| event["kind"] == kind).unwrap();
        let spared = of("other_sessions_revoked");
        assert_eq!(spared["except"], of("logged_in")["session"]);
        assert!(spared["except"].is_string() && spared["successor"].is_null());
    }
}

/// R41, A45; R43, R44; R55.
#[tokio::test]
async fn the_handlers_own_headers_are_merged_and_its_intruder_is_not() {
    for server in Server::both(&[]) {
        for mark in ["login&user=alice", "none"] {
            let answer = server.post(&format!("/own-cookie?mark={mark}"), &[]).await;
            let set = answer.headers.get_all(header::SET_COOKIE).iter();
            let set: Vec<_> = set.map(|value| value.to_str().unwrap()).collect();
            assert_eq!(set[0], "theme=dark");
            assert!(
                set.iter().all(|cookie| !cookie.contains("intruder")),
                "{set:?}"
            );
            assert_eq!(set.len(), if mark == "none" { 1 } else { 2 });
        }
        let read = server.get("/own-headers", &[]).await;
        assert_eq!(read.headers["cache-control"], "max-age=60");
        assert_eq!(read.headers["vary"], "Accept, Cookie");
        let login = server.get("/own-headers?mark=login&user=alice", &[]).await;
        assert_eq!(login.headers["cache-control"], "no-store");
        let echo = server
            .get("/echo-cookie", &[("a", "1"), (SESSION, "x")])
            .await;
        let expected = serde_json::json!({"cookie": [format!("a=1; {SESSION}=x")]});
        assert_eq!(echo.json(), expected);
    }
}

/// R15, R16: requests that wait at a gate without blocking a thread.
#[tokio::test]
async fn gates_force_an_interleaving() {
    for server in Server::both(&[]) {
        let server = Arc::new(server);
        let token = server.login("alice").await;
        let slow: Vec<_> = (0..40)
            .map(|n| {
                let (server, token) = (Arc::clone(&server), token.clone());
                tokio::spawn(async move {
                    let path = format!("/slow?gate=g&then=put&k=k{n}&v=v");
                    server.post(&path, &[(SESSION, &token)]).await
                })
            })
            .collect();
        while server.get("/_waiting?gate=g", &[]).await.json()["waiting"] != 40 {
            tokio::task::yield_now().await;
        }
        server.post("/logout", &[(SESSION, &token)]).await;
        assert_eq!(server.post("/_gate?gate=g", &[]).await.body, "open");
        for answer in slow {
            let answer = answer.await.unwrap();
            assert_eq!(
                (answer.status.as_u16(), answer.cookie(SESSION)),
                (200, None)
            );
        }
        assert_eq!(server.who(&[(SESSION, &token)]).await, Value::Null);
        assert_eq!(
            server.get("/_waiting?gate=g", &[]).await.json()["waiting"],
            0
        );
    }
}

/// R10: a client that goes away while the handler waits.
#[tokio::test]
async fn a_client_that_disconnects_loses_no_logout() {
    for server in Server::both(&[]) {
        for (mark, who) in [("logout", Value::Null), ("login&user=bob", "alice".into())] {
            let token = server.login("alice").await;
            let path =
                format!("/mark-then-wait?gate={mark}&mark={mark}").replacen("&user=bob", "", 1);
            let cookies = [(SESSION, &*token)];
            let gate = mark.split('&').next().unwrap();
            let waiting = format!("/_waiting?gate={gate}");
            tokio::select! {
                _ = server.post(&path, &cookies) => panic!("nobody opened the gate"),
                () = async {
                    while server.get(&waiting, &[]).await.json()["waiting"] != 1 {
                        tokio::task::yield_now().await;
                    }
                } => {}
            }
            while server.get(&waiting, &[]).await.json()["waiting"] != 0 {
                tokio::task::yield_now().await;
            }
            // The settlement of a request whose client is gone runs on its own; it takes a moment.
            for _ in 0..200 {
                if server.who(&cookies).await == who {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            assert_eq!(server.who(&cookies).await, who, "{mark}");
        }
    }
}

/// R60, and the manual clock.
#[tokio::test]
async fn the_manual_clock_moves_only_when_told() {
    for server in Server::both(&[("TESTBED_CLOCK", "manual"), ("TESTBED_IDLE", "60")]) {
        let token = server.login("alice").await;
        let now = server.post("/_clock?advance=59", &[]).await.json();
        assert!(now["now"].is_u64());
        let answer = server.get("/whoami", &[(SESSION, &token)]).await;
        assert_eq!(answer.json()["subject"], "alice");
        let token = answer.cookie(SESSION).unwrap_or(token);
        server.post("/_clock?advance=60", &[]).await;
        assert_eq!(server.who(&[(SESSION, &token)]).await, Value::Null);
    }
}

/// R09, R71, R17, R13, R72: faults and counts.
#[tokio::test]
async fn the_store_fails_and_counts_as_told() {
    let server = Server::start(&[]);
    for _ in 0..1000 {
        assert!(server.get("/public", &[]).await.cookie(GUEST).is_none());
    }
    let stats = server.get("/_stats", &[]).await.json();
    assert_eq!(stats["records"], 0);
    assert!(
        stats["calls"]
            .as_object()
            .unwrap()
            .values()
            .all(|calls| *calls == 0)
    );

    let token = server.login("alice").await;
    server.post("/_store?fail=load&times=1", &[]).await;
    assert_eq!(
        server.get("/whoami", &[(SESSION, &token)]).await.status,
        503
    );
    assert_eq!(server.who(&[(SESSION, &token)]).await, "alice");
    server.post("/_store?fail=write&times=5&after=1", &[]).await;
    let answer = server.post("/login?user=bob", &[(SESSION, &token)]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.cookie(SESSION)),
        (503, None)
    );
    server.post("/_store?fail=write&times=0", &[]).await;
    assert_eq!(server.get("/_stats", &[]).await.json()["calls"]["load"], 3);
}

/// R77: the store is asked at the first look, and by that alone.
#[tokio::test]
async fn a_lazy_testbed_asks_at_the_first_look() {
    let server = Server::start(&[("TESTBED_LAZY", "1")]);
    let token = server.login("alice").await;
    let cookies = &[(SESSION, &*token)];
    let loads = async || server.get("/_stats", &[]).await.json()["calls"]["load"].clone();
    let before = loads().await;
    assert_eq!(server.get("/public", cookies).await.body, "public");
    assert_eq!(loads().await, before);
    assert_eq!(server.who(cookies).await, "alice");
    assert_eq!(loads().await, before.as_u64().unwrap() + 1);

    server.post("/_store?fail=load&times=3", &[]).await;
    assert_eq!(server.get("/whoami", cookies).await.status, 503);
    assert_eq!(server.get("/guarded", cookies).await.status, 503);
    assert_eq!(server.get("/public", cookies).await.status, 200);
    assert_eq!(server.post("/logout", cookies).await.status, 503);
    assert_eq!(server.post("/logout", cookies).await.status, 200);
    assert_eq!(
        server.get("/whoami", cookies).await.json()["subject"],
        Value::Null
    );
}

/// R91, R31: causes are told apart inside, and no token is among what is told.
#[tokio::test]
async fn events_tell_causes_apart_and_no_secret() {
    for server in Server::both(&[]) {
        let token = server.login("alice").await;
        server.post("/elevate", &[(SESSION, &token)]).await;
        server.get("/whoami", &[(SESSION, &token)]).await;
        let mut forged = token.clone();
        forged.replace_range(40..41, if &token[40..41] == "A" { "B" } else { "A" });
        server.get("/whoami", &[(SESSION, &forged)]).await;
        let events = server.get("/_events", &[]).await;
        let kinds: Vec<_> = events
            .json()
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["kind"].clone())
            .collect();
        assert_eq!(
            kinds,
            ["logged_in", "elevated", "superseded_token", "token_forged"]
        );
        assert!(!events.body.contains(&token[..40]) && !events.body.contains(&token[60..]));
        let since = server.get("/_events?since=3", &[]).await.json();
        assert_eq!(since.as_array().unwrap().len(), 1);
        assert_eq!(since[0]["n"], 4);
    }
}

/// A flood of events takes the place of older ones, and the numbers go on.
#[tokio::test]
async fn the_newest_events_are_kept_under_their_numbers() {
    const KEPT: u64 = 65_536;
    const EACH: u64 = 1024;
    let server = Server::start(&[]);
    let nobodys = vec!["elevate"; EACH as usize].join(",");
    for _ in 0..=KEPT / EACH {
        server.post(&format!("/marks?do={nobodys}"), &[]).await;
    }
    server.login("alice").await;
    let all = KEPT + EACH + 1;
    let events = server.get("/_events", &[]).await.json();
    let numbers = events.as_array().unwrap().iter();
    let numbers = numbers.map(|event| event["n"].as_u64().unwrap());
    assert!(numbers.eq(all - KEPT + 1..=all));
    for since in [all - 2, all - 1, all, all + 1] {
        let path = format!("/_events?since={since}");
        let newer = server.get(&path, &[]).await.json();
        let newer = newer.as_array().unwrap();
        assert_eq!(newer.len() as u64, all.saturating_sub(since), "{since}");
        if let Some(newest) = newer.last() {
            assert_eq!(newest["n"], all);
            assert_eq!(newest["kind"], "logged_in");
        }
    }
}

/// The session cookie's whole name, and the guest's beside it.
#[tokio::test]
async fn the_cookies_bear_the_names_that_were_asked_for() {
    for server in Server::both(&[("TESTBED_COOKIE", "__Host-sid")]) {
        let login = server.post("/login?user=alice", &[]).await;
        assert!(login.cookie("__Host-sid").is_some());
        let guest = server.post("/put?k=a&v=b", &[]).await;
        assert!(guest.cookie("__Host-sid-guest").is_some());
    }
}

/// R64.
#[tokio::test]
async fn the_guarded_route_asks_for_level_and_age() {
    for server in Server::both(&[("TESTBED_CLOCK", "manual")]) {
        assert_eq!(server.get("/guarded", &[]).await.status, 401);
        let token = server.login("alice").await;
        let session = [(SESSION, &*token)];
        let guarded = async |query: &str, cookie: &[(&str, &str)]| {
            server.get(&format!("/guarded{query}"), cookie).await
        };
        assert_eq!(guarded("", &session).await.body, "welcome");
        let refused = guarded("?level=2", &session).await;
        assert_eq!(refused.status, 403);
        let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
        assert!(challenge.contains("insufficient_user_authentication"));
        let answer = server.post("/elevate?for=30", &session).await;
        let token = answer.cookie(SESSION).unwrap();
        let session = [(SESSION, &*token)];
        assert_eq!(
            guarded("?level=2&within=10", &session).await.body,
            "welcome"
        );
        server.post("/_clock?advance=11", &[]).await;
        assert_eq!(guarded("?level=2&within=10", &session).await.status, 403);
        assert_eq!(guarded("?level=2", &session).await.body, "welcome");
        server.post("/_clock?advance=20", &[]).await;
        assert_eq!(guarded("?level=2", &session).await.status, 403);
        assert_eq!(guarded("?level=x", &session).await.status, 400);
    }
}

/// R58, R64: a method's age is its own.
#[tokio::test]
async fn the_guarded_route_asks_for_a_method() {
    for server in Server::both(&[("TESTBED_CLOCK", "manual")]) {
        let token = server.login("alice").await;
        let session = [(SESSION, &*token)];
        let status = async |query: &str, cookie: &[(&str, &str)]| {
            let answer = server.get(&format!("/guarded{query}"), cookie).await;
            answer.status.as_u16()
        };
        assert_eq!(status("?method=passkey", &[]).await, 401);
        assert_eq!(status("?method=password", &session).await, 200);
        assert_eq!(status("?method=passkey", &session).await, 403);
        server.post("/_clock?advance=60", &[]).await;
        let answer = server.post("/elevate?method=passkey", &session).await;
        let token = answer.cookie(SESSION).unwrap();
        let session = [(SESSION, &*token)];
        assert_eq!(status("?method=passkey&within=10", &session).await, 200);
        assert_eq!(status("?method=password&within=10", &session).await, 403);
        let told = server.get("/session", &session).await.json();
        let names = told["methods"].as_array().unwrap().iter();
        let names: Vec<_> = names.map(|one| &one["method"]).collect();
        assert_eq!(names, ["password", "passkey"]);
    }
}

/// A value that was put once is taken once, and none outlives a login.
#[tokio::test]
async fn a_value_that_was_put_once_is_taken_once() {
    for server in Server::both(&[("TESTBED_CLOCK", "manual")]) {
        let answer = server.post("/put-once?k=k&v=v", &[]).await;
        let guest = answer.cookie(GUEST).unwrap();
        let taken = server.get("/take?k=k", &[(GUEST, &guest)]).await;
        assert_eq!(taken.json(), serde_json::json!({ "value": "v" }));
        assert_eq!(taken.cookie(GUEST).as_deref(), Some(""));

        let token = server.login("alice").await;
        let put = server
            .post("/put-once?k=k&v=v&for=10", &[(SESSION, &token)])
            .await;
        let token = put.cookie(SESSION).unwrap_or(token);
        let session = [(SESSION, &*token)];
        server.post("/_clock?advance=9", &[]).await;
        let value = server.get("/get?k=k", &session).await.json();
        assert_eq!(value["value"], "v");
        server.post("/_clock?advance=1", &[]).await;
        let taken = server.get("/take?k=k", &session).await;
        assert_eq!(taken.json()["value"], Value::Null);

        let put = server.post("/put-once?k=k&v=v", &session).await;
        let token = put.cookie(SESSION).unwrap_or(token);
        let login = server.post("/login?user=alice", &[(SESSION, &token)]).await;
        let token = login.cookie(SESSION).unwrap();
        let taken = server.get("/take?k=k", &[(SESSION, &token)]).await;
        assert_eq!(taken.json()["value"], Value::Null);
    }
}

/// Of parallel takes one gets the value, where a store keeps it.
#[tokio::test]
async fn of_parallel_takes_one_gets_the_value() {
    let server = Arc::new(Server::start(&[]));
    let token = server.login("alice").await;
    for round in 0..10 {
        let put = server
            .post(&format!("/put-once?k=k&v={round}"), &[(SESSION, &token)])
            .await;
        assert_eq!(put.status, 200);
        let mut takes = JoinSet::new();
        for _ in 0..16 {
            let (server, token) = (Arc::clone(&server), token.clone());
            takes.spawn(async move { server.get("/take?k=k", &[(SESSION, &token)]).await });
        }
        let answers = takes.join_all().await;
        let got = answers
            .iter()
            .filter(|answer| answer.status == 200 && answer.json()["value"] != Value::Null);
        assert_eq!(got.count(), 1);
    }
}

/// R01, R04: the level is capped, the time is limited, nothing of the actor's is seen, and the return is to what was.
#[tokio::test]
async fn a_user_acts_as_another_and_returns() {
    for server in Server::both(&[("TESTBED_CLOCK", "manual")]) {
        let now = server.post("/_clock?advance=0", &[]).await.json()["now"].clone();
        for (path, cookies, status) in [
            ("/impersonate?user=bob", &[][..], 401),
            ("/impersonate-end", &[], 401),
        ] {
            assert_eq!(server.post(path, cookies).await.status, status, "{path}");
        }
        let token = server.login("alice").await;
        let put = server.post("/put?k=k&v=mine", &[(SESSION, &token)]).await;
        let token = put.cookie(SESSION).unwrap_or(token);
        let session = [(SESSION, &*token)];
        let status = async |path: &str, cookie: &[(&str, &str)]| {
            let answer = server.post(path, cookie).await;
            answer.status.as_u16()
        };
        assert_eq!(status("/impersonate-end", &session).await, 409);
        assert_eq!(status("/impersonate", &session).await, 400);
        assert_eq!(status("/impersonate?user=bob&for=x", &session).await, 400);
        assert_eq!(status("/impersonate?user=alice", &session).await, 403);
        server.post("/_clock?advance=60", &[]).await;

        let answer = server.post("/impersonate?user=bob&for=90", &session).await;
        assert_eq!(
            answer.json(),
            serde_json::json!({
                "subject": "bob", "level": 1, "authenticated_at": now, "actor": "alice",
            })
        );
        let acting = answer.cookie(SESSION).unwrap();
        assert_eq!(server.who(&session).await, Value::Null);
        let session = [(SESSION, &*acting)];
        assert_eq!(status("/impersonate?user=carol", &session).await, 403);
        let told = server.get("/session", &session).await.json();
        assert_eq!(
            (&told["subject"], &told["actor"]),
            (&"bob".into(), &"alice".into())
        );
        let value = server.get("/get?k=k", &session).await.json();
        assert_eq!(value["value"], Value::Null);
        let elevated = server
            .post("/elevate?level=3&method=passkey", &session)
            .await;
        assert_eq!(elevated.json()["level"], 1);
        let acting = elevated.cookie(SESSION).unwrap();
        let put = server
            .post("/put?k=k&v=theirs", &[(SESSION, &acting)])
            .await;
        let acting = put.cookie(SESSION).unwrap_or(acting);
        server.post("/_clock?advance=89", &[]).await;

        let answer = server.post("/impersonate-end", &[(SESSION, &acting)]).await;
        assert_eq!(
            answer.json(),
            serde_json::json!({
                "subject": "alice", "level": 1, "authenticated_at": now, "actor": null,
            })
        );
        let token = answer.cookie(SESSION).unwrap();
        let session = [(SESSION, &*token)];
        assert_eq!(server.who(&[(SESSION, &acting)]).await, Value::Null);
        let value = server.get("/get?k=k", &session).await.json();
        assert_eq!(value["value"], "mine");

        let answer = server.post("/impersonate?user=bob&for=90", &session).await;
        let acting = answer.cookie(SESSION).unwrap();
        server.post("/_clock?advance=90", &[]).await;
        assert_eq!(server.who(&[(SESSION, &acting)]).await, Value::Null);
        assert_eq!(status("/impersonate-end", &[(SESSION, &acting)]).await, 401);
        let events = server.get("/_events", &[]).await.json();
        let began = |event: &&Value| event["kind"] == "impersonation_began";
        let began: Vec<_> = events.as_array().unwrap().iter().filter(began).collect();
        assert_eq!(began.len(), 2);
        assert_eq!(
            (&began[0]["subject"], &began[0]["actor"]),
            (&"bob".into(), &"alice".into())
        );
    }
}

/// What ends every session of either ends it.
#[tokio::test]
async fn whoever_is_ended_nobody_acts_any_more() {
    for user in ["alice", "bob"] {
        for server in Server::both(&[]) {
            let token = server.login("alice").await;
            let answer = server
                .post("/impersonate?user=bob", &[(SESSION, &token)])
                .await;
            let acting = answer.cookie(SESSION).unwrap();
            server.post(&format!("/revoke-user?user={user}"), &[]).await;
            assert_eq!(server.who(&[(SESSION, &acting)]).await, Value::Null);
            let end = server.post("/impersonate-end", &[(SESSION, &acting)]).await;
            assert_eq!(end.status, 401);
        }
    }
}

/// R67, R69.
#[tokio::test]
async fn the_sessions_of_an_account_are_listed_and_ended() {
    let server = Server::start(&[("TESTBED_STORE", "memory")]);
    for path in ["/revoke-others", "/revoke?id=x"] {
        assert_eq!(server.post(path, &[]).await.status, 401, "{path}");
    }
    assert_eq!(server.get("/sessions", &[]).await.status, 401);
    let [own, other, third] = [
        server.login("alice").await,
        server.login("alice").await,
        server.login("alice").await,
    ];
    let bob = server.login("bob").await;
    let session = [(SESSION, &*own)];
    let list = server.get("/sessions", &session).await.json();
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 3);
    let current = |session: &&Value| session["current"] == true;
    assert_eq!(list.iter().filter(current).count(), 1);
    assert!(
        list.iter()
            .all(|one| one["created_at"].is_u64() && one["last_seen_at"].is_u64())
    );

    let bobs = server.get("/sessions", &[(SESSION, &bob)]).await.json();
    for id in ["", "x", "' or 1", bobs[0]["id"].as_str().unwrap()] {
        let id = id.replace(' ', "%20");
        let answer = server.post(&format!("/revoke?id={id}"), &session).await;
        assert_eq!(answer.status, 404, "{id}");
    }
    let not_own = list.iter().find(|session| !current(session)).unwrap();
    let path = format!("/revoke?id={}", not_own["id"].as_str().unwrap());
    assert_eq!(server.post(&path, &session).await.json()["revoked"], 1);
    assert_eq!(server.post(&path, &session).await.status, 404);
    let answer = server.post("/revoke-others", &session).await;
    assert_eq!(answer.json()["revoked"], 1);
    for (token, who) in [
        (&own, "alice".into()),
        (&other, Value::Null),
        (&third, Value::Null),
    ] {
        assert_eq!(server.who(&[(SESSION, token)]).await, who);
    }
    let answer = server.post("/revoke-user?user=alice", &[]).await;
    assert_eq!(answer.json()["revoked"], 1);
    assert_eq!(server.who(&session).await, Value::Null);
    assert_eq!(server.who(&[(SESSION, &bob)]).await, "bob");
}

#[tokio::test]
async fn self_contained_sessions_know_of_themselves_only() {
    let server = Server::start(&[("TESTBED_STORE", "cookie")]);
    let [own, other] = [server.login("alice").await, server.login("alice").await];
    let session = [(SESSION, &*own)];
    let list = server.get("/sessions", &session).await.json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    let others = server.get("/sessions", &[(SESSION, &other)]).await.json();
    let id_of = |list: &Value| list[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/revoke?id={}", id_of(&others));
    assert_eq!(server.post(&path, &session).await.status, 404);
    assert_eq!(server.post("/revoke-others", &session).await.status, 200);
    assert_eq!(server.who(&session).await, "alice");
    assert_eq!(server.who(&[(SESSION, &other)]).await, Value::Null);
    let path = format!("/revoke?id={}", id_of(&list));
    assert_eq!(server.post(&path, &session).await.json()["revoked"], 1);
    assert_eq!(server.who(&session).await, Value::Null);
    let token = server.login("alice").await;
    server.post("/revoke-user?user=alice", &[]).await;
    assert_eq!(server.who(&[(SESSION, &token)]).await, Value::Null);
}

/// A tag is an outsider's name for a session, in both modes.
#[tokio::test]
async fn a_tag_ends_the_sessions_whose_login_named_it() {
    for server in Server::both(&[]) {
        let login = async |query: &str| {
            let answer = server.post(&format!("/login?{query}"), &[]).await;
            answer.cookie(SESSION).unwrap()
        };
        let tagged = login("user=alice&tag=sid-1").await;
        let other = login("user=alice&tag=sid-2").await;
        assert_eq!(server.post("/revoke-tag", &[]).await.status, 400);
        for (tag, most) in [("nobodys", 0), ("sid-1", 1), ("sid-1", 0)] {
            let answer = server.post(&format!("/revoke-tag?tag={tag}"), &[]).await;
            assert!(answer.json()["revoked"].as_u64().unwrap() <= most, "{tag}");
        }
        assert_eq!(server.who(&[(SESSION, &tagged)]).await, Value::Null);
        assert_eq!(server.who(&[(SESSION, &other)]).await, "alice");
    }
}

#[tokio::test]
async fn a_login_may_ask_for_shorter_limits_and_not_for_longer_ones() {
    for server in Server::both(&[("TESTBED_CLOCK", "manual"), ("TESTBED_IDLE", "600")]) {
        let mut tokens = Vec::new();
        for query in ["idle=60", "absolute=60", "idle=6000", "absolute=60000000"] {
            let path = format!("/login?user=alice&{query}");
            tokens.push(server.post(&path, &[]).await.cookie(SESSION).unwrap());
        }
        server.post("/_clock?advance=61", &[]).await;
        for (token, who) in tokens
            .iter()
            .zip([None, None, Some("alice"), Some("alice")])
        {
            assert_eq!(server.who(&[(SESSION, token)]).await, Value::from(who));
        }
        server.post("/_clock?advance=600", &[]).await;
        assert_eq!(server.who(&[(SESSION, &tokens[2])]).await, Value::Null);
    }
}

/// S06: what SECURITY.md says of older data in a token, and what a write under a new token changes.
#[tokio::test]
async fn older_data_comes_back_with_an_older_cookie_unless_the_write_renewed_the_token() {
    let server = Server::start(&[("TESTBED_STORE", "cookie"), ("TESTBED_CLOCK", "manual")]);
    let value = async |token: &str| {
        let read = server.get("/get?k=used", &[(SESSION, token)]).await;
        read.json()["value"].clone()
    };
    let marks = async |token: &str, marks: &str| {
        let path = format!("/marks?do={marks}");
        let answer = server.post(&path, &[(SESSION, token)]).await;
        answer.cookie(SESSION).unwrap()
    };
    let before = server.login("alice").await;
    let after = marks(&before, "put:used:yes").await;
    assert_eq!(value(&after).await, "yes");
    assert_eq!(value(&before).await, Value::Null, "rolled back");
    assert_eq!(server.who(&[(SESSION, &before)]).await, "alice");

    let renewed = marks(&before, "put:used:yes,renew").await;
    assert_eq!(value(&renewed).await, "yes");
    server.post("/_clock?advance=11", &[]).await;
    assert_eq!(server.who(&[(SESSION, &renewed)]).await, "alice");
    for older in [&before, &after] {
        assert_eq!(server.who(&[(SESSION, older)]).await, Value::Null);
    }
}

/// S07: another process, as after a restart, knows no session of the default, ended or not.
#[tokio::test]
async fn a_restart_knows_nobody_where_sessions_are_in_memory() {
    let keys = "5f8c0a".repeat(4) + &"9b71d3e4".repeat(8);
    let settings = [("SESSION_KEYS", keys.as_str())];
    let (first, second) = (Server::start(&settings), Server::start(&settings));
    let alice = first.login("alice").await;
    assert_eq!(first.who(&[(SESSION, &alice)]).await, "alice");
    assert_eq!(second.who(&[(SESSION, &alice)]).await, Value::Null);
}

/// R66, R67: what one node ended is dead on the other, with self-contained tokens too.
#[cfg(feature = "redis")]
#[tokio::test]
async fn nodes_that_share_a_list_agree_about_what_ended() {
    use test_support::redis;
    let Some(program) = redis::redis() else {
        return;
    };
    let server = redis::Server::start(&program, &[]);
    let (url, keys) = (
        server.url(),
        "5f8c0a9b71d3e4c2".repeat(3) + &"e1f7".repeat(4),
    );
    let settings = [
        ("TESTBED_STORE", "cookie"),
        ("TESTBED_REVOCATIONS", url.as_str()),
        ("SESSION_KEYS", keys.as_str()),
    ];
    let [one, other] = [Server::start(&settings), Server::start(&settings)];
    for ending in ["/logout", "/revoke-user?user=alice", "/elevate"] {
        let token = one.login("alice").await;
        let session = [(SESSION, token.as_str())];
        assert_eq!(other.who(&session).await, "alice", "{ending}");
        assert_eq!(one.post(ending, &session).await.status, 200, "{ending}");
        assert_eq!(other.who(&session).await, Value::Null, "{ending}");
    }
}

/// R80, R81.
#[tokio::test]
async fn a_csrf_token_is_checked_against_its_session() {
    for server in Server::both(&[]) {
        assert_eq!(server.get("/csrf", &[]).await.json()["token"], Value::Null);
        let [alice, bob] = [server.login("alice").await, server.login("bob").await];
        let token = server.get("/csrf", &[(SESSION, &alice)]).await.json()["token"].clone();
        let path = format!("/csrf-check?token={}", token.as_str().unwrap());
        assert_eq!(server.post(&path, &[(SESSION, &alice)]).await.body, "ok");
        assert_eq!(server.post(&path, &[(SESSION, &bob)]).await.status, 403);
        assert_eq!(server.post(&path, &[]).await.status, 403);
        assert_eq!(
            server
                .post("/csrf-check", &[(SESSION, &alice)])
                .await
                .status,
            403
        );
    }
}

/// R59, R74, R77: the routes in the background, and the one that never looks.
#[tokio::test]
async fn a_page_that_polls_ends_and_the_time_left_can_be_asked() {
    let settings = [
        ("TESTBED_CLOCK", "manual"),
        ("TESTBED_IDLE", "300"),
        ("TESTBED_RENEW", "60"),
    ];
    for server in Server::both(&settings) {
        let answer = server
            .post("/login?user=alice&level=2&absolute=1000&method=otp", &[])
            .await;
        let token = answer.cookie(SESSION).unwrap();
        let session = [(SESSION, &*token)];
        let began = answer.json()["authenticated_at"].as_u64().unwrap();
        for _ in 0..2 {
            server.post("/_clock?advance=100", &[]).await;
            let told = server.get("/session", &session).await;
            let expected = serde_json::json!({
                "subject": "alice", "level": 2, "created_at": began, "last_seen_at": began,
                "idle_expires_at": began + 300, "expires_at": began + 1000, "bound": false,
                "actor": null, "methods": [{ "method": "otp", "at": began }],
            });
            assert_eq!((told.json(), told.cookie(SESSION)), (expected, None));
            let polled = server.get("/poll", &session).await;
            assert_eq!(
                (&polled.json()["subject"], polled.cookie(SESSION)),
                (&"alice".into(), None)
            );
            let public = server.get("/public", &session).await;
            assert_eq!(public.headers["cache-control"], "public, max-age=60");
            assert!(!public.headers.contains_key("vary") && public.cookie(SESSION).is_none());
        }
        server.post("/_clock?advance=100", &[]).await;
        assert_eq!(
            server.get("/poll", &session).await.json()["subject"],
            Value::Null
        );
        let nobody = serde_json::json!({
            "subject": null, "level": null, "created_at": null, "last_seen_at": null,
            "idle_expires_at": null, "expires_at": null, "bound": false, "actor": null, "methods": [],
        });
        assert_eq!(server.get("/session", &session).await.json(), nobody);
        let guest = server
            .post("/put?k=k&v=v", &[])
            .await
            .cookie(GUEST)
            .unwrap();
        assert_eq!(
            server.get("/session", &[(GUEST, &guest)]).await.json(),
            nobody
        );
    }
}

/// R77: a read that waits while another request writes carries nothing over it.
#[tokio::test]
async fn a_slow_read_leaves_a_write_alone() {
    for then in ["read&k=k", "none"] {
        for server in Server::both(&[("TESTBED_CLOCK", "manual")]) {
            let server = Arc::new(server);
            let token = server.login("alice").await;
            server.post("/_clock?advance=61", &[]).await;
            let slow = {
                let (server, token) = (Arc::clone(&server), token.clone());
                let path = format!("/slow?gate=g&then={then}");
                tokio::spawn(async move { server.post(&path, &[(SESSION, &token)]).await })
            };
            while server.get("/_waiting?gate=g", &[]).await.json()["waiting"] != 1 {
                tokio::task::yield_now().await;
            }
            let wrote = server.post("/put?k=k&v=new", &[(SESSION, &token)]).await;
            let mut jar = wrote.cookie(SESSION).unwrap_or(token);
            server.post("/_gate?gate=g", &[]).await;
            jar = slow.await.unwrap().cookie(SESSION).unwrap_or(jar);
            let read = server.get("/get?k=k", &[(SESSION, &jar)]).await.json();
            assert_eq!(read, serde_json::json!({"value": "new"}), "{then}");
        }
    }
}
