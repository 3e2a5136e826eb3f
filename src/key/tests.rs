use std::{
    error::Error as _,
    fs,
    io::{self, Write as _},
    process::Command,
};

use sha2::Sha256;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{KeyRing, KeyUse, LABEL, Mac};
use crate::error::ConfigError;

fn rising(seed: u8) -> [u8; 32] {
    std::array::from_fn(|place| seed.wrapping_add(place as u8))
}

fn key(seed: u8) -> [u8; 32] {
    let mut key = rising(seed);
    key[31] ^= 0x55;
    key
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ring(seeds: &[u8]) -> KeyRing {
    KeyRing::from_bytes(seeds.iter().map(|seed| key(*seed))).unwrap()
}

// RFC 4231, test cases 1, 2 and 6: a short key, a shorter one, and one longer than a block.
#[test]
fn the_mac_is_hmac_sha_256() {
    #[track_caller]
    fn check(key: &[u8], message: &[u8], tag: &str) {
        assert_eq!(hex(&Mac::new(key).tag(message)), tag);
    }
    check(
        &[0x0B; 20],
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    );
    check(
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    );
    check(
        &[0xAA; 131],
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    );
}

// R21
#[test]
fn every_bit_of_a_tag_counts() {
    let mac = Mac::new(&key(0));
    let tag = mac.tag(b"message");
    assert!(mac.verify(b"message", &tag));
    assert!(!mac.verify(b"massage", &tag));
    assert!(!Mac::new(&key(1)).verify(b"message", &tag));
    for bit in 0..256 {
        let mut flipped = tag;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!mac.verify(b"message", &flipped));
    }
}

// R23
#[test]
fn parts_are_encoded_without_ambiguity() {
    let mac = Mac::new(&key(0));
    let tuples: [&[&[u8]]; 10] = [
        &[],
        &[b""],
        &[b"", b""],
        &[b"ab", b"c"],
        &[b"a", b"bc"],
        &[b"abc"],
        &[b"abc", b""],
        &[b"", b"abc"],
        &[b"a", b"b", b"c"],
        &[b"\0\0\0\0\0\0\0\x01a", b"bc"],
    ];
    for (index, one) in tuples.iter().enumerate() {
        for other in &tuples[..index] {
            assert_ne!(
                mac.tag_parts(one),
                mac.tag_parts(other),
                "{one:?} {other:?}"
            );
        }
    }
    let encoded = b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x01c";
    assert_eq!(mac.tag_parts(&[b"ab", b"c"]), mac.tag(encoded));
}

// R26
#[test]
fn weak_and_repeated_keys_are_refused() {
    #[track_caller]
    fn check(keys: &[&[u8]], expected: &str) {
        let refused = KeyRing::from_bytes(keys).unwrap_err();
        let said = refused.to_string();
        assert!(said.starts_with(expected), "{said}");
    }
    let [a, b] = [&key(0)[..], &key(1)];
    check(&[], "the key ring is empty");
    check(&[b""], "key 1 has 0 bytes");
    check(&[a, &b[..31]], "key 2 has 31 bytes");
    check(&[&[0; 32]], "key 1 repeats a single byte");
    check(&[a, &[0xFF; 64]], "key 2 repeats a single byte");
    // S26: what people write when they need something there.
    let rising: Vec<u8> = (7..39).collect();
    let falling: Vec<u8> = rising.iter().rev().copied().collect();
    let wraps: Vec<u8> = (0..40).map(|n| 250_u8.wrapping_add(n)).collect();
    let sixteen = b"0123456789abcdef".repeat(2);
    for patterned in [
        &rising,
        &falling,
        &wraps,
        &sixteen,
        &b"secret".repeat(8),
        &b"ab".repeat(20),
    ] {
        check(&[a, patterned], "key 2 repeats itself or counts");
    }
    let seventeen = b"0123456789abcdefg".repeat(2);
    for taken in [
        &seventeen[..],
        &[&rising[..], b"x"].concat(),
        b"an unguessable key of 32 bytes!!",
    ] {
        assert!(KeyRing::from_bytes([taken]).is_ok(), "{taken:?}");
    }
    check(&[a, b, a], "key 3 is in the ring already");
    // HMAC pads a key with zeros, so these two are one.
    check(&[a, &[a, &[0]].concat()], "key 2 is in the ring already");
}

