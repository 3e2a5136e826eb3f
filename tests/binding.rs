//! What a session does when another client uses it (R93).

#![cfg(all(feature = "axum", feature = "testing"))]

mod common;

use std::net::IpAddr;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, header},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common::{
    Answer, Client, Events, SESSION, Stop, app, both_modes, both_modes_under, clock, request,
};
use tower_session_guard::{
    AuthenticatedSession, ClientBinding, EventKind, ForwardingHeader, KeyRing, OnChange,
    PeerAddress, Session,
};

const HOME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0";
const UPDATED: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0.7390.54";
const THIEF: &str = "curl/8.5.0";

/// Who sends a request: a user agent and an address.
type From = (&'static str, &'static str);

const AT_HOME: From = (HOME, "192.0.2.7");

struct Bound {
    client: Client,
    events: Events,
}

/// An application with this binding, in both modes.
fn bound(binding: Option<&ClientBinding>) -> [Bound; 2] {
    both_modes().map(|layer| {
        let events = Events::default();
        let mut layer = layer.with_clock(clock()).with_observer(events.clone());
        if let Some(binding) = binding {
            layer = layer.with_binding(binding.clone());
        }
        let client = Client::around(routes().layer(layer));
        Bound { client, events }
    })
}

fn routes() -> Router {
    let suspended = |session: Session| async move { session.is_suspended().to_string() };
    let member = |user: AuthenticatedSession| async move { user.subject().to_string() };
    let token = |session: Session| async move {
        let token = session.csrf_token();
        token.map(|token| token.to_string()).unwrap_or_default()
    };
    app(Stop::default())
        .route("/suspended", get(suspended))
        .route("/member", get(member))
        .route("/token", get(token))
}

fn from(mut request: Request<Body>, (agent, address): From) -> Request<Body> {
    let headers = request.headers_mut();
    headers.insert(header::USER_AGENT, agent.parse().unwrap());
    let address: IpAddr = address.parse().unwrap();
    request.extensions_mut().insert(PeerAddress(address));
    request
}

impl Bound {
    async fn get(&self, path: &str, token: &str, sender: From) -> Answer {
        let request = request("GET", path, &[(SESSION, token)]);
        self.client.send(from(request, sender)).await
    }

    async fn mark(&self, marks: &str, token: &str, sender: From) -> Answer {
        let path = format!("/do?marks={marks}");
        let request = request("POST", &path, &[(SESSION, token)]);
        self.client.send(from(request, sender)).await
    }

    /// Alice logs in at home, and puts something into her session.
    async fn login(&self) -> String {
        let answer = self.mark("login:alice,put:k:secret", "", AT_HOME).await;
        self.events.take();
        answer.cookie(SESSION).unwrap()
    }

    /// Who the session's user is for this sender; the browser keeps what it is given.
    async fn whoami(&self, token: &mut String, sender: From) -> String {
        let answer = self.get("/whoami", token, sender).await;
        if let Some(next) = answer.cookie(SESSION) {
            *token = next;
        }
        answer.body
    }
}

#[tokio::test]
async fn it_is_off_unless_it_is_turned_on() {
    for bound in bound(None) {
        let mut token = bound.login().await;
        let elsewhere = (THIEF, "203.0.113.9");
        assert_eq!(bound.whoami(&mut token, elsewhere).await, "alice@1");
        assert_eq!(bound.events.take(), []);
    }
}

