//! [`CookieClient`]: sends requests and keeps cookies; [`logged_in`]: the cookies of a session of any layer.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt,
    future::{Ready, poll_fn, ready},
    marker::PhantomData,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    middleware::{failure::EmptyFailure, layer::SessionLayer},
    session::{handle::Session, mark::Login},
};

/// The `Cookie` field of a browser that has just logged in like this: for requests to an application behind this layer, or
/// behind one with the same keys, cookies and store.
///
/// The layer itself begins the session, so everything holds of it that holds of a session of that layer. The login comes from a client
/// without any header. Where the layer binds sessions to [clients](crate::SessionLayer::with_binding), use a
/// [`CookieClient`] and the application's own login.
///
/// # Panics
///
/// If the layer refuses the login, or its store fails.
///
/// # Examples
///
/// ```
/// use axum::{Router, body::Body, http::{Request, header}, routing::get};
/// use tower::ServiceExt;
/// use tower_session_guard::{AuthenticatedSession, KeyRing, SessionLayer, testing::logged_in};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let layer = SessionLayer::new(KeyRing::generate()?);
/// let cookies = logged_in(&layer, "alice").await;
/// let hello = |user: AuthenticatedSession| async move { format!("Hello, {}", user.subject()) };
/// let app: Router = Router::new().route("/", get(hello)).layer(layer);
///
/// let request = Request::get("/").header(header::COOKIE, cookies).body(Body::empty())?;
/// assert_eq!(app.oneshot(request).await?.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn logged_in<F, K>(layer: &SessionLayer<F, K>, login: impl Into<Login>) -> HeaderValue
where
    F: Clone,
    K: Clone,
{
    let layer = layer.clone().on_failure_with(EmptyFailure);
    let mut client = CookieClient::around(layer.layer(LogIn(login.into())));
    let answer: Response<()> = client.get("/").await;
    let status = answer.status();
    match client.cookie() {
        Some(cookie) if status.is_success() => cookie,
        _ => {
            #[expect(clippy::panic, reason = "a mistake of the test")]
            {
                panic!("the layer refused the login with {status}")
            }
        }
    }
}

/// Sends requests to a service in this process, keeps the cookies that its answers set, and sends them back.
///
/// It keeps a cookie until an answer removes it with `Max-Age=0`, and sends every cookie with every request: it knows no paths,
/// domains or expiry. It follows no redirects.
///
/// # Examples
///
/// ```
/// use axum::{Router, body::Body, routing::{get, post}};
/// use tower_session_guard::{KeyRing, Session, SessionLayer, testing::CookieClient};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let app: Router = Router::new()
///     .route("/login", post(|session: Session| async move { session.login("alice") }))
///     .route("/", get(|session: Session| async move { format!("{:?}", session.subject()) }))
///     .layer(SessionLayer::new(KeyRing::generate()?));
///
/// let mut browser = CookieClient::<_, Body>::around(app);
/// browser.post("/login").await;
/// assert!(browser.cookie().is_some());
/// assert_eq!(browser.get("/").await.status(), 200);
/// // Another browser with the same cookies, such as a thief's.
/// let thief = browser.clone();
/// assert_eq!(thief.cookie(), browser.cookie());
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CookieClient<S, B> {
    service: S,
    cookies: BTreeMap<String, String>,
    body: PhantomData<fn(B)>,
}

impl<S, B, R> CookieClient<S, B>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: fmt::Debug,
{
    /// A client without cookies.
    pub const fn around(service: S) -> Self {
        Self {
            service,
            cookies: BTreeMap::new(),
            body: PhantomData,
        }
    }

    /// Sends a `GET` for this path, with an empty body.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send), and if the path is none.
    pub async fn get(&mut self, path: &str) -> Response<R>
    where
        B: Default,
    {
        self.send(empty(Method::GET, path)).await
    }

    /// Sends a `POST` for this path, with an empty body.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send), and if the path is none.
    pub async fn post(&mut self, path: &str) -> Response<R>
    where
        B: Default,
    {
        self.send(empty(Method::POST, path)).await
    }

    /// Sends a request, with the cookies behind those that it has, and keeps those of the answer.
    ///
    /// # Panics
    ///
    /// If the service fails.
    pub async fn send(&mut self, mut request: Request<B>) -> Response<R> {
        if let Some(cookie) = self.cookie() {
            request.headers_mut().append(header::COOKIE, cookie);
        }
        let ready = poll_fn(|cx| self.service.poll_ready(cx)).await;
        let answer = match ready {
            Ok(()) => self.service.call(request).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(response) => {
                self.keep(response.headers());
                response
            }
            Err(error) => {
                #[expect(clippy::panic, reason = "a test cannot go on")]
                {
                    panic!("the service failed: {error:?}")
                }
            }
        }
    }
}

