use fixation_audit::{Account, FixationAudit, Probe, Step};
use ports::database;
use tower_session_guard::{KeyRing, SessionLayer};
use tower_session_guard_axum::FlashCookie;
use tower_session_guard_sqlx::SqliteStore;

use super::{App, router};

/// R01 to R05.
#[tokio::test]
async fn the_fixation_audit_finds_nothing() {
    let keys = KeyRing::generate().unwrap();
    let app = App {
        db: database("", &["ferris"]).await.unwrap(),
        flash: FlashCookie::new(&keys),
    };
    let store = SqliteStore::new(app.db.clone());
    store.migrate().await.unwrap();
    let router = router(app, SessionLayer::new(keys).with_store(store));
    FixationAudit::of(router)
        .account(Account::new("ferris", "hunter42"))
        .login(
            Step::post("/login")
                .field("name", "{username}")
                .field("password", "{password}"),
        )
        .logged_in(Probe::get("/").text("Logged in as ferris"))
        .logout(Step::post("/logout"))
        .run()
        .await
        .unwrap()
        .assert_clean();
}
