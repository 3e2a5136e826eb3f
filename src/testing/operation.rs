//! [`StoreOperation`]: the operations of a store by name.

use std::{error::Error, fmt, str::FromStr};

#[cfg(doc)]
use crate::store::SessionStore;

/// Which calls are meant: those of one operation, or all that change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreOperation {
    /// [`SessionStore::load`].
    Load,
    /// [`SessionStore::create`].
    Create,
    /// [`SessionStore::replace`].
    Replace,
    /// [`SessionStore::remove`].
    Remove,
    /// [`SessionStore::heads`].
    Heads,
    /// [`SessionStore::end_listed`].
    EndListed,
    /// [`SessionStore::raise_cutoff`].
    RaiseCutoff,
    /// [`SessionStore::cutoff`].
    Cutoff,
    /// Any that changes something: create, replace, remove, `end_listed` and `raise_cutoff`.
    Write,
}

impl StoreOperation {
    /// Every operation by itself, without [`Write`](Self::Write).
    pub const EACH: [Self; 8] = [
        Self::Load,
        Self::Create,
        Self::Replace,
        Self::Remove,
        Self::Heads,
        Self::EndListed,
        Self::RaiseCutoff,
        Self::Cutoff,
    ];

    /// The operation's name, as its method is called; `write` for [`Write`](Self::Write).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Remove => "remove",
            Self::Heads => "heads",
            Self::EndListed => "end_listed",
            Self::RaiseCutoff => "raise_cutoff",
            Self::Cutoff => "cutoff",
            Self::Write => "write",
        }
    }

    const fn is_write(self) -> bool {
        !matches!(self, Self::Load | Self::Heads | Self::Cutoff)
    }

    pub(super) fn includes(self, call: Self) -> bool {
        self == call || self == Self::Write && call.is_write()
    }
}

impl FromStr for StoreOperation {
    type Err = UnknownOperation;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = Self::EACH.into_iter().chain([Self::Write]);
        all.find(|operation| operation.name() == name)
            .ok_or(UnknownOperation(()))
    }
}

/// A text that names no [`StoreOperation`].
#[derive(Debug)]
pub struct UnknownOperation(());

impl fmt::Display for UnknownOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an operation is load, create, replace, remove, heads, end_listed, raise_cutoff, cutoff or write",
        )
    }
}

impl Error for UnknownOperation {}

#[cfg(test)]
mod tests {
    use super::StoreOperation;

    #[test]
    fn operations_are_read_back_from_their_names() {
        for operation in StoreOperation::EACH
            .into_iter()
            .chain([StoreOperation::Write])
        {
            assert_eq!(
                operation.name().parse::<StoreOperation>().unwrap(),
                operation
            );
        }
        assert!("drop".parse::<StoreOperation>().is_err());
    }
}
