use http::{HeaderMap, HeaderValue, header::COOKIE};

use super::{CookieReader, Found, MAX_TOKENS, Presented, Several};
use crate::cookie::{
    CookieKind::{self, Guest, Session},
    CookiePolicy,
    token::Rejected,
};

const N: &str = "__Host-Http-session";
const G: &str = "__Host-Http-session-guest";

/// Stands for a token: valid when it begins with `good`, expired with `late`, else forged; 8 bytes long.
fn open(_: CookieKind, value: &[u8]) -> Result<String, Rejected> {
    assert_eq!(value.len(), 8, "{value:?}");
    match value {
        [b'g', b'o', b'o', b'd', ..] => Ok(String::from_utf8(value.to_vec()).unwrap()),
        [b'l', b'a', b't', b'e', ..] => Err(Rejected::Expired),
        [b'k', b'e', b'y', ..] => Err(Rejected::UnknownKey),
        _ => Err(Rejected::Forged),
    }
}

fn headers<V: AsRef<[u8]>>(fields: &[V]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(COOKIE, HeaderValue::from_bytes(field.as_ref()).unwrap());
    }
    headers
}

fn read<V: AsRef<[u8]>>(fields: &[V]) -> Found<String> {
    CookieReader::new(&CookiePolicy::default(), 8..=8).read(&headers(fields), open)
}

fn one(value: &str) -> Presented<String> {
    Presented::One(value.to_owned())
}

fn several(values: &[&str]) -> Presented<String> {
    Presented::Several(Box::new(Several {
        tokens: values.iter().map(|value| (*value).to_owned()).collect(),
        are_more: false,
    }))
}

const fn nothing() -> Presented<String> {
    Presented::Nothing { rejected: None }
}

const fn refused(cause: Rejected) -> Presented<String> {
    Presented::Nothing {
        rejected: Some(cause),
    }
}

/// What comes under the session's name; nothing comes under the guest's.
#[track_caller]
fn check<V: AsRef<[u8]>>(fields: &[V], session: Presented<String>) {
    let guest = nothing();
    assert_eq!(read(fields), Found { session, guest });
}

#[track_caller]
fn check_both<V: AsRef<[u8]>>(fields: &[V], session: Presented<String>, guest: Presented<String>) {
    assert_eq!(read(fields), Found { session, guest });
}

#[test]
fn nothing_comes_of_nothing() {
    check::<&str>(&[], nothing());
    check(&[""], nothing());
    check(&[";;; ;"], nothing());
    check(&["theme=dark; lang=de"], nothing());
}

#[test]
fn a_cookie_is_found_wherever_it_stands() {
    for field in [
        format!("{N}=good0001"),
        format!("a=1; {N}=good0001"),
        format!("{N}=good0001; a=1"),
        format!("a=1; {N}=good0001; b=2"),
        format!("a=1;{N}=good0001;b=2"),
        format!("a=1; \t {N}=good0001 \t; b=2"),
        format!("; ;{N}=good0001;"),
        format!("flag; {N}=good0001"),
        format!("={N}; {N}=good0001"),
        format!("a={N}; {N}=good0001"),
        format!("a={N}=good0002; {N}=good0001"),
        format!("{N}x=1; {N}=good0001; {N}y=1"),
        format!("{G}x=1; x{N}=good0002; {N}=good0001"),
        format!("{N}; {N}=good0001"),
    ] {
        check(&[field], one("good0001"));
    }
}

#[test]
fn both_names_are_told_apart() {
    check_both(&[format!("{G}=good0001")], nothing(), one("good0001"));
    for field in [
        format!("{G}=good0001; {N}=good0002"),
        format!("{N}=good0002; {G}=good0001"),
    ] {
        check_both(&[field], one("good0002"), one("good0001"));
    }
    // Each name has candidates of its own.
    check_both(
        &[format!("{G}=good0001; {N}=evil0002; {G}=good0003")],
        refused(Rejected::Forged),
        several(&["good0001", "good0003"]),
    );
}

#[test]
fn the_kind_of_cookie_is_handed_to_open() {
    let reader = CookieReader::new(&CookiePolicy::default(), 1..=1);
    let headers = headers(&[format!("{N}=s; {G}=g")]);
    let mut seen = Vec::new();
    let found = reader.read(&headers, |kind, value| {
        seen.push((kind, value.to_vec()));
        Ok(())
    });
    assert_eq!(seen, [(Session, b"s".to_vec()), (Guest, b"g".to_vec())]);
    assert_eq!(found.session, Presented::One(()));
}

