//! The example `accounts` over HTTPS, where it binds sessions to devices.

use std::sync::Arc;

use accounts::{database, demo, users::Users};
use axum::Router;
use serde_json::json;
use tower_session_guard::{KeyRing, RequireOrigin, SessionLayer, testing::ManualClock};

use crate::{BANK, BOUND, REGISTER, stage::Stage};

pub async fn app(clock: &ManualClock) -> Router {
    let users = Users::new(database::in_memory().await.unwrap());
    demo::seed(&users).await.unwrap();
    let keys = KeyRing::generate().unwrap();
    let sessions = SessionLayer::new(keys.clone());
    let sessions = accounts::configured(sessions).unwrap();
    let origin = RequireOrigin::new(format!("https://{BANK}")).unwrap();
    let sessions = sessions.with_clock(clock.clone());
    accounts::router(sessions, &keys, users, Arc::new(clock.clone()), origin).unwrap()
}

impl Stage {
    /// Opens a page of the bank, and tells its text.
    async fn reads(&mut self, path: &str) -> String {
        self.browser.open(&format!("https://{BANK}{path}")).await;
        let text = self.browser.run("return document.body.innerText").await;
        text.as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn the_example_says_that_a_session_is_bound() {
    let Some(mut stage) = Stage::begin("the_example_says_that_a_session_is_bound").await else {
        return;
    };
    stage.reads("/login").await;
    let login = "document.querySelector('[name=name]').value = 'alice';
        document.querySelector('[name=password]').value = 'demo';
        document.querySelector('main button').click()";
    stage.browser.run(login).await;
    stage.registers(1).await;
    let registrations = stage.answered(REGISTER);
    assert!(
        registrations.iter().any(|one| one.status == 200),
        "{registrations:#?}"
    );
    let home = stage.reads("/").await;
    assert!(home.contains("bound to this device"), "{home}");
    let list = stage.reads("/sessions").await;
    assert!(list.contains("bound to this device"), "{list}");

    // The page waits for the proof, its style sheet and its script do not.
    stage.bound_cookie_expires().await;
    let home = stage.reads("/").await;
    assert!(home.contains("bound to this device"), "{home}");
    assert_eq!(stage.refreshes(), [200]);
    stage.browser.delete_cookie(BOUND).await;
    for path in ["/style.css", "/live.js"] {
        stage.fetch("GET", path).await;
    }
    assert_eq!(stage.refreshes(), [200]);

    let narrow = json!({"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": false});
    let narrow = stage
        .browser
        .devtools("Emulation.setDeviceMetricsOverride", &narrow);
    narrow.await;
    for path in ["/", "/sessions"] {
        stage.reads(path).await;
        let width = stage
            .browser
            .run("return document.documentElement.scrollWidth")
            .await;
        assert!(width.as_u64().unwrap() <= 320, "{path} is {width} wide");
    }
    stage.end().await;
}
