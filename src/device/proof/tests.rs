//! Proofs as browsers send them, published vectors, and whatever must be refused.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use proptest::{collection::vec, prelude::any, proptest, sample::Index, test_runner::Config};

use super::{MAX_LEN, Proof, ProofRefused};
use crate::{
    device::{es256, thumbprint::thumbprint},
    session::device::{DeviceKey, Thumbprint},
};

const AUDIENCE: &str = "https://app.example/dbsc/register";
const HEADER: &str = r#"{"alg":"ES256","typ":"dbsc+jwt"}"#;
const PAYLOAD: &str = r#"{"jti":"c1"}"#;

// The key of RFC 7515, appendix A.3.1.
const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const D: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    let decoded = URL_SAFE_NO_PAD.decode(text).unwrap();
    decoded.try_into().unwrap()
}

fn key() -> DeviceKey {
    es256::key(bytes(X), bytes(Y)).unwrap()
}

fn signing() -> SigningKey {
    SigningKey::from_slice(&bytes::<32>(D)).unwrap()
}

fn registration_header() -> String {
    format!(
        r#"{{"alg":"ES256","typ":"dbsc+jwt","jwk":{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"}}}}"#
    )
}

/// A proof with a good signature.
fn signed(header: &str, payload: &str) -> String {
    let parts = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    let message = parts.join(".");
    let signature: Signature = signing().sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn refresh(field: &str) -> Result<Proof<'_>, ProofRefused> {
    Proof::of_refresh(field.as_bytes(), AUDIENCE)
}

fn registration(field: &str) -> Result<(Proof<'_>, DeviceKey), ProofRefused> {
    Proof::of_registration(field.as_bytes(), AUDIENCE)
}

/// D03.
#[test]
fn a_proof_of_a_browser_is_read_and_verified_bare_or_quoted() {
    let field = signed(&registration_header(), PAYLOAD);
    for field in [field.clone(), format!("\"{field}\"")] {
        let (proof, brought) = registration(&field).unwrap();
        assert_eq!((proof.challenge(), brought), (&b"c1"[..], key()));
        assert_eq!(proof.verify(&brought), Ok(()));
    }
    let field = signed(HEADER, PAYLOAD);
    for field in [field.clone(), format!("\"{field}\"")] {
        let proof = refresh(&field).unwrap();
        assert_eq!(
            (proof.challenge(), proof.verify(&key())),
            (&b"c1"[..], Ok(()))
        );
    }
    // What a proof says besides means nothing.
    let header = r#"{"typ":"dbsc+jwt","kid":"1","alg":"ES256","x5c":[]}"#;
    let payload = r#"{"iat":1,"key":{"kty":"EC"},"jti":"c1","sub":null,"authorization":"a"}"#;
    assert_eq!(
        refresh(&signed(header, payload)).unwrap().challenge(),
        b"c1"
    );
}