// R51, A07–A12, A14: what browsers send raw and another parser would fold into our name.
#[test]
fn a_name_that_is_not_ours_byte_for_byte_is_not_ours() {
    let pairs: [&[u8]; 50] = [
        // Percent-encoded (A09).
        b"%5F%5FHost-Http-session=good0001",
        b"__Host%2DHttp-session=good0001",
        b"__Host-Http-sessio%6E=good0001",
        b"__Host-Http-session%3Dgood0001",
        b"__Host-Http-session%20=good0001",
        // White space that Unicode knows (A10): U+00A0, U+0085, U+2000, U+2028, U+3000, U+FEFF, and raw bytes.
        b"\xC2\xA0__Host-Http-session=good0001",
        b"\xC2\x85__Host-Http-session=good0001",
        b"\xE2\x80\x80__Host-Http-session=good0001",
        b"\xE2\x80\xA8__Host-Http-session=good0001",
        b"\xE3\x80\x80__Host-Http-session=good0001",
        b"\xEF\xBB\xBF__Host-Http-session=good0001",
        b"\xA0__Host-Http-session=good0001",
        b"\x85__Host-Http-session=good0001",
        b"\x80__Host-Http-session=good0001",
        b"\xFF__Host-Http-session=good0001",
        b"__Host-Http-session\xC2\xA0=good0001",
        b"__Host-Http-session\x80=good0001",
        // Space inside or before the equals sign.
        b"__Host-Http-session =good0001",
        b"__Host-Http-session\t=good0001",
        b"__Host -Http-session=good0001",
        // Mangled as PHP and others do (A08).
        b"..Host-Http-session=good0001",
        b"__Host_Http_session=good0001",
        b"  Host-Http-session=good0001",
        b"[_Host-Http-session=good0001",
        b"__Host.Http.session=good0001",
        b"__Host-Http-session[]=good0001",
        b"__Host-Http-session[0]=good0001",
        b"__Host-Http-session.x=good0001",
        // Nameless, with its equals signs (A07).
        b"=__Host-Http-session=good0001",
        b"==__Host-Http-session=good0001",
        b"= __Host-Http-session=good0001",
        // Another case (A11).
        b"__HOST-HTTP-SESSION=good0001",
        b"__host-http-session=good0001",
        b"__Host-http-session=good0001",
        b"__Host-Http-Session=good0001",
        // Legacy syntax (A12).
        b"$Version=1,__Host-Http-session=good0001",
        b"$__Host-Http-session=good0001",
        b"a=b,__Host-Http-session=good0001",
        b"a=b, __Host-Http-session=good0001",
        b"a=\"b,__Host-Http-session=good0001\"",
        b"\"__Host-Http-session\"=good0001",
        b"\"__Host-Http-session=good0001\"",
        b"'__Host-Http-session=good0001",
        // Other ends and beginnings.
        b"__Host-Http-session:good0001",
        b"__Host-Http-session",
        b"__Host-Http-session-gues=good0001",
        b"__Host-Http-session-guestx=good0001",
        b"__Host-Http-session-Guest=good0001",
        b"x__Host-Http-session=good0001",
        b"Cookie: __Host-Http-session=good0001",
    ];
    let genuine: &[u8] = b"__Host-Http-session=good0002";
    for pair in pairs {
        check(&[pair], nothing());
        // The genuine one beside it is kept, in both orders, in one field or two.
        check(&[[pair, b"; ", genuine].concat()], one("good0002"));
        check(&[[genuine, b"; ", pair].concat()], one("good0002"));
        check(&[pair, genuine], one("good0002"));
        check(&[genuine, pair], one("good0002"));
    }
}

// R25, A12: quotes, spaces and escapes are part of the value, so it is of another length.
#[test]
fn a_value_is_taken_as_it_stands() {
    let values: [&[u8]; 14] = [
        b"",
        b"good",
        b"\"good0001\"",
        b"'good0001'",
        b" good0001",
        b"\tgood0001",
        b"good0001=",
        b"=good0001",
        b"good0001,",
        b"good0001, a=b",
        b"%67ood0001",
        b"good0001\x80",
        b"\xC2\xA0good0001",
        b"good0001good0001",
    ];
    for value in values {
        let field = [b"__Host-Http-session=", value].concat();
        check(&[field], refused(Rejected::Malformed));
    }
    // A quoted sandwich does not hide what stands between.
    check(&[format!("a=\"; {N}=good0001; b=\"")], one("good0001"));
    check(
        &[format!("$Version=1; {N}=good0001; $Path=/")],
        one("good0001"),
    );
}

// R25: no `HeaderValue` holds NUL, CR or LF, so the HTTP server refuses them before us.
#[test]
fn bytes_that_no_field_holds_never_arrive() {
    for byte in [0, b'\r', b'\n', 0x7F] {
        let field = [b"a=".as_slice(), &[byte]].concat();
        assert!(HeaderValue::from_bytes(&field).is_err());
    }
}

