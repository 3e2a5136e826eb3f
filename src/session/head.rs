//! [`RecordHead`]: a record without its data, and what a record and its head tell alike.

use std::{fmt, time::Duration};

use super::{
    authentication::{AssuranceLevel, Subject},
    index::IndexKey,
    record::{Fields, Record, RecordError, read},
    time::Timestamp,
};

/// A record without its session's data: enough for lists and limits.
///
/// A store reads it from the first [`Record::MAX_HEAD_LEN`] bytes of a record, or from fewer if the record is
/// shorter, so listing sessions does not load what they hold.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordHead {
    fields: Box<Fields>,
}

impl RecordHead {
    /// The head of the record that begins with these bytes; what follows the head is passed over.
    ///
    /// # Errors
    ///
    /// If the bytes do not hold a whole head, are damaged, or of a schema version or with a block that this
    /// release does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        read(bytes, |reader, schema| {
            let (mut fields, last_seen_at) = Fields::read_before_state(reader, schema)?;
            fields.state.read_head(reader, schema, last_seen_at)?;
            Ok(Self { fields })
        })
    }
}

impl fmt::Debug for RecordHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.debug(f.debug_struct("RecordHead"))
    }
}

impl From<&Record> for RecordHead {
    fn from(record: &Record) -> Self {
        let fields = Box::new(record.fields.without_data());
        Self { fields }
    }
}

macro_rules! facts {
    ($($type:ident),+) => {$(
        impl $type {
            /// When the session ends unless it is used: the earlier of its idle and its absolute limit.
            #[must_use]
            pub const fn expires_at(&self) -> Timestamp {
                self.fields.expires_at
            }

            /// When the session ends at the latest, however much it is used: at no time does a replacement of the record
            /// expire later.
            #[must_use]
            pub const fn absolute_expiry(&self) -> Timestamp {
                self.fields.state.absolute_expiry
            }

            /// Who is logged in, or `None` for a guest's session.
            #[must_use]
            pub fn subject(&self) -> Option<&Subject> {
                self.fields.subject()
            }

            /// Who acts as the subject, if somebody does.
            #[must_use]
            pub fn actor(&self) -> Option<&Subject> {
                self.fields.actor()
            }

            /// The first key that the session is listed under: its subject in its audience.
            ///
            /// `None` for a guest's session, which is listed under no key.
            #[must_use]
            pub fn owner(&self) -> Option<IndexKey> {
                let audience = self.fields.state.audience();
                Some(IndexKey::owner(audience, self.fields.subject()?))
            }

            /// Whose the session is: its subject, and who acts as the subject, if anybody does.
            #[must_use]
            pub fn owners(&self) -> Vec<IndexKey> {
                self.fields.owners().collect()
            }

            /// Every key that the session is listed under: its owners, then its tags.
            ///
            /// They stay the same for as long as the record lives.
            #[must_use]
            pub fn index_keys(&self) -> Vec<IndexKey> {
                self.fields.index_keys().collect()
            }

            /// When the session began: at its login, or at a guest's first data.
            #[must_use]
            pub const fn created_at(&self) -> Timestamp {
                self.fields.state.created_at
            }

            /// When the session was last seen, as exactly as the idle touch is throttled.
            #[must_use]
            pub const fn last_seen_at(&self) -> Timestamp {
                self.fields.state.last_seen_at
            }

            /// The assurance level that holds at `now`; `None` for a guest's session.
            #[must_use]
            pub fn level(&self, now: Timestamp) -> Option<AssuranceLevel> {
                let who = self.fields.state.authentication.as_ref()?;
                Some(who.level_at(now))
            }

            /// The label that the application gave the session at its login.
            #[must_use]
            pub fn label(&self) -> Option<&str> {
                self.fields.state.label.as_deref()
            }

            /// Whether the session is bound to a key of its user's device (Device Bound Session Credentials).
            ///
            /// From a minute after the binding, the session's own token does not open it without the short-lived cookie that
            /// only the device can have renewed.
            #[must_use]
            pub fn is_device_bound(&self) -> bool {
                self.fields.state.bound_device().is_some()
            }

            /// When the device last proved that it has its key; `None` for a session that is bound to none.
            #[must_use]
            pub fn device_proved_at(&self) -> Option<Timestamp> {
                Some(self.fields.state.bound_device()?.last_proof_at)
            }

            /// The idle limit that the login asked for, if it did.
            #[must_use]
            pub fn idle_limit(&self) -> Option<Duration> {
                self.fields.state.limits().idle
            }
        }
    )+};
}

