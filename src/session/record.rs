//! [`Record`]: what a store keeps for one session, and its encoding.

use std::{error::Error, fmt};

use smol_str::SmolStr;

use super::{
    authentication::{AssuranceLevel, Authentication, Elevation, Subject},
    codec::{Malformed, Reader, put_bytes, put_offset, put_varint},
    entries::Entries,
    id::{Lineage, Secret, SecretDigest},
    policy::SessionPolicy,
    time::Timestamp,
};

const SCHEMA: u8 = 1;

const AUTHENTICATED: u8 = 1;
const ELEVATED: u8 = 1 << 1;
const ELEVATED_UNTIL: u8 = 1 << 2;
const PERSISTENT: u8 = 1 << 3;
const LABELLED: u8 = 1 << 4;
const BOUND: u8 = 1 << 5;
const KNOWN: u8 = AUTHENTICATED | ELEVATED | ELEVATED_UNTIL | PERSISTENT | LABELLED | BOUND;

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
    pub(crate) entries: Entries,
}

impl State {
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
        out.extend_from_slice(self.entries.as_bytes());
    }

    /// Reads a state from all of `bytes`.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn decode(bytes: &[u8], last_seen_at: Timestamp) -> Result<Self, Malformed> {
        let mut state = Self::default();
        state.read(bytes, last_seen_at)?;
        Ok(state)
    }

    /// Reads a state from all of `bytes` to where it is to stay, since it is large to move: in place of the
    /// default one. What an error leaves is worth nothing.
    pub(crate) fn read(&mut self, bytes: &[u8], last_seen_at: Timestamp) -> Result<(), Malformed> {
        let base = last_seen_at.as_unix_millis();
        let reader = &mut Reader::new(bytes);
        let flags = reader.byte()?;
        let has = |flag| flags & flag != 0;
        if flags & !KNOWN != 0
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
        self.entries = Entries::decode(reader.rest())?;
        Ok(())
    }
}

/// Which secrets open a session, and which did before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) current: SecretDigest,
    /// The secret that a renewal replaced, and when it stops working.
    pub(crate) grace: Option<(SecretDigest, Timestamp)>,
    /// Secrets that an honest request may still carry: a change of privilege replaced them.
    pub(crate) superseded: Vec<SecretDigest>,
    /// Whether a renewal ever replaced a secret of this session.
    pub(crate) renewed: bool,
}

/// What presenting a secret means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is the session's secret.
    Current,
    /// A renewal replaced it moments ago; it still opens the session.
    Grace,
    /// A change of privilege replaced it.
    Superseded,
    /// A renewal replaced it, and its grace time is over.
    Reused,
}

impl Proof {
    /// How many replaced secrets a record remembers.
    const REMEMBERED: usize = 4;

    pub(crate) const fn new(current: SecretDigest) -> Self {
        Self {
            current,
            grace: None,
            superseded: Vec::new(),
            renewed: false,
        }
    }

    pub(crate) fn standing(&self, secret: &Secret, now: Timestamp) -> Standing {
        let presented = secret.digest();
        if presented == self.current {
            return Standing::Current;
        }
        match self.grace {
            Some((digest, until)) if digest == presented && now < until => Standing::Grace,
            _ if self.superseded.contains(&presented) || !self.renewed => Standing::Superseded,
            _ => Standing::Reused,
        }
    }

    /// A new secret after a change of privilege: nothing older works, without grace.
    pub(crate) fn supersede(&mut self, new: SecretDigest, now: Timestamp) {
        if let Some((digest, until)) = self.grace.take()
            && now < until
        {
            self.remember(digest);
        }
        self.remember(self.current);
        self.current = new;
    }

    /// A new secret after a renewal: the present one works until `grace_until`.
    pub(crate) fn renew(&mut self, new: SecretDigest, now: Timestamp, grace_until: Timestamp) {
        if let Some((digest, until)) = self.grace.take()
            && now < until
        {
            // Its grace is cut short, so a request under way may carry it honestly.
            self.remember(digest);
        }
        self.grace = Some((self.current, grace_until));
        self.current = new;
        self.renewed = true;
    }

