//! [`SessionLayer::login_at_arrival`]: the setting.

use std::future::Future;

use http::request::Parts;

use super::{arrival_hook::ArrivalHook, layer::SessionLayer};
use crate::session::mark::Login;

impl<F, K> SessionLayer<F, K> {
    /// Logs a user in before the handler runs, where a request without a session proves who they are: by the header of an
    /// authenticating proxy, the cookie of a remembered device, or the session of another library.
    ///
    /// The hook is given the request without its body, and what layers outside have put into its extensions. `None` leaves
    /// the request as it is; an error is the application's to log, and `None` too. A layer has one hook: a second call
    /// replaces the first.
    ///
    /// The login is committed as one that a [handler marks](crate::Session::login): under a new token, with the same
    /// limits and events, and a guest's session ends with it. The handler finds the session as if its cookie had come, so a
    /// `POST` is not lost. What the handler marks comes on top. The cookie leaves with whatever it answers, a failure or a
    /// redirect too, and with the layer's answer to a failure. If no answer leaves, since the client is gone, the handler
    /// panics or the inner service returns an error, the new session ends.
    ///
    /// Where a handler's login would be refused, so is this one: the handler does not run, and the answer is that
    /// [to a failure](Self::on_failure). That holds if the store fails, if the subject is unusable or has as many sessions
    /// as [allowed](crate::AtLimit::RefuseLogin), and if everything of the subject is ended meanwhile.
    ///
    /// # When it is asked
    ///
    /// | the request | the hook |
    /// |---|---|
    /// | has no token, or tokens whose sessions are over | is asked |
    /// | has a guest's session | is asked; a login ends it, and its data follows the [rule of every login](crate::DataKey::carried) |
    /// | has a user's session, a suspended one too | is not asked |
    /// | has a token of a user's session that goes on without it: a retired one, one without its device's cookie, or those of several sessions | is not asked: a login would end that session. A handler can [log in](crate::Session::login), and where there is no login page, one should |
    /// | comes from another site, so that the browser may have withheld the cookie by its [`SameSite`](crate::SameSite) | is not asked |
    /// | is for an endpoint of [device binding](Self::with_device_binding) | is not asked |
    /// | cannot be admitted, since the store fails | is not asked, and the handler does not run |
    ///
    /// Where the layer loads [lazily](Self::lazily), the first look asks, and only until the answer's head leaves. A route that
    /// never looks, such as one for stylesheets, asks nothing and logs nobody in. Before the look the session is as not
    /// loaded, with self-contained tokens too. Otherwise every request without a session asks.
    ///
    /// # What the proof must be
    ///
    /// - **Only the proxy may set its header.** It has to remove the field from what clients send, under every spelling that
    ///   reaches the application, and no client may reach the application around it. Otherwise anybody is anybody.
    /// - **Nobody else may put the proof into a browser's request.** A token in the URL logs its victim in to the
    ///   attacker's account by a link.
    /// - **A proof that comes by itself**, such as a proxy's header, also comes with requests that other sites cause. By
    ///   `SameSite`, `Sec-Fetch-Site` and `Origin` the layer asks only where the browser would have sent the session's cookie.
    ///   With [`SameSite::None`](crate::SameSite::None) that is everywhere, and [`CsrfLayer`](crate::CsrfLayer) has to
    ///   guard unsafe methods, as it has to for sessions. It refuses a `POST` that begins a session, since the page before
    ///   had no token of it; the cookie leaves with the refusal.
    /// - **A session of another library** may have been planted before its user logged in there. Take it out of the old store
    ///   as the hook reads it, so that it opens one session and no second one; of
    ///   requests at the same time, one logs in.
    ///
    /// # Logout, and clients without cookies
    ///
    /// A logout holds until the proof comes again, which with a proxy's header is the next request: end the session at the
    /// proxy too. A client that sends the proof and keeps no cookies begins a session with each request; the
    /// [limit](SessionLayer::max_sessions) of the owner's sessions holds, and by default ends the oldest, a browser's perhaps.
    /// Return `None` for clients that need no session. Two requests at the same time each begin a session; both cookies
    /// work, and the browser keeps one.
    ///
    /// # Examples
    ///
    /// A proxy says who the user is:
    ///
    /// ```
    /// use tower_session_guard::{KeyRing, Login, SessionLayer};
    ///
    /// let sessions = SessionLayer::new(KeyRing::generate()?).login_at_arrival(|request| async move {
    ///     let user = request.headers.get("x-authenticated-user")?.to_str().ok()?;
    ///     Some(Login::new(user).by("sso"))
    /// });
    /// # let _ = sessions;
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    ///
    /// Users of another library stay logged in when this one takes its place:
    ///
    /// ```
    /// use http::{HeaderMap, header::COOKIE};
    /// use tower_session_guard::{KeyRing, Login, SessionLayer};
    ///
    /// # #[derive(Clone)]
    /// # struct OldSessions;
    /// # impl OldSessions {
    /// #     async fn take(&self, _: &str) -> Result<Option<u64>, std::io::Error> { Ok(None) }
    /// # }
    /// fn old_id(headers: &HeaderMap) -> Option<&str> {
    ///     let mut pairs = headers.get(COOKIE)?.to_str().ok()?.split("; ");
    ///     pairs.find_map(|pair| pair.strip_prefix("connect.sid="))
    /// }
    ///
    /// # let old_sessions = OldSessions;
    /// let sessions = SessionLayer::new(KeyRing::generate()?).login_at_arrival(move |request| {
    ///     let old_sessions = old_sessions.clone();
    ///     async move {
    ///         // Removes the session, and says whose it was.
    ///         match old_sessions.take(old_id(&request.headers)?).await {
    ///             Ok(user) => Some(Login::new(user?)),
    ///             Err(error) => {
    ///                 eprintln!("the old sessions cannot be read: {error}");
    ///                 None
    ///             }
    ///         }
    ///     }
    /// });
    /// # let _ = sessions;
    /// # Ok::<(), tower_session_guard::ConfigError>(())
    /// ```
    pub fn login_at_arrival<C, R>(self, hook: C) -> Self
    where
        C: Fn(Parts) -> R + Send + Sync + 'static,
        R: Future<Output = Option<Login>> + Send + 'static,
    {
        self.with(|settings| settings.arrival_hook = Some(ArrivalHook::new(hook)))
    }
}