// Found by search: two keys whose ids are the same.
#[test]
fn keys_whose_ids_collide_are_refused() {
    let numbered = |number: u32| {
        let mut key = rising(0);
        key[..4].copy_from_slice(&number.to_be_bytes());
        key
    };
    let [one, other] = [6883, 7694].map(numbered);
    let id = |key| KeyRing::from_bytes([key]).unwrap().key_ids()[0];
    assert_eq!(id(one), id(other));
    let refused = KeyRing::from_bytes([one, other]).unwrap_err();
    assert!(matches!(refused, ConfigError::DuplicateKey { position: 2 }));
}

#[test]
fn keys_are_read_from_text() {
    #[track_caller]
    fn check(text: &str, seeds: &[u8]) {
        let parsed = KeyRing::parse(text).unwrap();
        assert_eq!(parsed.key_ids(), ring(seeds).key_ids());
    }
    let [a, b] = [hex(&key(0)), hex(&key(1))];
    check(&a, &[0]);
    check(&a.to_uppercase(), &[0]);
    check(&format!("{a},{b}"), &[0, 1]);
    check(&format!("  {a} ,\t{b}  "), &[0, 1]);
    check(&format!("{b}\n{a}\n"), &[1, 0]);
    check(&format!("# first\r\n\r\n{a} # signs\r\n  # {b}\r\n"), &[0]);
    check(&format!("{a},{b}\n{}", hex(&key(2))), &[0, 1, 2]);
}

#[test]
fn a_text_that_is_not_keys_is_refused() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let refused = KeyRing::parse(text).unwrap_err();
        let said = refused.to_string();
        assert!(said.starts_with(expected), "{said}");
    }
    let [a, b] = [hex(&key(0)), hex(&key(1))];
    check("", "the key ring is empty");
    check("\n \n# nothing\n", "the key ring is empty");
    check(&a[..62], "key 1 has 31 bytes");
    check(&a[..63], "key 1 is not hexadecimal");
    check(&format!("{a}0"), "key 1 is not hexadecimal");
    check(
        &format!("{a},{}", b.replacen('0', "g", 1)),
        "key 2 is not hexadecimal",
    );
    check(&format!("0x{a}"), "key 1 is not hexadecimal");
    check(&format!("{a} {b}"), "key 1 is not hexadecimal");
    check(&format!("+{}", &a[1..]), "key 1 is not hexadecimal");
    check(&format!("{a}é"), "key 1 is not hexadecimal");
    // A key that went missing between commas, as with an unset variable, does not go unnoticed.
    check(&format!(",{a}"), "key 1 has 0 bytes");
    check(&format!("{a},"), "key 2 has 0 bytes");
    check(&format!("{a},,{b}"), "key 2 has 0 bytes");
    check(&"0".repeat(64), "key 1 repeats a single byte");
}

#[test]
fn an_unset_variable_is_named() {
    let refused = KeyRing::from_env("TOWER_SESSION_GUARD_NOT_SET").unwrap_err();
    assert!(refused.to_string().contains("TOWER_SESSION_GUARD_NOT_SET"));
}

#[test]
fn a_variable_that_holds_no_keys_is_refused() {
    let refused = KeyRing::from_env("CARGO_PKG_NAME").unwrap_err();
    assert!(matches!(refused, ConfigError::KeyNotHex { position: 1 }));
}

/// Runs itself in a process of its own, whose environment is set.
#[test]
fn keys_are_read_from_the_environment() {
    const VARIABLE: &str = "TOWER_SESSION_GUARD_TEST_KEYS";
    if std::env::var_os(VARIABLE).is_some() {
        let read = KeyRing::from_env(VARIABLE).unwrap();
        assert_eq!(read.key_ids(), ring(&[0, 1]).key_ids());
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "key::tests::keys_are_read_from_the_environment"])
        .env(VARIABLE, format!("{}, {}", hex(&key(0)), hex(&key(1))))
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    assert!(output.contains("1 passed"), "{output}");
}

