//! [`DataKey`]: typed keys of a session's data, and which of them survive a login.

use std::{borrow::Cow, error::Error, fmt, marker::PhantomData};

use serde::{Serialize, de::DeserializeOwned};

/// The name of an entry of the session's data, and the type of its value.
///
/// Values are kept as JSON. What a guest wrote is dropped at the login, since an attacker
/// may have planted it, unless the key was declared [`carried`](Self::carried). The holder of a
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
pub struct DataKey<T> {
    name: Cow<'static, str>,
    carried: bool,
    value: PhantomData<fn() -> T>,
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
            carried: false,
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
            carried: false,
            value: PhantomData,
        })
    }

    /// Declares that a guest's value survives their login.
    ///
    /// The value may have been planted by an attacker: carry only what is harmless then.
    #[must_use]
    pub const fn carried(mut self) -> Self {
        self.carried = true;
        self
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn is_carried(&self) -> bool {
        self.carried
    }
}

impl<T> DataKey<T>
where
    T: Serialize + DeserializeOwned,
{
    pub(crate) fn encode(value: &T) -> Result<Vec<u8>, DataError> {
        serde_json::to_vec(value).map_err(DataError::value)
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<T, DataError> {
        serde_json::from_slice(bytes).map_err(DataError::value)
    }
}

impl<T> Clone for DataKey<T> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            carried: self.carried,
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for DataKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey")
            .field("name", &self.name)
            .field("carried", &self.carried)
            .finish()
    }
}

/// A value that could not be put into the session's data or read from it.
///
/// Nothing was changed.
pub struct DataError {
    kind: DataErrorKind,
    source: Option<serde_json::Error>,
}

/// What was wrong with a value or its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataErrorKind {
    /// The key's name is empty or longer than 255 bytes.
    Name,
    /// The value does not turn into JSON, or the stored JSON is not of the key's type.
    Value,
    /// With this value the session's data would exceed what one session may hold.
    TooLarge,
    /// The response's head has left already.
    TooLate,
}

impl DataError {
    /// What was wrong.
    #[must_use]
    pub const fn kind(&self) -> DataErrorKind {
        self.kind
    }

    pub(crate) const fn too_large() -> Self {
        Self {
            kind: DataErrorKind::TooLarge,
            source: None,
        }
    }

    pub(crate) const fn too_late() -> Self {
        Self {
            kind: DataErrorKind::TooLate,
            source: None,
        }
    }

    const fn name() -> Self {
        Self {
            kind: DataErrorKind::Name,
            source: None,
        }
    }

    const fn value(source: serde_json::Error) -> Self {
        Self {
            kind: DataErrorKind::Value,
            source: Some(source),
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
        f.write_str(match self.kind {
            DataErrorKind::Name => "a data key's name has 1 to 255 bytes",
            DataErrorKind::Value => "the value is not of the key's type",
            DataErrorKind::TooLarge => "the session's data would be too large",
            DataErrorKind::TooLate => "the response's head has left already",
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
    use std::error::Error;

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
        assert_eq!(refused.kind(), DataErrorKind::Value);
        assert!(refused.source().unwrap().is::<serde_json::Error>());
    }

    #[test]
    fn every_error_says_what_to_mend() {
        let bytes = DataKey::<u8>::encode(&1).unwrap();
        let other_type = DataKey::<String>::decode(&bytes).unwrap_err();
        for (error, told) in [
            (DataKey::<u8>::named("").unwrap_err(), "1 to 255 bytes"),
            (other_type, "not of the key's type"),
            (DataError::too_large(), "too large"),
            (DataError::too_late(), "left already"),
        ] {
            assert!(error.to_string().contains(told), "{error}");
        }
    }

    #[test]
    fn a_key_prints_its_name_and_whether_it_survives_a_login() {
        let printed = format!("{:?}", DataKey::<u8>::new("cart").carried());
        assert_eq!(printed, "DataKey { name: \"cart\", carried: true }");
    }
}
