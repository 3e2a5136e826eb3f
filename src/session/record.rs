//! [`Record`]: what a store keeps for one session, and its encoding.

use std::{error::Error, fmt};

use super::{
    codec::{Malformed, Reader, put_varint},
    id::{Lineage, SecretDigest},
    index::first_half,
    policy::SessionPolicy,
    secrets::Secrets,
    state::{Schema, State},
    succession::REMEMBERED,
    time::Timestamp,
};

/// The schema version that this release writes.
const SCHEMA: u8 = 2;

/// What a store keeps for one session.
///
/// Opaque: a store keeps the bytes of [`encode`](Self::encode), reads them back with
/// [`decode`](Self::decode), and looks at [`expires_at`](Self::expires_at),
/// [`absolute_expiry`](Self::absolute_expiry) and [`index_keys`](Self::index_keys) for its clean-up and its
/// index. Of secrets it holds SHA-256 digests only, so a reader of the store cannot present a session.
/// The session's data comes last in the bytes, so a [`RecordHead`](super::head::RecordHead) can be read from their
/// beginning.
///
/// # Compatibility
///
/// The bytes begin with a schema version. This release writes version 2 and reads versions 1 and 2. Every later
/// release reads what an earlier one wrote, so sessions outlive an upgrade.
///
/// Version 2 ends the basic fields with *blocks*: tagged, length-prefixed pieces, one for each capability. A later
/// release adds blocks and not versions. Each block says whether a reader must understand it. A release that does not
/// know a block keeps it, byte for byte, if it need not understand it. Otherwise it refuses the record, and the
/// request that needed it fails (503 and [`StoreFailedLoad`](crate::EventKind::StoreFailedLoad)). A refused record is
/// neither believed in part nor taken for absent nor removed, so the servers that can read it lose nothing.
/// The changelog of a release names the blocks that it adds.
#[derive(Clone, PartialEq, Eq)]
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

/// Shows what a session is and not what it holds: neither data nor secrets.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.debug(f.debug_struct("Record"))
    }
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
        let end = policy.absolute_end(&state);
        let expires_at = policy.idle_end(&state).map_or(end, |idle| idle.min(end));
        Self::from(Fields {
            state,
            secrets,
            lineage,
            expires_at,
        })
    }

    /// The most bytes that stand before the session's data.
    pub const MAX_HEAD_LEN: usize = 2048;

    /// Whether the session has ended at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.fields.expires_at
    }

    /// The record as bytes, which begin with the schema version.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(160 + self.fields.state.entries.len());
        self.fields.encode_into(&mut out);
        out
    }

    /// Half a SHA-256 digest of everything but when the session was last used and when it expires.
    ///
    /// Of two records of one session that have the same one, the later only notes that the session was used: a store
    /// that tells other nodes of changes need not tell of that.
    #[must_use]
    pub fn content_digest(&self) -> [u8; 16] {
        let mut fields = (*self.fields).clone();
        fields.state.last_seen_at = fields.state.created_at;
        fields.expires_at = Timestamp::default();
        let mut out = Vec::with_capacity(160 + fields.state.entries.len());
        fields.encode_into(&mut out);
        first_half(&out)
    }

    /// The record that [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// If the bytes are damaged, or of a schema version or with a block that this release does not know. A
    /// store reports that as a failure: the session is neither believed nor removed.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        read(bytes, |reader, schema| {
            let (mut fields, last_seen_at) = Fields::read_before_state(reader, schema)?;
            fields.state.read(reader.rest(), schema, last_seen_at)?;
            Ok(Self { fields })
        })
    }
}

/// Reads what follows the schema version.
pub(super) fn read<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>, Schema) -> Result<T, Malformed>,
) -> Result<T, RecordError> {
    let error = RecordError {
        schema: bytes.first().copied(),
    };
    let (schema, rest) = match bytes {
        [1, rest @ ..] => (Schema::V1, rest),
        [SCHEMA, rest @ ..] => (Schema::V2, rest),
        _ => return Err(error),
    };
    read(&mut Reader::new(rest), schema).map_err(|Malformed| error)
}

const GRACE: u8 = 1;
const RENEWED: u8 = 1 << 1;
/// Schema 2.
const FORGOT: u8 = 1 << 2;

