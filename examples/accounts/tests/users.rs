//! Accounts: how they begin, change, are helped with and end.

mod site;

use std::time::Duration;

use accounts::users::Tries;
use axum::http::StatusCode;
use test_support::clock;

use site::{Browser, hidden, leads_to, site};

async fn administrator(clock: &tower_session_guard::testing::ManualClock) -> Browser {
    let mut browser = site(clock).await;
    browser.login("admin").await;
    let answer = browser
        .submit("/step-up", "/step-up", "code=123456&next=/admin")
        .await;
    leads_to(&answer, "/admin");
    browser
}

/// The id of a user, as the administrators' page has it.
async fn id_of(administrator: &mut Browser, name: &str) -> String {
    let page = administrator.text("/admin").await;
    let (_, entry) = page.split_once(&format!("<h2>{name} ")).unwrap();
    hidden(entry, "id").unwrap()
}

#[tokio::test]
async fn who_signs_up_is_logged_in_and_can_log_in_again() {
    let mut browser = site(&clock()).await;
    let answer = browser
        .post("/signup", "name=Carol&password=correct+horse")
        .await;
    leads_to(&answer, "/logged-in");
    leads_to(&browser.get("/logged-in").await, "/");
    assert!(browser.text("/").await.contains("<dd>carol</dd>"));
    let mut again = browser.another();
    let form = "name=carol&password=correct+horse";
    leads_to(&again.post("/login", form).await, "/logged-in?next=%2F");
}

#[tokio::test]
async fn a_sign_up_says_what_is_wrong_and_keeps_the_name() {
    let mut browser = site(&clock()).await;
    for (form, wrong) in [
        ("name=ALICE&password=correct+horse", "This name is taken"),
        ("name=a%26b&password=correct+horse", "not such a name"),
        ("name=carol&password=short", "too short or too long"),
    ] {
        let answer = browser.post("/signup", form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(wrong), "{form}: {}", answer.body);
        assert!(answer.sets_nothing());
        let typed = form
            .split(['=', '&'])
            .nth(1)
            .unwrap()
            .replace("%26", "&amp;");
        assert_eq!(hidden(&answer.body, "name").unwrap(), typed);
    }
}

/// A name that nobody has and a wrong password have the same answer.
#[tokio::test]
async fn a_login_does_not_tell_which_names_there_are() {
    let mut browser = site(&clock()).await;
    let mut pages = Vec::new();
    for name in ["alice", "nobody"] {
        let answer = browser
            .post("/login", &format!("name={name}&password=x"))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        pages.push(answer.body.replace(&format!("value=\"{name}\""), ""));
    }
    assert_eq!(pages[0], pages[1]);
}

/// Also for a name without an account, and also for a right password.
#[tokio::test]
async fn after_ten_wrong_passwords_none_counts_for_a_quarter_of_an_hour() {
    let clock = clock();
    let mut browser = site(&clock).await;
    for name in ["alice", "nobody"] {
        for _ in 0..Tries::MAX {
            let answer = browser
                .post("/login", &format!("name={name}&password=x"))
                .await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        }
        let answer = browser
            .post("/login", &format!("name={name}&password=demo"))
            .await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers["retry-after"], "900");
        assert!(answer.body.contains("Try again in 15 minutes"));
        assert!(answer.sets_nothing());
    }
    browser.login("bob").await;
    clock.advance(Tries::PAUSE);
    browser.another().login("alice").await;
}

#[tokio::test]
async fn ten_wrong_codes_are_the_last_ones_for_a_while() {
    let mut browser = site(&clock()).await;
    browser.login("alice").await;
    for _ in 0..Tries::MAX {
        let answer = browser.submit("/step-up", "/step-up", "code=000000").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let answer = browser.step_up().await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
}

/// A change of the password ends the user's other sessions, and this one goes on under a new token.
#[tokio::test]
async fn a_new_password_logs_out_everybody_else() {
    let mut browser = site(&clock()).await;
    browser.login("alice").await;
    let stolen = browser.clone();
    let mut phone = browser.another();
    phone.login("alice").await;
    let mut bob = browser.another();
    bob.login("bob").await;

    let wrong = browser
        .submit("/password", "/password", "old=x&new=correct+horse")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("That is not your password"));
    let short = browser
        .submit("/password", "/password", "old=demo&new=short")
        .await;
    assert!(short.body.contains("too short or too long"));
    assert!(phone.is_logged_in().await);

    let changed = browser
        .submit("/password", "/password", "old=demo&new=correct+horse")
        .await;
    leads_to(&changed, "/");
    assert_ne!(browser.jar, stolen.jar);
    let home = browser.text("/").await;
    assert!(home.contains("Your account") && home.contains("Your password is changed"));
    assert!(
        !browser.text("/").await.contains("Your password is changed"),
        "told once"
    );
    assert!(!phone.is_logged_in().await);
    assert!(bob.is_logged_in().await);

    let old = phone.post("/login", "name=alice&password=demo").await;
    assert_eq!(old.status, StatusCode::UNPROCESSABLE_ENTITY);
    let new = phone
        .post("/login", "name=alice&password=correct+horse")
        .await;
    assert_eq!(new.status, StatusCode::SEE_OTHER);
}