/// D04.
#[test]
fn a_key_comes_with_a_registration_and_with_nothing_else() {
    let with = signed(&registration_header(), PAYLOAD);
    let without = signed(HEADER, PAYLOAD);
    assert_eq!(refresh(&with), Err(ProofRefused::KeyUnexpected));
    assert_eq!(registration(&without), Err(ProofRefused::KeyMissing));
    let null = signed(r#"{"alg":"ES256","typ":"dbsc+jwt","jwk":null}"#, PAYLOAD);
    assert_eq!(refresh(&null), Err(ProofRefused::KeyUnexpected));
    assert_eq!(registration(&null), Err(ProofRefused::KeyMalformed));
}

/// RFC 7515, appendix A.3.
#[test]
fn the_published_es256_signature_holds() {
    let signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = bytes(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    assert!(es256::verify(&key(), signed.as_bytes(), &signature));
    assert!(!es256::verify(&key(), &signed.as_bytes()[1..], &signature));
    // It is no proof, however well it is signed.
    let field = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    assert_eq!(refresh(&field), Err(ProofRefused::OtherType));
}

/// The thumbprint of the key of RFC 7515, appendix A.3, as another implementation makes it of the JWK.
#[test]
fn a_thumbprint_is_over_the_keys_required_members() {
    let expected = bytes("oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    assert_eq!(thumbprint(&key()), Thumbprint(expected));
}

/// D03, A51: `none`, a MAC under the public key, and whatever else is not what was offered.
#[test]
fn only_es256_of_our_type_is_accepted() {
    let hs256 = {
        let message = [r#"{"alg":"HS256","typ":"dbsc+jwt"}"#, PAYLOAD]
            .map(|part| URL_SAFE_NO_PAD.encode(part))
            .join(".");
        let tag = crate::key::Mac::new(&key().0).tag(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    assert_eq!(refresh(&hs256), Err(ProofRefused::OtherAlgorithm));
    let unsigned = {
        let parts = [r#"{"alg":"none","typ":"dbsc+jwt"}"#, PAYLOAD];
        format!(
            "{}.",
            parts.map(|part| URL_SAFE_NO_PAD.encode(part)).join(".")
        )
    };
    assert_eq!(refresh(&unsigned), Err(ProofRefused::OtherAlgorithm));
    for (header, refused) in [
        (
            r#"{"alg":"RS256","typ":"dbsc+jwt"}"#,
            ProofRefused::OtherAlgorithm,
        ),
        (
            r#"{"alg":"ES384","typ":"dbsc+jwt"}"#,
            ProofRefused::OtherAlgorithm,
        ),
        (
            r#"{"alg":"es256","typ":"dbsc+jwt"}"#,
            ProofRefused::OtherAlgorithm,
        ),
        (
            r#"{"alg":["ES256"],"typ":"dbsc+jwt"}"#,
            ProofRefused::OtherAlgorithm,
        ),
        (r#"{"typ":"dbsc+jwt"}"#, ProofRefused::OtherAlgorithm),
        (r#"{"alg":"ES256"}"#, ProofRefused::OtherType),
        (r#"{"alg":"ES256","typ":"jwt"}"#, ProofRefused::OtherType),
        (r#"{"alg":"ES256","typ":"JWT"}"#, ProofRefused::OtherType),
        (
            r#"{"alg":"ES256","typ":"DBSC+JWT"}"#,
            ProofRefused::OtherType,
        ),
        (
            r#"{"alg":"ES256","typ":"dbsc+aik"}"#,
            ProofRefused::OtherType,
        ),
        (
            r#"{"alg":"ES256","typ":"dbsc+jwt","crit":["b64"],"b64":false}"#,
            ProofRefused::Critical,
        ),
        (
            r#"{"alg":"ES256","typ":"dbsc+jwt","crit":[]}"#,
            ProofRefused::Critical,
        ),
        (
            r#"{"alg":"none","alg":"ES256","typ":"dbsc+jwt"}"#,
            ProofRefused::HeaderMalformed,
        ),
        (
            r#"{"alg":"ES256","typ":"dbsc+jwt","a":{"b":1,"b":2}}"#,
            ProofRefused::HeaderMalformed,
        ),
        (r#"["ES256","dbsc+jwt"]"#, ProofRefused::HeaderMalformed),
        (
            r#"{"alg":"ES256","typ":"dbsc+jwt"} x"#,
            ProofRefused::HeaderMalformed,
        ),
        ("", ProofRefused::HeaderMalformed),
    ] {
        assert_eq!(refresh(&signed(header, PAYLOAD)), Err(refused), "{header}");
    }
}

/// D03: a key that is none, or that says too much.
#[test]
fn only_a_public_point_on_the_curve_is_registered() {
    let zero = "A".repeat(43);
    let off = format!("{}F", &Y[..42]);
    // y of the negated point, which is on the curve, and the same above the field's prime.
    let (short, long) = (&X[..42], format!("{X}A"));
    // p: not a field element.
    let p = "_____wAAAAEAAAAAAAAAAAAAAAD_______________8";
    for (jwk, refused) in [
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{off}"}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{Y}","y":"{X}"}}"#),
            ProofRefused::KeyNotOnCurve,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{zero}","y":"{zero}"}}"#),
            ProofRefused::KeyNotOnCurve,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{zero}"}}"#),
            ProofRefused::KeyNotOnCurve,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{p}","y":"{Y}"}}"#),
            ProofRefused::KeyNotOnCurve,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{short}","y":"{Y}"}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{long}","y":"{Y}"}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}=","y":"{Y}"}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}"}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":1}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-384","x":"{X}","y":"{Y}"}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"EC","x":"{X}","y":"{Y}"}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"OKP","crv":"P-256","x":"{X}","y":"{Y}"}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","alg":"ES384","x":"{X}","y":"{Y}"}}"#),
            ProofRefused::KeyMalformed,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","d":"{D}"}}"#),
            ProofRefused::KeyPrivate,
        ),
        (
            r#"{"kty":"oct","k":"AQAB"}"#.to_owned(),
            ProofRefused::KeyPrivate,
        ),
        (
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","x":"{X}","y":"{Y}"}}"#),
            ProofRefused::HeaderMalformed,
        ),
        ("[]".to_owned(), ProofRefused::KeyMalformed),
    ] {
        let header = format!(r#"{{"alg":"ES256","typ":"dbsc+jwt","jwk":{jwk}}}"#);
        let field = signed(&header, PAYLOAD);
        assert_eq!(registration(&field), Err(refused), "{jwk}");
    }
    // Its own algorithm, and what a key may say besides.
    let jwk = format!(
        r#"{{"use":"sig","alg":"ES256","kid":"1","kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"}}"#
    );
    let header = format!(r#"{{"alg":"ES256","typ":"dbsc+jwt","jwk":{jwk}}}"#);
    assert_eq!(registration(&signed(&header, PAYLOAD)).unwrap().1, key());
}

/// D05: the challenge is a string, and the audience is ours if it is there.
#[test]
fn a_payload_names_one_challenge_and_no_other_audience() {
    for (payload, refused) in [
        (r#"{}"#, ProofRefused::ChallengeMissing),
        (r#"{"jti":1}"#, ProofRefused::ChallengeMissing),
        (r#"{"jti":["c1"]}"#, ProofRefused::ChallengeMissing),
        (r#"{"jti":"a","jti":"c1"}"#, ProofRefused::PayloadMalformed),
        (r#""c1""#, ProofRefused::PayloadMalformed),
        ("", ProofRefused::PayloadMalformed),
        (
            r#"{"jti":"c1","aud":"https://app.example/dbsc/refresh"}"#,
            ProofRefused::OtherAudience,
        ),
        (
            r#"{"jti":"c1","aud":"https://app.example/dbsc/register/"}"#,
            ProofRefused::OtherAudience,
        ),
        (r#"{"jti":"c1","aud":""}"#, ProofRefused::OtherAudience),
        (r#"{"jti":"c1","aud":null}"#, ProofRefused::OtherAudience),
        (
            r#"{"jti":"c1","aud":["https://app.example/dbsc/register"]}"#,
            ProofRefused::OtherAudience,
        ),
    ] {
        assert_eq!(refresh(&signed(HEADER, payload)), Err(refused), "{payload}");
    }
    let ours = format!(r#"{{"jti":"c1","aud":"{AUDIENCE}"}}"#);
    assert!(refresh(&signed(HEADER, &ours)).is_ok());
}

#[test]
fn what_is_no_compact_jws_in_its_one_spelling_is_refused() {
    let good = signed(HEADER, PAYLOAD);
    let parts: Vec<_> = good.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!("three parts")
    };
    // 64 bytes take 86 characters, of which the last says four bits: each other spelling of them is refused.
    let (most, last) = signature.split_at(85);
    let spare = ["A", "Q", "g", "w"].map(|last| format!("{header}.{payload}.{most}{last}"));
    assert!(spare.contains(&good), "{last}");
    for other in 'A'..='Z' {
        let field = format!("{header}.{payload}.{most}{other}");
        if !spare.contains(&field) {
            assert_eq!(refresh(&field), Err(ProofRefused::NotCompact), "{other}");
        }
    }
    for field in [
        String::new(),
        "..".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{good}.{payload}"),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("\"{good}"),
        format!("{good}\""),
        format!("\"\"{good}\"\""),
        format!("{header}.{payload}.{signature}\n"),
        good.replacen('.', "%2E", 1),
        good.replacen('e', "+", 1),
    ] {
        let refused = refresh(&field).unwrap_err();
        let expected = match field.as_str() {
            ".." => ProofRefused::HeaderMalformed,
            _ => ProofRefused::NotCompact,
        };
        assert_eq!(refused, expected, "{field}");
    }
    assert_eq!(
        Proof::of_refresh(b"\xFF.\xFF.\xFF", AUDIENCE),
        Err(ProofRefused::NotCompact)
    );
}

/// A51: r and s of zero, DER, and every bit of a signature.
#[test]
fn a_signature_is_64_bytes_of_which_every_bit_counts() {
    let good = signed(HEADER, PAYLOAD);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let signature: [u8; 64] = bytes(signature);
    let with = |signature: &[u8]| format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let der = Signature::from_slice(&signature).unwrap().to_der();
    for other in [
        &signature[..63],
        &[&signature[..], &[0]].concat(),
        der.as_bytes(),
        &[],
    ] {
        let field = with(other);
        assert_eq!(refresh(&field), Err(ProofRefused::SignatureMalformed));
    }
    let (r, s) = signature.split_at(32);
    // The order of the group, which is 0 as a scalar.
    let n: [u8; 32] = bytes("_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE");
    for (r, s) in [
        (&[0; 32][..], s),
        (r, &[0; 32]),
        (&[0; 32], &[0; 32]),
        (&n, s),
        (r, &n),
        (&[0xFF; 32], s),
        (s, r),
    ] {
        let field = with(&[r, s].concat());
        let refused = refresh(&field).unwrap().verify(&key());
        assert_eq!(refused, Err(ProofRefused::SignatureInvalid));
    }
    for bit in 0..512 {
        let mut flipped = signature;
        flipped[bit / 8] ^= 1 << (bit % 8);
        let field = with(&flipped);
        let refused = refresh(&field).unwrap().verify(&key());
        assert_eq!(refused, Err(ProofRefused::SignatureInvalid), "{bit}");
    }
    // The one other signature of the same proof, which tells nothing apart.
    let low = Signature::from_slice(&signature).unwrap();
    let high = Signature::from_scalars(low.r(), -*low.s()).unwrap();
    let field = with(&high.to_bytes());
    assert_eq!(refresh(&field).unwrap().verify(&key()), Ok(()));
    // Another key.
    let other = SigningKey::from_slice(&[7; 32]).unwrap();
    let point = other.verifying_key().to_sec1_point(false);
    let (x, y) = (point.x().unwrap(), point.y().unwrap());
    let other = es256::key((*x).into(), (*y).into()).unwrap();
    let field = with(&signature);
    let refused = refresh(&field).unwrap().verify(&other);
    assert_eq!(refused, Err(ProofRefused::SignatureInvalid));
}

/// A key of a damaged record verifies nothing.
#[test]
fn a_key_that_is_no_point_verifies_nothing() {
    let field = signed(HEADER, PAYLOAD);
    let proof = refresh(&field).unwrap();
    for bytes in [[0; 64], [0xFF; 64]] {
        let refused = proof.verify(&DeviceKey(bytes));
        assert_eq!(refused, Err(ProofRefused::SignatureInvalid));
    }
}

#[test]
fn length_is_looked_at_first() {
    let padded = |len: usize| {
        let payload = format!(r#"{{"jti":"c1","x":"{}"}}"#, "a".repeat(len));
        signed(HEADER, &payload)
    };
    let longest = (0..)
        .map(padded)
        .take_while(|field| field.len() <= MAX_LEN)
        .last()
        .unwrap();
    assert!(longest.len() > MAX_LEN - 2 && refresh(&longest).is_ok());
    let longer = padded(MAX_LEN);
    assert_eq!(refresh(&longer), Err(ProofRefused::TooLong));
    assert_eq!(refresh(&"a".repeat(64 * 1024)), Err(ProofRefused::TooLong));
    for (len, refused) in [(512, None), (513, Some(ProofRefused::HeaderTooLong))] {
        let bare = r#"{"alg":"ES256","typ":"dbsc+jwt","x":""}"#.len();
        let header = format!(
            r#"{{"alg":"ES256","typ":"dbsc+jwt","x":"{}"}}"#,
            "a".repeat(len - bare)
        );
        assert_eq!(refresh(&signed(&header, PAYLOAD)).err(), refused, "{len}");
    }
}

#[test]
fn every_cause_has_a_name_of_its_own() {
    let causes = [
        ProofRefused::TooLong,
        ProofRefused::NotCompact,
        ProofRefused::HeaderTooLong,
        ProofRefused::HeaderMalformed,
        ProofRefused::OtherType,
        ProofRefused::OtherAlgorithm,
        ProofRefused::Critical,
        ProofRefused::KeyMissing,
        ProofRefused::KeyUnexpected,
        ProofRefused::KeyMalformed,
        ProofRefused::KeyPrivate,
        ProofRefused::KeyNotOnCurve,
        ProofRefused::PayloadMalformed,
        ProofRefused::ChallengeMissing,
        ProofRefused::OtherAudience,
        ProofRefused::SignatureMalformed,
        ProofRefused::SignatureInvalid,
    ];
    let names: std::collections::BTreeSet<_> = causes.map(ProofRefused::as_str).into();
    assert_eq!(names.len(), causes.len());
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(300) })]

    /// A51: what was signed cannot be changed, in any byte of any part.
    #[test]
    fn no_byte_of_a_proof_can_be_changed(at in any::<Index>(), byte in any::<u8>()) {
        let good = signed(HEADER, PAYLOAD).into_bytes();
        let mut changed = good.clone();
        let at = at.index(changed.len());
        changed[at] = byte;
        let holds = Proof::of_refresh(&changed, AUDIENCE).is_ok_and(|proof| proof.verify(&key()).is_ok());
        assert_eq!(holds, changed == good);
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = Proof::of_refresh(&bytes, AUDIENCE);
        let _ = Proof::of_registration(&bytes, AUDIENCE);
    }
}
