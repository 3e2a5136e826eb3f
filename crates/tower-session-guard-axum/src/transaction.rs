//! [`Transaction`]: a login that is under way at an identity provider, as an extractor.

use std::{convert::Infallible, fmt, sync::Arc};

use axum_core::{
    extract::{FromRef, FromRequestParts},
    response::{IntoResponseParts, ResponseParts},
};
use http::{
    HeaderMap, HeaderValue,
    header::{CACHE_CONTROL, SET_COOKIE},
    request::Parts,
};
use serde::{Serialize, de::DeserializeOwned};
use tower_session_guard::{Clock, DataError, SystemClock, TransactionCookie};

/// A [`TransactionCookie`] as a part of the router's state, for [`Transaction`].
///
/// A router that has two, one for callbacks by `POST` say, gives their values different types.
pub struct Transactions<T> {
    cookie: Arc<TransactionCookie<T>>,
    clock: Arc<dyn Clock>,
}

impl<T> Transactions<T> {
    /// The part of the state for this cookie.
    #[must_use]
    pub fn new(cookie: TransactionCookie<T>) -> Self {
        Self {
            cookie: Arc::new(cookie),
            clock: Arc::new(SystemClock),
        }
    }

    /// Goes by another clock than the system's: for tests.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        let clock = Arc::new(clock);
        Self { clock, ..self }
    }
}

impl<T> Clone for Transactions<T> {
    fn clone(&self) -> Self {
        Self {
            cookie: Arc::clone(&self.cookie),
            clock: Arc::clone(&self.clock),
        }
    }
}

impl<T> fmt::Debug for Transactions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transactions")
            .field("name", self.cookie.name())
            .finish_non_exhaustive()
    }
}

/// The login that is under way in the request's browser, and the way to begin and to finish one.
///
/// It never refuses a request: whether a login is under way shows when it is [finished](Self::finish).
///
/// # Examples
///
/// ```
/// use axum::{Router, extract::{FromRef, Query}, http::StatusCode, response::Redirect, routing::get};
/// use serde::{Deserialize, Serialize};
/// use tower_session_guard::{DataError, KeyRing, Session, SessionLayer, TransactionCookie};
/// use tower_session_guard_axum::{SetTransaction, Transaction, Transactions};
///
/// #[derive(Serialize, Deserialize)]
/// struct Pending {
///     state: String,
/// }
///
/// #[derive(Clone, FromRef)]
/// struct App {
///     logins: Transactions<Pending>,
/// }
///
/// async fn begin(login: Transaction<Pending>) -> Result<(SetTransaction, Redirect), DataError> {
///     let pending = Pending { state: random() };
///     let provider = format!("https://login.example/authorize?state={}", pending.state);
///     Ok((login.begin(&pending)?, Redirect::to(&provider)))
/// }
/// # fn random() -> String { "…".to_owned() }
///
/// #[derive(Deserialize)]
/// struct Callback {
///     state: String,
/// }
///
/// async fn callback(
///     session: Session,
///     login: Transaction<Pending>,
///     Query(came): Query<Callback>,
/// ) -> Result<(SetTransaction, Redirect), StatusCode> {
///     let (pending, finished) = login.finish().ok_or(StatusCode::BAD_REQUEST)?;
///     if pending.state != came.state {
///         return Err(StatusCode::BAD_REQUEST);
///     }
///     // Redeem the code at the provider here, and check what it says.
///     session.login("42");
///     Ok((finished, Redirect::to("/")))
/// }
///
/// let keys = KeyRing::generate()?;
/// let logins = Transactions::new(TransactionCookie::new(&keys, "oidc")?);
/// let app: Router = Router::new()
///     .route("/login", get(begin))
///     .route("/callback", get(callback))
///     .with_state(App { logins })
///     .layer(SessionLayer::new(keys));
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
pub struct Transaction<T> {
    transactions: Transactions<T>,
    headers: HeaderMap,
}

impl<T> Transaction<T>
where
    T: Serialize + DeserializeOwned,
{
    /// Begins a login; it takes the place of one that is under way. Return what it gives with the response.
    ///
    /// # Errors
    ///
    /// As [`TransactionCookie::begin`].
    pub fn begin(&self, pending: &T) -> Result<SetTransaction, DataError> {
        let Transactions { cookie, clock } = &self.transactions;
        cookie.begin(pending, clock.now()).map(SetTransaction)
    }

    /// What the login began with, and the response's part that ends it; `None` if none is under way here.
    ///
    /// Compare its `state` with the one that came before you believe anything of the callback.
    #[must_use]
    pub fn finish(&self) -> Option<(T, SetTransaction)> {
        let Transactions { cookie, clock } = &self.transactions;
        let pending = cookie.read(&self.headers, clock.now())?;
        Some((pending, SetTransaction(cookie.removal())))
    }
}

impl<T> fmt::Debug for Transaction<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("of", &self.transactions)
            .finish_non_exhaustive()
    }
}

impl<T, S> FromRequestParts<S> for Transaction<T>
where
    Transactions<T>: FromRef<S>,
    T: 'static,
    S: Send + Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let transactions = Transactions::from_ref(state);
        let mut headers = HeaderMap::new();
        for cookies in parts.headers.get_all(http::header::COOKIE) {
            headers.append(http::header::COOKIE, cookies.clone());
        }
        Ok(Self {
            transactions,
            headers,
        })
    }
}

/// The part of a response that begins or ends a login at an identity provider: its `Set-Cookie`, and `Cache-Control: no-store`.
#[derive(Clone, Debug)]
#[must_use = "return it with the response: otherwise the browser does not know of the login"]
pub struct SetTransaction(HeaderValue);

impl IntoResponseParts for SetTransaction {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        let headers = response.headers_mut();
        headers.append(SET_COOKIE, self.0);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}
