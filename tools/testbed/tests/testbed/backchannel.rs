//! `POST /backchannel-logout` over the wire: the provider is a file of keys, and what this test signs.

use std::{fs, path::PathBuf};

use http::{Method, header};
use serde_json::{Value, json};
use signer::{Signer, claims, jwks};
use test_support::scratch::Scratch;

use super::{Answer, SESSION, Server};

#[path = "../../../../crates/tower-session-guard-oidc/tests/signer/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the tests of the crate use all of it"
)]
mod signer;

const ISSUER: &str = "https://idp.example";
const AUDIENCE: &str = "the-testbed";
const SID: &str = "session-at-the-provider";

/// A testbed, and the provider that may end sessions there.
struct Bed {
    server: Server,
    provider: Signer,
    now: u64,
    file: PathBuf,
    _scratch: Scratch,
}

impl Bed {
    async fn start(store: &str, provider: Signer) -> Self {
        let scratch = Scratch::new("oidc");
        let file = scratch.path().join("jwks.json");
        fs::write(&file, jwks([&provider])).unwrap();
        let server = Server::start(&[
            ("TESTBED_STORE", store),
            ("TESTBED_CLOCK", "manual"),
            ("TESTBED_OIDC_JWKS", file.to_str().unwrap()),
            ("TESTBED_OIDC_ISSUER", ISSUER),
            ("TESTBED_OIDC_AUDIENCE", AUDIENCE),
        ]);
        let now = server.post("/_clock?advance=0", &[]).await.json();
        Self {
            server,
            provider,
            now: now["now"].as_u64().unwrap(),
            file,
            _scratch: scratch,
        }
    }

    /// One with sessions in a store, and one with self-contained tokens.
    async fn both() -> [Self; 2] {
        let sealed = Self::start("cookie", Signer::rs256("rsa"));
        [
            Self::start("memory", Signer::es256("ec")).await,
            sealed.await,
        ]
    }

    fn claims(&self, jti: &str) -> Value {
        claims(ISSUER, AUDIENCE, self.now, jti)
    }

    async fn log_out(&self, token: &str) -> Answer {
        let form = "application/x-www-form-urlencoded";
        let body = format!("logout_token={token}");
        self.server
            .send_body(Method::POST, "/backchannel-logout", form, body)
            .await
    }

    async fn expect(&self, status: u16, token: &str) {
        let answer = self.log_out(token).await;
        assert_eq!(answer.status, status, "{token}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    }

    async fn login(&self, user: &str, tag: &str) -> String {
        let path = format!("/login?user={user}&tag={tag}");
        self.server.post(&path, &[]).await.cookie(SESSION).unwrap()
    }

    async fn who(&self, token: &str) -> Value {
        self.server.who(&[(SESSION, token)]).await
    }
}

/// R57: by `sid` the session, by `sub` the user, and nobody else; once.
#[tokio::test]
async fn a_provider_ends_a_session_or_a_user() {
    for bed in Bed::both().await {
        let one = bed.login("alice", SID).await;
        let other = bed.login("alice", "another").await;
        let bob = bed.login("bob", "bobs").await;
        let by_session = bed.provider.token(&bed.claims("1"));
        bed.expect(200, &by_session).await;
        assert_eq!(bed.who(&one).await, Value::Null);
        assert_eq!(bed.who(&other).await, "alice");
        bed.expect(400, &by_session).await;
        let mut claims = bed.claims("2");
        claims.as_object_mut().unwrap().remove("sid");
        bed.expect(200, &bed.provider.token(&claims)).await;
        assert_eq!(bed.who(&other).await, Value::Null);
        assert_eq!(bed.who(&bob).await, "bob");
        // An unknown session: nothing is left to end.
        bed.expect(200, &bed.provider.token(&bed.claims("3"))).await;
        assert_eq!(bed.who(&bob).await, "bob");
        // The tag itself ends sessions too, as `/revoke-tag` says.
        bed.server.post("/revoke-tag?tag=bobs", &[]).await;
        assert_eq!(bed.who(&bob).await, Value::Null);
    }
}

/// R57: each row is a logout token but for one fault; the last is the ID token of a login.
#[tokio::test]
async fn a_token_that_is_not_acceptable_is_400() {
    let event = "http://schemas.openid.net/event/backchannel-logout";
    for bed in Bed::both().await {
        let session = bed.login("alice", SID).await;
        let now = bed.now;
        let header = bed.provider.header();
        let rows = [
            ("typ", json!("JWT")),
            ("typ", Value::Null),
            ("alg", json!("none")),
            ("alg", json!("HS256")),
            ("crit", json!(["b64"])),
            ("kid", json!("unknown")),
        ];
        for (name, value) in rows {
            let mut header = header.clone();
            header[name] = value;
            let claims = bed.claims("h").to_string();
            bed.expect(400, &bed.provider.sign(&header.to_string(), &claims))
                .await;
        }
        for (name, value) in [
            ("iss", json!("https://idp.example/")),
            ("aud", json!("another")),
            ("aud", json!([AUDIENCE, "another"])),
            ("iat", Value::Null),
            ("iat", json!(now + 61)),
            ("exp", Value::Null),
            ("exp", json!(now)),
            ("exp", json!(now + 241)),
            ("jti", Value::Null),
            ("events", Value::Null),
            ("events", json!({})),
            ("events", json!({ event: "yes" })),
            ("nonce", json!("n")),
            ("nonce", Value::Null),
            ("sid", json!(1)),
            ("sub", json!("")),
        ] {
            let mut claims = bed.claims("c");
            claims[name] = value;
            bed.expect(400, &bed.provider.token(&claims)).await;
        }
        let forged = Signer::ed25519("ec").token(&bed.claims("f"));
        bed.expect(400, &forged).await;
        let id_token = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "sid": SID, "nonce": "n", "iat": now, "exp": now + 120,
        });
        let typ = json!({ "typ": "JWT", "alg": header["alg"], "kid": header["kid"] });
        bed.expect(
            400,
            &bed.provider.sign(&typ.to_string(), &id_token.to_string()),
        )
        .await;
        bed.expect(400, "").await;
        assert_eq!(bed.who(&session).await, "alice");
        bed.expect(200, &bed.provider.token(&bed.claims("c"))).await;
        assert_eq!(bed.who(&session).await, Value::Null);
    }
}

