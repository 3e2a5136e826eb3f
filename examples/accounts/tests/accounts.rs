//! The site, used as a browser uses it: what becomes of its sessions.

#[path = "../../../tests/device_binding/browser.rs"]
#[allow(dead_code, reason = "here it only signs")]
mod browser;
mod site;

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use browser::{key, proof};
use fixation_audit::{Account, FixationAudit, Outcome, Pick, Probe, Step};
use test_support::{self as common, Answer, clock, collect};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tower::ServiceExt;

use site::{Browser, ORIGIN, hidden, leads_to, site};

const BOUND: &str = "__Host-session-bound";

/// R17.
#[tokio::test]
async fn looking_around_leaves_no_cookie() {
    let mut anonymous = site(&clock()).await;
    for path in [
        "/",
        "/login",
        "/signup",
        "/style.css",
        "/live.js",
        "/transfer",
        "/nothing",
    ] {
        assert!(anonymous.get(path).await.sets_nothing(), "{path}");
    }
}

/// R01, R07, R18.
#[tokio::test]
async fn a_login_leads_back_to_the_page_that_asked_for_it() {
    let mut browser = site(&clock()).await;
    leads_to(&browser.get("/sessions").await, "/login?next=%2Fsessions");
    let page = browser.get("/login?next=%2Fsessions").await;
    let next = hidden(&page.body, "next").unwrap();
    let wrong = browser
        .post("/login", &format!("name=alice&password=x&next={next}"))
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.sets_nothing());
    let right = browser
        .post("/login", &format!("name=alice&password=demo&next={next}"))
        .await;
    leads_to(&right, "/logged-in?next=%2Fsessions");
    leads_to(
        &browser.get("/logged-in?next=%2Fsessions").await,
        "/sessions",
    );
    assert!(browser.get("/").await.body.contains("Your account"));
}

#[tokio::test]
async fn a_login_leads_nowhere_else() {
    for next in [
        "//evil.example",
        "https://evil.example",
        "/%5Cevil.example",
        "%2F%09%2Fevil.example",
    ] {
        let mut browser = site(&clock()).await;
        let page = browser.get(&format!("/login?next={next}")).await;
        assert!(!page.body.contains("evil"), "{next}");
        let form = format!("name=alice&password=demo&next={next}");
        leads_to(&browser.post("/login", &form).await, "/logged-in?next=%2F");
        let path = format!("/logged-in?next={next}");
        leads_to(&browser.get(&path).await, "/");
    }
}

/// F6: the next page of a browser that dropped the cookie says so, and still leads on afterwards.
#[tokio::test]
async fn a_browser_that_dropped_the_cookie_is_told() {
    let mut browser = site(&clock()).await;
    browser.login("alice").await;
    browser.jar.clear();
    let page = browser.get("/logged-in?next=%2Fsessions").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Your browser dropped the cookie"));
    assert_eq!(hidden(&page.body, "next").unwrap(), "/sessions");
}

/// R82, A03.
#[tokio::test]
async fn no_other_site_logs_a_browser_in() {
    let mut browser = site(&clock()).await;
    for other in ["cross-site", "same-site"] {
        let answer = browser
            .post_from(other, "/login", "name=bob&password=demo")
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert!(browser.jar.is_empty());
    }
}

/// R03, R64: step-up before a transfer, and sudo mode that ends by itself.
#[tokio::test]
async fn a_transfer_needs_a_second_factor_that_still_counts() {
    let clock = clock();
    let mut browser = site(&clock).await;
    browser.login("alice").await;
    leads_to(&browser.get("/transfer").await, "/step-up?next=%2Ftransfer");
    // A form is not sent again: its page is asked for instead.
    let sent = browser
        .submit("/sessions", "/transfer", "to=bob&amount=5")
        .await;
    leads_to(&sent, "/step-up?next=%2Fsessions");

    leads_to(&browser.step_up().await, "/transfer");
    let csrf = browser.csrf("/transfer").await;
    let form = format!("csrf={csrf}&to=bob&amount=5");
    leads_to(&browser.post("/transfer", &form).await, "/");
    assert!(browser.get("/").await.body.contains("<li>5 to bob</li>"));

    clock.advance(Duration::from_secs(601));
    leads_to(&browser.get("/transfer").await, "/step-up?next=%2Ftransfer");
    assert!(browser.get("/").await.body.contains("level 2"));
    clock.advance(Duration::from_secs(300));
    assert!(browser.get("/").await.body.contains("level 1"));
}

