//! The pages of the example `accounts` without a mouse, in a narrow window, in dark colours and with large text.

use serde_json::json;

use browsers::driver::{ENTER, Engine, TAB};

use crate::{example::HOST, report::Trial, stage::Stage};

impl Stage {
    /// Opens a page of the site.
    async fn visit(&mut self, path: &str) {
        self.browser.open(&self.url(HOST, path)).await;
    }

    /// Fills in a form, and sends it by the key that does.
    async fn fill_in(&mut self, page: &str, fields: &[&str], next: &str) {
        self.visit(page).await;
        let typed = fields.join(&TAB.to_string());
        self.enter(&typed, next).await;
    }

    /// Types this and sends it, and waits until the browser has got to `next`.
    async fn enter(&mut self, typed: &str, next: &str) {
        // The page that is left does not count as the one that is reached.
        self.browser.run("document.left = true").await;
        self.browser.type_keys(&format!("{typed}{ENTER}")).await;
        self.reaches(next).await;
    }

    async fn reaches(&mut self, path: &str) {
        let there = format!(
            "!document.left && location.pathname === '{path}' && document.readyState === 'complete'"
        );
        self.becomes(&there).await;
    }

    /// Presses the tabulator until what has the focus says this.
    async fn tab_to(&mut self, text: &str) {
        for _ in 0..40 {
            self.browser.type_keys(&TAB.to_string()).await;
            let focused = self
                .browser
                .run("return document.activeElement.textContent");
            if focused.await == *text {
                return;
            }
        }
        panic!("no tabulator leads to {text:?}");
    }
}

async fn without_a_mouse(engine: Engine) {
    let Some(mut trial) = Trial::begin("accounts by the keyboard", engine).await else {
        return;
    };
    let stage = &mut trial.stage;
    // The first field has the focus.
    stage.fill_in("/login", &["alice", "wrong"], "/login").await;
    let text = stage
        .browser
        .run("return document.querySelector('[role=alert]').textContent");
    assert_eq!(text.await, "Name and password do not match.");
    assert!(
        stage
            .browser
            .title("Error: Log in")
            .await
            .ends_with("Session Guard Bank")
    );
    // The name is there still, and the focus where the mistake was.
    stage.enter("demo", "/").await;

    stage.tab_to("Skip to the content").await;
    let seen = "return document.activeElement.getBoundingClientRect().top >= 0";
    stage.becomes(&seen.replace("return ", "")).await;
    stage.browser.type_keys(&ENTER.to_string()).await;
    stage
        .becomes("document.activeElement.id === 'content'")
        .await;
    stage.tab_to("Step up to level 2").await;
    let ring = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(stage.browser.run(ring).await, "solid");
    stage.enter("", "/step-up").await;
    stage.enter("123456", "/").await;
    stage.tab_to("Log out").await;
    stage.browser.type_keys(&ENTER.to_string()).await;
    stage
        .becomes("document.body.innerText.includes('Nobody is logged in')")
        .await;
}

#[tokio::test]
async fn the_example_needs_no_mouse_in_chromium() {
    without_a_mouse(Engine::Chromium).await;
}

#[tokio::test]
async fn the_example_needs_no_mouse_in_firefox() {
    without_a_mouse(Engine::Firefox).await;
}

/// What is wrong with the page, by WCAG 2.2: 1.4.10 and 1.4.4 (nothing beyond the window), 2.4.2 and 2.4.6 (title, heading), 3.3.2 (labels),
/// 2.5.8 (targets of 24 pixels, but for links in a sentence).
const FAULTS: &str = "
    const faults = [];
    const width = document.scrollingElement.scrollWidth;
    if (width > innerWidth) faults.push(`${width} pixels wide`);
    if (document.querySelectorAll('h1').length !== 1) faults.push('headings');
    if (document.querySelectorAll('main').length !== 1) faults.push('no main');
    if (!document.title.endsWith('Session Guard Bank')) faults.push('title');
    for (const input of document.querySelectorAll('input:not([type=hidden])')) {
        if (!input.labels.length) faults.push(`no label: ${input.name}`);
        for (const id of (input.getAttribute('aria-describedby') ?? '').split(' ')) {
            if (id && !document.getElementById(id)) faults.push(`no description: ${id}`);
        }
    }
    for (const target of document.querySelectorAll('button, .button, nav a, input:not([type=hidden])')) {
        const { width, height } = target.getBoundingClientRect();
        if (Math.min(width, height) < 24) faults.push(`small: ${target.outerHTML} ${width} ${height}`);
    }
    return faults.join(', ')";

/// Looks at these pages, narrow and wide, light and dark, and with text of twice the size.
async fn look_at(stage: &mut Stage, pages: &[&str]) {
    for path in pages {
        stage.visit(path).await;
        look(stage, path).await;
    }
}

async fn look(stage: &mut Stage, page: &str) {
    for (scheme, background) in [("light", "rgb(244, 245, 247)"), ("dark", "rgb(20, 23, 28)")] {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        stage
            .browser
            .devtools("Emulation.setEmulatedMedia", &media)
            .await;
        let colour = "return getComputedStyle(document.body).backgroundColor";
        assert_eq!(
            stage.browser.run(colour).await,
            background,
            "{page}, {scheme}"
        );
        for (width, size) in [(280, 100), (320, 100), (1280, 100), (640, 200)] {
            let window =
                json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false});
            stage
                .browser
                .devtools("Emulation.setDeviceMetricsOverride", &window)
                .await;
            let scaled = format!("document.documentElement.style.fontSize = '{size}%'; {FAULTS}");
            let faults = stage.browser.run(&scaled).await;
            assert_eq!(
                faults, "",
                "{page}, {scheme}, {width} pixels, text at {size} %"
            );
        }
    }
}