facts!(Record, RecordHead);

impl Fields {
    pub(super) fn debug(&self, mut f: fmt::DebugStruct<'_, '_>) -> fmt::Result {
        f.field("is_authenticated", &self.subject().is_some())
            .field("created_at", &self.state.created_at)
            .field("last_seen_at", &self.state.last_seen_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }

    fn subject(&self) -> Option<&Subject> {
        let who = self.state.authentication.as_ref()?;
        Some(&who.subject)
    }

    fn actor(&self) -> Option<&Subject> {
        self.state.actor()
    }

    fn owners(&self) -> impl Iterator<Item = IndexKey> {
        let (subject, actor) = (self.subject(), self.actor());
        let owners = subject
            .into_iter()
            .chain(actor.filter(|actor| Some(*actor) != subject));
        owners.map(|owner| IndexKey::owner(self.state.audience(), owner))
    }

    pub(crate) fn index_keys(&self) -> impl Iterator<Item = IndexKey> {
        let extra = self.state.extra.iter();
        let tags = extra.flat_map(|extra| extra.tags.iter());
        self.owners().chain(tags.map(|tag| IndexKey::of_tag(*tag)))
    }

    fn without_data(&self) -> Self {
        let mut fields = self.clone();
        fields.state.entries = Default::default();
        if let Some(own) = fields
            .state
            .extra
            .as_mut()
            .and_then(|extra| extra.own_session.as_mut())
        {
            own.entries = Default::default();
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::RecordHead;
    use crate::session::{
        device::{BoundDevice, Device, DeviceKey, Thumbprint},
        index::IndexKey,
        record::Record,
        tests::full::{at, record as full},
    };

    /// S13: a list needs the beginning of a record only.
    #[test]
    fn a_head_is_read_from_the_beginning_of_a_record() {
        let record = full();
        let bytes = record.encode();
        let state = &record.fields.state;
        let own = state.acting().and_then(|acting| acting.own).unwrap();
        // The data of both sessions, and the length before that of the actor's.
        let data = state.entries.len() + own.entries.len() + 1;
        let head_len = bytes.len() - data;
        for len in 0..bytes.len() {
            let head = RecordHead::decode(&bytes[..len]);
            assert_eq!(head.is_ok(), len >= head_len, "{len}");
        }
        let head = RecordHead::decode(&bytes).unwrap();
        assert_eq!(head, RecordHead::from(&record));
        assert_eq!(head.subject(), record.subject());
        assert_eq!(head.index_keys(), record.index_keys());
        assert_eq!(head.level(at(9)), record.level(at(9)));
        assert!(head_len <= Record::MAX_HEAD_LEN);
    }

    #[test]
    fn a_head_tells_whether_its_session_is_bound_to_a_device() {
        let mut record = full();
        for (device, bound, proved_at) in [
            (None, false, None),
            (Some(Device::Expected(Thumbprint([5; 32]))), false, None),
            (
                Some(Device::Bound(BoundDevice {
                    last_proof_at: at(600),
                    ..BoundDevice::new(DeviceKey([4; 64]), at(7))
                })),
                true,
                Some(at(600)),
            ),
        ] {
            let state = &mut record.fields.state;
            state.with_extra(|extra| extra.device = device);
            let head = RecordHead::from(&record);
            assert_eq!(RecordHead::decode(&record.encode()).unwrap(), head);
            assert_eq!(
                (head.is_device_bound(), head.device_proved_at()),
                (bound, proved_at)
            );
            assert_eq!(
                (record.is_device_bound(), record.device_proved_at()),
                (bound, proved_at)
            );
        }
    }

    #[test]
    fn a_record_is_listed_under_its_owners_and_tags() {
        let keys = full().index_keys();
        let owner = |subject: &str| IndexKey::owner("shop", &subject.into());
        let tag = |tag| IndexKey::tag("shop", tag);
        assert_eq!(keys[..2], [owner("alice"), owner("support")]);
        let mut tags = [tag("sid-1"), tag("sid-2")];
        tags.sort();
        assert_eq!(keys[2..], tags);
        assert_eq!(full().owner(), Some(owner("alice")));
    }

    /// S27.
    #[test]
    fn neither_record_nor_head_prints_a_subject_a_label_or_data() {
        let record = full();
        let printed = format!("{record:?} {:?}", RecordHead::from(&record));
        for private in ["alice", "support", "Firefox", "shop", "[7", "34, 118"] {
            assert!(!printed.contains(private), "{private}: {printed}");
        }
    }
}