/// R80, R81: no form does anything without its session's token.
#[tokio::test]
async fn every_form_needs_its_token() {
    let mut browser = site(&clock()).await;
    browser.login("alice").await;
    let stale = browser.csrf("/").await;
    browser.step_up().await;
    let mut other = browser.another();
    other.login("alice").await;
    let others = other.csrf("/").await;
    for path in [
        "/step-up",
        "/step-down",
        "/logout",
        "/sessions/end",
        "/sessions/end-others",
        "/transfer",
        "/stay",
        "/password",
        "/delete",
    ] {
        for csrf in ["", &stale, &others] {
            let form =
                format!("csrf={csrf}&code=123456&id=x&to=bob&amount=5&old=demo&new=password");
            let answer = browser.post(path, &form).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {csrf}");
        }
        let answer = browser
            .post(
                path,
                "code=123456&id=x&to=bob&amount=5&old=demo&new=password",
            )
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
    assert!(
        browser.get("/").await.body.contains("level 2"),
        "nothing happened"
    );
    assert!(other.get("/").await.body.contains("Your account"));
}

/// R67, R69: the page "your sessions".
#[tokio::test]
async fn a_user_sees_and_ends_their_sessions() {
    let mut laptop = site(&clock()).await;
    laptop.login("alice").await;
    let mut phone = Browser {
        agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1",
        ..laptop.another()
    };
    phone.login("alice").await;
    let mut bob = laptop.another();
    bob.login("bob").await;

    let page = laptop.get("/sessions").await.body;
    assert!(page.contains("Firefox on Linux") && page.contains("Safari on iPhone"));
    assert_eq!(page.matches("this one").count(), 1);
    assert_eq!(page.matches("/sessions/end\"").count(), 1);
    let id = hidden(&page, "id").unwrap();
    let csrf = hidden(&page, "csrf").unwrap();

    let bobs = bob.csrf("/").await;
    let answer = bob
        .post("/sessions/end", &format!("csrf={bobs}&id={id}"))
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(phone.get("/").await.body.contains("Your account"));

    let form = format!("csrf={csrf}&id={id}");
    leads_to(&laptop.post("/sessions/end", &form).await, "/sessions");
    assert!(phone.get("/").await.body.contains("Nobody is logged in"));

    phone.login("alice").await;
    leads_to(
        &laptop
            .post("/sessions/end-others", &format!("csrf={csrf}"))
            .await,
        "/sessions",
    );
    assert!(phone.get("/").await.body.contains("Nobody is logged in"));
    assert!(laptop.get("/").await.body.contains("Your account"));
    assert!(bob.get("/").await.body.contains("Your account"));
}

/// Binds the session of this login to the browser's device, as browsers do by themselves over HTTPS.
async fn bind(browser: &mut Browser, login: &Answer) {
    let offer = &login.headers["secure-session-registration"];
    let (_, challenge) = offer.to_str().unwrap().split_once("challenge=\"").unwrap();
    let proof = proof(&key(1), challenge.trim_end_matches('"'), true);
    let register = Request::post("/dbsc/register")
        // A browser may name the page of another site at which the login began.
        .header("sec-fetch-site", "cross-site")
        .header("secure-session-response", proof);
    let register = register.body(Body::empty()).unwrap();
    let bound = browser.app.clone().oneshot(register).await.unwrap();
    let bound = collect(bound).await;
    assert_eq!(bound.status, StatusCode::OK);
    let cookie = bound.cookie(BOUND).unwrap();
    browser.jar.insert(BOUND.to_owned(), cookie);
}

/// D11: the pages say whether a session is bound, and without its device it is nobody's.
#[tokio::test]
async fn the_pages_say_which_sessions_are_bound() {
    let clock = clock();
    let mut laptop = site(&clock).await;
    let mut phone = laptop.clone();
    phone.login("alice").await;
    let form = "name=alice&password=demo";
    let login = laptop.post("/login", form).await;
    assert!(laptop.get("/").await.body.contains("not bound, or not yet"));

    bind(&mut laptop, &login).await;

    assert!(laptop.get("/").await.body.contains("bound to this device"));
    let list = laptop.get("/sessions").await.body;
    assert_eq!(list.matches("bound to this device").count(), 1);
    assert!(!list.contains("bound to its device</span>"));
    let list = phone.get("/sessions").await.body;
    assert_eq!(list.matches("bound to its device</span>").count(), 1);
    assert!(!list.contains("bound to this device"));

    clock.advance(Duration::from_secs(600));
    assert!(laptop.get("/").await.body.contains("Nobody is logged in"));
    assert!(phone.get("/").await.body.contains("not bound"));
}

/// Nobody else's session takes the place of one that is bound: the page says so, and what to do.
#[tokio::test]
async fn an_administrator_whose_session_is_bound_acts_as_nobody() {
    let mut admin = site(&clock()).await;
    let login = admin.post("/login", "name=admin&password=demo").await;
    bind(&mut admin, &login).await;
    admin.step_up().await;
    let answer = admin.submit("/admin", "/admin/act", "id=1").await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("Your session is bound to this device"));
    assert!(admin.get("/admin").await.body.contains("This is you"));
}

