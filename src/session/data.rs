//! [`DataKey`]: typed keys of a session's data, and which of them survive a login.

use std::{borrow::Cow, error::Error, fmt, marker::PhantomData, time::Duration};

use serde::{Serialize, de::DeserializeOwned};
use smol_str::SmolStr;

use super::{entries::Keep, finite::is_finite, time::Timestamp};

/// Why a key is not both.
const NOT_CARRIED: &str = "what is carried over a login is not gone with it: leave `carried` out, or `once` and `expiring`";

/// The name of an entry of the session's data, and the type of its value.
///
/// Values are kept as JSON. What a guest wrote is dropped at the login, since an attacker
/// may have planted it, unless the key was declared [`carried`](Self::carried). What leads from one request to the next is
/// for [one use](Self::once) or [for a time](Self::expiring), and gone with every login. The holder of a
/// self-contained token can read names and values.
///
/// # Examples
///
/// ```
/// use tower_session_guard::DataKey;
///
/// const CART: DataKey<Vec<u32>> = DataKey::new("cart").carried();
/// assert_eq!(CART.name(), "cart");
/// ```
///
/// # When the type changes
///
/// Sessions outlive a deployment, so a new release finds values that the one before has written, and during a rolling
/// upgrade the old one finds those of the new. A value that is not of the key's type is an
/// [error](DataErrorKind::Decode); a handler that passes it on with `?` answers 500 until the session ends. Three ways
/// lead out:
///
/// - Let the type read what is there: `#[serde(default)]` on a new field, `#[serde(alias = "…")]` on a renamed one. Serde
///   ignores fields that are gone.
/// - Give the key a new name where the meaning changes. The old value stays until the session ends, and counts towards
///   its size.
/// - Where the value can be missed, take the error for an absent value.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tower_session_guard::{DataKey, Session};
///
/// #[derive(Default, Deserialize, Serialize)]
/// struct Cart {
///     items: Vec<u32>,
///     #[serde(default)] // a cart of the release before has none
///     voucher: Option<String>,
/// }
///
/// const CART: DataKey<Cart> = DataKey::new("cart").carried();
///
/// fn cart(session: &Session) -> Cart {
///     // Of another type: a cart that can be filled again is no reason for a 500.
///     session.get(&CART).ok().flatten().unwrap_or_default()
/// }
/// ```
pub struct DataKey<T> {
    name: Cow<'static, str>,
    life: Life,
    value: PhantomData<fn() -> T>,
}

/// For how long a key's values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Until somebody else logs in.
    Subject,
    /// Also over a guest's login.
    Carried,
    /// Until any login, and for this long at most.
    Passing(Option<Duration>),
}

impl<T> DataKey<T> {
    /// The longest name, in bytes.
    pub const MAX_NAME_LEN: usize = 255;

    /// The key of this name.
    ///
    /// # Panics
    ///
    /// If the name is empty or longer than 255 bytes: at compile time where the key is a constant.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(
            !name.is_empty() && name.len() <= Self::MAX_NAME_LEN,
            "a data key's name has 1 to 255 bytes"
        );
        Self {
            name: Cow::Borrowed(name),
            life: Life::Subject,
            value: PhantomData,
        }
    }

    /// The key of a name that is known only while the program runs.
    ///
    /// # Errors
    ///
    /// If the name is empty or longer than 255 bytes.
    pub fn named(name: impl Into<String>) -> Result<Self, DataError> {
        let name = name.into();
        if name.is_empty() || name.len() > Self::MAX_NAME_LEN {
            return Err(DataError::name());
        }
        Ok(Self {
            name: Cow::Owned(name),
            life: Life::Subject,
            value: PhantomData,
        })
    }

    /// Declares that a guest's value survives their login.
    ///
    /// The value may have been planted by an attacker: carry only what is harmless then.
    #[must_use]
    ///
    /// # Panics
    ///
    /// If the key was declared [`once`](Self::once) or [`expiring`](Self::expiring): at compile time where the key is a
    /// constant.
    pub const fn carried(mut self) -> Self {
        assert!(!matches!(self.life, Life::Passing(_)), "{}", NOT_CARRIED);
        self.life = Life::Carried;
        self
    }

    /// Declares that values under this key are for one use: [`Session::take`](crate::Session::take) reads a value and removes
    /// it. Every login removes it too, also one of the same subject.
    ///
    /// For what leads from one request to the next and means nothing afterwards: a challenge that was sent out, a form's
    /// nonce, a message to show once.
    ///
    /// # Panics
    ///
    /// If the key was declared [`carried`](Self::carried): at compile time where the key is a constant.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_session_guard::{DataError, DataKey, Session};
    ///
    /// const CHALLENGE: DataKey<String> = DataKey::new("challenge").once();
    ///
    /// fn is_answer(session: &Session, answer: &str) -> Result<bool, DataError> {
    ///     Ok(session.take(&CHALLENGE)?.is_some_and(|challenge| challenge == answer))
    /// }
    /// ```
    #[must_use]
    pub const fn once(mut self) -> Self {
        assert!(!matches!(self.life, Life::Carried), "{}", NOT_CARRIED);
        if !matches!(self.life, Life::Passing(_)) {
            self.life = Life::Passing(None);
        }
        self
    }

    /// Declares that values under this key are there for `time` after they were put in, and gone then. Every login removes them
    /// too, also one of the same subject.
    ///
    /// The session does not end with them: it has limits of its own. A value that is updated is there for `time` after the
    /// update.
    ///
    /// # Panics
    ///
    /// If the key was declared [`carried`](Self::carried): at compile time where the key is a constant.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_session_guard::DataKey;
    ///
    /// const CODE: DataKey<String> = DataKey::new("code").once().expiring(Duration::from_secs(300));
    /// ```
    #[must_use]
    pub const fn expiring(mut self, time: Duration) -> Self {
        assert!(!matches!(self.life, Life::Carried), "{}", NOT_CARRIED);
        self.life = Life::Passing(Some(time));
        self
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How a value is kept that is put in at `now`.
    pub(crate) fn keep(&self, now: Timestamp) -> Keep {
        self.life.keep(now)
    }

    pub(super) const fn life(&self) -> Life {
        self.life
    }
}

