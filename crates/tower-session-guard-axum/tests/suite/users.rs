//! `CurrentUser`: who it is, how often it is loaded, and when its session ends.

use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, header},
    routing::{get, post},
};
use tower_session_guard::{KeyRing, Login, Session, SessionLayer, testing::CookieClient};
use tower_session_guard_axum::{AppUser, CurrentUser, FlashCookie, UserRejection};

use crate::site::{App, Browser, Database, MODES, User, get_from, post_to, read, site, whoami};

async fn act_as(
    State(database): State<Database>,
    Path(id): Path<String>,
    administrator: CurrentUser<User>,
) {
    let customer = database.find(&id).unwrap().unwrap();
    let acting = customer.to_impersonation(&administrator);
    administrator.session().impersonate(acting);
}

async fn change_own_password(State(database): State<Database>, user: CurrentUser<User>) {
    database.change_password(&user.id);
    let changed = database.find(&user.id).unwrap().unwrap();
    user.session().renew();
    changed.keep_session(user.session()).unwrap();
}

async fn twice(
    one: CurrentUser<User>,
    other: Option<CurrentUser<User>>,
    third: CurrentUser<User>,
) -> String {
    format!("{} {} {}", one.id, other.unwrap().id, third.user().id)
}

fn routes() -> Router<App> {
    Router::new()
        .route("/act/{id}", post(act_as))
        .route(
            "/return",
            post(async |session: Session| session.end_impersonation()),
        )
        .route("/password", post(change_own_password))
        .route("/twice", get(twice))
        .route(
            "/bare/{id}",
            post(async |Path(id): Path<String>, session: Session| session.login(id)),
        )
        .route("/clear", post(async |session: Session| session.clear()))
        .route(
            "/why",
            get(
                async |user: Result<CurrentUser<User>, UserRejection>| match user {
                    Ok(user) => user.id.clone(),
                    Err(why) => format!("{why} {}", why.refusal().status()),
                },
            ),
        )
}

async fn logged_in(browser: &Browser, id: &str) -> Browser {
    let mut browser = browser.clone();
    post_to(&mut browser, &format!("/login/{id}")).await;
    browser
}

/// Every mode, a browser without cookies in each.
fn everywhere() -> impl Iterator<Item = (Database, Browser, String)> {
    MODES.into_iter().map(|mode| {
        let database = Database::new();
        let browser = site(mode, &database, routes());
        (database, browser, format!("{mode:?}"))
    })
}

#[tokio::test]
async fn a_handler_gets_the_user_of_its_session() {
    for (database, anonymous, mode) in everywhere() {
        let mut alice = logged_in(&anonymous, "alice").await;
        assert_eq!(
            get_from(&mut alice, "/whoami").await,
            (200, "alice".into()),
            "{mode}"
        );
        assert_eq!(
            get_from(&mut alice, "/maybe").await,
            (200, "alice".into()),
            "{mode}"
        );
        let mut nobody = anonymous.clone();
        let refused = nobody.get("/whoami").await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{mode}");
        assert_eq!(
            refused.headers()[header::WWW_AUTHENTICATE],
            "Cookie",
            "{mode}"
        );
        assert_eq!(
            get_from(&mut nobody, "/maybe").await,
            (200, "nobody".into()),
            "{mode}"
        );
        database.loads();
        get_from(&mut nobody, "/maybe").await;
        assert_eq!(database.loads(), 0, "{mode}: nobody is loaded for nobody");
    }
}

#[tokio::test]
async fn the_user_is_loaded_once_a_request() {
    for (database, anonymous, mode) in everywhere() {
        let mut alice = logged_in(&anonymous, "alice").await;
        database.loads();
        let told = get_from(&mut alice, "/twice").await;
        assert_eq!(told, (200, "alice alice alice".into()), "{mode}");
        assert_eq!(database.loads(), 1, "{mode}");
    }
}