#[tokio::test]
async fn ending_a_session_needs_a_fresh_proof() {
    let clock = clock();
    let mut browser = site(&clock).await;
    browser.login("alice").await;
    clock.advance(Duration::from_secs(601));
    let csrf = browser.csrf("/sessions").await;
    for path in ["/sessions/end", "/sessions/end-others"] {
        let answer = browser.post(path, &format!("csrf={csrf}&id=x")).await;
        leads_to(&answer, "/step-up?next=%2Fsessions");
    }
    for path in ["password", "delete"] {
        let page = browser.get(&format!("/{path}")).await;
        leads_to(&page, &format!("/step-up?next=%2F{path}"));
    }
    browser.step_up().await;
    let csrf = browser.csrf("/sessions").await;
    let answer = browser
        .post("/sessions/end-others", &format!("csrf={csrf}"))
        .await;
    leads_to(&answer, "/sessions");
}

/// R05.
#[tokio::test]
async fn a_logout_leaves_nothing_behind() {
    let mut browser = site(&clock()).await;
    browser.login("alice").await;
    let before = browser.clone();
    let csrf = browser.csrf("/").await;
    leads_to(&browser.post("/logout", &format!("csrf={csrf}")).await, "/");
    assert!(browser.jar.is_empty());
    let mut replayed = before;
    assert!(replayed.get("/").await.body.contains("Nobody is logged in"));
}

/// R46.
#[tokio::test]
async fn only_who_asks_is_remembered() {
    let clock = clock();
    let mut browser = site(&clock).await;
    let form = "name=alice&password=demo&remember=yes";
    let answer = browser.post("/login", form).await;
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.ends_with("; Max-Age=2592000"));
    clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert!(browser.get("/").await.body.contains("Your account"));
    browser.jar.clear();
    browser.login("alice").await;
    clock.advance(Duration::from_secs(3600));
    assert!(browser.get("/").await.body.contains("Nobody is logged in"));
}

#[tokio::test]
async fn what_users_write_is_text() {
    let mut browser = site(&clock()).await;
    browser.login("alice").await;
    browser.step_up().await;
    let csrf = browser.csrf("/transfer").await;
    let form = format!("csrf={csrf}&to=%3Cscript%3E%22%27%26&amount=1");
    browser.post("/transfer", &form).await;
    let page = browser.get("/").await.body;
    assert!(page.contains("1 to &lt;script&gt;&quot;'&amp;"));
    assert!(!page.contains("<script>"));
}

