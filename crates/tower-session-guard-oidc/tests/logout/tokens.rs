//! What makes a token a logout token: each row breaks one rule, and nothing else.

use serde_json::{Value, json};

use crate::{
    signer::{Signer, base64url, jwks},
    world::{CLIENT, ISSUER, SID, World},
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Rows of a claim and its value, or `None` for no such claim.
fn bad_claims(now: u64) -> Vec<(&'static str, Option<Value>)> {
    let long = "x".repeat(1025);
    let other = "https://idp.example.evil";
    vec![
        ("iss", None),
        ("iss", Some(other.into())),
        ("iss", Some(format!("{ISSUER}/").into())),
        ("iss", Some(json!([ISSUER]))),
        ("aud", None),
        ("aud", Some("another-client".into())),
        ("aud", Some(json!([]))),
        ("aud", Some(json!([CLIENT, "another-client"]))),
        ("aud", Some(json!([CLIENT, CLIENT]))),
        ("aud", Some(json!({ "0": CLIENT }))),
        ("iat", None),
        ("iat", Some((now + 61).into())),
        ("iat", Some(now.to_string().into())),
        ("iat", Some((-1).into())),
        ("exp", None),
        ("exp", Some(now.into())),
        ("exp", Some((now - 1).into())),
        ("exp", Some((now + 241).into())),
        ("exp", Some(u64::MAX.into())),
        ("exp", Some(1e300.into())),
        ("exp", Some((now + 120).to_string().into())),
        // It expires in time, and was good for too long.
        ("iat", Some((now - 181).into())),
        ("nbf", Some((now + 61).into())),
        ("nbf", Some("now".into())),
        ("jti", None),
        ("jti", Some("".into())),
        ("jti", Some(7.into())),
        ("jti", Some(long.clone().into())),
        ("events", None),
        ("events", Some(json!({}))),
        ("events", Some(json!([EVENT]))),
        ("events", Some(EVENT.into())),
        ("events", Some(json!({ EVENT: null }))),
        ("events", Some(json!({ EVENT: true }))),
        (
            "events",
            Some(json!({ "http://schemas.openid.net/event/frontchannel-logout": {} })),
        ),
        ("nonce", Some("n".into())),
        ("nonce", Some(Value::Null)),
        ("sid", Some("".into())),
        ("sid", Some(7.into())),
        ("sid", Some(Value::Null)),
        ("sid", Some(long.into())),
        ("sub", Some("".into())),
        ("sub", Some(json!(["alice"]))),
        ("sub", Some("x".repeat(256).into())),
    ]
}

/// R57: no row ends a session, and each is the token that does but for its one fault.
#[tokio::test]
async fn a_token_that_breaks_a_rule_ends_nothing() {
    for world in World::both() {
        let session = world.login("alice", SID).await;
        for (name, value) in bad_claims(world.now()) {
            let claims = world.claims_with(name, value);
            let answer = world.log_out(&world.provider.token(&claims)).await;
            assert_eq!(answer.status, 400, "{claims}");
            assert_eq!(answer.body, r#"{"error":"invalid_request"}"#);
            assert_eq!(answer.headers["cache-control"], "no-store");
        }
        let mut nobody = world.claims_with("sid", None);
        nobody.as_object_mut().unwrap().remove("sub");
        assert_eq!(world.status(&world.provider.token(&nobody)).await, 400);
        assert_eq!(world.who(&session).await, "alice");
        assert_eq!(world.status(&world.token()).await, 200);
        assert_eq!(world.who(&session).await, "nobody");
    }
}

/// R57: what its header or its claims rule out costs no signature and no question for keys.
#[tokio::test]
async fn a_token_that_breaks_a_rule_asks_nobody_for_keys() {
    let world = World::new();
    for (name, value) in bad_claims(world.now()) {
        let claims = world.claims_with(name, value);
        world.status(&world.provider.token(&claims)).await;
        assert_eq!(world.published.asked(), 0, "{claims}");
    }
    assert_eq!(world.status(&world.token()).await, 200);
    assert_eq!(world.published.asked(), 1);
}

/// R57: the bounds are where the documentation says.
#[tokio::test]
async fn a_token_at_the_edge_of_a_rule_is_accepted() {
    let world = World::new();
    let now = world.now();
    for (name, value) in [
        ("aud", json!([CLIENT])),
        ("iat", json!(now + 60)),
        ("iat", json!(now as f64 - 0.5)),
        ("iat", json!(now - 180)),
        ("exp", json!(now + 240)),
        ("exp", json!(now + 1)),
        ("exp", json!(now as f64 + 0.5)),
        ("nbf", json!(now + 60)),
        ("jti", "x".repeat(1024).into()),
        ("sid", "x".repeat(1024).into()),
        ("sub", "x".repeat(255).into()),
        ("events", json!({ EVENT: { "any": "thing" }, "another": 1 })),
        ("azp", "another-client".into()),
    ] {
        let claims = world.claims_with(name, Some(value));
        assert_eq!(
            world.status(&world.provider.token(&claims)).await,
            200,
            "{claims}"
        );
    }
}

#[tokio::test]
async fn the_bounds_can_be_set() {
    use std::time::Duration;
    let world = World::new().with(|logout| {
        let logout = logout.with_leeway(Duration::ZERO);
        logout.with_max_lifetime(Duration::from_secs(60))
    });
    let now = world.now();
    for (name, value, status) in [
        ("exp", now + 60, 200),
        ("exp", now + 61, 400),
        ("iat", now + 1, 400),
    ] {
        let mut claims = world.claims_with("exp", Some((now + 60).into()));
        claims["iat"] = now.into();
        claims[name] = value.into();
        assert_eq!(
            world.status(&world.provider.token(&claims)).await,
            status,
            "{claims}"
        );
    }
}

/// R57: `typ` says what the token is, and an ID token has another.
#[tokio::test]
async fn only_the_type_of_a_logout_token_is_accepted() {
    let world = World::new();
    let with_type = |typ: Option<Value>| {
        let mut header = world.provider.header();
        match typ {
            Some(typ) => header["typ"] = typ,
            None => drop(header.as_object_mut().unwrap().remove("typ")),
        }
        world
            .provider
            .sign(&header.to_string(), &world.claims().to_string())
    };
    for typ in [
        "logout+jwt",
        "LOGOUT+JWT",
        "application/logout+jwt",
        "Application/Logout+JWT",
    ] {
        assert_eq!(
            world.status(&with_type(Some(typ.into()))).await,
            200,
            "{typ}"
        );
    }
    for typ in [
        "JWT",
        "jwt",
        "at+jwt",
        "",
        "logout",
        "logout+jwt ",
        "text/logout+jwt",
    ] {
        assert_eq!(
            world.status(&with_type(Some(typ.into()))).await,
            400,
            "{typ}"
        );
    }
    for typ in [None, Some(Value::Null), Some(json!(["logout+jwt"]))] {
        assert_eq!(world.status(&with_type(typ)).await, 400);
    }
}

/// R57: an ID token, as the provider signs them at a login, is no logout token.
#[tokio::test]
async fn an_id_token_logs_nobody_out() {
    let world = World::new();
    let session = world.login("alice", SID).await;
    let now = world.now();
    let claims = json!({
        "iss": ISSUER, "aud": CLIENT, "sub": "alice", "sid": SID, "iat": now, "exp": now + 120,
        "nonce": "n-0S6_WzA2Mj", "auth_time": now, "acr": "phr",
    });
    let header = json!({ "typ": "JWT", "alg": "ES256", "kid": "one" });
    let token = world
        .provider
        .sign(&header.to_string(), &claims.to_string());
    assert_eq!(world.status(&token).await, 400);
    assert_eq!(world.who(&session).await, "alice");
}

/// R57: no algorithm that a public key could be misused for, no unknown extension, no key that the token brings along.
#[tokio::test]
async fn a_header_that_breaks_a_rule_ends_nothing() {
    let world = World::new();
    let attacker = Signer::es256("one");
    let claims = world.claims().to_string();
    let own = world.provider.header();
    let with = |name: &str, value: Value| {
        let mut header = own.clone();
        header[name] = value;
        header.to_string()
    };
    for header in [
        with("alg", "none".into()),
        with("alg", "NONE".into()),
        with("alg", Value::Null),
        with("alg", "HS256".into()),
        with("alg", "ES384".into()),
        with("alg", "RS256".into()),
        with("alg", "es256".into()),
        with("alg", "ES256K".into()),
        with("crit", json!(["exp"])),
        with("crit", json!([])),
        with("crit", Value::Null),
        with("kid", 1.into()),
        with("kid", "another".into()),
        own.to_string().replacen('{', r#"{"alg":"none","#, 1),
        own.to_string().replacen('{', r#"{"typ":"JWT","#, 1),
    ] {
        assert_eq!(
            world.status(&world.provider.sign(&header, &claims)).await,
            400,
            "{header}"
        );
    }
    for header in [
        own.to_string(),
        with("jwk", attacker.jwk()),
        with("jku", "https://evil.example/jwks".into()),
        with("x5c", json!(["MIIB"])),
    ] {
        assert_eq!(
            world.status(&attacker.sign(&header, &claims)).await,
            400,
            "{header}"
        );
    }
    assert_eq!(
        world
            .status(&world.provider.sign(&own.to_string(), &claims))
            .await,
        200
    );
}

/// R57: the second member of a name, which another reader might take, is no way around a rule.
#[tokio::test]
async fn a_claim_that_comes_twice_ends_nothing() {
    let world = World::new();
    for twice in [
        r#""aud":"our-client-id""#,
        r#""aud":"another-client""#,
        r#""\u0073id":"another-session""#,
        r#""events":{"a":1,"a":1}"#,
    ] {
        let claims = world
            .claims()
            .to_string()
            .replacen('{', &format!("{{{twice},"), 1);
        let token = world
            .provider
            .sign(&world.provider.header().to_string(), &claims);
        assert_eq!(world.status(&token).await, 400, "{claims}");
    }
}

/// R57: whoever changes a token, or its form, has none.
#[tokio::test]
async fn what_is_not_as_it_was_signed_ends_nothing() {
    let world = World::new();
    let session = world.login("alice", SID).await;
    let token = world.token();
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("{token}");
    };
    let other = base64url(world.claims().to_string());
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        claims.to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{other}.{signature}"),
        format!("{header}.{claims}.{signature}."),
        format!("{header}.{claims}.{signature}="),
        format!(" {token}"),
        format!("{header}.{claims}.{}", base64url([0; 64])),
        format!("{header}.{claims}.{signature}.{signature}.{signature}"),
        format!("{}.{claims}.{signature}", base64url("[]")),
        format!("{header}.{}.{signature}", base64url("null")),
    ] {
        assert_eq!(world.status(&bad).await, 400, "{bad}");
    }
    assert_eq!(world.who(&session).await, "alice");
    assert_eq!(world.status(&token).await, 200);
}

/// R57: each kind of key that a provider may have signs real tokens.
#[tokio::test]
async fn tokens_of_every_kind_of_key_are_accepted() {
    for signer in [
        Signer::es256("a"),
        Signer::es384("b"),
        Signer::ed25519("c"),
        Signer::rs256("d"),
        Signer::ps256("e"),
    ] {
        let world = World::signing_with(signer);
        let session = world.login("alice", SID).await;
        let algorithm = world.provider.algorithm();
        assert_eq!(world.status(&world.token()).await, 200, "{algorithm}");
        assert_eq!(world.who(&session).await, "nobody", "{algorithm}");
        let token = world.token();
        let (message, _) = token.rsplit_once('.').unwrap();
        let forged = Signer::ed25519("z").sign("", "");
        let (_, signature) = forged.rsplit_once('.').unwrap();
        assert_eq!(
            world.status(&format!("{message}.{signature}")).await,
            400,
            "{algorithm}"
        );
    }
}

/// R57: the algorithm that was agreed on is the only one.
#[tokio::test]
async fn an_algorithm_that_was_not_agreed_on_is_refused() {
    use tower_session_guard_oidc::SignatureAlgorithm::{Es256, Rs256};
    let world = World::new();
    let only = |algorithm| {
        world
            .clone()
            .with(|logout| logout.with_algorithms([algorithm]))
    };
    assert_eq!(only(Rs256).status(&world.token()).await, 400);
    assert_eq!(only(Es256).status(&world.token()).await, 200);
    // A key that names no algorithm is for those of its kind.
    let signer = Signer::rs256("r");
    let mut set: Value = serde_json::from_str(&jwks([&signer])).unwrap();
    set["keys"][0].as_object_mut().unwrap().remove("alg");
    let world = World::signing_with(signer);
    world.published.set(set.to_string());
    assert_eq!(world.status(&world.token()).await, 200);
}