    fn remember(&mut self, digest: SecretDigest) {
        if self.superseded.len() == Self::REMEMBERED {
            self.superseded.remove(0);
        }
        self.superseded.push(digest);
    }
}

/// What a store keeps for one session.
///
/// Opaque: a store keeps the bytes of [`encode`](Self::encode), reads them back with
/// [`decode`](Self::decode), and looks at [`expires_at`](Self::expires_at),
/// [`absolute_expiry`](Self::absolute_expiry) and [`subject`](Self::subject) for its clean-up and its index.
/// Of secrets it holds SHA-256 digests only, so who reads a store cannot present a session.
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
    pub(crate) proof: Proof,
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
    pub(crate) fn of(state: State, proof: Proof, lineage: Lineage, policy: &SessionPolicy) -> Self {
        let idle = policy.idle_expiry(state.last_seen_at, state.persistent);
        let expires_at = idle.map_or(state.absolute_expiry, |end| end.min(state.absolute_expiry));
        Self::from(Fields {
            state,
            proof,
            lineage,
            expires_at,
        })
    }

    /// When the session ends unless it is used: the earlier of its idle and its absolute limit.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.fields.expires_at
    }

    /// When the session ends at the latest, however often it is used: its absolute limit.
    ///
    /// A store reads it to decide how long an index entry of the session has to last: until the later of
    /// this and [`expires_at`](Self::expires_at).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "testing")] {
    /// use std::time::Duration;
    /// use tower_session_guard::{Timestamp, testing::RecordBuilder};
    ///
    /// let now = Timestamp::from_unix_seconds(1_800_000_000);
    /// let record = RecordBuilder::new(now).build();
    /// let entry_lasts_until = record.absolute_expiry().max(record.expires_at());
    /// assert_eq!(entry_lasts_until, now.after(Duration::from_secs(3600)));
    /// # }
    /// ```
    #[must_use]
    pub const fn absolute_expiry(&self) -> Timestamp {
        self.fields.state.absolute_expiry
    }

    /// Whether the session has ended at `now`.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.fields.expires_at
    }

    /// Who is logged in, or `None` for a visitor's session.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.fields
            .state
            .authentication
            .as_ref()
            .map(|who| &who.subject)
    }

    /// When the session began: at its login, or at a visitor's first data.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.fields.state.created_at
    }

    /// When the session was last seen, as exactly as the idle touch is throttled.
    #[must_use]
    pub const fn last_seen_at(&self) -> Timestamp {
        self.fields.state.last_seen_at
    }

    /// The assurance level that holds at `now`; `None` for a visitor's session.
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
        out.extend_from_slice(&self.fields.proof.current.0);
        out.push(
            u8::from(self.fields.proof.grace.is_some()) | u8::from(self.fields.proof.renewed) << 1,
        );
        if let Some((digest, until)) = self.fields.proof.grace {
            out.extend_from_slice(&digest.0);
            out.extend_from_slice(&until.as_unix_millis().to_be_bytes());
        }
        put_varint(&mut out, self.fields.proof.superseded.len() as u64);
        for digest in &self.fields.proof.superseded {
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
        if count > Proof::REMEMBERED as u64 {
            return Err(Malformed);
        }
        let mut superseded = Vec::new();
        for _ in 0..count {
            superseded.push(SecretDigest(reader.array()?));
        }
        let mut record = Self::from(Fields {
            state: State::default(),
            proof: Proof {
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
    use super::{AUTHENTICATED, ELEVATED, Proof, Record, Standing, State};
    use crate::session::{
        authentication::{AssuranceLevel, Authentication, Elevation},
        entries::{Entries, Entry},
        id::{Lineage, Secret, SecretDigest},
        policy::SessionPolicy,
        time::Timestamp,
    };

    const SECRETS: [Secret; 4] = [
        Secret::from_bytes([1; 16]),
        Secret::from_bytes([2; 16]),
        Secret::from_bytes([3; 16]),
        Secret::from_bytes([4; 16]),
    ];

    const fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + second)
    }

    fn full() -> Record {
        let mut proof = Proof::new(SECRETS[0].digest());
        proof.supersede(SECRETS[1].digest(), at(1));
        proof.renew(SECRETS[2].digest(), at(2), at(12));
        let state = State {
            authentication: Some(Authentication {
                subject: "alice".into(),
                level: AssuranceLevel::AAL1,
                authenticated_at: at(1),
                elevation: Some(Elevation {
                    level: AssuranceLevel::AAL3,
                    until: Some(at(300)),
                }),
            }),
            created_at: at(0),
            last_seen_at: at(9),
            rotated_at: at(2),
            absolute_expiry: at(86_400),
            persistent: true,
            label: Some("Firefox on Linux".into()),
            binding: [7; 32].into(),
            entries: Entries::default().with(Entry {
                name: "k",
                value: b"\"v\"",
                carried: true,
            }),
        };
        Record::of(state, proof, Lineage([9; 8]), &SessionPolicy::aal2())
    }

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

    /// What a later version may write is not half understood.
    #[test]
    fn a_state_with_flags_that_make_no_sense_is_malformed() {
        let mut bytes = Vec::new();
        full().fields.state.encode_into(&mut bytes);
        assert!(State::decode(&bytes, at(9)).is_ok());
        for flags in [
            bytes[0] | 1 << 6,
            bytes[0] | 1 << 7,
            bytes[0] & !AUTHENTICATED,
            bytes[0] & !ELEVATED,
        ] {
            bytes[0] = flags;
            assert!(State::decode(&bytes, at(9)).is_err(), "{flags:b}");
        }
    }

    #[test]
    fn as_many_replaced_secrets_as_a_record_remembers_are_read_back_and_no_more() {
        let mut record = full();
        record.fields.proof.superseded = vec![SECRETS[1].digest(); Proof::REMEMBERED];
        assert_eq!(Record::decode(&record.encode()).unwrap(), record);
        for more in [1, 2] {
            record.fields.proof.superseded = vec![SECRETS[1].digest(); Proof::REMEMBERED + more];
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

    /// R12: what cuts a grace time short makes nobody a thief; one that is over by then still counts.
    #[test]
    fn a_grace_time_cut_short_is_no_theft_and_one_that_ran_out_is() {
        for (now, standing) in [
            (5, Standing::Superseded),
            (11, Standing::Superseded),
            (12, Standing::Reused),
            (13, Standing::Reused),
        ] {
            let mut renewed = Proof::new(SECRETS[0].digest());
            renewed.renew(SECRETS[1].digest(), at(2), at(12));
            let mut elevated = renewed.clone();
            renewed.renew(SECRETS[2].digest(), at(now), at(now + 10));
            elevated.supersede(SECRETS[2].digest(), at(now));
            for proof in [renewed, elevated] {
                assert_eq!(proof.standing(&SECRETS[0], at(now)), standing, "{now}");
            }
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
            full().fields.proof.standing(&presented, at(9)),
            Standing::Reused
        );
    }

    /// R12: what each secret of a session's past is worth.
    #[test]
    fn a_secret_is_worth_what_replaced_it() {
        let proof = full().fields.proof;
        for (secret, now, standing) in [
            (2, 9, Standing::Current),
            (1, 11, Standing::Grace),
            (1, 12, Standing::Reused),
            (0, 9, Standing::Superseded),
            (3, 9, Standing::Reused),
        ] {
            assert_eq!(
                proof.standing(&SECRETS[secret], at(now)),
                standing,
                "{secret} {now}"
            );
        }
        let mut elevated = proof.clone();
        elevated.supersede(SECRETS[3].digest(), at(5));
        for old in &SECRETS[..3] {
            assert_eq!(elevated.standing(old, at(6)), Standing::Superseded);
        }
    }
}