#[tokio::test]
async fn recommended_settings_tell_once_and_log_nobody_out() {
    for bound in bound(Some(&ClientBinding::recommended())) {
        let mut token = bound.login().await;
        for sender in [
            AT_HOME,
            (UPDATED, "192.0.2.200"),
            (HOME, "::ffff:192.0.2.9"),
        ] {
            assert_eq!(bound.whoami(&mut token, sender).await, "alice@1");
            assert_eq!(bound.events.take(), [], "{sender:?}");
        }
        let mobile = (HOME, "203.0.113.9");
        assert_eq!(bound.whoami(&mut token, mobile).await, "alice@1");
        assert_eq!(bound.events.take(), [EventKind::ClientAddressChanged]);
        assert_eq!(bound.whoami(&mut token, mobile).await, "alice@1");
        assert_eq!(bound.events.take(), [], "told once");
        let both = ("Mozilla/5.0 (iPhone)", "2001:db8:1::1");
        assert_eq!(bound.whoami(&mut token, both).await, "alice@1");
        let told = [
            EventKind::ClientUserAgentChanged,
            EventKind::ClientAddressChanged,
        ];
        assert_eq!(bound.events.take(), told);
        let privacy = ("Mozilla/5.0 (iPhone)", "2001:db8:1:0:1:2:3:4");
        assert_eq!(bound.whoami(&mut token, privacy).await, "alice@1");
        assert_eq!(bound.events.take(), []);
    }
}

/// Words count in a user agent, not only how many versions it names.
#[tokio::test]
async fn another_browser_with_as_many_dots_is_another_browser() {
    let binding = ClientBinding::new().user_agent(OnChange::End);
    let other = "Opera/5.0 (Windows NT 10; x86_64) Gecko/537.36 Firefox/140.0.0.0";
    let dots = |agent: &str| agent.matches('.').count();
    assert_eq!(dots(HOME), dots(other));
    for bound in bound(Some(&binding)) {
        let mut token = bound.login().await;
        assert_eq!(
            bound.whoami(&mut token, (UPDATED, "192.0.2.7")).await,
            "alice@1"
        );
        assert_eq!(
            bound.whoami(&mut token, (other, "192.0.2.7")).await,
            "nobody"
        );
    }
}

/// A setting keeps those made before it.
#[tokio::test]
async fn prefixes_and_peer_keep_what_was_set_before() {
    #[derive(Clone, Copy)]
    struct Connection(IpAddr);

    let binding = ClientBinding::new().network(OnChange::End);
    let binding = binding
        .prefixes(16, 32)
        .peer(|extensions| extensions.get().map(|Connection(peer)| *peer));
    for bound in bound(Some(&binding)) {
        let send = async |path: &str, token: &str, peer: &str| {
            let mut request = request("POST", path, &[(SESSION, token)]);
            let peer = Connection(peer.parse().unwrap());
            request.extensions_mut().insert(peer);
            bound.client.send(request).await
        };
        let answer = send("/do?marks=login:alice", "", "192.0.2.7").await;
        let token = answer.cookie(SESSION).unwrap();
        for (peer, who) in [
            ("192.0.2.8", "alice@1"),
            ("192.0.99.7", "alice@1"),
            ("192.1.2.7", "nobody"),
        ] {
            assert_eq!(send("/do?marks=", &token, peer).await.body, who, "{peer}");
        }
    }
}

#[tokio::test]
async fn where_it_asks_another_client_is_nobody_and_the_own_one_goes_on() {
    let binding = ClientBinding::new().network(OnChange::Ask);
    for bound in bound(Some(&binding)) {
        let token = bound.login().await;
        let elsewhere = (HOME, "203.0.113.9");
        let get = async |path| bound.get(path, &token, elsewhere).await;
        assert_eq!(get("/whoami").await.body, "nobody");
        let told = [EventKind::ClientAddressChanged, EventKind::SessionSuspended];
        assert_eq!(bound.events.take(), told);
        assert_eq!(get("/suspended").await.body, "true");
        assert_eq!(get("/member").await.status, 401);
        assert_eq!(get("/get?k=k").await.body, "");
        assert_eq!(get("/token").await.body, "");
        for marks in ["put:k:mine", "elevate", "step-down", "renew", "remove:k"] {
            let answer = bound.mark(marks, &token, elsewhere).await;
            assert!(answer.sets_nothing(), "{marks}");
        }
        assert_eq!(bound.get("/whoami", &token, AT_HOME).await.body, "alice@1");
        assert_eq!(bound.get("/suspended", &token, AT_HOME).await.body, "false");
        assert_eq!(bound.get("/get?k=k", &token, AT_HOME).await.body, "secret");
    }
}