impl Fields {
    fn encode_into(&self, out: &mut Vec<u8>) {
        let Self {
            state,
            secrets,
            lineage,
            expires_at,
        } = self;
        let time = |out: &mut Vec<u8>, time: Timestamp| {
            out.extend_from_slice(&time.as_unix_millis().to_be_bytes());
        };
        out.push(SCHEMA);
        time(out, state.last_seen_at);
        time(out, *expires_at);
        out.extend_from_slice(&lineage.0);
        out.extend_from_slice(&secrets.current.0);
        let mut flags = 0;
        for (holds, flag) in [
            (secrets.grace.is_some(), GRACE),
            (secrets.renewed, RENEWED),
            (secrets.forgot, FORGOT),
        ] {
            flags |= if holds { flag } else { 0 };
        }
        out.push(flags);
        if let Some((digest, until)) = secrets.grace {
            out.extend_from_slice(&digest.0);
            time(out, until);
        }
        put_varint(out, secrets.superseded.len() as u64);
        for digest in &secrets.superseded {
            out.extend_from_slice(&digest.0);
        }
        state.encode_into(out);
    }

    /// Everything but the state, and when the session was last seen, which the state is relative to.
    ///
    /// Boxed here, since each hand that it went through unboxed would copy it.
    pub(super) fn read_before_state(
        reader: &mut Reader<'_>,
        schema: Schema,
    ) -> Result<(Box<Self>, Timestamp), Malformed> {
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
        let known = match schema {
            Schema::V1 => GRACE | RENEWED,
            Schema::V2 => GRACE | RENEWED | FORGOT,
        };
        if flags & !known != 0 {
            return Err(Malformed);
        }
        let mut grace = None;
        if flags & GRACE != 0 {
            grace = Some((SecretDigest(reader.array()?), time(reader)?));
        }
        let count = reader.varint()?;
        if count > REMEMBERED as u64 {
            return Err(Malformed);
        }
        let mut superseded = Vec::new();
        for _ in 0..count {
            superseded.push(SecretDigest(reader.array()?));
        }
        let fields = Box::new(Self {
            state: State::default(),
            secrets: Secrets {
                current,
                grace,
                superseded,
                renewed: flags & RENEWED != 0,
                forgot: flags & FORGOT != 0,
            },
            lineage,
            expires_at,
        });
        Ok((fields, last_seen_at))
    }
}

/// Bytes that are not a record this release can read.
pub struct RecordError {
    schema: Option<u8>,
}

impl fmt::Debug for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.schema {
            Some(1 | SCHEMA) => {
                f.write_str("the session record is damaged, or a newer release wrote a part of it")
            }
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
    use super::{REMEMBERED, Record};
    use crate::session::{
        id::{Secret, SecretDigest},
        standing::Standing,
        tests::full::{SECRETS, at, record as full},
    };

    #[test]
    fn a_record_is_read_back_from_its_bytes() {
        let record = full();
        assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        // Last seen at 9, and its login asked for half an hour.
        assert_eq!(record.expires_at(), at(9 + 1800));
    }

    #[test]
    fn damaged_and_unknown_records_are_errors() {
        let bytes = full().encode();
        let without_data = bytes.len() - full().fields.state.entries.len();
        for len in (0..bytes.len()).filter(|len| *len != without_data) {
            assert!(Record::decode(&bytes[..len]).is_err(), "{len}");
        }
        let mut newer = bytes.clone();
        newer[0] = 3;
        let told = Record::decode(&newer).unwrap_err().to_string();
        assert!(told.contains("unknown schema version 3"), "{told}");
        let longer = [&bytes[..], &[0]].concat();
        assert!(Record::decode(&longer).is_err());
    }

    #[test]
    fn as_many_replaced_secrets_as_a_record_remembers_are_read_back_and_no_more() {
        let mut record = full();
        record.fields.secrets.superseded = vec![SECRETS[1].digest(); REMEMBERED];
        assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        for more in [1, 2] {
            record.fields.secrets.superseded = vec![SECRETS[1].digest(); REMEMBERED + more];
            assert!(Record::decode(&record.encode()).is_err());
        }
    }

    /// R65.
    #[test]
    fn a_record_has_ended_from_its_expiry_on() {
        let record = full();
        for (second, ended) in [(1808, false), (1809, true), (1810, true)] {
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
