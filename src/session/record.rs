//! [`Record`]: what a store keeps for one session, and its encoding.

use std::{error::Error, fmt};

use super::{
    authentication::{AssuranceLevel, Subject},
    codec::{Malformed, Reader, put_varint},
    id::{Lineage, SecretDigest},
    policy::SessionPolicy,
    secrets::Secrets,
    state::State,
    time::Timestamp,
};

const SCHEMA: u8 = 1;

/// What a store keeps for one session.
///
/// Opaque: a store keeps the bytes of [`encode`](Self::encode), reads them back with
/// [`decode`](Self::decode), and looks at [`expires_at`](Self::expires_at) and
/// [`subject`](Self::subject) for its clean-up and its index. Of secrets it holds SHA-256 digests only,
/// so who reads a store cannot present a session.
///
/// # Compatibility
///
/// The bytes begin with a schema version; this release writes version 1. Every later release reads what an
/// earlier one wrote, so sessions outlive an upgrade. The reverse does not hold: a record of a newer schema
/// version, or with a flag that has no meaning here, is refused, and the request that needed it fails (503 and
/// [`StoreFailedLoad`](crate::EventKind::StoreFailedLoad)). It is neither believed in part nor taken for absent nor
/// removed, so the servers that can read it lose nothing. A release that writes a newer schema version says so in
/// its changelog: until all servers run it, those that do not answer 503 to the sessions that it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Behind a pointer, since a record is large and goes through many hands.
    pub(crate) fields: Box<Fields>,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) state: State,
    pub(crate) secrets: Secrets,
    pub(crate) lineage: Lineage,
    pub(crate) expires_at: Timestamp,
}

impl From<Fields> for Record {
    fn from(fields: Fields) -> Self {
        let fields = Box::new(fields);
        Self { fields }
    }
}

impl Record {
    /// The record of a session that goes on with `state` under `policy`.
    pub(crate) fn of(
        state: State,
        secrets: Secrets,
        lineage: Lineage,
        policy: &SessionPolicy,
    ) -> Self {
        let idle = policy.idle_expiry(state.last_seen_at, state.persistent);
        let expires_at = idle.map_or(state.absolute_expiry, |end| end.min(state.absolute_expiry));
        Self::from(Fields {
            state,
            secrets,
            lineage,
            expires_at,
        })
    }

    /// When the session ends unless it is used: the earlier of its idle and its absolute limit.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.fields.expires_at
    }

    /// Whether the session has ended at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.fields.expires_at
    }

    /// Who is logged in, or `None` for a guest session.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.fields
            .state
            .authentication
            .as_ref()
            .map(|who| &who.subject)
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

    /// The assurance level that holds at `now`; `None` for a guest session.
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

    /// The record as bytes, which begin with the schema version.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160 + self.fields.state.entries.len());
        out.push(SCHEMA);
        out.extend_from_slice(
            &self
                .fields
                .state
                .last_seen_at
                .as_unix_millis()
                .to_be_bytes(),
        );
        out.extend_from_slice(&self.fields.expires_at.as_unix_millis().to_be_bytes());
        out.extend_from_slice(&self.fields.lineage.0);
        out.extend_from_slice(&self.fields.secrets.current.0);
        out.push(
            u8::from(self.fields.secrets.grace.is_some())
                | u8::from(self.fields.secrets.renewed) << 1,
        );
        if let Some((digest, until)) = self.fields.secrets.grace {
            out.extend_from_slice(&digest.0);
            out.extend_from_slice(&until.as_unix_millis().to_be_bytes());
        }
        put_varint(&mut out, self.fields.secrets.superseded.len() as u64);
        for digest in &self.fields.secrets.superseded {
            out.extend_from_slice(&digest.0);
        }
        self.fields.state.encode_into(&mut out);
        out
    }

    /// The record that [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// If the bytes are damaged or of a schema version that this release does not know. A store reports
    /// that as a failure: the session is neither believed nor removed.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let Some((&SCHEMA, rest)) = bytes.split_first() else {
            return Err(RecordError {
                schema: bytes.first().copied(),
            });
        };
        Self::decode_fields(rest).map_err(|Malformed| RecordError {
            schema: Some(SCHEMA),
        })
    }

    fn decode_fields(bytes: &[u8]) -> Result<Self, Malformed> {
        let reader = &mut Reader::new(bytes);
        let time = |reader: &mut Reader<'_>| {
            Ok(Timestamp::from_unix_millis(u64::from_be_bytes(
                reader.array()?,
            )))
        };
        let last_seen_at = time(reader)?;
        let expires_at = time(reader)?;
        let lineage = Lineage(reader.array()?);
        let current = SecretDigest(reader.array()?);
        let flags = reader.byte()?;
        if flags > 3 {
            return Err(Malformed);
        }
        let mut grace = None;
        if flags & 1 != 0 {
            grace = Some((SecretDigest(reader.array()?), time(reader)?));
        }
        let count = reader.varint()?;
        if count > Secrets::REMEMBERED as u64 {
            return Err(Malformed);
        }
        let mut superseded = Vec::new();
        for _ in 0..count {
            superseded.push(SecretDigest(reader.array()?));
        }
        let mut record = Self::from(Fields {
            state: State::default(),
            secrets: Secrets {
                current,
                grace,
                superseded,
                renewed: flags & 2 != 0,
            },
            lineage,
            expires_at,
        });
        record.fields.state.read(reader.rest(), last_seen_at)?;
        Ok(record)
    }
}

