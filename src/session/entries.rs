//! [`Entries`]: a session's data as one canonical run of bytes, decoded only where it is read.

use std::sync::Arc;

use super::{
    codec::{Malformed, Reader, put_bytes, put_varint},
    time::Timestamp,
};

const CARRIED: u8 = 1;
const PASSING: u8 = 1 << 1;
/// The time follows.
const UNTIL: u8 = 1 << 2;

/// Named values in ascending order of their names, each name once.
///
/// Each entry is a flag byte (1: carried over a login; 2: gone with any login; 4: gone at a time, which follows in unix
/// milliseconds and goes with 2 only), the name and the value, both length-prefixed.
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
    pub(crate) keep: Keep,
}

/// For how long an entry is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// As long as nobody else logs in, and nobody logs in to a guest's session.
    Subject,
    /// Also where somebody logs in to a guest's session.
    Carried,
    /// Until any login, and at most until this time.
    Passing(Option<Timestamp>),
}

impl Keep {
    /// Whether the entry is still there at `now`.
    fn lasts_at(self, now: Timestamp) -> bool {
        match self {
            Self::Subject | Self::Carried | Self::Passing(None) => true,
            Self::Passing(Some(until)) => now < until,
        }
    }
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

    /// The value of this name, if it is there at `now`.
    pub(crate) fn get(&self, name: &str, now: Timestamp) -> Option<&[u8]> {
        self.iter()
            .find(|entry| entry.name == name)
            .filter(|entry| entry.keep.lasts_at(now))
            .map(|entry| entry.value)
    }

    /// Whether nothing is there at `now`.
    pub(crate) fn is_empty_at(&self, now: Timestamp) -> bool {
        !self.iter().any(|entry| entry.keep.lasts_at(now))
    }

    /// What is there at `now`.
    pub(crate) fn lasting(&self, now: Timestamp) -> Self {
        if self.iter().all(|entry| entry.keep.lasts_at(now)) {
            return self.clone();
        }
        Self::collect(self.iter().filter(|entry| entry.keep.lasts_at(now)))
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
        let is_carried = |entry: &Entry<'_>| entry.keep == Keep::Carried;
        if !self.iter().any(|entry| is_carried(&entry)) {
            return Self::default();
        }
        Self::collect(self.iter().filter(is_carried))
    }

    /// What a login of the same subject leaves.
    pub(crate) fn without_passing(&self) -> Self {
        let passes = |entry: &Entry<'_>| matches!(entry.keep, Keep::Passing(_));
        if !self.iter().any(|entry| passes(&entry)) {
            return self.clone();
        }
        Self::collect(self.iter().filter(|entry| !passes(entry)))
    }

    fn collect<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Self {
        let mut out = Vec::with_capacity(64);
        for entry in entries {
            match entry.keep {
                Keep::Subject => out.push(0),
                Keep::Carried => out.push(CARRIED),
                Keep::Passing(None) => out.push(PASSING),
                Keep::Passing(Some(until)) => {
                    out.push(PASSING | UNTIL);
                    put_varint(&mut out, until.as_unix_millis());
                }
            }
            put_bytes(&mut out, entry.name.as_bytes());
            put_bytes(&mut out, entry.value);
        }
        Self::of(&out)
    }
}

fn read<'a>(reader: &mut Reader<'a>) -> Result<Entry<'a>, Malformed> {
    const PASSING_UNTIL: u8 = PASSING | UNTIL;
    let keep = match reader.byte()? {
        0 => Keep::Subject,
        CARRIED => Keep::Carried,
        PASSING => Keep::Passing(None),
        PASSING_UNTIL => Keep::Passing(Some(Timestamp::from_unix_millis(reader.varint()?))),
        _ => return Err(Malformed),
    };
    Ok(Entry {
        keep,
        name: reader.text()?,
        value: reader.bytes()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Entries, Entry, Keep};
    use crate::session::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    fn entry<'a>(name: &'a str, value: &'a [u8], carried: bool) -> Entry<'a> {
        Entry {
            name,
            value,
            keep: if carried {
                Keep::Carried
            } else {
                Keep::Subject
            },
        }
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_order_of_insertion() {
        let (a, b) = (entry("a", b"1", false), entry("b", b"2", true));
        let entries = Entries::default().with(a).with(b);
        assert_eq!(entries, Entries::default().with(b).with(a));
        assert_eq!(entries.get("a", NOW), Some(&b"1"[..]));
        assert_eq!(Entries::decode(entries.as_bytes()), Ok(entries));
    }

    #[test]
    fn only_carried_entries_survive_a_login() {
        let entries = Entries::default()
            .with(entry("a", b"1", false))
            .with(entry("b", b"2", true));
        assert_eq!(entries.carried().iter().count(), 1);
        assert_eq!(entries.carried().get("a", NOW), None);
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
            vec![4, 1, b'a', 0],
        ] {
            assert!(Entries::decode(&bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn entries_pass_with_their_time_and_with_any_login() {
        let until = Timestamp::from_unix_millis(NOW.as_unix_millis() + 1);
        let passing = |name, until| Entry {
            name,
            value: b"1",
            keep: Keep::Passing(until),
        };
        let entries = Entries::default()
            .with(entry("a", b"1", false))
            .with(passing("b", None))
            .with(passing("c", Some(until)))
            .with(passing("d", Some(NOW)));
        assert_eq!(Entries::decode(entries.as_bytes()), Ok(entries.clone()));
        let names =
            |entries: &Entries| -> String { entries.iter().map(|entry| entry.name).collect() };
        assert_eq!(names(&entries.lasting(NOW)), "abc");
        assert_eq!(names(&entries.lasting(until)), "ab");
        assert_eq!(names(&entries.without_passing()), "a");
        assert!(entries.carried().is_empty());
        assert_eq!(entries.get("c", NOW), Some(&b"1"[..]));
        assert_eq!(entries.get("c", until), None);
        assert_eq!(entries.get("d", NOW), None);
        let over = Entries::default().with(passing("d", Some(NOW)));
        assert!(over.is_empty_at(NOW) && !over.is_empty());
    }

    /// One spelling: a release that does not know a flag refuses the entries, and none means two things.
    #[test]
    fn flags_that_make_no_sense_are_malformed() {
        for flags in [3, 4, 5, 7, 8, 128] {
            assert!(
                Entries::decode(&[flags, 1, b'a', 1, b'1']).is_err(),
                "{flags}"
            );
        }
        for flags in [0, 1, 2] {
            assert!(
                Entries::decode(&[flags, 1, b'a', 1, b'1']).is_ok(),
                "{flags}"
            );
        }
        assert!(Entries::decode(&[6, 9, 1, b'a', 1, b'1']).is_ok());
    }
}
