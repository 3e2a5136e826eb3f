//! `Data`: a value of the session by its type.

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tower_session_guard::{DataKey, Session};
use tower_session_guard_axum::{Data, SessionData};

use crate::site::{App, Database, MODES, get_from, post_to, site};

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
struct Cart(Vec<u32>);

impl SessionData for Cart {
    const KEY: DataKey<Self> = DataKey::new("cart").carried();
}

const AS_TEXT: DataKey<String> = DataKey::new("cart").carried();

async fn add(mut cart: Data<Cart>) -> String {
    let added = cart.update(|Cart(mut items)| {
        items.push(7);
        Cart(items)
    });
    added.unwrap();
    format!("{:?}", cart.0)
}

fn routes() -> Router<App> {
    Router::new()
        .route(
            "/cart",
            get(async |cart: Data<Cart>| format!("{:?}", cart.into_inner().0)).post(add),
        )
        .route(
            "/put",
            post(async |mut cart: Data<Cart>| {
                cart.insert(Cart(vec![1, 2])).unwrap();
                assert_eq!(cart.0, [1, 2]);
            }),
        )
        .route("/empty", post(async |cart: Data<Cart>| drop(cart.remove())))
        .route(
            "/cart-or-none",
            get(async |cart: Option<Data<Cart>>| {
                cart.map_or("none".to_owned(), |cart| format!("{:?}", cart.0))
            }),
        )
        .route(
            "/spoil",
            post(async |session: Session| session.insert(&AS_TEXT, "text").unwrap()),
        )
}

#[tokio::test]
async fn a_value_is_read_changed_and_removed_by_its_type() {
    for mode in MODES {
        let mut browser = site(mode, &Database::new(), routes());
        // R17: reading begins no session.
        assert_eq!(
            get_from(&mut browser, "/cart").await,
            (200, "[]".into()),
            "{mode:?}"
        );
        assert_eq!(
            get_from(&mut browser, "/cart-or-none").await,
            (200, "none".into()),
            "{mode:?}"
        );
        assert_eq!(browser.cookie(), None, "{mode:?}");
        for expected in ["[7]", "[7, 7]"] {
            let answer = browser.post("/cart").await;
            assert_eq!(crate::site::read(answer).await.1, expected, "{mode:?}");
        }
        // R07: it was declared carried.
        post_to(&mut browser, "/login/alice").await;
        assert_eq!(
            get_from(&mut browser, "/cart-or-none").await.1,
            "[7, 7]",
            "{mode:?}"
        );
        post_to(&mut browser, "/put").await;
        assert_eq!(
            get_from(&mut browser, "/cart").await.1,
            "[1, 2]",
            "{mode:?}"
        );
        post_to(&mut browser, "/empty").await;
        assert_eq!(
            get_from(&mut browser, "/cart-or-none").await.1,
            "none",
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn a_value_of_another_type_is_a_failure() {
    for mode in MODES {
        let mut browser = site(mode, &Database::new(), routes());
        post_to(&mut browser, "/spoil").await;
        for path in ["/cart", "/cart-or-none"] {
            let failed = browser.get(path).await;
            assert_eq!(
                failed.status(),
                StatusCode::INTERNAL_SERVER_ERROR,
                "{mode:?}, {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_value_without_a_session_layer_is_a_mistake() {
    let routes = Router::new().route("/", get(async |_: Data<Cart>| ()));
    let mut browser: crate::site::Browser =
        tower_session_guard::testing::CookieClient::around(routes);
    assert_eq!(
        browser.get("/").await.status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
}
