//! Drives Chromium and Firefox, headless, each with a fresh profile.

mod marionette;
mod process;
mod webdriver;

use std::{fmt, fs, future::Future, path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep, timeout},
};

use marionette::Marionette;
use process::{Process, on_path};
use webdriver::WebDriver;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Chromium,
    Firefox,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// No request of the browser leaves this machine, and nothing asks for a user. Without its sandbox
/// Chromium also starts as root; it opens nothing but the pages of these tests.
const CHROMIUM: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
];

/// Marionette sets most of what an automated Firefox needs by itself.
const FIREFOX: &str = r#"
user_pref("marionette.port", 0);
user_pref("network.proxy.type", 0);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.normandy.enabled", false);
user_pref("services.settings.server", "data:,#remote-settings-dummy/v1");
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("dom.ipc.processPrelaunch.enabled", false);
user_pref("browser.cache.disk.enable", false);
"#;

/// How long a test waits for something that must happen. It goes on as soon as that happened, so only a hang
/// takes this long, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The key that goes to the next link, field or button (WebDriver, 17.4.2).
pub const TAB: char = '\u{e004}';
/// The key that follows a link or sends a form.
pub const ENTER: char = '\u{e007}';

/// Browsers are heavy: this many at once.
static TURNS: Semaphore = Semaphore::const_new(2);

/// One of the browser's tabs.
#[derive(Debug)]
pub struct Tab(String);

/// A running browser. Ends when it is dropped.
#[derive(Debug)]
pub struct Browser {
    wire: Wire,
    /// As the browser tells it.
    pub version: String,
    process: Process,
    _turn: Turn,
}

type Turn = SemaphorePermit<'static>;

#[derive(Debug)]
enum Wire {
    WebDriver(WebDriver),
    Marionette(Marionette),
}

