use super::{CookieJar, Place, Refusal};

fn place(url: &str) -> Place {
    Place::parse(url).unwrap()
}

#[track_caller]
fn set(url: &str, field: &str, expected: Result<(), Refusal>) {
    assert_eq!(
        CookieJar::default().set(&place(url), field.as_bytes()),
        expected,
        "{field}"
    );
}

#[track_caller]
fn sent(fields: &[(&str, &str)], to: &str, expected: &str) {
    let mut jar = CookieJar::default();
    for (from, field) in fields {
        let _ = jar.set(&place(from), field.as_bytes());
    }
    assert_eq!(String::from_utf8_lossy(&jar.header(&place(to))), expected);
}

#[test]
fn prefixes_demand_their_attributes() {
    let at = "https://app.example.test/login";
    set(at, "__Host-a=1; Secure; Path=/", Ok(()));
    set(at, "__Host-a=1; Secure", Err(Refusal::Prefix));
    set(at, "__Host-a=1; Path=/", Err(Refusal::Prefix));
    set(
        at,
        "__Host-a=1; Secure; Path=/; Domain=app.example.test",
        Err(Refusal::Prefix),
    );
    set(at, "__hOST-a=1; Path=/", Err(Refusal::Prefix));
    set(at, "__Secure-a=1", Err(Refusal::Prefix));
    set(at, "__Secure-a=1; Secure", Ok(()));
    set(at, "__Http-a=1; Secure", Err(Refusal::Prefix));
    set(
        at,
        "__Http-a=1; Secure; HttpOnly; Domain=example.test",
        Ok(()),
    );
    set(at, "__Host-Http-a=1; Secure; Path=/", Err(Refusal::Prefix));
    set(at, "__Host-Http-a=1; Secure; Path=/; HttpOnly", Ok(()));
    set(at, "=__Host-a=1", Err(Refusal::Prefix));
}

#[test]
fn what_a_browser_refuses_is_refused() {
    let at = "https://app.example.test/";
    set(at, "", Err(Refusal::Syntax));
    set(at, "a=\u{1}", Err(Refusal::Syntax));
    set(
        at,
        &format!("a={}", "x".repeat(4_096)),
        Err(Refusal::TooLong),
    );
    set(at, "a=1; Domain=other.test", Err(Refusal::Domain));
    set(at, "a=1; Domain=pp.example.test", Err(Refusal::Domain));
    set(at, "a=1; Domain=test", Err(Refusal::Domain));
    set(
        at,
        "a=1; SameSite=None",
        Err(Refusal::SameSiteNoneWithoutSecure),
    );
    set(
        "http://app.example.test/",
        "a=1; Secure",
        Err(Refusal::SecureFromPlainHttp),
    );
    set(
        "http://127.0.0.1:8080/",
        "__Host-a=1; Secure; Path=/",
        Ok(()),
    );
    set("http://app.localhost/", "a=1; Secure", Ok(()));
}

#[test]
fn domain_and_path_decide_where_a_cookie_goes() {
    let set = ("https://app.example.test/a/b", "x=1; Domain=.Example.TEST");
    sent(&[set], "https://evil.example.test/a/c", "x=1");
    sent(&[set], "https://evil.example.test/ab", "");
    sent(&[set], "https://badexample.test/a/c", "");
    let set = ("https://app.example.test/a/b", "x=1; Path=/a");
    sent(&[set], "https://app.example.test/a", "x=1");
    sent(&[set], "https://app.example.test/a/z", "x=1");
    sent(&[set], "https://app.example.test/az", "");
    sent(&[set], "https://evil.example.test/a", "");
    sent(&[("https://a.test/", "x=1; Secure")], "http://a.test/", "");
}

#[test]
fn longer_paths_come_first_and_then_older_cookies() {
    let at = "https://a.test/d/e";
    let fields = [
        (at, "b=1; Path=/"),
        (at, "c=2; Path=/"),
        (at, "a=3; Path=/d"),
        (at, "b=4; Path=/"),
    ];
    sent(&fields, at, "a=3; b=4; c=2");
}

#[test]
fn a_removal_must_name_the_same_place() {
    let at = "https://a.test/d/e";
    sent(
        &[(at, "x=1; Path=/"), (at, "x=; Max-Age=0; Path=/")],
        at,
        "",
    );
    sent(&[(at, "x=1; Path=/"), (at, "x=; Max-Age=0")], at, "x=1");
    sent(
        &[
            (at, "x=1; Path=/"),
            (at, "x=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
        ],
        at,
        "",
    );
    sent(
        &[(at, "x=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=60")],
        at,
        "x=1",
    );
    let prefixed = (at, "__Host-x=1; Path=/; Secure");
    sent(
        &[prefixed, (at, "__Host-x=; Path=/; Max-Age=0")],
        at,
        "__Host-x=1",
    );
    sent(
        &[prefixed, (at, "__Host-x=; Path=/; Max-Age=0; Secure")],
        at,
        "",
    );
}

#[test]
fn plain_http_cannot_cover_a_secure_cookie() {
    let mut jar = CookieJar::default();
    jar.set(&place("https://a.test/"), b"x=1; Secure; Path=/")
        .unwrap();
    let refused = jar.set(&place("http://a.test/"), b"x=2; Path=/");
    assert_eq!(refused, Err(Refusal::OverlaysSecure));
}

#[test]
fn loopback_may_cover_a_secure_cookie_as_https_may() {
    for at in [
        "https://a.test/",
        "http://127.0.0.1/",
        "http://localhost:8080/",
    ] {
        let fields = [(at, "x=1; Secure; Path=/"), (at, "x=; Path=/; Max-Age=0")];
        sent(&fields, at, "");
    }
}

#[test]
fn the_jar_is_bounded() {
    let mut jar = CookieJar::default();
    for n in 0..400 {
        jar.set(&place("https://a.test/"), format!("c{n}=1").as_bytes())
            .unwrap();
    }
    assert_eq!(jar.matching(&place("https://a.test/")).len(), 180);
}

#[test]
fn debug_hides_values() {
    let mut jar = CookieJar::default();
    jar.set(&place("https://a.test/"), b"sid=topsecret")
        .unwrap();
    assert!(!format!("{jar:?}").contains("topsecret"));
}

#[test]
fn an_address_is_a_domain_of_itself_alone() {
    let at = "http://127.0.0.1:8000/";
    set(at, "a=1; Domain=0.0.1", Err(Refusal::Domain));
    let fields = [
        (at, "a=1; Domain=127.0.0.1; Path=/"),
        (at, "b=1; Domain=.127.0.0.1; Path=/"),
    ];
    sent(&fields, at, "a=1; b=1");
    sent(&fields, "http://sibling.127.0.0.1/", "");
}

#[test]
fn same_site_decides_what_another_site_makes_a_browser_send() {
    let at = "https://app.example.test/";
    let mut jar = CookieJar::default();
    for field in [
        "a=1; SameSite=Strict",
        "b=1; SameSite=Lax",
        "c=1; SameSite=None; Secure",
        "d=1",
    ] {
        jar.set(&place(at), field.as_bytes()).unwrap();
    }
    let from_elsewhere = |method| {
        let line = jar.header_from_other_site(&place(at), &method);
        String::from_utf8(line).unwrap()
    };
    assert_eq!(from_elsewhere(http::Method::POST), "c=1; d=1");
    assert_eq!(from_elsewhere(http::Method::GET), "b=1; c=1; d=1");
}
