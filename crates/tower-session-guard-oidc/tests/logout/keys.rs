//! The provider's keys: which count, when they are fetched, and how often.

use std::{convert::Infallible, future::pending, time::Duration};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tower_session_guard_oidc::ProviderKeys;

use crate::{
    signer::{Signer, jwks},
    world::{SID, World},
};

/// R57: a provider that changes its keys is followed at once, and the keys that it withdrew count for ten minutes at most.
#[tokio::test]
async fn a_new_key_is_fetched_and_an_old_one_forgotten() {
    let world = World::new();
    assert_eq!(world.status(&world.token()).await, 200);
    let new = Signer::ed25519("two");
    world.published.set(jwks([&new]));
    world.pass(30);
    // The old key is known, so nobody is asked.
    assert_eq!(world.status(&world.token()).await, 200);
    assert_eq!(world.published.asked(), 1);
    assert_eq!(world.status(&new.token(&world.claims())).await, 200);
    assert_eq!(world.published.asked(), 2);
    world.pass(30);
    assert_eq!(world.status(&world.token()).await, 400);
    world.published.set(jwks([&*world.provider]));
    world.pass(600);
    assert_eq!(world.status(&new.token(&world.claims())).await, 400);
    assert_eq!(world.status(&world.token()).await, 200);
}

/// R57: whatever key ids come, the provider is asked once in 30 seconds, and known keys serve meanwhile.
#[tokio::test]
async fn invented_key_ids_cause_one_question_in_each_interval() {
    let world = World::new();
    assert_eq!(world.status(&world.token()).await, 200);
    for interval in 1..=3 {
        world.pass(30);
        for n in 0..20 {
            let mut header = world.provider.header();
            header["kid"] = format!("invented-{n}").into();
            let token = world
                .provider
                .sign(&header.to_string(), &world.claims().to_string());
            assert_eq!(world.status(&token).await, 400);
            assert_eq!(world.status(&world.token()).await, 200);
        }
        assert_eq!(world.published.asked(), 1 + interval);
    }
    // Until it may be asked, nobody can say that there is no such key.
    world.pass(10);
    let answer = world
        .log_out(&Signer::es256("new").token(&world.claims()))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["retry-after"]),
        (503, &"21".parse().unwrap())
    );
    assert_eq!(answer.body, r#"{"error":"temporarily_unavailable"}"#);
    assert_eq!(answer.headers["cache-control"], "no-store");
}

/// Fifty logouts at once, for which the keys are asked for once.
async fn fifty_ask_once(world: &World) {
    let mut logouts = JoinSet::new();
    for _ in 0..50 {
        let world = world.clone();
        logouts.spawn(async move { world.status(&world.token()).await });
    }
    assert_eq!(logouts.join_all().await, [200; 50]);
    assert_eq!(world.published.asked(), 1);
}

/// R57: of many that need the keys one asks.
#[tokio::test]
async fn parallel_logouts_ask_for_the_keys_once() {
    let world = World::new();
    fifty_ask_once(&world).await;
}

/// R57: also where nothing bounds how often it may be asked.
#[tokio::test]
async fn whoever_waited_for_the_keys_does_not_ask_again() {
    let world = World::new();
    let keys = world.published.keys().at_most_every(Duration::ZERO);
    let world = world.with_keys(keys);
    fifty_ask_once(&world).await;
}

/// R57: a token that expires while the provider is asked for its keys is no longer one.
#[tokio::test]
async fn a_token_that_expires_meanwhile_ends_nothing() {
    let world = World::new();
    let session = world.login("alice", SID).await;
    let (clock, document) = (world.clock.clone(), jwks([&*world.provider]));
    let slow = ProviderKeys::fetched_by(move || {
        clock.advance(Duration::from_secs(120));
        let document = document.clone();
        async { Ok::<_, Infallible>(document) }
    });
    let world = world.with_keys(slow);
    assert_eq!(world.status(&world.token()).await, 400);
    assert_eq!(world.who(&session).await, "alice");
    assert_eq!(world.status(&world.token()).await, 200);
}

/// R57, R71: without keys nothing is accepted and nothing is refused for good; old keys serve for a day.
#[tokio::test]
async fn a_provider_that_does_not_answer_is_tried_again() {
    let world = World::new();
    let document = jwks([&*world.provider]);
    let session = world.login("alice", SID).await;
    world.published.withdraw();
    for _ in 0..3 {
        assert_eq!(world.status(&world.token()).await, 503);
    }
    assert_eq!(
        (world.published.asked(), &*world.who(&session).await),
        (1, "alice")
    );
    world.pass(30);
    world.published.set(&*document);
    assert_eq!(world.status(&world.token()).await, 200);
    assert_eq!(world.who(&session).await, "nobody");
    world.published.withdraw();
    world.pass(24 * 3600 - 1);
    assert_eq!(world.status(&world.token()).await, 200);
    assert_eq!(world.published.asked(), 3);
    world.pass(1);
    assert_eq!(world.status(&world.token()).await, 503);
    world.pass(30);
    world.published.set(document);
    assert_eq!(world.status(&world.token()).await, 200);
}