/// The password may be changed by another program: the stamp of the session tells.
#[tokio::test]
async fn a_password_that_changed_elsewhere_ends_the_sessions_too() {
    let (mut browser, database) = site::site_and_database(&clock()).await;
    browser.login("alice").await;
    assert!(browser.is_logged_in().await);
    let change = "UPDATE users SET password_version = password_version + 1 WHERE name = 'alice'";
    sqlx::query(change).execute(&database).await.unwrap();
    assert!(!browser.is_logged_in().await);
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_its_sessions() {
    let mut browser = site(&clock()).await;
    browser.login("alice").await;
    let mut phone = browser.another();
    phone.login("alice").await;
    leads_to(&browser.submit("/delete", "/delete", "").await, "/");
    let page = browser.text("/").await;
    assert!(page.contains("Your account is deleted") && page.contains("Nobody is logged in"));
    assert!(!phone.is_logged_in().await);
    let answer = browser.post("/login", "name=alice&password=demo").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn members_are_no_administrators() {
    let mut browser = site(&clock()).await;
    browser.login("alice").await;
    browser.step_up().await;
    let page = browser.get("/admin").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    for path in ["/admin/act", "/admin/disable", "/admin/enable"] {
        let answer = browser.submit("/", path, "id=2").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(!browser.text("/").await.contains("href=\"/admin\""));
}

#[tokio::test]
async fn an_administrator_needs_a_second_factor() {
    let mut browser = site(&clock()).await;
    browser.login("admin").await;
    leads_to(&browser.get("/admin").await, "/step-up?next=%2Fadmin");
}

#[tokio::test]
async fn a_user_who_is_switched_off_is_logged_out_and_stays_so() {
    let clock = clock();
    let mut admin = administrator(&clock).await;
    let mut alice = admin.another();
    alice.login("alice").await;
    let form = format!("id={}", id_of(&mut admin, "alice").await);
    leads_to(
        &admin.submit("/admin", "/admin/disable", &form).await,
        "/admin",
    );
    let page = admin.text("/admin").await;
    assert!(page.contains("alice is switched off, and logged out everywhere"));
    let page = alice.text("/login").await;
    assert!(page.contains("You are not logged in any more"), "{page}");
    let answer = alice.post("/login", "name=alice&password=demo").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("switched this account off"));
    // Who does not know the password is not told.
    let answer = alice.post("/login", "name=alice&password=x").await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);

    leads_to(
        &admin.submit("/admin", "/admin/enable", &form).await,
        "/admin",
    );
    alice.login("alice").await;
}

#[tokio::test]
async fn administrators_do_nothing_to_themselves_and_act_as_members_only() {
    let mut admin = administrator(&clock()).await;
    for path in ["/admin/act", "/admin/disable", "/admin/enable"] {
        let answer = admin.submit("/admin", path, "id=3").await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{path}");
        let answer = admin.submit("/admin", path, "id=99").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

/// The administrator sees what the user sees, every page says so and leads back, and what is the user's own stays so.
#[tokio::test]
async fn an_administrator_acts_as_a_user_and_returns() {
    let clock = clock();
    let mut admin = administrator(&clock).await;
    let before = admin.clone();
    let form = format!("id={}", id_of(&mut admin, "alice").await);
    leads_to(&admin.submit("/admin", "/admin/act", &form).await, "/");
    assert_ne!(admin.jar, before.jar);
    let home = admin.text("/").await;
    assert!(
        home.contains("<dd>alice</dd>") && home.contains("level 1"),
        "{home}"
    );
    for path in ["/", "/sessions", "/step-up", "/nothing", "/admin"] {
        let page = admin.text(path).await;
        assert!(
            page.contains("admin, you act as <strong>alice</strong>"),
            "{path}"
        );
        assert!(page.contains("action=\"/return\""), "{path}");
    }
    for path in ["/password", "/delete", "/admin"] {
        let answer = admin.get(path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
    // Nor does the page show the user's code.
    assert!(!admin.text("/step-up").await.contains("123456"));

    leads_to(&admin.submit("/", "/return", "").await, "/admin");
    let page = admin.text("/admin").await;
    assert!(!page.contains("you act as") && page.contains("This is you"));
}

#[tokio::test]
async fn acting_ends_by_itself_and_with_the_user() {
    let clock = clock();
    let mut admin = administrator(&clock).await;
    let form = format!("id={}", id_of(&mut admin, "alice").await);
    admin.submit("/admin", "/admin/act", &form).await;
    clock.advance(Duration::from_secs(15 * 60 - 1));
    assert!(admin.text("/").await.contains("<dd>alice</dd>"));
    clock.advance(Duration::from_secs(1));
    assert!(!admin.is_logged_in().await);

    let mut other = admin.another();
    for browser in [&mut admin, &mut other] {
        browser.login("admin").await;
        let form = "code=123456&next=/admin";
        browser.submit("/step-up", "/step-up", form).await;
    }
    admin.submit("/admin", "/admin/act", &form).await;
    other.submit("/admin", "/admin/disable", &form).await;
    assert!(!admin.is_logged_in().await);
    assert!(other.is_logged_in().await);
}