#[tokio::test]
async fn a_login_takes_a_suspended_session_over_with_its_data() {
    let binding = ClientBinding::new().network(OnChange::Ask);
    for bound in bound(Some(&binding)) {
        let old = bound.login().await;
        let elsewhere = (HOME, "203.0.113.9");
        let answer = bound.mark("login:alice", &old, elsewhere).await;
        assert!(bound.events.take().contains(&EventKind::Reauthenticated));
        let new = answer.cookie(SESSION).unwrap();
        let read = bound.get("/get?k=k", &new, elsewhere).await;
        assert_eq!(read.body, "secret");
        assert_eq!(bound.get("/whoami", &new, elsewhere).await.body, "alice@1");
        assert_eq!(bound.get("/whoami", &new, AT_HOME).await.body, "nobody");
        assert_eq!(bound.get("/whoami", &old, AT_HOME).await.body, "nobody");
    }
}

/// R04.
#[tokio::test]
async fn another_subject_gets_nothing_of_a_suspended_session() {
    let binding = ClientBinding::new().network(OnChange::Ask);
    for bound in bound(Some(&binding)) {
        let old = bound.login().await;
        let elsewhere = (HOME, "203.0.113.9");
        let answer = bound.mark("put:x:y,login:mallory", &old, elsewhere).await;
        let new = answer.cookie(SESSION).unwrap();
        for key in ["k", "x"] {
            let read = bound.get(&format!("/get?k={key}"), &new, elsewhere).await;
            assert_eq!(read.body, "");
        }
    }
}

#[tokio::test]
async fn where_it_ends_nobody_holds_the_session_afterwards() {
    let binding = ClientBinding::new()
        .user_agent(OnChange::End)
        .network(OnChange::Tell);
    for bound in bound(Some(&binding)) {
        let token = bound.login().await;
        let thief = (THIEF, "203.0.113.9");
        assert_eq!(bound.get("/whoami", &token, thief).await.body, "nobody");
        let told = [
            EventKind::ClientUserAgentChanged,
            EventKind::ClientAddressChanged,
            EventKind::SessionEndedByBinding,
        ];
        assert_eq!(bound.events.take(), told);
        assert_eq!(bound.get("/whoami", &token, AT_HOME).await.body, "nobody");
    }
}

#[tokio::test]
async fn a_proof_that_is_missing_has_changed() {
    let proof = |headers: &HeaderMap, _: &_| Some(headers.get("x-cert")?.as_bytes().to_vec());
    let binding = ClientBinding::new().proof(OnChange::End, proof);
    for bound in bound(Some(&binding)) {
        let with = |path: &str, token: &str, cert: Option<&str>| {
            let mut request = request("GET", path, &[(SESSION, token)]);
            if let Some(cert) = cert {
                request
                    .headers_mut()
                    .insert("x-cert", cert.parse().unwrap());
            }
            bound.client.send(request)
        };
        let mut login = request("POST", "/do?marks=login:alice", &[]);
        login.headers_mut().insert("x-cert", "abc".parse().unwrap());
        let token = bound.client.send(login).await.cookie(SESSION).unwrap();
        assert_eq!(with("/whoami", &token, Some("abc")).await.body, "alice@1");
        assert_eq!(with("/whoami", &token, None).await.body, "nobody");
        assert_eq!(with("/whoami", &token, Some("abc")).await.body, "nobody");
        assert!(bound.events.take().contains(&EventKind::ClientProofChanged));
    }
}