fn keep_from_others(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[test]
fn keys_are_read_from_a_file() {
    let path = std::env::temp_dir().join(format!("tower-session-guard-{}", std::process::id()));
    let mut file = fs::File::create(&path).unwrap();
    keep_from_others(&path);
    writeln!(file, "# keys\n{}\n\n{}", hex(&key(0)), hex(&key(1))).unwrap();
    let read = KeyRing::from_file(&path);
    fs::write(&path, [0xFF, 0xFE]).unwrap();
    let binary = KeyRing::from_file(&path);
    fs::remove_file(&path).unwrap();
    assert_eq!(read.unwrap().key_ids(), ring(&[0, 1]).key_ids());
    assert!(matches!(binary, Err(ConfigError::KeyFile { .. })));
    let missing = KeyRing::from_file(&path).unwrap_err();
    assert!(missing.to_string().contains("tower-session-guard-"));
    // An operator sees why.
    let cause = missing.source().unwrap().downcast_ref::<io::Error>();
    assert_eq!(cause.unwrap().kind(), io::ErrorKind::NotFound);
}

#[test]
fn generated_keys_differ() {
    let [one, other] = [(); 2].map(|()| KeyRing::generate().unwrap().key_ids());
    assert_ne!(one, other);
}

// R26
#[test]
fn what_was_derived_follows_every_clone_of_the_ring() {
    let ring = ring(&[0]);
    let derived = ring.clone().derive("test", &[b"context"]);
    let tag = |key: u8| {
        let key = Mac::new(&super::tests::key(key));
        key.derive(&[LABEL, b"test", b"context"]).tag(b"message")
    };
    assert_eq!(derived.current().first().1.tag(b"message"), tag(0));

    let next = super::tests::ring(&[1, 0]);
    ring.clone().replace(&next);
    let current = derived.current();
    let (id, mac) = current.first();
    assert_eq!(mac.tag(b"message"), tag(1));
    assert_eq!(id, next.key_ids()[0]);
    let (old, stale) = current.find(next.key_ids()[1]).unwrap();
    assert_eq!((old.tag(b"message"), stale), (tag(0), KeyUse::Older));
    assert_eq!(current.find(id).unwrap().1, KeyUse::Signs);

    // The other ring is not followed later.
    next.replace(&super::tests::ring(&[2]));
    assert_eq!(ring.key_ids().len(), 2);
    assert_eq!(derived.current().first().1.tag(b"message"), tag(1));
}

#[test]
fn keys_for_other_purposes_and_contexts_differ() {
    let ring = ring(&[0]);
    let tag = |purpose, context: &[&[u8]]| {
        let derived = ring.derive(purpose, context);
        derived.current().first().1.tag(b"")
    };
    let tags = [
        tag("a", &[]),
        tag("b", &[]),
        tag("a", &[b""]),
        tag("a", &[b"b"]),
        tag("ab", &[]),
    ];
    for (index, one) in tags.iter().enumerate() {
        assert!(!tags[..index].contains(one));
    }
}

// R26, R31
/// R26: one of each key, the signing one first; as the page of the function says, and none that signs a token.
#[test]
fn keys_for_the_applications_own_use_follow_the_ring() {
    let ring = ring(&[1, 2]);
    let derived = ring.derive_keys("invitation");
    let ids: Vec<_> = derived.iter().map(super::DerivedKey::id).collect();
    assert_eq!(ids, ring.key_ids());
    for (seed, derived) in [1, 2].into_iter().zip(&derived) {
        let expected = Mac::new(&key(seed)).tag_parts(&[LABEL, b"own use", b"invitation"]);
        assert_eq!(derived.as_ref(), expected);
        let printed = format!("{derived:?}");
        assert!(printed.contains("REDACTED") && printed.contains(&derived.id().to_string()));
    }
    let of = |purpose: &str| ring.derive_keys(purpose)[0].as_ref().to_vec();
    assert_ne!(of("invitation"), of("invitations"));
    let kid = ring.derive("invitation", &[]).current().first().1.tag(b"");
    assert_ne!(Mac::new(&of("invitation")).tag(b""), kid);
    ring.replace(&KeyRing::of_tests([key(3)]));
    assert_eq!(ring.derive_keys("invitation").len(), 1);
}

#[test]
fn a_key_never_prints() {
    let secret = key(0x41);
    let ring = KeyRing::from_bytes([secret]).unwrap();
    let derived = ring.derive("test", &[]);
    assert_eq!(format!("{:?}", Mac::new(&secret)), "Mac(REDACTED)");
    let id = ring.key_ids()[0];
    assert_eq!(format!("{id:?}"), format!("KeyId({id})"));
    let printed = format!("{ring:?} {ring:#?} {derived:?} {id:?}");
    assert!(printed.contains("REDACTED"));
    for secret in [hex(&secret), format!("{secret:?}"), "ABCDEF".to_owned()] {
        assert!(
            !printed.contains(&secret[..secret.len().min(12)]),
            "{printed}"
        );
    }
    let refusals = [
        KeyRing::parse(&hex(&secret)[..40]),
        KeyRing::parse(&format!("{}xx", hex(&secret))),
        KeyRing::from_bytes([secret, secret]),
    ];
    for refused in refusals {
        let refused = refused.unwrap_err();
        let printed = format!("{refused:?} {refused}");
        assert!(!printed.contains("4142"), "{printed}");
    }
}

/// S03, R26: each use of a key, written either way.
#[test]
fn keys_have_one_use_each_and_one_of_them_signs() {
    let [new, coming, old, leaked] = [1, 2, 3, 4].map(key);
    let built = KeyRing::builder()
        .next(coming)
        .signing(new)
        .older(old)
        .expiring(leaked)
        .build()
        .unwrap();
    let [a, b, c, d] = [coming, new, old, leaked].map(|key| hex(&key));
    let parsed = KeyRing::parse(&format!("next:{a}\n{b}, {c}\nexpiring: {d} # leaked")).unwrap();
    for ring in [built, parsed] {
        let uses: Vec<_> = ring.keys().iter().map(|key| key.role).collect();
        let expected = [KeyUse::Signs, KeyUse::Next, KeyUse::Older, KeyUse::Expiring];
        assert_eq!(uses, expected);
        assert_eq!(ring.key_ids()[0], super::tests::ring(&[1]).key_ids()[0]);
    }
    let without = KeyRing::builder().older(old).build().unwrap_err();
    assert!(matches!(without, ConfigError::NoKeys), "{without}");
    let two = KeyRing::builder().signing(old).signing(new).build();
    assert!(two.unwrap_err().to_string().contains("more than one key"));
    let again = KeyRing::builder().signing(old).expiring(old).build();
    assert!(matches!(
        again,
        Err(ConfigError::DuplicateKey { position: 2 })
    ));
    let short = KeyRing::builder().signing(&old[1..]).build();
    assert!(matches!(
        short,
        Err(ConfigError::WeakKey {
            position: 1,
            bytes: 31
        })
    ));
}

/// S03: a leaked key goes at once, for every layer of the process, and never the last that signs.
#[test]
fn a_key_can_be_retired_while_the_server_runs() {
    let ring = ring(&[1, 2]);
    let derived = ring.clone().derive("test", &[]);
    let [signs, leaked] = ring.key_ids()[..] else {
        panic!()
    };
    assert!(derived.current().find(leaked).is_some());
    ring.retire_now(leaked).unwrap();
    assert!(derived.current().find(leaked).is_none());
    let told = ring.retire_now(leaked).unwrap_err().to_string();
    assert!(told.contains(&leaked.to_string()), "{told}");
    let told = ring.retire_now(signs).unwrap_err().to_string();
    assert!(told.contains("KeyRing::replace"), "{told}");
    assert_eq!(ring.key_ids(), [signs]);
}

/// R26: whoever sees that the ring was replaced sees the new keys, or a key that was taken out goes on verifying.
#[test]
fn a_new_generation_is_seen_with_its_keys() {
    const REPLACEMENTS: u64 = 20_000;
    let numbered = |number: u64| {
        let mut key = key(7);
        key[..8].copy_from_slice(&number.to_be_bytes());
        KeyRing::of_tests([key])
    };
    let rings: Vec<_> = (0..=REPLACEMENTS).map(numbered).collect();
    let ids: Vec<_> = rings.iter().map(|ring| ring.key_ids()[0]).collect();
    let ring = numbered(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for with in &rings[1..] {
                ring.replace(with);
            }
        });
        loop {
            let generation = ring.generation();
            let keys = ring.keys();
            let seen = keys[0].id;
            // Ids are three bytes, so a later ring may bear the same: any from this generation on will do.
            let from = usize::try_from(generation).unwrap();
            let window = &ids[from..ids.len().min(from + 2_000)];
            assert!(
                window.contains(&seen) || ids[from..].contains(&seen),
                "generation {generation} with keys of an older one"
            );
            if generation == REPLACEMENTS {
                break;
            }
        }
    });
}