/// R01–R05, R08, R13, R32, R40–R43, R51, R52, R82; A01–A05, A07–A11, A19–A24, A37, A38, A43.
#[tokio::test]
async fn the_fixation_audit_finds_nothing() {
    let csrf = |page: &str| Step::get(page).picking(Pick::field("csrf"));
    let report = FixationAudit::of(site(&clock()).await.app)
        .account(Account::new("alice", "demo"))
        .account(Account::new("bob", "demo"))
        .login(
            Step::post("/login")
                .field("name", "{username}")
                .field("password", "{password}")
                .expecting(303),
        )
        .logged_in(Probe::get("/").text("Your account"))
        .elevate([
            csrf("/step-up"),
            Step::post("/step-up")
                .field("csrf", "{csrf}")
                .field("code", "123456"),
        ])
        .elevated(Probe::get("/transfer").status(200))
        .logout([
            csrf("/"),
            Step::post("/logout").field("csrf", "{csrf}").expecting(303),
        ])
        .run()
        .await
        .unwrap();
    report.assert_clean();
    // Guests have no cookie, no data and no CSRF token here, no token is a JSON Web Token, and nothing was announced.
    let left = report.verdicts().iter().filter_map(|verdict| {
        matches!(verdict.outcome, Outcome::NotJudged(_)).then_some(verdict.check.id)
    });
    let expected = [
        "id-kept-at-login",
        "old-id-alive-after-login",
        "planted-cookie-authenticated",
        "data-survives-login",
        "data-survives-switch",
        "csrf-survives-login",
        "remembered-alive-after-logout",
        "token-not-verified",
        "token-lifetime",
        "token-key-weak",
        "token-key-from-header",
        "token-key-confused",
        "token-exp-ignored",
        "session-limit-exceeded",
        "other-sessions-not-ended",
        "password-change-keeps-sessions",
        "idle-limit-not-kept",
    ];
    assert_eq!(left.collect::<Vec<_>>(), expected);
}

/// The handshake of a WebSocket as a browser sends it, over a connection of its own; what comes back of it.
async fn handshake(browser: &Browser, origin: &str) -> (String, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = browser.app.clone();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let mut socket = TcpStream::connect(address).await.unwrap();
    let cookies = browser
        .jar
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    let cookies = cookies.collect::<Vec<_>>().join("; ");
    let request = format!(
        "GET /live HTTP/1.1\r\nhost: {address}\r\norigin: {origin}\r\ncookie: {cookies}\r\n\
         user-agent: {}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        browser.agent
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    (String::from_utf8(head).unwrap(), socket)
}

/// R56: a page's WebSocket opens for its user, from our own pages alone, and closes with the session.
#[tokio::test]
async fn a_websocket_ends_with_its_session() {
    let mut browser = site(&clock()).await;
    let (head, _) = handshake(&browser, ORIGIN).await;
    assert!(head.starts_with("HTTP/1.1 401"), "{head}");
    browser.login("alice").await;
    for elsewhere in ["https://evil.example", "http://localhost:3001", "null"] {
        let (head, _) = handshake(&browser, elsewhere).await;
        assert!(head.starts_with("HTTP/1.1 403"), "{elsewhere}: {head}");
    }
    let (head, mut socket) = handshake(&browser, ORIGIN).await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    // A second factor is no end.
    browser.step_up().await;
    let early = timeout(Duration::from_millis(30), socket.read_u8()).await;
    assert!(early.is_err(), "{early:?}");
    let csrf = browser.csrf("/").await;
    browser.post("/logout", &format!("csrf={csrf}")).await;
    let mut close = [0; 10];
    let read = timeout(Duration::from_secs(1), socket.read_exact(&mut close)).await;
    read.expect("it closes at once").unwrap();
    let code = 4401_u16.to_be_bytes();
    // A close frame of eight bytes: the code and the cause (RFC 6455, 5.5.1).
    assert_eq!(close[..2], [0x88, 8]);
    assert_eq!((&close[2..4], &close[4..]), (&code[..], &b"logout"[..]));
}
