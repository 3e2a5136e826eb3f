//! The frozen records of `tests/vectors/records.json`: every release reads them and writes them again. The
//! states of `tokens.json` have the same form.

use serde::Deserialize;

use crate::session::{
    authentication::{AssuranceLevel, Authentication, Elevation, Subject},
    entries::{Entries, Entry},
    id::{Lineage, Secret, SecretDigest},
    record::{Fields, Record},
    secrets::Secrets,
    state::State,
    time::Timestamp,
};

#[derive(Deserialize)]
struct Vectors {
    records: Vec<RecordCase>,
    refused: Vec<RefusedCase>,
}

#[derive(Deserialize)]
struct RecordCase {
    name: String,
    state: StateCase,
    expires_at: u64,
    lineage: String,
    proof: ProofCase,
    encoded: String,
}

#[derive(Deserialize)]
struct ProofCase {
    current: String,
    grace: Option<GraceCase>,
    renewed: bool,
    superseded: Vec<String>,
}

#[derive(Deserialize)]
struct GraceCase {
    secret: String,
    until: u64,
}

#[derive(Deserialize)]
struct RefusedCase {
    name: String,
    bytes: String,
    why: String,
}

#[derive(Deserialize)]
pub(crate) struct StateCase {
    last_seen_at: u64,
    absolute_expiry: u64,
    created_at: u64,
    rotated_at: u64,
    persistent: bool,
    authentication: Option<AuthenticationCase>,
    elevation: Option<ElevationCase>,
    label: Option<String>,
    binding: Option<String>,
    entries: Vec<EntryCase>,
}

#[derive(Deserialize)]
struct AuthenticationCase {
    level: u8,
    authenticated_at: u64,
    subject: String,
}

#[derive(Deserialize)]
struct ElevationCase {
    level: u8,
    until: Option<u64>,
}

#[derive(Deserialize)]
struct EntryCase {
    name: String,
    value: String,
    carried: bool,
}

pub(crate) fn bytes(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

pub(crate) fn array<const N: usize>(digits: &str) -> [u8; N] {
    bytes(digits).try_into().unwrap()
}

impl StateCase {
    pub(crate) fn state(&self) -> State {
        let time = Timestamp::from_unix_millis;
        let level = |level| AssuranceLevel::new(level).unwrap();
        let elevation = self.elevation.as_ref().map(|up| Elevation {
            level: level(up.level),
            until: up.until.map(time),
        });
        let entries = self.entries.iter().map(|entry| Entry {
            name: &entry.name,
            value: entry.value.as_bytes(),
            carried: entry.carried,
        });
        State {
            authentication: self.authentication.as_ref().map(|who| Authentication {
                subject: Subject::from(&who.subject),
                level: level(who.level),
                authenticated_at: time(who.authenticated_at),
                elevation,
            }),
            created_at: time(self.created_at),
            last_seen_at: time(self.last_seen_at),
            rotated_at: time(self.rotated_at),
            absolute_expiry: time(self.absolute_expiry),
            persistent: self.persistent,
            label: self.label.as_deref().map(Into::into),
            binding: bytes(self.binding.as_deref().unwrap_or_default()).into(),
            entries: entries.fold(Entries::default(), |entries, entry| entries.with(entry)),
        }
    }
}

impl RecordCase {
    fn record(&self) -> Record {
        let digest = |secret: &str| -> SecretDigest { Secret::from_bytes(array(secret)).digest() };
        let time = Timestamp::from_unix_millis;
        let proof = &self.proof;
        Record::from(Fields {
            state: self.state.state(),
            secrets: Secrets {
                current: digest(&proof.current),
                grace: proof
                    .grace
                    .as_ref()
                    .map(|grace| (digest(&grace.secret), time(grace.until))),
                superseded: proof
                    .superseded
                    .iter()
                    .map(|secret| digest(secret))
                    .collect(),
                renewed: proof.renewed,
            },
            lineage: Lineage(array(&self.lineage)),
            expires_at: time(self.expires_at),
        })
    }
}

fn vectors() -> Vectors {
    let file = include_str!("../../../tests/vectors/records.json");
    serde_json::from_str(file).unwrap()
}

/// Schema version 1, in every shape that its fields have.
#[test]
fn frozen_records_are_read_and_written_again() {
    let cases = vectors().records;
    assert_eq!(cases.len(), 16);
    for case in cases {
        let (frozen, record) = (bytes(&case.encoded), case.record());
        assert_eq!(Record::decode(&frozen).unwrap(), record, "{}", case.name);
        assert_eq!(record.encode(), frozen, "{}", case.name);
    }
}

/// A newer schema version, a flag that has no meaning yet, and what is no record at all.
#[test]
fn what_is_no_record_of_this_release_is_refused() {
    let cases = vectors().refused;
    assert_eq!(cases.len(), 19);
    for case in cases {
        let refused = Record::decode(&bytes(&case.bytes)).expect_err(&case.name);
        let told = refused.to_string();
        assert!(told.contains(&case.why), "{}: {told}", case.name);
    }
}