impl Life {
    pub(super) fn keep(self, now: Timestamp) -> Keep {
        match self {
            Self::Subject => Keep::Subject,
            Self::Carried => Keep::Carried,
            Self::Passing(time) => Keep::Passing(time.map(|time| now.after(time))),
        }
    }
}

impl<T> DataKey<T>
where
    T: Serialize + DeserializeOwned,
{
    /// The value as JSON that reads back as the key's type.
    pub(crate) fn encode<V>(value: &V) -> Result<Vec<u8>, DataError>
    where
        V: Serialize + ?Sized,
    {
        let refused = |source| DataError::of(DataErrorKind::Encode, source);
        if !is_finite(value) {
            return Err(refused(None));
        }
        let bytes = serde_json::to_vec(value).map_err(|error| refused(Some(error)))?;
        match serde_json::from_slice::<T>(&bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(refused(Some(error))),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<T, DataError> {
        let refused = |source| DataError::of(DataErrorKind::Decode, Some(source));
        serde_json::from_slice(bytes).map_err(refused)
    }
}

impl<T> Clone for DataKey<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            life: self.life,
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for DataKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey")
            .field("name", &self.name)
            .field("life", &self.life)
            .finish()
    }
}

/// A value that could not be put into the session's data or read from it.
///
/// Nothing was changed. Its text names the key and says what to do.
pub struct DataError {
    kind: DataErrorKind,
    key: Option<SmolStr>,
    source: Option<serde_json::Error>,
}

/// What was wrong with a value or its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataErrorKind {
    /// The key's name is empty or longer than 255 bytes.
    Name,
    /// The value does not turn into JSON that reads back as the key's type: it holds a number that is infinite or not a
    /// number, say, or a map whose keys are no texts, or its type leaves out what it needs to be read.
    Encode,
    /// The JSON that is there is not of the key's type.
    Decode,
    /// With this value the session's data would exceed what one session may hold.
    TooLarge,
    /// The response's head has left already.
    TooLate,
    /// An update was made over and over, because something else of this request kept writing the value meanwhile: the
    /// update itself, say.
    Contended,
}

impl DataError {
    /// What was wrong.
    #[must_use]
    pub const fn kind(&self) -> DataErrorKind {
        self.kind
    }

    /// The same, with the name of the key.
    pub(crate) fn under(self, key: &str) -> Self {
        Self {
            key: Some(SmolStr::new(key)),
            ..self
        }
    }

    pub(crate) const fn too_large() -> Self {
        Self::of(DataErrorKind::TooLarge, None)
    }

    pub(crate) const fn too_late() -> Self {
        Self::of(DataErrorKind::TooLate, None)
    }

    pub(crate) const fn contended() -> Self {
        Self::of(DataErrorKind::Contended, None)
    }

    const fn name() -> Self {
        Self::of(DataErrorKind::Name, None)
    }

    const fn of(kind: DataErrorKind, source: Option<serde_json::Error>) -> Self {
        Self {
            kind,
            key: None,
            source,
        }
    }
}

