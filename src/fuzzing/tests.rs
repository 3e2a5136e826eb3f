use std::{fs, path::Path};

use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_oneof},
    proptest,
    strategy::Just,
    test_runner::Config,
};

use super::{cookie_fields, key_ring_text, record_bytes, token_values};

/// Everything that was ever found interesting, on every test run.
#[test]
fn the_corpora_hold() {
    #[expect(clippy::type_complexity, reason = "a table of functions")]
    let targets: [(&str, fn(&[u8])); 4] = [
        ("cookie_fields", cookie_fields),
        ("key_ring_text", key_ring_text),
        ("record_bytes", record_bytes),
        ("token_values", token_values),
    ];
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