impl<S, B> CookieClient<S, B> {
    /// The `Cookie` field that goes with the next request, if there are cookies.
    #[must_use]
    pub fn cookie(&self) -> Option<HeaderValue> {
        let pairs = self.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let field = HeaderValue::try_from(pairs.join("; ")).ok()?;
        (!pairs.is_empty()).then_some(field)
    }

    /// Forgets every cookie, as a browser whose profile is cleared.
    pub fn clear(&mut self) {
        self.cookies.clear();
    }

    fn keep(&mut self, headers: &HeaderMap) {
        let set = headers.get_all(header::SET_COOKIE).iter();
        for set in set.filter_map(|set| set.to_str().ok()) {
            let (pair, attributes) = set.split_once(';').unwrap_or((set, ""));
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let mut attributes = attributes.split(';').map(str::trim);
            if attributes.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0")) {
                self.cookies.remove(name.trim());
            } else {
                self.cookies
                    .insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

/// Another client with the same cookies.
impl<S, B> Clone for CookieClient<S, B>
where
    S: Clone,
{
    fn clone(&self) -> Self {
        Self {
            service: self.service.clone(),
            cookies: self.cookies.clone(),
            body: PhantomData,
        }
    }
}

impl<S, B> fmt::Debug for CookieClient<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieClient")
            .field("cookies", &self.cookies.keys())
            .finish_non_exhaustive()
    }
}

fn empty<B>(method: Method, path: &str) -> Request<B>
where
    B: Default,
{
    let mut request = Request::new(B::default());
    *request.method_mut() = method;
    match path.parse::<Uri>() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(error) => {
            #[expect(clippy::panic, reason = "a mistake of the test")]
            {
                panic!("{path:?} is no path: {error}")
            }
        }
    }
    request
}

/// A service that logs in whoever asks.
#[derive(Clone)]
struct LogIn(Login);

impl Service<Request<()>> for LogIn {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        if let Some(session) = request.extensions().get::<Session>() {
            session.login(self.0.clone());
        }
        ready(Ok(Response::new(())))
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response, header::SET_COOKIE};

    use super::{CookieClient, Infallible, Layer, LogIn, Ready, Service, logged_in, ready};
    use crate::{Endings, KeyRing, Login, Session, SessionLayer};

    /// Answers with who asks, and with the cookies that the query names.
    #[derive(Clone)]
    struct Site;

    impl Service<Request<()>> for Site {
        type Response = Response<String>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Infallible>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<()>) -> Self::Future {
            let session = request.extensions().get::<Session>();
            let who = session.and_then(Session::authenticated);
            let who = who.map_or("nobody".to_owned(), |user| {
                format!("{} by {:?}", user.subject(), user.methods().next())
            });
            let mut response = Response::new(who);
            for set in request
                .uri()
                .query()
                .into_iter()
                .flat_map(|query| query.split('&'))
            {
                let set = set.replace('+', "; ");
                response
                    .headers_mut()
                    .append(SET_COOKIE, set.parse().unwrap());
            }
            ready(Ok(response))
        }
    }

    #[tokio::test]
    async fn its_cookies_are_those_of_a_session_of_the_layer() {
        let keys = KeyRing::generate().unwrap();
        let stored = SessionLayer::new(keys.clone()).into_any();
        let sealed = SessionLayer::self_contained(keys, Endings::this_process()).into_any();
        for layer in [stored, sealed] {
            let layer = layer.on_failure(|_| Response::new("failed".to_owned()));
            let cookies = logged_in(&layer, Login::new("alice").by("passkey")).await;
            let mut request = Request::new(());
            request.headers_mut().insert("cookie", cookies);
            let mut client = CookieClient::around(layer.layer(Site));
            let answer = client.send(request).await;
            assert!(
                answer.body().starts_with("alice by Some((\"passkey\""),
                "{answer:?}"
            );
            assert_eq!(client.get("/").await.body(), "nobody");
        }
    }

    #[tokio::test]
    async fn a_client_keeps_cookies_until_they_are_removed() {
        let mut client = CookieClient::around(Site);
        assert_eq!(client.cookie(), None);
        client.get("/?a=1+Path=/&b=2").await;
        assert_eq!(client.cookie().unwrap(), "a=1; b=2");
        client
            .post("/?a=3+Max-Age=60&b=+Path=/+max-age=0&junk")
            .await;
        assert_eq!(client.cookie().unwrap(), "a=3");
        client.clear();
        assert_eq!(client.cookie(), None);
    }

    #[tokio::test]
    #[should_panic = "the layer refused the login with 500"]
    async fn a_login_that_the_layer_refuses_is_a_mistake_of_the_test() {
        let layer = SessionLayer::new(KeyRing::generate().unwrap());
        let _ = logged_in(&layer, "").await;
    }

    #[tokio::test]
    async fn without_a_layer_nobody_is_logged_in() {
        let mut client = CookieClient::around(LogIn("alice".into()));
        client.get("/").await;
        assert_eq!(client.cookie(), None);
    }
}