/// Bytes that are not a record this release can read.
#[derive(Debug)]
pub struct RecordError {
    schema: Option<u8>,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.schema {
            Some(SCHEMA) => f.write_str("the session record is damaged"),
            Some(schema) => write!(
                f,
                "the session record has the unknown schema version {schema}"
            ),
            None => f.write_str("the session record is empty"),
        }
    }
}

impl Error for RecordError {}

#[cfg(test)]
mod tests {
    use super::Record;
    use crate::session::{
        id::{Secret, SecretDigest},
        secrets::Secrets,
        standing::Standing,
        tests::full::{SECRETS, at, record as full},
    };

    #[test]
    fn a_record_is_read_back_from_its_bytes() {
        let record = full();
        assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        assert_eq!(record.expires_at(), at(9 + 3600));
    }

    #[test]
    fn damaged_and_unknown_records_are_errors() {
        let bytes = full().encode();
        let without_data = bytes.len() - full().fields.state.entries.len();
        for len in (0..bytes.len()).filter(|len| *len != without_data) {
            assert!(Record::decode(&bytes[..len]).is_err(), "{len}");
        }
        let mut newer = bytes.clone();
        newer[0] = 2;
        let told = Record::decode(&newer).unwrap_err().to_string();
        assert!(told.contains("unknown schema version 2"), "{told}");
        let longer = [&bytes[..], &[0]].concat();
        assert!(Record::decode(&longer).is_err());
    }

    #[test]
    fn as_many_replaced_secrets_as_a_record_remembers_are_read_back_and_no_more() {
        let mut record = full();
        record.fields.secrets.superseded = vec![SECRETS[1].digest(); Secrets::REMEMBERED];
        assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        for more in [1, 2] {
            record.fields.secrets.superseded =
                vec![SECRETS[1].digest(); Secrets::REMEMBERED + more];
            assert!(Record::decode(&record.encode()).is_err());
        }
    }

    /// R65.
    #[test]
    fn a_record_has_ended_from_its_expiry_on() {
        let record = full();
        for (second, ended) in [(3608, false), (3609, true), (3610, true)] {
            assert_eq!(record.is_expired(at(second)), ended, "{second}");
        }
    }

    /// R29.
    #[test]
    fn a_store_keeps_digests_only() {
        let bytes = full().encode();
        for secret in &SECRETS {
            assert!(!bytes.windows(16).any(|window| window == secret.as_bytes()));
        }
        // Presenting what is stored opens nothing.
        let SecretDigest(stored) = SECRETS[2].digest();
        let mut presented = [0; 16];
        presented.copy_from_slice(&stored[..16]);
        let presented = Secret::from_bytes(presented);
        assert_eq!(
            full().fields.secrets.standing(&presented, at(9)),
            Standing::Reused
        );
    }
}
