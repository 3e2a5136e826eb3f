//! A user goes through the example `accounts`, by its forms and buttons.

use std::sync::Arc;

use accounts::{database, demo, users::Users};
use axum::Router;
use http::Method;
use tower_session_guard::{KeyRing, RequireOrigin, SessionLayer, SystemClock};

use browsers::driver::Engine;

use crate::{
    report::Trial,
    site::{STORED, Site, Target},
    stage::Stage,
};

pub const HOST: &str = "bank.localhost";

const BANK: Target = Target {
    host: HOST,
    ..STORED
};

pub async fn app(port: u16) -> Router {
    let users = Users::new(database::in_memory().await.unwrap());
    demo::seed(&users).await.unwrap();
    let keys = KeyRing::generate().unwrap();
    let sessions = SessionLayer::new(keys.clone());
    let origin = RequireOrigin::new(format!("http://{HOST}:{port}")).unwrap();
    let sessions = accounts::configured(sessions).unwrap();
    accounts::router(sessions, &keys, users, Arc::new(SystemClock), origin).unwrap()
}

impl Stage {
    /// Presses a button of the page, and waits until the browser has got to `path`.
    async fn press(&mut self, fields: &[(&str, &str)], form: &str, path: &str) {
        // The page that is left does not count as the one that is reached.
        let mut press = "document.left = true;".to_owned();
        for (name, value) in fields {
            press += &format!("document.querySelector('main [name={name}]').value = '{value}';");
        }
        press += &format!("document.querySelector('form[action=\"{form}\"] button').click()");
        self.browser.run(&press).await;
        self.becomes(&format!(
            "!document.left && location.pathname === '{path}' && document.readyState === 'complete'"
        ))
        .await;
    }

    /// Whether the attacker gets to what the second factor guards, with this token.
    async fn may_transfer(&self, token: &str) -> bool {
        let cookie = format!("{}={token}", BANK.session);
        let form = self.attacker(BANK, Method::GET, "/transfer", cookie.as_bytes());
        form.await.status.is_success()
    }

    async fn text(&mut self) -> String {
        let text = self.browser.run("return document.body.innerText").await;
        text.as_str().unwrap().to_owned()
    }
}

/// R01, R03, R05 and A37, from the password to the second factor to the logout.
async fn through_the_example(engine: Engine) {
    let Some(mut trial) = Trial::begin("accounts", engine).await else {
        return;
    };
    let stage = &mut trial.stage;
    stage.browser.open(&stage.url(HOST, "/transfer")).await;
    let credentials = [("name", "alice"), ("password", "demo")];
    // The guard sends them on to the second factor.
    stage.press(&credentials, "/login", "/step-up").await;
    let first = stage.last(BANK, "/login").sets(BANK.session).unwrap();
    stage
        .press(&[("code", "123456")], "/step-up", "/transfer")
        .await;
    let second = stage.last(BANK, "/step-up").sets(BANK.session).unwrap();
    assert_ne!(first, second);
    assert!(!stage.may_transfer(&first).await);
    assert!(stage.may_transfer(&second).await);

    let transfer = [("to", "bob"), ("amount", "5")];
    stage.press(&transfer, "/transfer", "/").await;
    let page = stage.text().await;
    assert!(
        page.contains("5 to bob") && page.contains("level 2"),
        "{page}"
    );

    stage.press(&[], "/logout", "/").await;
    let page = stage.text().await;
    assert!(page.contains("Nobody is logged in"), "{page}");
    let home = stage.last(BANK, "/");
    assert!(home.cookie.is_empty(), "{home:?}");
    assert!(!stage.may_transfer(&second).await);
}

#[tokio::test]
async fn a_user_gets_through_the_example_in_chromium() {
    through_the_example(Engine::Chromium).await;
}

#[tokio::test]
async fn a_user_gets_through_the_example_in_firefox() {
    through_the_example(Engine::Firefox).await;
}

/// R56: a logout in one tab shows in the other at once, by the socket that both hold.
async fn signed_out_in_another_tab(engine: Engine) {
    let Some(mut trial) = Trial::begin("accounts in two tabs", engine).await else {
        return;
    };
    let stage = &mut trial.stage;
    stage.browser.open(&stage.url(HOST, "/login")).await;
    let credentials = [("name", "alice"), ("password", "demo")];
    stage.press(&credentials, "/login", "/").await;
    let first = stage.browser.tab().await;
    let opened = |site: &Site| site.seen(HOST, "/live").len() == 1;
    stage.until("the first tab's socket is open", opened).await;
    stage.browser.new_tab().await;
    stage.browser.open(&stage.url(HOST, "/sessions")).await;
    stage.press(&[], "/logout", "/").await;
    stage.browser.switch(&first).await;
    let told = "document.querySelector('main').innerText.includes('signed out. You logged out')";
    stage.becomes(told).await;
    let page = stage.text().await;
    assert!(!page.contains("alice"), "{page}");
    assert_eq!(stage.last(BANK, "/live").status, 101);
}

#[tokio::test]
async fn a_logout_shows_in_the_other_tab_in_chromium() {
    signed_out_in_another_tab(Engine::Chromium).await;
}

#[tokio::test]
async fn a_logout_shows_in_the_other_tab_in_firefox() {
    signed_out_in_another_tab(Engine::Firefox).await;
}