/// R71: a closure that never comes back is given up after ten seconds, and the next one counts.
#[tokio::test(start_paused = true)]
async fn a_question_that_hangs_is_given_up() {
    let keys = ProviderKeys::fetched_by(pending::<Result<String, Infallible>>);
    let world = World::new().with_keys(keys);
    let began = tokio::time::Instant::now();
    assert_eq!(world.status(&world.token()).await, 503);
    assert_eq!(began.elapsed(), Duration::from_secs(10));
}

/// A set with this one key, which signs.
async fn status_of(signer: Signer, jwk: Value) -> u16 {
    let world = World::signing_with(signer);
    world.published.set(json!({ "keys": [jwk] }).to_string());
    world.status(&world.token()).await
}

/// R57: a key counts for what it says that it is for. A set without a key that counts is none: 503.
#[tokio::test]
async fn a_key_for_another_use_verifies_nothing() {
    for (name, value, status) in [
        ("use", json!("sig"), 200),
        ("use", json!("enc"), 503),
        ("use", json!(["sig"]), 503),
        ("key_ops", json!(["verify"]), 200),
        ("key_ops", json!(["encrypt"]), 503),
        ("key_ops", json!("verify"), 503),
        ("alg", json!("ES384"), 503),
        ("alg", json!("ECDH-ES"), 503),
        ("alg", json!("HS256"), 503),
        ("alg", Value::Null, 503),
        ("kty", json!("RSA"), 503),
        ("kty", json!("oct"), 503),
        ("crv", json!("P-384"), 503),
        ("crv", json!("secp256k1"), 503),
        ("x", json!("AAAA"), 503),
        ("kid", json!(1), 503),
        // There is no such point: no signature verifies.
        ("x", json!("A".repeat(43)), 400),
    ] {
        let signer = Signer::es256("one");
        let mut jwk = signer.jwk();
        jwk[name] = value;
        assert_eq!(status_of(signer, jwk.clone()).await, status, "{jwk}");
    }
    let signer = Signer::ed25519("one");
    let mut jwk = signer.jwk();
    jwk["x"] = "AAAA".into();
    assert_eq!(status_of(signer, jwk).await, 503, "3 bytes");
    let signer = Signer::rs256("one");
    let mut jwk = signer.jwk();
    jwk["n"] = "w".repeat(171).into();
    assert_eq!(status_of(signer, jwk).await, 503, "1024 bits");
}

/// R57: keys of a kind that came later do not keep the others from counting, and a set is bounded.
#[tokio::test]
async fn a_set_is_read_as_far_as_it_is_understood_and_bounded() {
    let set = |keys: Vec<Value>| json!({ "keys": keys }).to_string();
    let unknown = || json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA" });
    let rows: [(&dyn Fn(Value) -> String, u16); 9] = [
        (&|own| set(vec![unknown(), json!(7), own]), 200),
        (&|own| set(vec![own; 64]), 200),
        (&|own| set(vec![own; 65]), 503),
        (&|_| set(vec![unknown()]), 503),
        (&|_| set(Vec::new()), 503),
        (&|own| json!([own]).to_string(), 503),
        (&|own| json!({ "keys": own }).to_string(), 503),
        (&|_| "<html>".to_owned(), 503),
        (&|own| set(vec![own]) + &" ".repeat(256 * 1024), 503),
    ];
    for (row, (document, status)) in rows.into_iter().enumerate() {
        let world = World::new();
        world.published.set(document(world.provider.jwk()));
        assert_eq!(world.status(&world.token()).await, status, "row {row}");
    }
}

/// OpenID Connect Core 1.0, 10.1: a token without `kid` needs a set with one key that fits.
#[tokio::test]
async fn a_token_without_a_key_id_needs_the_only_key() {
    let world = World::signing_with(Signer::es256("one").without_kid());
    assert_eq!(world.status(&world.token()).await, 200);
    let [other, rsa] = [Signer::es256("other"), Signer::rs256("rsa")];
    for (set, status) in [
        (jwks([&*world.provider, &rsa]), 200),
        (jwks([&*world.provider, &other]), 400),
    ] {
        world.pass(600);
        world.published.set(set);
        assert_eq!(world.status(&world.token()).await, status);
    }
    // A provider with one key, which is another by now.
    let replaced = Signer::es256("one").without_kid();
    world.published.set(jwks([&replaced]));
    world.pass(600);
    assert_eq!(world.status(&replaced.token(&world.claims())).await, 200);
    let again = Signer::es256("one").without_kid();
    world.published.set(jwks([&again]));
    world.pass(30);
    assert_eq!(world.status(&again.token(&world.claims())).await, 200);
}