impl fmt::Debug for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the source, which may quote the value.
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "session data under {key:?}: ")?;
        }
        f.write_str(match self.kind {
            DataErrorKind::Name => "a data key's name has 1 to 255 bytes",
            DataErrorKind::Encode => {
                "the value does not turn into JSON that reads back as the key's type: JSON has no infinite numbers, no \
                 NaN, and only texts for the keys of a map"
            }
            DataErrorKind::Decode => {
                "what is there is not of the key's type: if that changed since an earlier release, give new fields \
                 #[serde(default)], name the key anew, or take this error for an absent value"
            }
            DataErrorKind::TooLarge => "the session's data would be too large",
            DataErrorKind::TooLate => "the response's head has left already",
            DataErrorKind::Contended => {
                "the value kept changing while it was updated: an update must not write to the session itself"
            }
        })
    }
}

impl Error for DataError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, HashMap},
        error::Error,
    };

    use serde::{Deserialize, Serialize, de::DeserializeOwned};

    use super::{DataError, DataErrorKind, DataKey};

    #[test]
    fn a_name_of_unusable_length_is_refused() {
        for name in [String::new(), "x".repeat(256)] {
            let refused = DataKey::<u8>::named(name).unwrap_err();
            assert_eq!(refused.kind(), DataErrorKind::Name);
        }
        assert!(DataKey::<u8>::named("x".repeat(255)).is_ok());
    }

    #[test]
    fn a_value_of_another_type_is_an_error_not_a_default() {
        let bytes = DataKey::<String>::encode(&"text".to_owned()).unwrap();
        let refused = DataKey::<u8>::decode(&bytes).unwrap_err();
        assert_eq!(refused.kind(), DataErrorKind::Decode);
        assert!(refused.source().unwrap().is::<serde_json::Error>());
    }

    /// What was put in is what is read, or it is not put in.
    #[test]
    fn a_value_that_does_not_read_back_is_not_written() {
        #[track_caller]
        fn refused<T>(value: &T)
        where
            T: Serialize + DeserializeOwned,
        {
            let refused = DataKey::<T>::encode(value).unwrap_err();
            assert_eq!(refused.kind(), DataErrorKind::Encode);
        }
        #[derive(Serialize, Deserialize)]
        struct Odd {
            #[serde(skip_serializing)]
            _unwritten: u8,
        }
        #[derive(Serialize, Deserialize)]
        struct Point {
            x: f64,
            y: Option<f64>,
        }
        refused(&f64::NAN);
        refused(&f32::INFINITY);
        // It would read back as `None`.
        refused(&Some(f64::NEG_INFINITY));
        refused(&Point {
            x: 0.0,
            y: Some(f64::NAN),
        });
        refused(&HashMap::from([((1, 2), 3)]));
        refused(&BTreeMap::from([(vec![1_u8], 3_u8)]));
        refused(&Odd { _unwritten: 1 });

        let point = Point { x: 0.5, y: None };
        let read = DataKey::<Point>::decode(&DataKey::<Point>::encode(&point).unwrap()).unwrap();
        assert_eq!((read.x, read.y), (0.5, None));
        assert!(DataKey::<HashMap<i32, i32>>::encode(&HashMap::from([(1, 3)])).is_ok());
        assert!(DataKey::<u128>::encode(&u128::MAX).is_ok());
    }

    /// A cart of an earlier release.
    #[test]
    fn a_type_that_grew_reads_what_was_written_before() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Cart {
            #[serde(alias = "ids")]
            items: Vec<u8>,
            #[serde(default)]
            voucher: Option<String>,
        }
        let read = DataKey::<Cart>::decode(br#"{"ids":[1],"gone":true}"#).unwrap();
        let expected = Cart {
            items: vec![1],
            voucher: None,
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn every_error_says_what_to_mend() {
        let bytes = DataKey::<u8>::encode(&1).unwrap();
        let other_type = DataKey::<String>::decode(&bytes).unwrap_err();
        for (error, told) in [
            (DataKey::<u8>::named("").unwrap_err(), "1 to 255 bytes"),
            (DataKey::<f64>::encode(&f64::NAN).unwrap_err(), "no NaN"),
            (other_type, "#[serde(default)]"),
            (DataError::too_large(), "too large"),
            (DataError::too_late(), "left already"),
            (DataError::contended(), "must not write"),
        ] {
            let kind = error.kind();
            assert!(error.to_string().contains(told), "{error}");
            let named = error.under("cart\n");
            assert_eq!(named.kind(), kind);
            let text = named.to_string();
            assert!(
                text.starts_with(r#"session data under "cart\n": "#),
                "{text}"
            );
        }
    }

    #[test]
    fn a_key_prints_its_name_and_whether_it_survives_a_login() {
        let printed = format!("{:?}", DataKey::<u8>::new("cart").carried());
        assert_eq!(printed, "DataKey { name: \"cart\", life: Carried }");
    }
}
