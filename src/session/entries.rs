//! [`Entries`]: a session's data as one canonical run of bytes, decoded only where it is read.

use std::sync::Arc;

use super::codec::{Malformed, Reader, put_bytes};

const CARRIED: u8 = 1;

/// Named values in ascending order of their names, each name once.
///
/// Each entry is a flag byte (1: carried over a login), the name and the value, both length-prefixed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entries(
    /// `None` for no entries, which most sessions have: then nothing is allocated.
    Option<Arc<[u8]>>,
);

/// One entry, as it lies in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a [u8],
    pub(crate) carried: bool,
}

impl Entries {
    /// Takes over bytes that were encoded before.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut last = None;
        while !reader.is_empty() {
            let entry = read(&mut reader)?;
            if last.is_some_and(|last| last >= entry.name) {
                return Err(Malformed);
            }
            last = Some(entry.name);
        }
        Ok(Self::of(bytes))
    }

    fn of(bytes: &[u8]) -> Self {
        Self((!bytes.is_empty()).then(|| bytes.into()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn len(&self) -> usize {
        self.as_bytes().len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut reader = Reader::new(self.as_bytes());
        std::iter::from_fn(move || read(&mut reader).ok())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|entry| entry.name == name)
            .map(|entry| entry.value)
    }

    /// The same with this entry put in or replaced.
    pub(crate) fn with(&self, new: Entry<'_>) -> Self {
        let before = self.iter().filter(|entry| entry.name < new.name);
        let after = self.iter().filter(|entry| entry.name > new.name);
        Self::collect(before.chain([new]).chain(after))
    }

    /// The same without the entry of this name.
    pub(crate) fn without(&self, name: &str) -> Self {
        Self::collect(self.iter().filter(|entry| entry.name != name))
    }

    /// What survives a guest's login.
    pub(crate) fn carried(&self) -> Self {
        if self.iter().all(|entry| !entry.carried) {
            return Self::default();
        }
        Self::collect(self.iter().filter(|entry| entry.carried))
    }

    fn collect<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Self {
        let mut out = Vec::with_capacity(64);
        for entry in entries {
            out.push(if entry.carried { CARRIED } else { 0 });
            put_bytes(&mut out, entry.name.as_bytes());
            put_bytes(&mut out, entry.value);
        }
        Self::of(&out)
    }
}

fn read<'a>(reader: &mut Reader<'a>) -> Result<Entry<'a>, Malformed> {
    let flags = reader.byte()?;
    if flags & !CARRIED != 0 {
        return Err(Malformed);
    }
    Ok(Entry {
        carried: flags == CARRIED,
        name: reader.text()?,
        value: reader.bytes()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Entries, Entry};

    fn entry<'a>(name: &'a str, value: &'a [u8], carried: bool) -> Entry<'a> {
        Entry {
            name,
            value,
            carried,
        }
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_order_of_insertion() {
        let (a, b) = (entry("a", b"1", false), entry("b", b"2", true));
        let entries = Entries::default().with(a).with(b);
        assert_eq!(entries, Entries::default().with(b).with(a));
        assert_eq!(entries.get("a"), Some(&b"1"[..]));
        assert_eq!(Entries::decode(entries.as_bytes()), Ok(entries));
    }

    #[test]
    fn only_carried_entries_survive_a_login() {
        let entries = Entries::default()
            .with(entry("a", b"1", false))
            .with(entry("b", b"2", true));
        assert_eq!(entries.carried().iter().count(), 1);
        assert_eq!(entries.carried().get("a"), None);
        let declared_otherwise_now = entries.with(entry("b", b"3", false));
        assert!(declared_otherwise_now.carried().is_empty());
    }

    #[test]
    fn disordered_repeated_and_cut_entries_are_malformed() {
        let a = Entries::default().with(entry("a", b"1", false));
        let b = Entries::default().with(entry("b", b"1", false));
        for bytes in [
            [b.as_bytes(), a.as_bytes()].concat(),
            [a.as_bytes(), a.as_bytes()].concat(),
            a.as_bytes()[..3].to_vec(),
            vec![2, 1, b'a', 0],
        ] {
            assert!(Entries::decode(&bytes).is_err(), "{bytes:?}");
        }
    }
}
