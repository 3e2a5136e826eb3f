use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, SET_COOKIE, VARY},
};

use super::{Caching, CookieWriter, ForCaches};
use crate::{
    cookie::{
        CookieKind::{self, Guest, Session},
        CookiePolicy, CookieScope, SameSite,
        token::{Token, TokenKeys},
    },
    key::KeyRing,
    session::{
        id::{Secret, SessionId},
        time::Timestamp,
    },
};

const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Lax";

const NOTHING: ForCaches = ForCaches {
    varies: false,
    is_personal: false,
};
/// A read by somebody without a session.
const READ: ForCaches = ForCaches {
    varies: true,
    is_personal: false,
};

fn writer() -> CookieWriter {
    CookieWriter::new(&CookiePolicy::default(), Caching::default())
}

fn token() -> Token {
    let ring = KeyRing::of_tests([(0..32).collect::<Vec<u8>>()]);
    let keys = TokenKeys::new(ring, &CookiePolicy::default(), "");
    let (id, secret) = (SessionId::from_bytes([1; 16]), Secret::from_bytes([2; 16]));
    keys.seal_reference(Session, &id, &secret, Timestamp::from_unix_seconds(1))
}

fn response(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn values(headers: &HeaderMap, name: impl http::header::AsHeaderName) -> Vec<&str> {
    let all = headers.get_all(name).iter();
    all.map(|value| value.to_str().unwrap()).collect()
}

fn removal(writer: &CookieWriter, kind: CookieKind) -> Vec<(CookieKind, HeaderValue)> {
    vec![(kind, writer.removal(kind))]
}

/// R46, R76: a browser keeps a cookie of another scope beside the present one.
#[test]
fn what_writes_a_cookie_removes_the_one_at_its_former_scope() {
    let policy = CookiePolicy::builder()
        .whole_name("__Http-sid")
        .domain("example.com")
        .formerly(CookieScope::host_only())
        .formerly(CookieScope::of_domain("example.com").path("/app"));
    let writer = CookieWriter::new(&policy.build().unwrap(), Caching::default());
    let mut headers = HeaderMap::new();
    let set = writer.set(Session, &token(), None);
    writer.finish(
        &mut headers,
        vec![(Session, set.clone())],
        ForCaches::default(),
    );
    assert_eq!(
        values(&headers, SET_COOKIE),
        [
            "__Http-sid=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
            "__Http-sid=; Path=/app; Domain=example.com; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
            set.to_str().unwrap(),
        ]
    );
    let mut headers = HeaderMap::new();
    writer.finish(&mut headers, removal(&writer, Guest), ForCaches::default());
    assert!(
        values(&headers, SET_COOKIE)
            .iter()
            .all(|value| value.starts_with("__Http-sid-guest=;"))
    );
    assert_eq!(values(&headers, SET_COOKIE).len(), 3);
    // An answer that writes nothing leaves them alone.
    let mut headers = HeaderMap::new();
    writer.finish(&mut headers, Vec::new(), READ);
    assert_eq!(values(&headers, SET_COOKIE).len(), 0);
}

// R40, R46
#[test]
fn a_cookie_is_set_with_every_attribute() {
    #[track_caller]
    fn check(kind: CookieKind, max_age: Option<Duration>, name: &str, lifetime: &str) {
        let value = writer().set(kind, &token(), max_age);
        let expected = format!("{name}={}{ATTRIBUTES}{lifetime}", token().as_str());
        assert_eq!(value.to_str().unwrap(), expected);
    }
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    check(Session, None, "__Host-Http-session", "");
    check(Guest, None, "__Host-Http-session-guest", "");
    check(
        Session,
        days(30),
        "__Host-Http-session",
        "; Max-Age=2592000",
    );
    check(
        Guest,
        days(1),
        "__Host-Http-session-guest",
        "; Max-Age=86400",
    );
    check(
        Session,
        days(400),
        "__Host-Http-session",
        "; Max-Age=34560000",
    );
    check(
        Session,
        days(401),
        "__Host-Http-session",
        "; Max-Age=34560000",
    );
    check(
        Session,
        Some(Duration::MAX),
        "__Host-Http-session",
        "; Max-Age=34560000",
    );
    // Rounded down: never longer than the session.
    check(
        Session,
        Some(Duration::from_millis(1999)),
        "__Host-Http-session",
        "; Max-Age=1",
    );
}

// R31
#[test]
fn a_cookie_with_a_token_does_not_print() {
    let value = writer().set(Session, &token(), None);
    assert_eq!(format!("{value:?}"), "Sensitive");
}

// R42, A37
#[test]
fn setting_and_removing_differ_in_value_and_lifetime_only() {
    let policies = [
        CookiePolicy::default(),
        CookiePolicy::plain_http_for_development(),
        CookiePolicy::builder()
            .same_site(SameSite::Strict)
            .build()
            .unwrap(),
        CookiePolicy::builder()
            .whole_name("__Http-sid")
            .domain("example.com")
            .path("/app")
            .same_site(SameSite::None)
            .partitioned()
            .build()
            .unwrap(),
    ];
    for policy in policies {
        let writer = CookieWriter::new(&policy, Caching::default());
        for kind in [Guest, Session] {
            let set = writer.set(kind, &token(), Some(Duration::from_secs(5)));
            let set = set.to_str().unwrap();
            let as_removal = set
                .replace(token().as_str(), "")
                .replace("Max-Age=5", "Max-Age=0");
            assert_eq!(writer.removal(kind).to_str().unwrap(), as_removal);
            let until_the_browser_closes = writer.set(kind, &token(), None);
            let without_lifetime = set.strip_suffix("; Max-Age=5").unwrap();
            assert_eq!(until_the_browser_closes, without_lifetime);
        }
    }
}

// R41, A45
#[test]
fn only_we_write_cookies_of_our_names() {
    let inner = [
        "theme=dark",
        "__Host-Http-session=intruder",
        "lang=de; Path=/",
        "__Host-Http-session-guest=intruder; Path=/; Secure",
        " \t__Host-Http-session \t = intruder",
        "__Host-Http-session",
        "__Host-Http-session; Secure",
        "__Host-Http-session=",
        "x=__Host-Http-session=1",
    ];
    let kept = ["theme=dark", "lang=de; Path=/", "x=__Host-Http-session=1"];
    let inner = inner.map(|value| ("set-cookie", value));
    let writer = writer();

    let mut headers = response(&inner);
    writer.finish(&mut headers, Vec::new(), NOTHING);
    assert_eq!(values(&headers, SET_COOKIE), kept);

    let mut headers = response(&inner);
    let writes = [
        (Session, writer.set(Session, &token(), None)),
        (Guest, writer.removal(Guest)),
    ];
    writer.finish(&mut headers, writes.to_vec(), READ);
    let expected: Vec<_> = kept
        .into_iter()
        .chain(writes.iter().map(|(_, value)| value.to_str().unwrap()))
        .collect();
    assert_eq!(values(&headers, SET_COOKIE), expected);
}

// R41
#[test]
fn cookies_of_other_names_stay() {
    let others = [
        "theme=dark; HttpOnly",
        "__host-http-session=1",
        "__Host-Http-session2=1",
        "__Host-Http-session-guests=1",
        "__Host-Http-sessio=1",
        "\u{a0}x=1",
        "=",
        "",
    ];
    let mut headers = HeaderMap::new();
    for other in others {
        headers.append(
            SET_COOKIE,
            HeaderValue::from_bytes(other.as_bytes()).unwrap(),
        );
    }
    let before = headers.clone();
    writer().finish(&mut headers, Vec::new(), NOTHING);
    assert_eq!(headers, before);
}

// R17, R43, R44
#[test]
fn a_response_that_we_do_not_touch_stays_as_it_was() {
    let fields = [
        ("cache-control", "public, max-age=60"),
        ("cache-control", "immutable"),
        ("vary", "accept"),
        ("cdn-cache-control", "max-age=600"),
        ("set-cookie", "a=1"),
    ];
    let mut headers = response(&fields);
    writer().finish(&mut headers, Vec::new(), NOTHING);
    assert_eq!(headers, response(&fields));
    let mut empty = HeaderMap::new();
    writer().finish(&mut empty, Vec::new(), NOTHING);
    assert!(empty.is_empty());
}

// R43, A30
#[test]
fn no_cache_stores_a_response_that_writes_a_cookie() {
    #[track_caller]
    fn check(before: &[&str], after: &str) {
        let before: Vec<_> = before
            .iter()
            .map(|value| ("cache-control", *value))
            .collect();
        let mut headers = response(&before);
        let writer = writer();
        writer.finish(&mut headers, removal(&writer, Session), NOTHING);
        assert_eq!(values(&headers, CACHE_CONTROL), [after]);
    }
    check(&[], "no-store");
    check(&[""], "no-store");
    check(&["no-store"], "no-store");
    check(&["NO-STORE, no-store"], "no-store");
    check(&["max-age=60"], "no-store");
    check(&["public, s-maxage=60, immutable"], "no-store");
    check(&["stale-while-revalidate=5, stale-if-error=5"], "no-store");
    check(&["private, max-age=60"], "no-store, private");
    check(&["Private , No-Cache"], "no-store, Private, No-Cache");
    check(
        &[
            "no-transform, max-age=1",
            "must-revalidate",
            "proxy-revalidate",
        ],
        "no-store, no-transform, must-revalidate, proxy-revalidate",
    );
    check(
        &["private=\"a, public, \\\", b\", max-age=1"],
        "no-store, private=\"a, public, \\\", b\"",
    );
    // Tells caches to pass over no-store.
    check(&["no-store, must-understand"], "no-store");
    check(&["something-new, private"], "no-store, private");
    check(&["max-age=\"1, private\""], "no-store");
}

/// R78: where the handler says nothing; what it says stays, and a cookie is never stored.
#[test]
fn what_is_personal_is_restricted_unless_the_handler_says_otherwise() {
    let personal = ForCaches {
        varies: true,
        is_personal: true,
    };
    for (caching, word) in [
        (Caching::Private, Some("private")),
        (Caching::NoStore, Some("no-store")),
        (Caching::Unset, None),
    ] {
        let writer = CookieWriter::new(&CookiePolicy::default(), caching);
        let finished = |own: &[(&str, &str)], writes: &[_], for_caches| {
            let mut headers = response(own);
            writer.finish(&mut headers, writes.to_vec(), for_caches);
            headers
        };
        let headers = finished(&[], &[], personal);
        assert_eq!(values(&headers, CACHE_CONTROL), Vec::from_iter(word));
        let own = [("cache-control", "max-age=60"), ("cache-control", "public")];
        let headers = finished(&own, &[], personal);
        assert_eq!(values(&headers, CACHE_CONTROL), ["max-age=60", "public"]);
        let headers = finished(&[], &[], READ);
        assert!(!headers.contains_key(CACHE_CONTROL));
        let headers = finished(&[], &removal(&writer, Session), personal);
        assert_eq!(values(&headers, CACHE_CONTROL), ["no-store"]);
    }
}

// R43
#[test]
fn fields_for_one_kind_of_cache_do_not_weaken_it() {
    let mut headers = response(&[
        ("cdn-cache-control", "max-age=600"),
        ("surrogate-control", "max-age=600"),
        ("example-cdn-cache-control", "max-age=600"),
        ("x-cache", "HIT"),
    ]);
    let writer = writer();
    writer.finish(&mut headers, removal(&writer, Session), NOTHING);
    for name in [
        "cdn-cache-control",
        "surrogate-control",
        "example-cdn-cache-control",
    ] {
        assert_eq!(values(&headers, name), ["no-store"]);
    }
    assert_eq!(headers["x-cache"], "HIT");
}

// R44, A30
#[test]
fn caches_learn_that_the_response_depends_on_the_cookie() {
    #[track_caller]
    fn check(before: &[&str], after: &[&str]) {
        let before: Vec<_> = before.iter().map(|value| ("vary", *value)).collect();
        let writer = writer();
        for (writes, read) in [
            (&[][..], READ),
            (&removal(&writer, Session), NOTHING),
            (&removal(&writer, Guest), READ),
        ] {
            let mut headers = response(&before);
            writer.finish(&mut headers, writes.to_vec(), read);
            assert_eq!(values(&headers, VARY), after);
            // Merging again changes nothing.
            writer.finish(&mut headers, writes.to_vec(), read);
            assert_eq!(values(&headers, VARY), after);
        }
    }
    check(&[], &["Cookie"]);
    check(&["Accept"], &["Accept, Cookie"]);
    check(&["Accept", "Origin"], &["Accept, Origin, Cookie"]);
    check(&["cookie"], &["cookie"]);
    check(&["Accept, COOKIE , Origin"], &["Accept, COOKIE , Origin"]);
    check(&["Accept", "Cookie"], &["Accept", "Cookie"]);
    check(&["*"], &["*"]);
    check(&["Accept", "*"], &["Accept", "*"]);
    check(&["Cookies, X-Cookie"], &["Cookies, X-Cookie, Cookie"]);
    check(&[""], &["Cookie"]);
    // Only within quotes does a backslash escape.
    check(&["a\\, Cookie"], &["a\\, Cookie"]);
    check(&["\"a\\\", Cookie\""], &["\"a\\\", Cookie\", Cookie"]);
}

/// R73.
#[test]
fn site_data_is_cleared_at_a_logout_only_and_never_a_cookie_of_ours() {
    let asked = CookiePolicy::builder().clear_site_data_on_logout();
    let writers = [
        writer(),
        CookieWriter::new(&asked.build().unwrap(), Caching::default()),
    ];
    let offered = "\"cache\", \"storage\"";
    for (clears, writer) in [false, true].into_iter().zip(writers) {
        let set = |kind| (kind, writer.set(kind, &token(), None));
        let removed = |kind| (kind, writer.removal(kind));
        for (writes, own, expected) in [
            (vec![], None, None),
            (vec![], Some("\"cookies\""), Some("\"cookies\"")),
            (vec![set(Session)], None, None),
            (vec![set(Session)], Some("\"cookies\""), None),
            (
                vec![set(Session)],
                Some("\"cookies\", \"cache\""),
                Some("\"cache\""),
            ),
            (
                vec![set(Session), removed(Guest)],
                Some("\"*\""),
                Some(offered),
            ),
            (vec![removed(Session), set(Guest)], None, None),
            (vec![removed(Guest)], None, None),
            (vec![removed(Session)], None, clears.then_some(offered)),
            (
                vec![removed(Guest), removed(Session)],
                None,
                clears.then_some(offered),
            ),
        ] {
            let own: Vec<_> = own
                .map(|own| ("clear-site-data", own))
                .into_iter()
                .collect();
            let mut headers = response(&own);
            writer.finish(&mut headers, writes.clone(), NOTHING);
            let found = headers
                .get("clear-site-data")
                .map(|value| value.to_str().unwrap());
            assert_eq!(found, expected, "{clears} {writes:?}");
        }
    }
}
