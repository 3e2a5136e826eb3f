//! [`State`]: the session itself, and its encoding.

use smol_str::SmolStr;

use super::{
    authentication::{AssuranceLevel, Authentication, Elevation, Subject},
    codec::{Malformed, Reader, put_bytes, put_offset},
    device::{BoundDevice, Device},
    entries::Entries,
    extra::{Extra, Limits},
    methods::Methods,
    own_session::Acting,
    time::Timestamp,
};

const AUTHENTICATED: u8 = 1;
const ELEVATED: u8 = 1 << 1;
const ELEVATED_UNTIL: u8 = 1 << 2;
const PERSISTENT: u8 = 1 << 3;
const LABELLED: u8 = 1 << 4;
const BOUND: u8 = 1 << 5;
/// Schema 2: blocks follow.
const EXTRA: u8 = 1 << 6;
/// Every flag of schema 1: that of each part that a state may lack.
const KNOWN: u8 = AUTHENTICATED | ELEVATED | ELEVATED_UNTIL | PERSISTENT | LABELLED | BOUND;

/// Every flag.
pub(crate) const EVERY: u8 = KNOWN | EXTRA;

/// The session itself, apart from how it is proved: the same in a store and in a self-contained token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) authentication: Option<Authentication>,
    pub(crate) created_at: Timestamp,
    pub(crate) last_seen_at: Timestamp,
    /// When the present token was issued: a periodic renewal counts from here.
    pub(crate) rotated_at: Timestamp,
    pub(crate) absolute_expiry: Timestamp,
    /// Whether the browser was asked to keep the cookie when it closes.
    pub(crate) persistent: bool,
    /// What a person recognises the session by.
    pub(crate) label: Option<SmolStr>,
    /// Digests of the client's properties, as `binding.rs` encodes them; empty when unbound.
    pub(crate) binding: Box<[u8]>,
    /// What most sessions do not have, behind one pointer.
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) entries: Entries,
}

/// Which form of a state is read: schema 2 knows blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Schema {
    V1,
    V2,
}

impl Schema {
    const fn flags(self) -> u8 {
        match self {
            Self::V1 => KNOWN,
            Self::V2 => EVERY,
        }
    }
}

impl State {
    pub(crate) fn limits(&self) -> Limits {
        self.extra
            .as_ref()
            .map_or(Limits::NONE, |extra| extra.limits)
    }

    /// Who acts as the subject, if somebody does.
    pub(crate) fn actor(&self) -> Option<&Subject> {
        self.extra.as_ref()?.actor.as_ref()
    }

    /// Who acts as the subject, if somebody does, and what the actor's session was.
    pub(crate) fn acting(&self) -> Option<Acting> {
        let extra = self.extra.as_ref()?;
        Some(Acting {
            actor: extra.actor.clone()?,
            own: extra.own_session.clone(),
        })
    }

    /// By which methods whoever is logged in proved it.
    pub(crate) fn methods(&self) -> &Methods {
        const NONE: &Methods = &Methods::NONE;
        self.extra.as_ref().map_or(NONE, |extra| &extra.methods)
    }

    /// Says by which methods whoever is logged in proved it.
    pub(crate) fn set_methods(&mut self, methods: Methods) {
        if methods != *self.methods() {
            self.with_extra(|extra| extra.methods = methods);
        }
    }

    /// The application that the session is for.
    pub(crate) fn audience(&self) -> &str {
        self.extra.as_ref().map_or("", |extra| &extra.audience)
    }

    /// The device that the session is bound to, if it is.
    pub(crate) fn bound_device(&self) -> Option<&BoundDevice> {
        match self.extra.as_ref()?.device.as_ref()? {
            Device::Bound(device) => Some(device),
            Device::Expected(_) => None,
        }
    }

    /// Changes the extras; where nothing is left of them, they take no room.
    pub(crate) fn with_extra(&mut self, change: impl FnOnce(&mut Extra)) {
        let mut extra = self.extra.take().unwrap_or_default();
        change(&mut extra);
        self.extra = Some(extra).filter(|extra| !extra.is_empty());
    }