/// R05: the session of a user who is gone is over for good, also if the user comes back.
#[tokio::test]
async fn the_session_of_a_deleted_user_ends() {
    for (database, anonymous, mode) in everywhere() {
        for path in ["/whoami", "/maybe", "/why"] {
            let mut alice = logged_in(&anonymous, "alice").await;
            let before = alice.clone();
            let mut kept = None;
            database.change("alice", |user| kept = user.take());
            let (status, told) = get_from(&mut alice, path).await;
            match path {
                "/whoami" => assert_eq!((status, &*told), (401, ""), "{mode}"),
                "/maybe" => assert_eq!((status, &*told), (200, "nobody"), "{mode}"),
                _ => assert_eq!(
                    told, "the user was deleted or disabled 401 Unauthorized",
                    "{mode}"
                ),
            }
            assert_eq!(alice.cookie(), None, "{mode}, {path}: the cookie leaves");
            database.change("alice", |user| *user = kept.take());
            let mut with_old_cookie = before;
            assert_eq!(
                get_from(&mut with_old_cookie, "/whoami").await.0,
                401,
                "{mode}, {path}"
            );
        }
    }
}

/// R06: a password that was changed elsewhere ends the sessions of before, at their next request.
#[tokio::test]
async fn a_change_of_credentials_ends_the_sessions_of_before() {
    for (database, anonymous, mode) in everywhere() {
        let mut before = logged_in(&anonymous, "alice").await;
        let old_cookie = before.clone();
        let mut bob = logged_in(&anonymous, "bob").await;
        database.change_password("alice");
        let mut after = logged_in(&anonymous, "alice").await;
        let (_, told) = get_from(&mut before, "/why").await;
        assert_eq!(
            told, "the user's credentials are others than at the login 401 Unauthorized",
            "{mode}"
        );
        assert_eq!(before.cookie(), None, "{mode}");
        assert_eq!(
            get_from(&mut old_cookie.clone(), "/whoami").await.0,
            401,
            "{mode}"
        );
        assert_eq!(get_from(&mut after, "/whoami").await.0, 200, "{mode}");
        assert_eq!(get_from(&mut bob, "/whoami").await.0, 200, "{mode}");
        // The password of a user who has none any more is another one too.
        database.change("alice", |user| {
            user.as_mut().unwrap().password_version = None;
        });
        assert_eq!(get_from(&mut after, "/whoami").await.0, 401, "{mode}");
    }
}

/// R06: the session that changes the password goes on, under another token, and no other one does.
#[tokio::test]
async fn the_session_that_changes_its_credentials_goes_on() {
    for (_, anonymous, mode) in everywhere() {
        let mut here = logged_in(&anonymous, "alice").await;
        let mut elsewhere = logged_in(&anonymous, "alice").await;
        let before = here.cookie();
        post_to(&mut here, "/password").await;
        assert_ne!(here.cookie(), before, "{mode}");
        assert_eq!(get_from(&mut here, "/whoami").await.0, 200, "{mode}");
        assert_eq!(get_from(&mut elsewhere, "/whoami").await.0, 401, "{mode}");
    }
}

/// A login without the stamp, and data that is cleared with it, fail closed.
#[tokio::test]
async fn a_session_without_its_stamp_ends() {
    for (database, anonymous, mode) in everywhere() {
        let mut bare = anonymous.clone();
        post_to(&mut bare, "/bare/alice").await;
        assert_eq!(get_from(&mut bare, "/whoami").await.0, 401, "{mode}");
        assert_eq!(bare.cookie(), None, "{mode}");
        let mut cleared = logged_in(&anonymous, "alice").await;
        post_to(&mut cleared, "/clear").await;
        assert_eq!(get_from(&mut cleared, "/whoami").await.0, 401, "{mode}");
        // Users without stamps need none.
        database.change("bob", |user| user.as_mut().unwrap().password_version = None);
        let mut bob = anonymous.clone();
        post_to(&mut bob, "/bare/bob").await;
        assert_eq!(get_from(&mut bob, "/whoami").await.0, 200, "{mode}");
    }
}

/// R09: a database that is down ends nothing, and shows nobody as logged out.
#[tokio::test]
async fn a_database_that_is_down_ends_no_session() {
    for (database, anonymous, mode) in everywhere() {
        let mut alice = logged_in(&anonymous, "alice").await;
        database.set_down(true);
        for path in ["/whoami", "/maybe"] {
            assert_eq!(
                get_from(&mut alice, path).await,
                (503, String::new()),
                "{mode}, {path}"
            );
        }
        database.set_down(false);
        assert_eq!(get_from(&mut alice, "/whoami").await.0, 200, "{mode}");
    }
}

/// R04: data of one user never reaches another, whatever the application's query returns.
#[tokio::test]
async fn a_user_of_another_subject_is_refused() {
    for (database, anonymous, mode) in everywhere() {
        let mut alice = logged_in(&anonymous, "alice").await;
        database.answer_with("carol");
        assert_eq!(get_from(&mut alice, "/whoami").await.0, 503, "{mode}");
        assert_eq!(get_from(&mut alice, "/maybe").await.0, 503, "{mode}");
    }
}

