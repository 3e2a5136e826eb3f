use std::{fs, path::Path};

use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_oneof},
    proptest,
    strategy::Just,
    test_runner::Config,
};

use super::{cookie_fields, key_ring_text, record_bytes, token_values};

/// A fuzz target, and its property.
type Target = (&'static str, fn(&[u8]));

/// Everything that was ever found interesting, on every test run.
#[test]
fn the_corpora_hold() {
    hold(&[
        ("cookie_fields", cookie_fields),
        ("key_ring_text", key_ring_text),
        ("record_bytes", record_bytes),
        ("token_values", token_values),
    ]);
}

#[cfg(feature = "dbsc")]
#[test]
fn the_corpora_of_devices_hold() {
    hold(&[
        ("device_endpoints", super::device_endpoints),
        ("device_proofs", super::device_proofs),
        ("device_texts", super::device_texts),
    ]);
}

fn hold(targets: &[Target]) {
    for (name, property) in targets {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(name);
        let files: Vec<_> = fs::read_dir(folder).unwrap().collect();
        assert!(files.len() > 5, "{name}");
        for file in files {
            property(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}

/// Pieces that mean something to some parser, and may be folded into one of our names.
fn cookie_piece() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        &b"__Host-Http-session"[..],
        b"__Host-Http-session-guest",
        b"__host-http-session",
        b"=",
        b";",
        b" ",
        b"\t",
        b"\n",
        b"\"",
        b",",
        b"$Version=1",
        b"v1",
        b"v2",
        b"vvv",
        b"x",
        b"%5F%5FHost-Http-session",
        b"-guest",
        b"\xC2\xA0",
        b"; ",
        b"=v1; ",
        b"__Host-Http-session=v1",
    ];
    prop_oneof![
        6 => (0..known.len()).prop_map(move |at| known[at].to_vec()),
        1 => vec(any::<u8>(), 0..6),
        1 => Just(vec![b'v'; 41]),
    ]
}

/// Proofs, or nearly: parts in base64url of members that mean something to some parser.
#[cfg(feature = "dbsc")]
fn proof_part() -> impl Strategy<Value = Vec<u8>> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let members = [
        r#""alg":"ES256""#,
        r#""typ":"dbsc+jwt""#,
        r#""jti":"c1""#,
        r#""crit":[]"#,
        r#""aud":"https://app.example/dbsc/refresh""#,
        r#""jwk":{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
        r#""x":{"a":[1,2,{}]}"#,
    ];
    let members = vec((0..members.len()).prop_map(move |at| members[at]), 0..4);
    let object = members.prop_map(|members| format!("{{{}}}", members.join(",")).into_bytes());
    let header = Just(br#"{"alg":"ES256","typ":"dbsc+jwt"}"#.to_vec());
    let payload = Just(br#"{"jti":"c1"}"#.to_vec());
    let json = prop_oneof![2 => header, 2 => payload, 3 => object, 1 => vec(any::<u8>(), 0..9), 2 => vec(any::<u8>(), 64)];
    json.prop_map(|json| URL_SAFE_NO_PAD.encode(json).into_bytes())
}

/// Fields of a request to an endpoint, or nearly: what a thief has seen, in the places where it belongs and in others.
#[cfg(feature = "dbsc")]
fn endpoint_field() -> impl Strategy<Value = Vec<u8>> {
    let seen = || (0x80_u8..=0x86).prop_map(|byte| vec![byte]);
    let header = Just(br#"{"alg":"ES256","typ":"dbsc+jwt"}"#.to_vec());
    let with_key = Just(br#"{"alg":"ES256","typ":"dbsc+jwt","jwk":{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}}"#.to_vec());
    let text = vec(any::<u8>(), 0..9);
    let challenge = prop_oneof![4 => seen(), 1 => text.clone()];
    let payload =
        challenge.prop_map(|challenge| [&b"{\"jti\":\""[..], &challenge, b"\"}"].concat());
    let header = prop_oneof![3 => header, 3 => with_key, 1 => text.clone()];
    let proof = (header, payload)
        .prop_map(|(header, payload)| [&b"s"[..], &header, b"\t", &payload].concat());
    let named = (
        prop_oneof![Just(b'p'), Just(b'i'), Just(b'k'), Just(b'h')],
        prop_oneof![seen(), text],
    );
    let named = named.prop_map(|(name, value)| [&[name][..], &value].concat());
    let cookies = vec(seen(), 1..4).prop_map(|seen| [b"c", &*seen.join(&b"; "[..])].concat());
    prop_oneof![4 => proof, 2 => named, 2 => seen().prop_map(|seen| [&b"i"[..], &seen].concat()), 3 => cookies]
}

#[cfg(feature = "dbsc")]
proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(300) })]

    /// D02, D10, A50, A51: nothing is bound or proved without the device's signature, whatever a thief has seen and however
    /// it is put together.
    #[test]
    fn the_endpoints_refuse_what_no_device_signed(fields in vec(endpoint_field(), 0..6), first in any::<u8>()) {
        super::device_endpoints(&[&[first][..], &fields.join(&b'\n')].concat());
    }
}

#[cfg(feature = "dbsc")]
proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(2000) })]

    /// D03, D04, A51.
    #[test]
    fn bytes_are_a_proof_or_an_error(parts in vec(proof_part(), 2..5), quoted in any::<bool>()) {
        let mut field = parts.join(&b'.');
        if quoted {
            field = [b"\"", &field[..], b"\""].concat();
        }
        super::device_proofs(&field);
    }

    /// R21, R22, R25, A51: one spelling, and one purpose.
    #[test]
    fn what_vouches_for_a_device_opens_in_one_spelling_only(seed in vec(any::<u8>(), 24), change in vec(any::<u8>(), 0..9)) {
        super::device_texts(&[seed, change].concat());
    }
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, ..Config::with_cases(2000) })]

    /// R50–R53, R55, A04–A12, A15: against a plain reading of the rules.
    #[test]
    fn the_reader_finds_what_the_rules_say(pieces in vec(cookie_piece(), 0..40)) {
        cookie_fields(&pieces.concat());
    }

    /// R21, R22, R25, A31–A33: one spelling, no other name or key.
    #[test]
    fn a_token_opens_in_one_spelling_only(seed in vec(any::<u8>(), 36), change in vec(any::<u8>(), 0..120)) {
        token_values(&[seed, change].concat());
    }

    #[test]
    fn bytes_are_a_record_in_one_spelling_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
        record_bytes(&bytes);
        record_bytes(&[&[1][..], &bytes].concat());
    }

    #[test]
    fn a_text_is_a_key_ring_or_an_error(keys in vec("[0-9a-fA-F]{60,70}|[ ,#]{0,3}", 0..4), line in "[,\n]") {
        key_ring_text(keys.join(&line).as_bytes());
    }
}