    /// Appends the state; times are distances from `last_seen_at`, which is not written.
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        let base = self.last_seen_at.as_unix_millis();
        let authentication = self.authentication.as_ref();
        let elevation = authentication.and_then(|who| who.elevation);
        let mut flags = 0;
        for (holds, flag) in [
            (authentication.is_some(), AUTHENTICATED),
            (elevation.is_some(), ELEVATED),
            (
                elevation.is_some_and(|up| up.until.is_some()),
                ELEVATED_UNTIL,
            ),
            (self.persistent, PERSISTENT),
            (self.label.is_some(), LABELLED),
            (!self.binding.is_empty(), BOUND),
            (self.extra.is_some(), EXTRA),
        ] {
            flags |= if holds { flag } else { 0 };
        }
        out.push(flags);
        for time in [self.absolute_expiry, self.created_at, self.rotated_at] {
            put_offset(out, base, time.as_unix_millis());
        }
        if let Some(who) = authentication {
            out.push(who.level.get());
            put_offset(out, base, who.authenticated_at.as_unix_millis());
            put_bytes(out, who.subject.as_str().as_bytes());
        }
        if let Some(up) = elevation {
            out.push(up.level.get());
            if let Some(until) = up.until {
                put_offset(out, base, until.as_unix_millis());
            }
        }
        if let Some(label) = &self.label {
            put_bytes(out, label.as_bytes());
        }
        if !self.binding.is_empty() {
            put_bytes(out, &self.binding);
        }
        if let Some(extra) = &self.extra {
            extra.encode_into(out);
            if let Some(own) = &extra.own_session {
                put_bytes(out, own.entries.as_bytes());
            }
        }
        out.extend_from_slice(self.entries.as_bytes());
    }

    /// Reads a state from all of `bytes`.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn decode(
        bytes: &[u8],
        schema: Schema,
        last_seen_at: Timestamp,
    ) -> Result<Self, Malformed> {
        let mut state = Self::default();
        state.read(bytes, schema, last_seen_at)?;
        Ok(state)
    }

    /// Reads a state from all of `bytes` to where it is to stay, since it is large to move: in place of the
    /// default one. What an error leaves is worth nothing.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        schema: Schema,
        last_seen_at: Timestamp,
    ) -> Result<(), Malformed> {
        let reader = &mut Reader::new(bytes);
        self.read_head(reader, schema, last_seen_at)?;
        let extra = self.extra.as_mut();
        if let Some(own) = extra.and_then(|extra| extra.own_session.as_mut()) {
            own.entries = Entries::decode(reader.bytes()?)?;
        }
        self.entries = Entries::decode(reader.rest())?;
        Ok(())
    }

    /// The same without the data, which may be missing from the bytes.
    pub(super) fn read_head(
        &mut self,
        reader: &mut Reader<'_>,
        schema: Schema,
        last_seen_at: Timestamp,
    ) -> Result<(), Malformed> {
        let base = last_seen_at.as_unix_millis();
        let flags = reader.byte()?;
        let has = |flag| flags & flag != 0;
        if flags & !schema.flags() != 0
            || has(ELEVATED) && !has(AUTHENTICATED)
            || has(ELEVATED_UNTIL) && !has(ELEVATED)
        {
            return Err(Malformed);
        }
        let time = |reader: &mut Reader<'_>| reader.offset(base).map(Timestamp::from_unix_millis);
        let level = |reader: &mut Reader<'_>| AssuranceLevel::new(reader.byte()?).ok_or(Malformed);
        self.persistent = has(PERSISTENT);
        self.last_seen_at = last_seen_at;
        self.absolute_expiry = time(reader)?;
        self.created_at = time(reader)?;
        self.rotated_at = time(reader)?;
        if has(AUTHENTICATED) {
            self.authentication = Some(Authentication {
                level: level(reader)?,
                authenticated_at: time(reader)?,
                subject: Subject::from(reader.text()?),
                elevation: None,
            });
        }
        if let (Some(who), true) = (&mut self.authentication, has(ELEVATED)) {
            who.elevation = Some(Elevation {
                level: level(reader)?,
                until: has(ELEVATED_UNTIL).then(|| time(reader)).transpose()?,
            });
        }
        if has(LABELLED) {
            self.label = Some(SmolStr::new(reader.text()?));
        }
        if has(BOUND) {
            self.binding = reader.bytes()?.into();
            if self.binding.is_empty() {
                return Err(Malformed);
            }
        }
        if has(EXTRA) {
            self.extra = Some(Box::new(Extra::read(reader)?));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{AUTHENTICATED, ELEVATED, Schema, State};
    use crate::session::tests::full::{self, at};

    /// What a later version may write is not half understood.
    #[test]
    fn a_state_with_flags_that_make_no_sense_is_malformed() {
        let mut bytes = Vec::new();
        full::state().encode_into(&mut bytes);
        assert!(State::decode(&bytes, Schema::V2, at(9)).is_ok());
        // Schema 1 has no blocks.
        assert!(State::decode(&bytes, Schema::V1, at(9)).is_err());
        for flags in [
            bytes[0] | 1 << 7,
            bytes[0] & !AUTHENTICATED,
            bytes[0] & !ELEVATED,
        ] {
            bytes[0] = flags;
            assert!(
                State::decode(&bytes, Schema::V2, at(9)).is_err(),
                "{flags:b}"
            );
        }
    }
}