#[tokio::test]
async fn an_administrator_acts_as_a_user_and_returns() {
    for (database, anonymous, mode) in everywhere() {
        let mut carol = logged_in(&anonymous, "carol").await;
        post_to(&mut carol, "/act/alice").await;
        database.loads();
        assert_eq!(
            get_from(&mut carol, "/whoami").await,
            (200, "alice by carol".into()),
            "{mode}"
        );
        assert_eq!(database.loads(), 2, "{mode}");
        post_to(&mut carol, "/return").await;
        assert_eq!(
            get_from(&mut carol, "/whoami").await,
            (200, "carol".into()),
            "{mode}"
        );
    }
}

/// R05, R06: whoever acts has to be who they were, and so has the user.
#[tokio::test]
async fn acting_ends_with_either_users_credentials() {
    for mode in MODES {
        for leaves in ["carol", "alice"] {
            for leave in [Database::delete, Database::change_password] {
                let database = Database::new();
                let mut carol = logged_in(&site(mode, &database, routes()), "carol").await;
                post_to(&mut carol, "/act/alice").await;
                leave(&database, leaves);
                assert_eq!(
                    get_from(&mut carol, "/whoami").await.0,
                    401,
                    "{mode:?}, {leaves}"
                );
                // An actor who is still who they were returns; otherwise nothing is left.
                let left = match leaves {
                    "alice" => "carol",
                    _ => "nobody",
                };
                let told = get_from(&mut carol, "/maybe").await;
                assert_eq!(told, (200, left.into()), "{mode:?}, {leaves}");
                assert_eq!(
                    carol.cookie().is_none(),
                    left == "nobody",
                    "{mode:?}, {leaves}"
                );
            }
        }
    }
}

/// An impersonation that is refused leaves the actor's own stamp as it is.
#[tokio::test]
async fn a_refused_impersonation_changes_nothing() {
    for (_, anonymous, mode) in everywhere() {
        let mut carol = logged_in(&anonymous, "carol").await;
        post_to(&mut carol, "/act/carol").await;
        assert_eq!(
            get_from(&mut carol, "/whoami").await,
            (200, "carol".into()),
            "{mode}"
        );
        post_to(&mut carol, "/act/alice").await;
        post_to(&mut carol, "/act/bob").await;
        assert_eq!(
            get_from(&mut carol, "/whoami").await,
            (200, "alice by carol".into()),
            "{mode}"
        );
    }
}

/// R19: a login at arrival brings the stamp, so that the handler finds the user.
#[tokio::test]
async fn a_login_at_arrival_brings_the_stamp() {
    let database = Database::new();
    let of_proxy = database.clone();
    let keys = KeyRing::generate().unwrap();
    let app = App {
        database: database.clone(),
        flash: FlashCookie::new(&keys),
    };
    let layer = SessionLayer::new(keys).login_at_arrival(move |request| {
        let user = request
            .headers
            .get("x-user")
            .map(|user| of_proxy.find(user.to_str().unwrap()));
        async move { Some::<Login>(user?.ok()??.to_login()) }
    });
    let routes = Router::new().route("/whoami", get(whoami)).with_state(app);
    let mut browser: Browser = CookieClient::around(routes.layer(layer));
    let arrives = crate::site::request("GET", "/whoami", &[("x-user", "alice")]);
    assert_eq!(
        read(browser.send(arrives).await).await,
        (200, "alice".into())
    );
    assert_eq!(get_from(&mut browser, "/whoami").await.0, 200);
    database.change_password("alice");
    assert_eq!(get_from(&mut browser, "/whoami").await.0, 401);
}

/// R27: who is refused, and why, does not show.
#[tokio::test]
async fn every_absence_of_a_user_looks_the_same() {
    let (database, anonymous, _) = everywhere().next().unwrap();
    let mut gone = logged_in(&anonymous, "alice").await;
    let mut changed = logged_in(&anonymous, "bob").await;
    database.delete("alice");
    database.change_password("bob");
    let mut seen = Vec::new();
    for browser in [&mut anonymous.clone(), &mut gone, &mut changed] {
        let answer = browser.get("/whoami").await;
        let challenge = answer.headers()[header::WWW_AUTHENTICATE].clone();
        seen.push((challenge, read(answer).await));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
}
