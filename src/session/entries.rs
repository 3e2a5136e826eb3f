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

    /// What is there at `now`, with this entry put in or replaced.
    pub(crate) fn with(&self, new: Entry<'_>, now: Timestamp) -> Self {
        let mut out = Vec::with_capacity(self.len() + new.max_len());
        let mut new = Some(new);
        for (entry, bytes) in self.pieces() {
            if let Some(new) = new.take_if(|new| new.name <= entry.name) {
                new.encode_into(&mut out);
                if new.name == entry.name {
                    continue;
                }
            }
            if entry.keep.lasts_at(now) {
                out.extend_from_slice(bytes);
            }
        }
        if let Some(new) = new {
            new.encode_into(&mut out);
        }
        Self::of(&out)
    }

    /// What is there at `now`, without the entry of this name.
    pub(crate) fn without(&self, name: &str, now: Timestamp) -> Self {
        self.only(|entry| entry.name != name && entry.keep.lasts_at(now))
    }

    /// What survives a guest's login.
    pub(crate) fn carried(&self) -> Self {
        self.only(|entry| entry.keep == Keep::Carried)
    }

    /// What a login of the same subject leaves.
    pub(crate) fn without_passing(&self) -> Self {
        self.only(|entry| !matches!(entry.keep, Keep::Passing(_)))
    }

    fn only(&self, stays: impl Fn(&Entry<'_>) -> bool) -> Self {
        let staying = || self.pieces().filter(|(entry, _)| stays(entry));
        let len = staying().map(|(_, bytes)| bytes.len()).sum();
        if len == self.len() {
            return self.clone();
        }
        let mut out = Vec::with_capacity(len);
        for (_, bytes) in staying() {
            out.extend_from_slice(bytes);
        }
        Self::of(&out)
    }

    /// Each entry with its encoding.
    fn pieces(&self) -> impl Iterator<Item = (Entry<'_>, &[u8])> {
        let mut reader = Reader::new(self.as_bytes());
        std::iter::from_fn(move || {
            let from = reader.rest();
            let entry = read(&mut reader).ok()?;
            Some((entry, &from[..from.len() - reader.rest().len()]))
        })
    }
}

impl Entry<'_> {
    fn max_len(&self) -> usize {
        const FLAGS_TIME_AND_LENGTHS: usize = 1 + 3 * 10;
        FLAGS_TIME_AND_LENGTHS + self.name.len() + self.value.len()
    }

    fn encode_into(&self, out: &mut Vec<u8>) {
        match self.keep {
            Keep::Subject => out.push(0),
            Keep::Carried => out.push(CARRIED),
            Keep::Passing(None) => out.push(PASSING),
            Keep::Passing(Some(until)) => {
                out.push(PASSING | UNTIL);
                put_varint(out, until.as_unix_millis());
            }
        }
        put_bytes(out, self.name.as_bytes());
        put_bytes(out, self.value);
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
        let entries = Entries::default().with(a, NOW).with(b, NOW);
        assert_eq!(entries, Entries::default().with(b, NOW).with(a, NOW));
        assert_eq!(entries.get("a", NOW), Some(&b"1"[..]));
        assert_eq!(Entries::decode(entries.as_bytes()), Ok(entries));
    }

    #[test]
    fn only_carried_entries_survive_a_login() {
        let entries = Entries::default()
            .with(entry("a", b"1", false), NOW)
            .with(entry("b", b"2", true), NOW);
        assert_eq!(entries.carried().iter().count(), 1);
        assert_eq!(entries.carried().get("a", NOW), None);
        let declared_otherwise_now = entries.with(entry("b", b"3", false), NOW);
        assert!(declared_otherwise_now.carried().is_empty());
    }

    #[test]
    fn disordered_repeated_and_cut_entries_are_malformed() {
        let a = Entries::default().with(entry("a", b"1", false), NOW);
        let b = Entries::default().with(entry("b", b"1", false), NOW);
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
            .with(entry("a", b"1", false), NOW)
            .with(passing("b", None), NOW)
            .with(passing("c", Some(until)), NOW)
            .with(passing("d", Some(NOW)), NOW);
        assert_eq!(Entries::decode(entries.as_bytes()), Ok(entries.clone()));
        let names =
            |entries: &Entries| -> String { entries.iter().map(|entry| entry.name).collect() };
        assert_eq!(names(&entries.without("", NOW)), "abc");
        assert_eq!(names(&entries.without("", until)), "ab");
        assert_eq!(names(&entries.without_passing()), "a");
        assert_eq!(names(&entries.with(entry("bb", b"2", true), NOW)), "abbbc");
        assert_eq!(names(&entries.with(entry("b", b"2", true), until)), "ab");
        assert_eq!(names(&entries.without("b", until)), "a");
        assert!(entries.carried().is_empty());
        assert_eq!(entries.get("c", NOW), Some(&b"1"[..]));
        assert_eq!(entries.get("c", until), None);
        assert_eq!(entries.get("d", NOW), None);
        let over = Entries::default().with(passing("d", Some(NOW)), NOW);
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
