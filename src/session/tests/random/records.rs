//! Random records: what is written is read back, in this schema version and in no other.

use std::time::Duration;

use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, any},
    prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::{cases, session};
use crate::session::{
    authentication::AssuranceLevel,
    device::{BoundDevice, Device, DeviceKey, Thumbprint},
    extra::{Extra, Limits, MAX_TAGS},
    id::{Lineage, SecretDigest, SessionId},
    index::TagDigest,
    methods::Methods,
    own_session::OwnSession,
    record::{Fields, Record},
    secrets::Secrets,
    time::Timestamp,
};

fn digest() -> impl Strategy<Value = SecretDigest> {
    any::<[u8; 32]>().prop_map(SecretDigest)
}

fn secrets() -> impl Strategy<Value = Secrets> {
    let grace = option::of((digest(), any::<u64>()));
    let replaced = (grace, vec(digest(), 0..=4), any::<bool>());
    (digest(), replaced, any::<bool>()).prop_map(
        |(current, (grace, superseded, renewed), forgot)| Secrets {
            current,
            grace: grace.map(|(digest, until)| (digest, Timestamp::from_unix_millis(until))),
            superseded,
            renewed,
            forgot,
        },
    )
}

fn device() -> impl Strategy<Value = Device> {
    let expected = any::<[u8; 32]>().prop_map(|bytes| Device::Expected(Thumbprint(bytes)));
    let key = (any::<[u8; 32]>(), any::<[u8; 32]>());
    let bound = (key, any::<u32>(), any::<u64>(), any::<u64>());
    let bound = bound.prop_map(|((x, y), sequence, bound_at, proved_at)| {
        let mut key = [0; DeviceKey::LEN];
        key[..32].copy_from_slice(&x);
        key[32..].copy_from_slice(&y);
        Device::Bound(BoundDevice {
            key: DeviceKey(key),
            sequence,
            bound_at: Timestamp::from_unix_millis(bound_at),
            last_proof_at: Timestamp::from_unix_millis(proved_at),
        })
    });
    prop_oneof![expected, bound]
}

/// What a session was, of which another is the actor's now.
fn own_session() -> impl Strategy<Value = Box<OwnSession>> {
    let rest = ("[a-z]{0,20}", any::<u32>());
    (session(), rest).prop_map(|(live, (acr, seconds))| {
        let state = live.state;
        let who = state.authentication;
        let at = Timestamp::from_unix_seconds(seconds.into());
        Box::new(OwnSession {
            level: who.as_ref().map_or(AssuranceLevel::AAL1, |who| who.level),
            authenticated_at: at,
            elevation: who.and_then(|who| who.elevation),
            absolute_expiry: state.absolute_expiry,
            persistent: state.persistent,
            methods: Methods::of_login(&["password".into()], at),
            acr: (!acr.is_empty()).then(|| acr.into()),
            entries: state.entries,
        })
    })
}

fn extra() -> impl Strategy<Value = Extra> {
    let limit = || option::of((1..100_000_000_u64).prop_map(Duration::from_secs));
    let tags = proptest::collection::btree_set(any::<[u8; 16]>(), 0..=MAX_TAGS);
    let unknown = option::of((11..128_u8, vec(any::<u8>(), 0..20)));
    let known = (
        limit(),
        limit(),
        option::of(any::<[u8; 16]>()),
        tags,
        "[a-z]{0,20}",
        option::of("[a-z]{1,20}"),
        option::of(device()),
        (
            vec((super::method(), any::<u32>()), 0..4),
            option::of("[a-z]{1,20}"),
            option::of(own_session()),
        ),
    );
    (known, unknown).prop_map(
        |((idle, absolute, family, tags, audience, actor, device, proofs), unknown)| {
            let (methods, acr, own_session) = proofs;
            let mut all = Methods::default();
            for (name, seconds) in methods {
                all.elevate(&name, Timestamp::from_unix_seconds(seconds.into()));
            }
            let mut extra = Extra {
                limits: Limits { idle, absolute },
                family: family.map(SessionId::from_bytes),
                tags: tags.into_iter().map(TagDigest).collect(),
                audience: audience.into(),
                actor: actor.map(Into::into),
                device,
                methods: all,
                acr: acr.map(Into::into),
                ..Extra::default()
            };
            extra.own_session = own_session.filter(|_| extra.actor.is_some());
            if let Some((tag, content)) = unknown {
                extra.add_unknown(tag, &content);
            }
            extra
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    let label = option::of("[a-zA-Zäöü ]{0,40}");
    let rest = (
        label,
        vec(any::<u8>(), 0..60),
        any::<u64>(),
        any::<[u8; 8]>(),
    );
    (session(), secrets(), rest, extra()).prop_map(|(live, secrets, rest, extra)| {
        let (label, binding, expires_at, lineage) = rest;
        let mut state = live.state;
        state.label = label.map(Into::into);
        state.binding = binding.into();
        state.with_extra(|all| *all = extra);
        Record::from(Fields {
            state,
            secrets,
            lineage: Lineage(lineage),
            expires_at: Timestamp::from_unix_millis(expires_at),
        })
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_record_is_read_back_in_its_own_schema_version_only(record in record(), version in any::<u8>()) {
        let mut bytes = record.encode();
        prop_assert_eq!(&Record::decode(&bytes).unwrap(), &record);
        let has_blocks = record.fields.state.extra.is_some();
        bytes[0] = version;
        // Schema 1 is schema 2 without blocks.
        let opens = version == 2 || version == 1 && !has_blocks;
        prop_assert_eq!(Record::decode(&bytes).is_ok(), opens);
    }

    /// Whatever a later version may mean by them, bits without a meaning are not passed over.
    #[test]
    fn an_unknown_flag_is_refused(record in record(), bit in 3..8_u8) {
        let bytes = record.encode();
        let mut of_the_state = Vec::new();
        record.fields.state.encode_into(&mut of_the_state);
        let state_flags = bytes.len() - of_the_state.len();
        for (at, bit) in [(57, bit), (state_flags, 7)] {
            let mut unknown = bytes.clone();
            unknown[at] |= 1 << bit;
            prop_assert!(Record::decode(&unknown).is_err(), "bit {bit} of byte {at}");
        }
    }
}