/// R29: what holds a secret forgets it when it is dropped, and so do the states of the hash functions.
#[test]
fn whatever_holds_a_secret_is_zeroized() {
    const fn forgets<T: ZeroizeOnDrop>() {}
    forgets::<Sha256>();
    forgets::<crate::session::id::Secret>();
    forgets::<crate::session::csrf::CsrfToken>();
    forgets::<crate::cookie::token::Token>();
    let _: Option<Zeroizing<Vec<u8>>> = super::source::hexadecimal("00");
}

/// S26: a key that documentation or an example prints is no secret.
#[test]
fn every_key_that_was_printed_is_refused() {
    let mut texts = vec![
        // Printed by earlier documentation of `parse`.
        "85e67ad2a2b1f7e3ed0dbe5f1dd1cf1d8a7b9f6a2a5f2c8f7a4e0c9c1b3d5e7f".to_owned(),
        "0fb1c2d3e4f5061728394a5b6c7d8e9fa0b1c2d3e4f5061728394a5b6c7d8e9f".to_owned(),
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = ["", "docs", "src", "examples", "crates", "tools"]
        .map(|name| root.join(name))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if folder != root && !["target", "tests", "corpus"].contains(&&*name) {
                    folders.push(path);
                }
            } else if [".md", ".rs", ".toml", ".env"]
                .iter()
                .any(|end| name.ends_with(end))
            {
                let text = fs::read_to_string(path).unwrap_or_default();
                let is_code = name.ends_with(".rs") && !folder.starts_with(root.join("examples"));
                let is_shown = |line: &&str| {
                    let line = line.trim_start();
                    !is_code || line.starts_with("///") || line.starts_with("//!")
                };
                texts.push(text.lines().filter(is_shown).collect::<Vec<_>>().join("\n"));
            }
        }
    }
    let mut printed = 0;
    for text in &texts {
        for word in text
            .split(|c: char| !c.is_ascii_hexdigit())
            .filter(|word| word.len() == 64)
        {
            printed += 1;
            let refused = KeyRing::parse(word).map(|ring| ring.key_ids());
            let told = refused.unwrap_err().to_string();
            assert!(told.contains("openssl rand"), "{word}: {told}");
        }
    }
    assert!(printed >= 2);
}

/// S26.
#[cfg(unix)]
#[test]
fn a_key_file_that_everybody_can_read_is_refused_unless_it_is_meant() {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::temp_dir().join(format!("session-keys-{}", std::process::id()));
    fs::write(&path, hex(&key(0))).unwrap();
    for (mode, taken) in [(0o600, true), (0o640, true), (0o644, false), (0o604, false)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let read = KeyRing::from_file(&path);
        assert_eq!(read.is_ok(), taken, "{mode:o}");
        if let Err(refused) = read {
            assert!(refused.to_string().contains("chmod o-rwx"), "{refused}");
        }
        assert!(KeyRing::from_shared_file(&path).is_ok());
    }
    fs::remove_file(&path).unwrap();
}