impl Browser {
    /// Starts the engine's browser, once there is room for one more.
    ///
    /// # Errors
    ///
    /// What is missing, where it is not installed. One that is installed and does not start is a
    /// failure.
    pub async fn start(engine: Engine) -> Result<Self, &'static str> {
        let turn = turn().await;
        match engine {
            Engine::Chromium => within(Self::chromium(turn, &[])).await,
            Engine::Firefox => within(Self::firefox(turn)).await,
        }
    }

    /// Starts Chromium with these flags besides, and keeps a log of what it does on the network.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn chromium_with(flags: &[&str]) -> Result<Self, &'static str> {
        let turn = turn().await;
        within(Self::chromium(turn, flags)).await
    }

    async fn chromium(turn: Turn, more: &[&str]) -> Result<Self, &'static str> {
        let browsers = ["chromium", "chromium-browser", "google-chrome"];
        let binary = on_path(&browsers).ok_or("no Chromium on the search path")?;
        let driver = on_path(&["chromedriver"]).ok_or("no Chromium driver on the search path")?;
        let mut process = Process::new();
        process.start(Command::new(driver).arg("--port=0"));
        let port = process.find("output", |text| {
            let (_, rest) = text.split_once("started successfully on port ")?;
            rest.split_once('.')?.0.parse().ok()
        });
        let port = port.await;
        let profile = process.folder().join("profile");
        let profile = format!("--user-data-dir={}", profile.display());
        let own = CHROMIUM.iter().chain(more).copied();
        let flags: Vec<_> = own.chain([&*profile]).collect();
        let mut options = json!({ "goog:chromeOptions": { "binary": binary, "args": flags } });
        if !more.is_empty() {
            options["goog:loggingPrefs"] = json!({ "performance": "ALL" });
        }
        let (driver, granted) = WebDriver::begin(port, options).await;
        process.browser = granted["goog:processID"].as_u64();
        Ok(Self {
            wire: Wire::WebDriver(driver),
            version: version(&granted),
            process,
            _turn: turn,
        })
    }

    async fn firefox(turn: Turn) -> Result<Self, &'static str> {
        let binary = on_path(&["firefox-esr", "firefox"]).ok_or("no Firefox on the search path")?;
        let mut process = Process::new();
        let profile = process.folder().join("profile");
        fs::create_dir(&profile).unwrap();
        fs::write(profile.join("user.js"), FIREFOX).unwrap();
        let mut command = Command::new(binary);
        command
            .args(["--headless", "--marionette", "--no-remote", "--profile"])
            .arg(profile);
        process.start(&mut command);
        let port = process.find("profile/MarionetteActivePort", |text| text.parse().ok());
        let port = port.await;
        let (marionette, granted) = Marionette::begin(port).await;
        Ok(Self {
            wire: Wire::Marionette(marionette),
            version: version(&granted),
            process,
            _turn: turn,
        })
    }

    /// The folder with the browser's profile.
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }

    /// The ids of the processes that were started with this folder.
    pub fn running_in(folder: &Path) -> Vec<u64> {
        process::running_in(folder)
    }

    /// Goes to a page as a user does who types its address, and waits until it is loaded.
    pub async fn open(&mut self, url: &str) {
        let to = json!({ "url": url });
        self.command("/url", "WebDriver:Navigate", &to).await;
    }

    /// What the script returns at once.
    pub async fn run(&mut self, script: &str) -> Value {
        let call = json!({ "script": script, "args": [] });
        let answer = self.command("/execute/sync", "WebDriver:ExecuteScript", &call);
        let mut answer = answer.await;
        match self.wire {
            Wire::WebDriver(_) => answer,
            Wire::Marionette(_) => answer["value"].take(),
        }
    }

    /// Presses and releases keys, one for each character: those of a text, and [`TAB`] and [`ENTER`].
    pub async fn type_keys(&mut self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key.to_string() }))
        });
        let strokes: Vec<_> = strokes.collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        let actions = json!({ "actions": [keyboard] });
        self.command("/actions", "WebDriver:PerformActions", &actions)
            .await;
    }

    /// Waits until the page's title begins with `beginning`, and tells the title.
    pub async fn title(&mut self, beginning: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let title = self.run("return document.title").await;
            let title = title.as_str().unwrap();
            if title.starts_with(beginning) {
                return title.to_owned();
            }
            assert!(Instant::now() < deadline, "no {beginning:?}: {title:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// All cookies that go with requests for the page's address, those that no script sees too.
    pub async fn cookies(&mut self) -> Vec<(String, String)> {
        let cookies = match &mut self.wire {
            Wire::WebDriver(driver) => within(driver.get("/cookie")).await,
            Wire::Marionette(marionette) => {
                within(marionette.send("WebDriver:GetCookies", &json!({}))).await
            }
        };
        let text = |cookie: &Value, key: &str| cookie[key].as_str().unwrap().to_owned();
        let cookies = cookies.as_array().unwrap().iter();
        let cookies = cookies.map(|cookie| (text(cookie, "name"), text(cookie, "value")));
        cookies.collect()
    }

    /// Removes a cookie of the page's address, as if it had expired.
    pub async fn delete_cookie(&mut self, name: &str) {
        match &mut self.wire {
            Wire::WebDriver(driver) => {
                within(driver.delete(&format!("/cookie/{name}"))).await;
            }
            Wire::Marionette(marionette) => {
                let which = json!({ "name": name });
                within(marionette.send("WebDriver:DeleteCookie", &which)).await;
            }
        }
    }

    /// Carries out a command of Chromium's developer tools.
    ///
    /// # Panics
    ///
    /// In Firefox, which has none.
    pub async fn devtools(&mut self, command: &str, parameters: &Value) -> Value {
        let call = json!({ "cmd": command, "params": parameters });
        self.chromiums("/goog/cdp/execute", &call).await
    }

    /// What Chromium's network log has had of this event since it was last asked, where it keeps one, and when: in
    /// milliseconds of unix time.
    ///
    /// # Panics
    ///
    /// In Firefox, which keeps none.
    pub async fn network_events(&mut self, event: &str) -> Vec<(u64, Value)> {
        let which = json!({ "type": "performance" });
        let log = self.chromiums("/se/log", &which).await;
        let entries = log.as_array().unwrap().iter();
        let events = entries.filter_map(|entry| {
            let at = entry["timestamp"].as_u64()?;
            let mut told: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &mut told["message"];
            (message["method"] == event).then(|| (at, message["params"].take()))
        });
        events.collect()
    }

    async fn chromiums(&mut self, path: &str, call: &Value) -> Value {
        match &mut self.wire {
            Wire::WebDriver(driver) => within(driver.post(path, call)).await,
            Wire::Marionette(_) => panic!("{path} is Chromium's"),
        }
    }

    /// The tab in use.
    pub async fn tab(&mut self) -> Tab {
        let answer = match &mut self.wire {
            Wire::WebDriver(driver) => within(driver.get("/window")).await,
            Wire::Marionette(marionette) => {
                let asked = json!({});
                let answer = within(marionette.send("WebDriver:GetWindowHandle", &asked));
                answer.await["value"].take()
            }
        };
        Tab(answer.as_str().unwrap().to_owned())
    }

    /// Opens a tab and goes on in it.
    pub async fn new_tab(&mut self) -> Tab {
        let wanted = json!({ "type": "tab" });
        let made = self.command("/window/new", "WebDriver:NewWindow", &wanted);
        let tab = Tab(made.await["handle"].as_str().unwrap().to_owned());
        self.switch(&tab).await;
        tab
    }

    /// Goes on in another tab.
    pub async fn switch(&mut self, tab: &Tab) {
        let to = json!({ "handle": tab.0 });
        self.command("/window", "WebDriver:SwitchToWindow", &to)
            .await;
    }

    async fn command(&mut self, path: &str, name: &str, parameters: &Value) -> Value {
        match &mut self.wire {
            Wire::WebDriver(driver) => within(driver.post(path, parameters)).await,
            Wire::Marionette(marionette) => within(marionette.send(name, parameters)).await,
        }
    }
}

async fn turn() -> Turn {
    TURNS.acquire().await.unwrap()
}

fn version(granted: &Value) -> String {
    granted["browserVersion"].as_str().unwrap().to_owned()
}

/// No wait for a browser lasts longer than this.
async fn within<T>(work: impl Future<Output = T>) -> T {
    let done = timeout(PATIENCE, work).await;
    done.expect("the browser answers in time")
}
