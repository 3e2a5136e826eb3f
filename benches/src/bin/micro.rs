//! What the parts cost, in turns: hashing, decoding, searching, inserting, writing.
//!
//! Run with `cargo run --release --bin micro` in `benches/`; `--smoke` for a second.

#[cfg(not(bench))]
compile_error!("run this in the folder benches/: its .cargo/config.toml sets `--cfg bench`");

use std::collections::BTreeMap;
use std::hint::black_box;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::{Extensions, HeaderMap, HeaderValue};
use serde::Serialize;
use session_guard_benches::args::{Args, here};
use session_guard_benches::browser::other;
use session_guard_benches::floor::{Known, NAME, Scan, Sealer};
use session_guard_benches::machine::Machine;
use session_guard_benches::report::write;
use session_guard_benches::scenario::USER;
use session_guard_benches::stats::Spread;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tower_session_guard::bench::Parts;
use tower_session_guard::{KeyRing, Timestamp};

/// How often a part runs between two looks at the clock.
const REPEAT: usize = 200;

type Part = (String, Box<dyn FnMut()>);

#[derive(Serialize)]
struct Micro {
    machine: Machine,
    rounds: usize,
    nanoseconds: BTreeMap<String, Spread>,
}

fn main() {
    let args = Args::read();
    let rounds = args.number("--rounds", if args.smoke { 5 } else { 500 });
    let mut parts = Vec::new();
    hashing(&mut parts);
    tokens(&mut parts);
    searching(&mut parts);
    ours(&mut parts);
    carrying(&mut parts);

    let mut samples = vec![Vec::with_capacity(rounds); parts.len()];
    for round in 0..rounds {
        for turn in 0..parts.len() {
            let which = (turn + round) % parts.len();
            let start = Instant::now();
            (0..REPEAT).for_each(|_| (parts[which].1)());
            samples[which].push(start.elapsed().as_nanos() as f64 / REPEAT as f64);
        }
    }
    println!("nanoseconds, median ± MAD of {rounds} rounds");
    let mut nanoseconds = BTreeMap::new();
    for ((name, _), sample) in parts.into_iter().zip(&samples) {
        let spread = Spread::of(sample);
        println!("{name:<52}{:>10.0} ± {:.0}", spread.median, spread.mad);
        nanoseconds.insert(name, spread);
    }
    if !args.smoke {
        let micro = Micro {
            machine: Machine::this(),
            rounds,
            nanoseconds,
        };
        write(&here("results/micro.json"), &micro);
    }
}

fn part<R>(parts: &mut Vec<Part>, name: impl Into<String>, mut run: impl FnMut() -> R + 'static) {
    parts.push((name.into(), Box::new(move || drop(black_box(run())))));
}

fn hashing(parts: &mut Vec<Part>) {
    let block = [7_u8; 40];
    part(parts, "SHA-256 of 40 bytes, one compression", move || {
        Sha256::digest(black_box(block))
    });
    let prepared = Hmac::<Sha256>::new_from_slice(&[5; 32]).expect("any length");
    for (length, compressions) in [(40, "two"), (60, "three"), (120, "four")] {
        let message = vec![7_u8; length];
        let tag = prepared
            .clone()
            .chain_update(&message)
            .finalize()
            .into_bytes();
        let prepared = prepared.clone();
        let name =
            format!("HMAC verify, {length} bytes, prepared key, {compressions} compressions");
        part(parts, name, move || {
            prepared
                .clone()
                .chain_update(black_box(&message))
                .verify_slice(&tag)
                .is_ok()
        });
    }
    let tag = prepared.clone().chain_update(block).finalize().into_bytes();
    part(
        parts,
        "HMAC verify, 40 bytes, key scheduled each time",
        move || {
            let mac = Hmac::<Sha256>::new_from_slice(black_box(&[5; 32])).expect("any length");
            mac.chain_update(black_box(block))
                .verify_slice(&tag)
                .is_ok()
        },
    );
    let (a, b) = ([3_u8; 32], [3_u8; 32]);
    part(parts, "constant-time comparison of 32 bytes", move || {
        black_box(&a[..]).ct_eq(black_box(&b[..])).unwrap_u8()
    });
}

fn tokens(parts: &mut Vec<Part>) {
    let text = URL_SAFE_NO_PAD.encode([9_u8; 72]);
    let copy = text.clone();
    part(
        parts,
        "base64 of 72 bytes, decode on the stack",
        move || {
            let mut bytes = [0_u8; 72];
            let _ = URL_SAFE_NO_PAD.decode_slice_unchecked(black_box(&copy), &mut bytes);
            bytes
        },
    );
    part(parts, "base64 of 72 bytes, decode into a Vec", move || {
        URL_SAFE_NO_PAD.decode(black_box(&text))
    });
    let known = Known {
        session: [9; 16],
        issued: 1,
        expires: 2,
        user: 3,
        note: 4,
    };
    let sealer = Sealer::new([5; 32]);
    let mut sealed = Vec::new();
    sealer.seal(&known, &mut sealed);
    let opener = sealer.clone();
    part(parts, "floor: open a token", move || {
        opener.open(black_box(&sealed))
    });
    let mut out = Vec::with_capacity(96);
    part(parts, "floor: seal a token", move || {
        out.clear();
        sealer.seal(black_box(&known), &mut out);
    });
    part(
        parts,
        "16 random bytes, thread's generator",
        rand::random::<[u8; 16]>,
    );
}

