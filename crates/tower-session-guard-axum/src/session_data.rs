//! [`Data`]: a value of the session as an extractor.

use std::{error::Error, fmt, ops::Deref};

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde::{Serialize, de::DeserializeOwned};
use tower_session_guard::{DataError, DataKey, LoadError, Session};

use crate::load::tell;

/// A type of which a session keeps one value, under a key of its own.
///
/// [`Data`] is the extractor.
pub trait SessionData: Serialize + DeserializeOwned + Send + 'static {
    /// The key, which says also what becomes of the value at a login.
    const KEY: DataKey<Self>;
}

/// A value of the session, and the place to put another one.
///
/// `Data<T>` is `T::default()` where the session has none yet; reading it begins no session. `Option<Data<T>>` is `None` then, and needs no
/// `Default`. What is put in is written once the handler has returned, as [`Session::insert`] says.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::post};
/// use serde::{Deserialize, Serialize};
/// use tower_session_guard::{DataError, DataKey, KeyRing, SessionLayer};
/// use tower_session_guard_axum::{Data, SessionData};
///
/// #[derive(Default, Deserialize, Serialize)]
/// struct Cart(Vec<u32>);
///
/// impl SessionData for Cart {
///     const KEY: DataKey<Self> = DataKey::new("cart").carried();
/// }
///
/// async fn add(mut cart: Data<Cart>) -> Result<String, DataError> {
///     // Runs again on what another request has put in meanwhile.
///     cart.update(|Cart(mut items)| {
///         items.push(7);
///         Cart(items)
///     })?;
///     Ok(format!("{} in your cart", cart.0.len()))
/// }
///
/// let app: Router = Router::new()
///     .route("/cart", post(add))
///     .layer(SessionLayer::new(KeyRing::generate()?));
/// # Ok::<(), tower_session_guard::ConfigError>(())
/// ```
pub struct Data<T> {
    session: Session,
    value: T,
}

impl<T> Data<T> {
    /// The value as it is known here.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> Data<T>
where
    T: SessionData,
{
    /// Puts this value into the session in the place of what is there.
    ///
    /// # Errors
    ///
    /// As [`Session::insert`]: nothing is changed then.
    pub fn insert(&mut self, value: T) -> Result<(), DataError> {
        self.session.insert(&T::KEY, &value)?;
        self.value = value;
        Ok(())
    }

    /// Removes the value from the session, and returns it as it is known here.
    pub fn remove(self) -> T {
        self.session.remove(&T::KEY);
        self.value
    }
}

impl<T> Data<T>
where
    T: SessionData + Default,
{
    /// Changes the value, so that no other request's change is lost: [`Session::update`] says how. The closure may run several times.
    ///
    /// # Errors
    ///
    /// As [`Session::update`]: nothing is changed then.
    pub fn update<F>(&mut self, change: F) -> Result<(), DataError>
    where
        F: Fn(T) -> T + Send + Sync + 'static,
    {
        let change = move |value: Option<T>| Some(change(value.unwrap_or_default()));
        self.session.update(&T::KEY, change)?;
        self.value = self.session.get(&T::KEY)?.unwrap_or_default();
        Ok(())
    }
}

impl<T> Deref for Data<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Without the value, of which the application may not want to print everything.
impl<T> fmt::Debug for Data<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Data").finish_non_exhaustive()
    }
}

/// Why there is no value to extract.
///
/// As a response it is 500 or 503 with an empty body.
#[derive(Debug)]
#[non_exhaustive]
pub enum DataRejection {
    /// There is no session layer, or the store failed.
    NotLoaded(LoadError),
    /// What the session has under the key is not of its type; the log says so. [`DataKey`] says how to change a type.
    Unreadable(DataError),
}

impl fmt::Display for DataRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoaded(error) => error.fmt(f),
            Self::Unreadable(error) => error.fmt(f),
        }
    }
}

impl Error for DataRejection {}

impl IntoResponse for DataRejection {
    fn into_response(self) -> Response {
        match self {
            Self::NotLoaded(error) => error.into_response(),
            Self::Unreadable(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

async fn read<T, S>(parts: &mut Parts, state: &S) -> Result<(Session, Option<T>), DataRejection>
where
    T: SessionData,
    S: Sync,
{
    let session = Session::from_request_parts(parts, state).await;
    let session = session.map_err(DataRejection::NotLoaded)?;
    let value = session.get(&T::KEY).map_err(|error| {
        tell!(error, %error, "a value of a session cannot be read");
        DataRejection::Unreadable(error)
    })?;
    Ok((session, value))
}

impl<T, S> FromRequestParts<S> for Data<T>
where
    T: SessionData + Default,
    S: Sync,
{
    type Rejection = DataRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, DataRejection> {
        let (session, value) = read::<T, S>(parts, state).await?;
        let value = value.unwrap_or_default();
        Ok(Self { session, value })
    }
}

/// `None` where the session has no value.
impl<T, S> OptionalFromRequestParts<S> for Data<T>
where
    T: SessionData,
    S: Sync,
{
    type Rejection = DataRejection;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &S,
    ) -> Result<Option<Self>, DataRejection> {
        let (session, value) = read(parts, state).await?;
        Ok(value.map(|value| Self { session, value }))
    }
}
