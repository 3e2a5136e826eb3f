//! The frozen records of `tests/vectors/records.json`: every release reads them, and writes those of the newest
//! schema again. The states of `tokens.json` have the same form.

use std::time::Duration;

use serde::Deserialize;
use smol_str::SmolStr;

use crate::session::{
    authentication::{AssuranceLevel, Authentication, Elevation, Subject},
    device::{BoundDevice, Device, DeviceKey, Thumbprint},
    entries::{Entries, Entry, Keep},
    extra::{Extra, Limits},
    id::{Lineage, Secret, SecretDigest, SessionId},
    index::TagDigest,
    methods::Methods,
    own_session::OwnSession,
    record::{Fields, Record},
    secrets::Secrets,
    state::State,
    time::Timestamp,
};

#[derive(Deserialize)]
struct Vectors {
    records: Vec<RecordCase>,
    refused: Vec<RefusedCase>,
    records_2: Vec<RecordCase>,
    refused_2: Vec<RefusedCase>,
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
    #[serde(default)]
    forgot: bool,
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
    extra: Option<ExtraCase>,
    entries: Vec<EntryCase>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExtraCase {
    idle: Option<u64>,
    absolute: Option<u64>,
    family: Option<String>,
    tags: Vec<String>,
    tagged_in: String,
    audience: String,
    actor: Option<String>,
    device: Option<DeviceCase>,
    expected_device: Option<String>,
    methods: Vec<MethodCase>,
    acr: Option<String>,
    own: Option<OwnCase>,
    unknown: Vec<UnknownCase>,
}

/// What an actor's session was.
#[derive(Deserialize)]
struct OwnCase {
    level: u8,
    authenticated_at: u64,
    elevation: Option<ElevationCase>,
    absolute_expiry: u64,
    persistent: bool,
    methods: Vec<MethodCase>,
    acr: Option<String>,
    entries: Vec<EntryCase>,
}

impl OwnCase {
    fn own(&self) -> OwnSession {
        OwnSession {
            level: AssuranceLevel::new(self.level).unwrap(),
            authenticated_at: Timestamp::from_unix_millis(self.authenticated_at),
            elevation: self.elevation.as_ref().map(ElevationCase::elevation),
            absolute_expiry: Timestamp::from_unix_millis(self.absolute_expiry),
            persistent: self.persistent,
            methods: methods(&self.methods),
            acr: self.acr.as_ref().map(Into::into),
            entries: entries(&self.entries),
        }
    }
}

#[derive(Deserialize)]
struct MethodCase {
    name: String,
    at_login: Option<u64>,
    since: Option<u64>,
}

/// Those of logins and elevations, in the order in which they stand.
fn methods(cases: &[MethodCase]) -> Methods {
    let mut methods = Methods::default();
    for case in cases {
        if let Some(at) = case.at_login {
            methods.log_in(&SmolStr::new(&case.name), Timestamp::from_unix_millis(at));
        }
        if let Some(at) = case.since {
            methods.elevate(&SmolStr::new(&case.name), Timestamp::from_unix_millis(at));
        }
    }
    methods
}

#[derive(Deserialize)]
struct DeviceCase {
    key: String,
    sequence: u32,
    bound_at: u64,
    last_proof_at: u64,
}

impl DeviceCase {
    fn device(&self) -> BoundDevice {
        BoundDevice {
            key: DeviceKey(array(&self.key)),
            sequence: self.sequence,
            bound_at: Timestamp::from_unix_millis(self.bound_at),
            last_proof_at: Timestamp::from_unix_millis(self.last_proof_at),
        }
    }
}

#[derive(Deserialize)]
struct UnknownCase {
    tag: u8,
    content: String,
}

impl ExtraCase {
    fn extra(&self) -> Extra {
        let tags = self
            .tags
            .iter()
            .map(|tag| TagDigest::of(&self.tagged_in, tag));
        let mut tags: Vec<_> = tags.collect();
        tags.sort();
        let bound = self.device.as_ref();
        let bound = bound.map(|device| Device::Bound(device.device()));
        let expected = self.expected_device.as_deref();
        let expected = expected.map(|digits| Device::Expected(Thumbprint(array(digits))));
        let mut extra = Extra {
            limits: Limits {
                idle: self.idle.map(Duration::from_secs),
                absolute: self.absolute.map(Duration::from_secs),
            },
            family: self
                .family
                .as_deref()
                .map(|id| SessionId::from_bytes(array(id))),
            tags: tags.into(),
            audience: self.audience.as_str().into(),
            actor: self.actor.as_ref().map(Subject::from),
            device: bound.or(expected),
            methods: methods(&self.methods),
            acr: self.acr.as_ref().map(Into::into),
            own_session: self.own.as_ref().map(|own| Box::new(own.own())),
            ..Extra::default()
        };
        for block in &self.unknown {
            extra.add_unknown(block.tag, &bytes(&block.content));
        }
        extra
    }
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

impl ElevationCase {
    fn elevation(&self) -> Elevation {
        Elevation {
            level: AssuranceLevel::new(self.level).unwrap(),
            until: self.until.map(Timestamp::from_unix_millis),
        }
    }
}

#[derive(Deserialize)]
struct EntryCase {
    name: String,
    value: String,
    carried: bool,
    #[serde(default)]
    once: bool,
    until: Option<u64>,
}

fn entries(cases: &[EntryCase]) -> Entries {
    let entries = cases.iter().map(|entry| Entry {
        name: &entry.name,
        value: entry.value.as_bytes(),
        keep: if entry.carried {
            Keep::Carried
        } else if entry.once || entry.until.is_some() {
            Keep::Passing(entry.until.map(Timestamp::from_unix_millis))
        } else {
            Keep::Subject
        },
    });
    entries.fold(Entries::default(), |entries, entry| {
        entries.with(entry, Timestamp::default())
    })
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
        let elevation = self.elevation.as_ref().map(ElevationCase::elevation);
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
            extra: self.extra.as_ref().map(|extra| Box::new(extra.extra())),
            entries: entries(&self.entries),
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
                forgot: proof.forgot,
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
        // Schema 2 writes the same after its own version: such a record has no blocks.
        let mut written = frozen;
        written[0] = 2;
        assert_eq!(record.encode(), written, "{}", case.name);
        assert_eq!(Record::decode(&written).unwrap(), record, "{}", case.name);
    }
}

/// Schema version 2, with every block there is.
#[test]
fn frozen_records_of_schema_2_are_read_and_written_again() {
    let cases = vectors().records_2;
    assert_eq!(cases.len(), 20);
    for case in cases {
        let (frozen, record) = (bytes(&case.encoded), case.record());
        assert_eq!(Record::decode(&frozen).unwrap(), record, "{}", case.name);
        assert_eq!(record.encode(), frozen, "{}", case.name);
    }
}

/// A newer schema version, a flag that has no meaning yet, and what is no record at all.
#[test]
fn what_is_no_record_of_this_release_is_refused() {
    let (refused, refused_2) = (vectors().refused, vectors().refused_2);
    assert_eq!((refused.len(), refused_2.len()), (19, 23));
    for case in refused.into_iter().chain(refused_2) {
        let refused = Record::decode(&bytes(&case.bytes)).expect_err(&case.name);
        let told = refused.to_string();
        assert!(told.contains(&case.why), "{}: {told}", case.name);
    }
}