// R53, A13, A44
#[test]
fn junk_in_other_cookies_changes_nothing() {
    let mut fields: Vec<Vec<u8>> = vec![
        b"x=\xFF".to_vec(),
        b"\xFF\xFE\x80=\xC3\x28".to_vec(),
        b"a=\"unclosed".to_vec(),
        b"a=b=c==;=;==;;;".to_vec(),
        b"\t \t".to_vec(),
        b"{\"json\":[1,2]}".to_vec(),
    ];
    fields.push((0..200).fold(Vec::new(), |field, number| {
        [field, format!("c{number}={number}; ").into_bytes()].concat()
    }));
    fields.push([N.as_bytes(), &[b'x'; 1000]].concat());
    let genuine = format!("{N}=good0001").into_bytes();
    for junk in &fields {
        check(&[[junk, &b"; "[..], &genuine].concat()], one("good0001"));
        check(&[[&genuine, &b"; "[..], junk].concat()], one("good0001"));
    }
    fields.insert(3, genuine);
    check(&fields, one("good0001"));
}

// R50, A15
#[test]
fn all_fields_are_read() {
    let own = format!("{N}=good0001");
    check(&["a=1", "b=2", &own], one("good0001"));
    check(&[&own, "a=1", "b=2"], one("good0001"));
    check(
        &[own.clone(), format!("{N}=good0002")],
        several(&["good0001", "good0002"]),
    );
    check(&[own.clone(), format!("{N}=evil0002")], one("good0001"));
    check_both(
        &[own, format!("{G}=good0002")],
        one("good0001"),
        one("good0002"),
    );
}

// R52, A04–A06
#[test]
fn neither_first_nor_last_wins_but_the_valid_one() {
    #[track_caller]
    fn check_values(values: &[&str], expected: &Presented<String>) {
        let pairs: Vec<_> = values.iter().map(|value| format!("{N}={value}")).collect();
        let expect = |fields: &[String]| {
            let guest = nothing();
            let session = expected.clone();
            assert_eq!(read(fields), Found { session, guest }, "{fields:?}");
        };
        expect(&[pairs.join("; ")]);
        expect(&pairs);
    }
    for values in [
        ["good0001", "evil0002"],
        ["evil0002", "good0001"],
        ["good0001", "short"],
        ["short", "good0001"],
        ["good0001", "late0002"],
        ["late0002", "good0001"],
        ["good0001", "good0001"],
    ] {
        check_values(&values, &one("good0001"));
    }
    for (values, different) in [
        (&["good0001", "good0002"][..], &["good0001", "good0002"][..]),
        (&["good0002", "good0001"], &["good0002", "good0001"]),
        (
            &["good0001", "good0001", "good0002", "good0001", "good0002"],
            &["good0001", "good0002"],
        ),
        (
            &["good0001", "evil0000", "good0002"],
            &["good0001", "good0002"],
        ),
        (
            &["good0001", "good0002", "evil0000"],
            &["good0001", "good0002"],
        ),
        (
            &["good0001", "good0002", "good0003"],
            &["good0001", "good0002", "good0003"],
        ),
    ] {
        check_values(values, &several(different));
    }
    check_values(&["evil0001", "evil0002"], &refused(Rejected::Forged));
}

// R91
#[test]
fn the_most_telling_cause_is_kept() {
    for (values, cause) in [
        (&["short"][..], Rejected::Malformed),
        (&["short", "key00001"], Rejected::UnknownKey),
        (&["key00001", "evil0001", "short"], Rejected::Forged),
        (&["evil0001", "late0001", "key00001"], Rejected::Expired),
        (&["late0001"], Rejected::Expired),
    ] {
        let pairs: Vec<_> = values.iter().map(|value| format!("{N}={value}")).collect();
        check(&[pairs.join("; ")], refused(cause));
    }
}

/// S10, R52, R54, A40: all are verified, so that junk hides nothing.
#[test]
fn no_number_of_forged_values_hides_a_good_one() {
    fn opened(values: &[String]) -> (usize, Presented<String>) {
        let pairs: Vec<_> = values.iter().map(|value| format!("{N}={value}")).collect();
        let reader = CookieReader::new(&CookiePolicy::default(), 8..=8);
        let mut count = 0;
        let found = reader.read(&headers(&[pairs.join("; ")]), |kind, value| {
            count += 1;
            open(kind, value)
        });
        (count, found.session)
    }
    let forged = |count| {
        (0..count)
            .map(|number| format!("evil{number:04}"))
            .collect::<Vec<_>>()
    };
    let with_good = |values: &[String]| [values, &["good0001".to_owned()]].concat();
    assert_eq!(opened(&forged(200)), (200, refused(Rejected::Forged)));
    for junk in [7, 8, 9, 2000] {
        let values = with_good(&forged(junk));
        assert_eq!(opened(&values), (junk + 1, one("good0001")));
        let first: Vec<_> = values.into_iter().rev().collect();
        assert_eq!(opened(&first), (junk + 1, one("good0001")));
    }
    // What has no plausible length, or opened before, costs nothing.
    let junk = vec!["short".to_owned(); 1000];
    assert_eq!(opened(&with_good(&junk)), (1, one("good0001")));
    let good = vec!["good0001".to_owned(); 1000];
    assert_eq!(opened(&good), (1, one("good0001")));
}

