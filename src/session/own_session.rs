//! [`OwnSession`]: what an actor's session was before the actor began to act as somebody else, and its encoding.

use smol_str::SmolStr;

use super::{
    authentication::{AssuranceLevel, Authentication, Elevation, Subject},
    codec::{Malformed, Reader, put_bytes, put_varint},
    entries::Entries,
    methods::Methods,
    time::Timestamp,
};

const ELEVATED: u8 = 1;
const ELEVATED_UNTIL: u8 = 1 << 1;
const PERSISTENT: u8 = 1 << 2;

/// A tag and two lengths.
const MAX_PREFIXES: usize = 1 + 2 + 3;

/// Who acts as a session's subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acting {
    pub(crate) actor: Subject,
    /// What the actor's session was; without it nobody returns.
    pub(crate) own: Option<Box<OwnSession>>,
}

/// What an actor's session was: a return restores it, and never more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnSession {
    pub(crate) level: AssuranceLevel,
    pub(crate) authenticated_at: Timestamp,
    pub(crate) elevation: Option<Elevation>,
    pub(crate) absolute_expiry: Timestamp,
    pub(crate) persistent: bool,
    pub(crate) methods: Methods,
    pub(crate) acr: Option<SmolStr>,
    pub(crate) entries: Entries,
}

impl OwnSession {
    /// The actor as the return restores them.
    pub(crate) fn authentication(&self, actor: Subject) -> Authentication {
        Authentication {
            subject: actor,
            level: self.level,
            authenticated_at: self.authenticated_at,
            elevation: self.elevation,
        }
    }

    /// The level and its time as far as the actor has them at `now`: nobody acts above that.
    pub(crate) fn cap(
        &self,
        level: AssuranceLevel,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> (AssuranceLevel, Option<Timestamp>) {
        if level <= self.level {
            return (level, until);
        }
        match self.elevation {
            Some(up) if up.level > self.level && up.until.is_none_or(|end| now < end) => {
                let ends = [until, up.until].into_iter().flatten();
                (level.min(up.level), ends.min())
            }
            _ => (self.level, until),
        }
    }

    /// How many bytes of a session's room it takes: its block, its data, and what stands before each.
    pub(crate) fn encoded_len(&self) -> usize {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        MAX_PREFIXES + out.len() + self.entries.len()
    }

    /// Appends a flag byte (1: elevated, 2: until a time, 4: persistent), the level, the times of the proof and of the absolute
    /// limit in unix milliseconds, the elevation's level and its time if there are, and methods and class with their lengths.
    ///
    /// The data is not part of it: it stands before the session's own, so that a list need not read it.
    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        let until = self.elevation.and_then(|up| up.until);
        let flags = [
            (self.elevation.is_some(), ELEVATED),
            (until.is_some(), ELEVATED_UNTIL),
            (self.persistent, PERSISTENT),
        ];
        let set = flags.iter().filter(|(holds, _)| *holds);
        out.push(set.map(|(_, flag)| flag).sum());
        out.push(self.level.get());
        put_varint(out, self.authenticated_at.as_unix_millis());
        put_varint(out, self.absolute_expiry.as_unix_millis());
        if let Some(up) = self.elevation {
            out.push(up.level.get());
        }
        if let Some(until) = until {
            put_varint(out, until.as_unix_millis());
        }
        let mut methods = Vec::new();
        self.methods.encode_into(&mut methods);
        put_bytes(out, &methods);
        put_bytes(out, self.acr.as_deref().unwrap_or_default().as_bytes());
    }

    /// Reads one from all of `bytes`, without its data.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(bytes);
        let flags = reader.byte()?;
        let has = |flag| flags & flag != 0;
        let is_sound = flags & !(ELEVATED | ELEVATED_UNTIL | PERSISTENT) == 0
            && (has(ELEVATED) || !has(ELEVATED_UNTIL));
        if !is_sound {
            return Err(Malformed);
        }
        let level = |reader: &mut Reader<'_>| AssuranceLevel::new(reader.byte()?).ok_or(Malformed);
        let time = |reader: &mut Reader<'_>| reader.varint().map(Timestamp::from_unix_millis);
        let own = level(reader)?;
        let (authenticated_at, absolute_expiry) = (time(reader)?, time(reader)?);
        let raised = has(ELEVATED).then(|| level(reader)).transpose()?;
        let until = has(ELEVATED_UNTIL).then(|| time(reader)).transpose()?;
        let methods = match reader.bytes()? {
            [] => Methods::NONE,
            bytes => Methods::read(bytes)?,
        };
        let acr = reader.text()?;
        if !reader.is_empty() {
            return Err(Malformed);
        }
        Ok(Self {
            level: own,
            authenticated_at,
            elevation: raised.map(|level| Elevation { level, until }),
            absolute_expiry,
            persistent: has(PERSISTENT),
            methods,
            acr: (!acr.is_empty()).then(|| SmolStr::new(acr)),
            entries: Entries::default(),
        })
    }
}