#[tokio::test]
async fn a_forwarding_header_counts_only_from_a_trusted_proxy() {
    let binding = ClientBinding::new()
        .network(OnChange::Ask)
        .behind(ForwardingHeader::Forwarded, ["10.0.0.0/8".parse().unwrap()]);
    for bound in bound(Some(&binding)) {
        let send = async |path: &str, token: &str, peer: &'static str, forwarded: &str| {
            let mut request = request("POST", path, &[(SESSION, token)]);
            let headers = request.headers_mut();
            headers.insert(header::FORWARDED, forwarded.parse().unwrap());
            bound.client.send(from(request, (HOME, peer))).await
        };
        let here = "for=192.0.2.7";
        let login = send("/do?marks=login:alice", "", "10.0.0.1", here).await;
        let token = login.cookie(SESSION).unwrap();
        let who = async |peer, forwarded| send("/do?marks=", &token, peer, forwarded).await.body;
        assert_eq!(who("10.0.0.1", here).await, "alice@1");
        assert_eq!(who("10.0.0.2", "for=192.0.2.99").await, "alice@1");
        assert_eq!(who("10.0.0.1", "for=203.0.113.9").await, "nobody");
        assert_eq!(who("203.0.113.9", here).await, "nobody");
        assert_eq!(
            who("10.0.0.1", "for=192.0.2.7, for=203.0.113.9").await,
            "nobody"
        );
        assert_eq!(who("10.0.0.1", "for=unknown").await, "nobody");
    }
}

/// R26: a roll of the key logs nobody out.
#[tokio::test]
async fn a_binding_outlives_its_key() {
    let key = |byte: u8| {
        let mut key = *b"an unguessable key of 32 bytes!!";
        key[0] = byte;
        key
    };
    for mode in [0, 1] {
        let ring = KeyRing::from_bytes([key(1)]).unwrap();
        let binding = ClientBinding::new().network(OnChange::End);
        let layer = both_modes_under(&ring)[mode].clone();
        let events = Events::default();
        let client = Client::around(routes().layer(layer.with_binding(binding)));
        let bound = Bound { client, events };
        let mut token = bound.login().await;
        ring.replace(&KeyRing::from_bytes([key(2), key(1)]).unwrap());
        assert_eq!(bound.whoami(&mut token, AT_HOME).await, "alice@1");
        ring.replace(&KeyRing::from_bytes([key(2)]).unwrap());
        assert_eq!(bound.whoami(&mut token, AT_HOME).await, "alice@1");
        assert_eq!(
            bound.whoami(&mut token, (HOME, "203.0.113.9")).await,
            "nobody"
        );
    }
}

/// R30, R31.
#[tokio::test]
async fn neither_address_nor_user_agent_is_in_a_token_or_an_event() {
    let binding = ClientBinding::recommended().prefixes(32, 128);
    let [self_contained, stored] = bound(Some(&binding));
    let elsewhere = ("Mozilla/5.0 (iPhone)", "203.0.113.9");
    for bound in [self_contained, stored] {
        let mut token = bound.login().await;
        bound.whoami(&mut token, elsewhere).await;
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for secret in [&[203, 0, 113, 9][..], b"iPhone", b"203.0.113.9"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
        let told = format!("{:?}", bound.events.all());
        for secret in ["203.0.113", "192.0.2", "iPhone", "Chrome"] {
            assert!(!told.contains(secret), "{secret}");
        }
    }
    let printed = format!("{:?}", PeerAddress("203.0.113.9".parse().unwrap()));
    assert_eq!(printed, "PeerAddress(REDACTED)");
}

/// A session in which a user acts as another is bound to the client that the actor's session is bound to.
#[tokio::test]
async fn a_thief_neither_acts_nor_returns() {
    let binding = ClientBinding::new().user_agent(OnChange::Ask);
    let thief = (THIEF, AT_HOME.1);
    for bound in bound(Some(&binding)) {
        let token = bound.login().await;
        let acting = bound.mark("act:bob", &token, AT_HOME).await;
        let mut acting = acting.cookie(SESSION).unwrap();
        assert_eq!(bound.whoami(&mut acting.clone(), thief).await, "nobody");
        let returned = bound.mark("return", &acting, thief).await;
        assert_eq!(returned.cookie(SESSION), None);
        assert_eq!(bound.whoami(&mut acting, AT_HOME).await, "bob@1");
    }
}