/// R57, R71: a store that fails is no logout, and the same token does it later; a key that is new in the file counts at once.
#[tokio::test]
async fn a_logout_that_failed_may_be_sent_again() {
    let mut bed = Bed::start("memory", Signer::es256("old")).await;
    let session = bed.login("alice", SID).await;
    bed.provider = Signer::ed25519("new");
    fs::write(&bed.file, jwks([&bed.provider])).unwrap();
    let token = bed.provider.token(&bed.claims("1"));
    bed.server.post("/_store?fail=write&times=1", &[]).await;
    bed.expect(503, &token).await;
    assert_eq!(bed.who(&session).await, "alice");
    bed.expect(200, &token).await;
    assert_eq!(bed.who(&session).await, Value::Null);
    let get = bed.server.get("/backchannel-logout", &[]).await;
    assert_eq!(
        (get.status, &get.headers["allow"]),
        (
            http::StatusCode::METHOD_NOT_ALLOWED,
            &"POST".parse().unwrap()
        )
    );
    let json = bed.server.send_body(
        Method::POST,
        "/backchannel-logout",
        "application/json",
        token,
    );
    assert_eq!(json.await.status, 400);
}

#[tokio::test]
async fn without_a_provider_there_is_no_such_logout() {
    let server = Server::start(&[]);
    let answer = server.post("/backchannel-logout", &[]).await;
    assert_eq!(answer.status, 501);
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
}

/// A provider is named whole or not at all.
#[test]
fn half_a_provider_is_refused_at_the_start() {
    let scratch = Scratch::new("oidc");
    let file = scratch.path().join("jwks.json");
    let there = [
        ("TESTBED_OIDC_JWKS", file.to_str().unwrap()),
        ("TESTBED_OIDC_ISSUER", ISSUER),
        ("TESTBED_OIDC_AUDIENCE", AUDIENCE),
    ];
    let refused = |settings: &[(&str, &str)]| {
        let mut start = super::process::command();
        let refused = start.envs(settings.iter().copied()).output().unwrap();
        assert!(
            !refused.status.success() && refused.stdout.is_empty(),
            "{settings:?}"
        );
        String::from_utf8(refused.stderr).unwrap()
    };
    for missing in 0..there.len() {
        let mut settings = there.to_vec();
        settings.remove(missing);
        assert!(refused(&settings).contains("set all of"), "{settings:?}");
    }
    assert!(
        refused(&there).contains("jwks.json"),
        "there is no such file"
    );
}