fn searching(parts: &mut Vec<Part>) {
    for others in [0, 1, 10, 20, 50] {
        let mut pairs: Vec<_> = (0..others).map(other).collect();
        pairs.insert(others / 2, format!("{NAME}={}", "A".repeat(96)));
        let header = pairs.join("; ");
        let (copy, scan) = (header.clone(), Scan::new(NAME));
        part(
            parts,
            format!("floor: find the cookie among {others} others"),
            move || scan.values(black_box(copy.as_bytes())).count(),
        );
        part(
            parts,
            format!("cookie::split_parse among {others} others"),
            move || {
                let cookies = cookie::Cookie::split_parse(black_box(header.as_str()));
                cookies.flatten().filter(|c| c.name() == NAME).count()
            },
        );
    }
}

/// This crate's own parts.
fn ours(parts: &mut Vec<Part>) {
    let ring = KeyRing::generate().expect("random bytes");
    let now = Timestamp::from_unix_seconds(1_800_000_000);
    let own = Rc::new(Parts::new(ring, USER, now));
    let mut add = |name: &str, run: Box<dyn Fn(&Parts) -> usize>| {
        let own = Rc::clone(&own);
        part(parts, format!("ours: {name}"), move || run(black_box(&own)));
    };
    let (reference, whole) = (own.seal_reference(), own.seal_self_contained());
    let whole = whole.expect("it fits");
    assert!(own.open_reference(reference.as_bytes()) && own.open_self_contained(whole.as_bytes()));
    let (copy, length) = (reference.clone(), whole.len());
    add(
        "open a reference token, 96 characters",
        Box::new(move |own| own.open_reference(black_box(copy.as_bytes())).into()),
    );
    add(
        &format!("open a self-contained token, {length} characters"),
        Box::new(move |own| own.open_self_contained(black_box(whole.as_bytes())).into()),
    );
    add(
        "seal a reference token",
        Box::new(|own| own.seal_reference().len()),
    );
    add(
        "seal a self-contained token",
        Box::new(|own| own.seal_self_contained().map_or(0, |token| token.len())),
    );
    add("admit", Box::new(|own| own.admit().into()));
    add(
        "settle, nothing marked",
        Box::new(|own| own.is_due().into()),
    );
    add("settle, a login", Box::new(Parts::settle_login));
    for others in [0, 1, 10, 20, 50] {
        let mut pairs: Vec<_> = (0..others).map(other).collect();
        pairs.insert(others / 2, format!("{NAME}={reference}"));
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(&pairs.join("; ")).expect("plain text");
        headers.insert(http::header::COOKIE, value);
        assert!(own.find(&headers));
        add(
            &format!("find the cookie among {others} others"),
            Box::new(move |own| own.find(black_box(&headers)).into()),
        );
    }
}

fn carrying(parts: &mut Vec<Part>) {
    #[derive(Clone)]
    struct Plain([u64; 6]);
    part(parts, "Extensions: first insert, plain struct", || {
        let mut extensions = Extensions::new();
        extensions.insert(Plain(black_box([1; 6])));
        extensions.get::<Plain>().map(|plain| plain.0)
    });
    part(parts, "Extensions: first insert, Arc<Mutex<_>>", || {
        let mut extensions = Extensions::new();
        extensions.insert(Arc::new(Mutex::new(black_box([1_u64; 6]))));
        extensions
    });
    part(parts, "Extensions: two inserts", || {
        let mut extensions = Extensions::new();
        extensions.insert(Plain(black_box([1; 6])));
        extensions.insert(black_box([1_u32; 3]));
        extensions
    });
    part(parts, "HeaderMap: first insert of Vary", || {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::VARY, HeaderValue::from_static("cookie"));
        headers
    });
    part(parts, "Mutex, nobody else", {
        let mutex = Mutex::new(0_u64);
        move || mutex.lock().map(|mut n| *n += 1).is_ok()
    });
    part(parts, "SystemTime::now", SystemTime::now);
    let value = "A".repeat(96);
    let copy = value.clone();
    part(parts, "Set-Cookie, one buffer", move || {
        let mut text = Vec::with_capacity(160);
        text.extend_from_slice(NAME.as_bytes());
        text.push(b'=');
        text.extend_from_slice(black_box(copy.as_bytes()));
        text.extend_from_slice(b"; Path=/; Secure; HttpOnly; SameSite=Lax");
        HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).is_ok()
    });
    part(parts, "Set-Cookie, cookie::Cookie to a string", move || {
        let cookie = cookie::Cookie::build((NAME, black_box(value.as_str())))
            .path("/")
            .secure(true)
            .http_only(true)
            .same_site(cookie::SameSite::Lax);
        HeaderValue::from_str(&cookie.build().to_string()).is_ok()
    });
}
