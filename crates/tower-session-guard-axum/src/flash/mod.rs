//! [`Flash`]: messages that the next page shows once.

mod flash_cookie;
mod message;

use std::{convert::Infallible, fmt};

use axum_core::{
    extract::{FromRef, FromRequestParts},
    response::{IntoResponseParts, ResponseParts},
};
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, SET_COOKIE},
    request::Parts,
};

pub use self::{
    flash_cookie::FlashCookie,
    message::{FlashLevel, FlashMessage},
};

/// Messages that one answer leaves and the next page shows once, over a redirect: as an extractor and as a part of the response.
///
/// They are in a [signed cookie](FlashCookie) of their own. So they survive a login and a logout, and a visitor's wrong password leaves no
/// session in a store. **Return it with the response**: without that nothing is shown later, and what was shown is shown again.
///
/// Messages have about 3,000 bytes together. Of more, the oldest are left out, and a single one is cut; the log says so. If two browsers' tabs
/// get messages at the same time, the later answer's are shown. An answer that changes the cookie is `Cache-Control: no-store`.
///
/// # Examples
///
/// ```
/// use axum::{Router, extract::FromRef, response::{Html, Redirect}, routing::{get, post}};
/// use tower_session_guard::KeyRing;
/// use tower_session_guard_axum::{Flash, FlashCookie};
///
/// #[derive(Clone, FromRef)]
/// struct App {
///     flash: FlashCookie,
/// }
///
/// async fn save(flash: Flash) -> (Flash, Redirect) {
///     (flash.success("Saved."), Redirect::to("/"))
/// }
///
/// async fn home(mut flash: Flash) -> (Flash, Html<String>) {
///     let shown = flash.take();
///     let shown = shown.iter().map(|message| format!("<p class={}>{}</p>", message.level().as_str(), escaped(message.text())));
///     let page = shown.collect();
///     (flash, Html(page))
/// }
/// # fn escaped(text: &str) -> String { text.replace('&', "&amp;").replace('<', "&lt;") }
///
/// let app: Router = Router::new()
///     .route("/", get(home))
///     .route("/save", post(save))
///     .with_state(App { flash: FlashCookie::new(&KeyRing::generate()?) });
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
#[must_use = "return it with the response: otherwise its messages are lost"]
pub struct Flash {
    cookie: FlashCookie,
    messages: Vec<FlashMessage>,
    /// Whether a cookie came, which leaves if no message does.
    came: bool,
    is_changed: bool,
}

impl Flash {
    /// The messages that came, and those that were pushed since, to be shown now. They are not shown again.
    pub fn take(&mut self) -> Vec<FlashMessage> {
        self.is_changed |= self.came;
        std::mem::take(&mut self.messages)
    }

    /// Adds a message for the next page.
    pub fn push(mut self, level: FlashLevel, text: impl Into<String>) -> Self {
        self.messages.push(FlashMessage::new(level, text.into()));
        self.is_changed = true;
        self
    }

    /// Adds a message of the level [`Info`](FlashLevel::Info).
    pub fn info(self, text: impl Into<String>) -> Self {
        self.push(FlashLevel::Info, text)
    }

    /// Adds a message of the level [`Success`](FlashLevel::Success).
    pub fn success(self, text: impl Into<String>) -> Self {
        self.push(FlashLevel::Success, text)
    }

    /// Adds a message of the level [`Warning`](FlashLevel::Warning).
    pub fn warning(self, text: impl Into<String>) -> Self {
        self.push(FlashLevel::Warning, text)
    }

    /// Adds a message of the level [`Error`](FlashLevel::Error).
    pub fn error(self, text: impl Into<String>) -> Self {
        self.push(FlashLevel::Error, text)
    }

    /// The `Set-Cookie` of the answer, if it has one.
    fn set_cookie(self) -> Option<HeaderValue> {
        match (self.is_changed, self.messages.is_empty()) {
            (true, false) => self.cookie.write(self.messages),
            (true, true) if self.came => self.cookie.removal(),
            _ => None,
        }
    }
}

impl fmt::Debug for Flash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flash")
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}

impl<S> FromRequestParts<S> for Flash
where
    FlashCookie: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let cookie = FlashCookie::from_ref(state);
        let (messages, came) = cookie.read(&parts.headers);
        // One that does not hold is of no use to anybody.
        let is_changed = came && messages.is_empty();
        Ok(Self {
            cookie,
            messages,
            came,
            is_changed,
        })
    }
}

impl IntoResponseParts for Flash {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        if let Some(set_cookie) = self.set_cookie() {
            let headers = response.headers_mut();
            headers.append(SET_COOKIE, set_cookie);
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        Ok(response)
    }
}