#[tokio::test]
async fn every_page_of_the_example_fits_a_phone_in_chromium() {
    let Some(mut trial) = Trial::begin("accounts, narrow and dark", Engine::Chromium).await else {
        return;
    };
    let stage = &mut trial.stage;
    look_at(stage, &["/", "/login", "/signup", "/nothing"]).await;
    stage.fill_in("/login", &["alice", "wrong"], "/login").await;
    look(stage, "a wrong password").await;
    stage
        .fill_in(
            "/signup",
            &["A longer name than one may have, with blanks", "short"],
            "/signup",
        )
        .await;
    look(stage, "a bad sign-up").await;
    stage.fill_in("/login", &["alice", "demo"], "/").await;
    stage.fill_in("/step-up", &["1"], "/step-up").await;
    look(stage, "a wrong code").await;
    stage
        .fill_in("/step-up?next=/transfer", &["123456"], "/transfer")
        .await;
    stage
        .fill_in(
            "/transfer",
            &["Donaudampfschifffahrtsgesellschaftskapit", "5"],
            "/",
        )
        .await;
    look(stage, "a transfer").await;
    let pages = [
        "/",
        "/sessions",
        "/step-up",
        "/transfer",
        "/password",
        "/delete",
        "/admin",
        "/nothing",
    ];
    look_at(stage, &pages).await;

    stage.tab_to("Log out").await;
    stage.enter("", "/").await;
    stage
        .fill_in("/login?next=/admin", &["admin", "demo"], "/step-up")
        .await;
    stage.enter("123456", "/admin").await;
    look(stage, "the administrators' page").await;
    stage.tab_to("Act as").await;
    stage.enter("", "/").await;
    look_at(stage, &["/", "/sessions", "/step-up", "/password"]).await;
}

/// WCAG 2.2, 2.2.1. The page's clock runs ahead, and what the server says of the time left is made up once it is to be short.
#[tokio::test]
async fn the_example_warns_before_the_session_ends_in_chromium() {
    const AHEAD: &str = "
        const now = Date.now;
        Date.now = () => now() + 58 * 60 * 1000;
        document.dispatchEvent(new Event('visibilitychange'))";
    const SHORT: &str = "
        const left = seconds => new Response(JSON.stringify({ seconds, at_the_latest: false }));
        const send = window.fetch;
        window.stayed = false;
        window.fetch = async (what, how) => {
            if (what === '/time-left') return left(window.stayed ? 3600 : 150);
            const answer = await send(what, how);
            window.stayed = true;
            return answer;
        };";
    let Some(mut trial) = Trial::begin("accounts, time left", Engine::Chromium).await else {
        return;
    };
    let stage = &mut trial.stage;
    stage.fill_in("/login", &["alice", "demo"], "/").await;
    // Used in another tab meanwhile, the session lasts as long as ever.
    stage.browser.run(AHEAD).await;
    let asked = |site: &crate::site::Site| site.seen(HOST, "/time-left").len() == 1;
    stage.until("the page asks", asked).await;
    let warning = "document.getElementById('warning').textContent";
    assert_eq!(stage.browser.run(&format!("return {warning}")).await, "");

    stage.visit("/step-up").await;
    stage
        .browser
        .run("document.querySelector('[name=code]').value = 'typed'")
        .await;
    stage.browser.run(&format!("{SHORT} {AHEAD}")).await;
    stage
        .becomes(&format!("{warning}.includes('less than five minutes')"))
        .await;
    stage
        .becomes("/^2:[0-2][0-9]$/.test(document.querySelector('.countdown').textContent)")
        .await;
    stage.tab_to("Stay logged in").await;
    stage.browser.type_keys(&ENTER.to_string()).await;
    stage.becomes(&format!("{warning} === ''")).await;
    assert_eq!(stage.site.seen(HOST, "/stay").len(), 1);
    let typed = stage
        .browser
        .run("return document.querySelector('[name=code]').value");
    assert_eq!(typed.await, "typed");
}

/// Whatever the pages' scripts do, the forms do without.
#[tokio::test]
async fn the_example_needs_no_script_in_chromium() {
    let Some(mut trial) = Trial::begin("accounts without script", Engine::Chromium).await else {
        return;
    };
    let stage = &mut trial.stage;
    let off = json!({ "value": true });
    let off = stage
        .browser
        .devtools("Emulation.setScriptExecutionDisabled", &off);
    off.await;
    stage
        .fill_in("/login?next=/transfer", &["alice", "demo"], "/step-up")
        .await;
    stage.enter("123456", "/transfer").await;
    stage.fill_in("/transfer", &["bob", "5"], "/").await;
    stage
        .becomes("document.body.innerText.includes('Transferred: 5 to bob.')")
        .await;
    stage.visit("/sessions").await;
    stage
        .becomes("document.body.innerText.includes('you will be logged out in 1 hour, at')")
        .await;
    stage.tab_to("Stay logged in").await;
    stage.enter("", "/sessions").await;
    assert_eq!(stage.site.seen(HOST, "/stay").len(), 1);
    stage.tab_to("Log out").await;
    stage.enter("", "/").await;
    stage
        .becomes("document.body.innerText.includes('Nobody is logged in')")
        .await;
    assert_eq!(stage.site.seen(HOST, "/live").len(), 0, "no script has run");
}
