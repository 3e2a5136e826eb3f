use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use ports::database;
use tower_session_guard::{KeyRing, SessionLayer, testing::CookieClient};
use tower_session_guard_axum::FlashCookie;

use super::{App, SCHEMA, router};

#[tokio::test]
async fn a_page_is_for_those_whose_team_may_read_it() {
    let keys = KeyRing::generate().unwrap();
    let app = App {
        db: database(SCHEMA, &["ferris", "admin"]).await.unwrap(),
        flash: FlashCookie::new(&keys),
    };
    let router = router(app, SessionLayer::new(keys));
    for (name, restricted) in [("ferris", StatusCode::FORBIDDEN), ("admin", StatusCode::OK)] {
        let mut browser = CookieClient::<_, Body>::around(router.clone());
        let asked = Request::get("/restricted").header(header::ACCEPT, "text/html");
        let asked = browser.send(asked.body(Body::empty()).unwrap()).await;
        assert_eq!(
            asked.headers()[header::LOCATION],
            "/login?next=%2Frestricted"
        );
        let form = format!("name={name}&password=hunter42&next=/restricted");
        let login = Request::post("/login")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let login = browser.send(login.body(form.into()).unwrap()).await;
        assert_eq!(login.headers()[header::LOCATION], "/restricted");
        assert_eq!(browser.get("/").await.status(), StatusCode::OK);
        assert_eq!(
            browser.get("/restricted").await.status(),
            restricted,
            "{name}"
        );
    }
}