/// R52: eight different valid ones of a name count; what comes after the ninth is not even verified.
#[test]
fn from_the_ninth_valid_value_on_none_counts() {
    let values: Vec<_> = (1..=12).map(|n| format!("good{n:04}")).collect();
    for count in [2, 7, 8, 9, 10, 12] {
        let pairs: Vec<_> = values[..count]
            .iter()
            .map(|value| format!("{N}={value}"))
            .collect();
        let reader = CookieReader::new(&CookiePolicy::default(), 8..=8);
        let mut opened = 0;
        let found = reader.read(&headers(&[pairs.join("; ")]), |kind, value| {
            opened += 1;
            open(kind, value)
        });
        let Presented::Several(several) = found.session else {
            panic!("{count}");
        };
        assert_eq!(several.tokens, values[..count.min(MAX_TOKENS)]);
        assert_eq!(several.are_more, count > MAX_TOKENS);
        assert_eq!(opened, count.min(MAX_TOKENS + 1));
    }
}

/// R76: what this server signed says that a cookie is there, whatever became of its session.
#[test]
fn a_value_that_this_server_signed_is_told_from_others() {
    for (value, signed) in [
        ("good0001", true),
        ("late0001", true),
        ("evil0001", false),
        ("key00001", false),
        ("short", false),
    ] {
        let found = read(&[format!("{N}={value}")]);
        assert_eq!(found.session.is_signed(), signed, "{value}");
        assert!(!found.guest.is_signed());
    }
}

#[test]
fn the_places_of_one_name_are_not_taken_by_the_other() {
    let mut field: String = (0..50)
        .map(|number| format!("{G}=evil{number:04}; "))
        .collect();
    field.push_str(&format!("{N}=good0001"));
    check_both(&[field], one("good0001"), refused(Rejected::Forged));
}

// R54
#[test]
fn what_exceeds_256_kibibytes_is_not_looked_at() {
    let own = format!("{N}=good0001");
    let padding = |len: usize| "x".repeat(len);
    let room = 256 * 1024 - own.len();
    check(&[padding(room), own.clone()], one("good0001"));
    check(&[padding(room + 1), own.clone()], nothing());
    check(&[own.clone(), padding(1 << 20)], one("good0001"));
    check(&[format!("{}; {own}", padding(256 * 1024))], nothing());
    check(&[format!("{}; {own}", padding(room - 2))], one("good0001"));
}

// R54: a field made of our name over and over is read in one pass.
#[test]
fn a_field_that_repeats_the_name_is_harmless() {
    check(&[N.repeat(10_000)], nothing());
    check(&[format!("{N}; ").repeat(10_000)], nothing());
    check(
        &[format!("{} {N}=good0001", " ".repeat(200_000))],
        one("good0001"),
    );
    check(
        &[format!("{N}=").repeat(10_000)],
        refused(Rejected::Malformed),
    );
}

// R32, A38
#[test]
fn only_the_cookie_field_is_read() {
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&format!("{N}=good0001")).unwrap();
    for name in ["authorization", "x-session", "cookie2", "set-cookie", N] {
        headers.insert(
            name.to_lowercase().parse::<http::HeaderName>().unwrap(),
            value.clone(),
        );
    }
    let reader = CookieReader::new(&CookiePolicy::default(), 8..=8);
    let found = reader.read(&headers, open);
    assert_eq!(found.session, nothing());
}

// R55
#[test]
fn the_fields_stay_as_they_were() {
    let headers = headers(&[format!("a=1; {N}=good0001; x=%20"), format!("{G}=evil0001")]);
    let before = headers.clone();
    let reader = CookieReader::new(&CookiePolicy::default(), 8..=8);
    let _ = reader.read(&headers, open);
    assert_eq!(headers, before);
}

// A name whose beginning is its end, where a search that skips too far would miss the cookie.
#[test]
fn odd_names_are_found_too() {
    for name in ["aa", "abab", "-", "a-guest-a", "session"] {
        let policy = CookiePolicy::builder().whole_name(name).build().unwrap();
        let reader = CookieReader::new(&policy, 8..=8);
        for field in [
            format!("{name}=good0001"),
            format!("{name}{name}=good0002; {name}=good0001"),
            format!("a{name}=good0002;{name}=good0001;{name}a=good0003"),
            format!("x={name};{name}=good0001"),
        ] {
            let found = reader.read(&headers(&[&field]), open);
            assert_eq!(found.session, one("good0001"), "{field}");
        }
    }
}
