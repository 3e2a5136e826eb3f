//! [`Brought`]: the data that a session has from its beginning on, since what began it brings it.

use std::borrow::Borrow;

use serde::{Serialize, de::DeserializeOwned};
use smol_str::SmolStr;

use super::{
    data::{DataError, DataKey, Life},
    entries::{Entries, Entry},
    time::Timestamp,
};

/// Values that a login or an impersonation puts into the session that begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Brought(Vec<Value>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    name: SmolStr,
    value: Box<[u8]>,
    life: Life,
}

impl Brought {
    pub(super) fn insert<T, V>(&mut self, key: &DataKey<T>, value: &V) -> Result<(), DataError>
    where
        T: Serialize + DeserializeOwned + Borrow<V>,
        V: Serialize + ?Sized,
    {
        let named = |error: DataError| error.under(key.name());
        self.0.push(Value {
            name: SmolStr::new(key.name()),
            value: DataKey::<T>::encode(value).map_err(named)?.into(),
            life: key.life(),
        });
        Ok(())
    }

    /// Puts the values in the place of those under the same keys.
    pub(super) fn put_into(&self, entries: &mut Entries, at: Timestamp) {
        for Value { name, value, life } in &self.0 {
            let keep = life.keep(at);
            *entries = entries.with(Entry { name, value, keep }, at);
        }
    }
}
