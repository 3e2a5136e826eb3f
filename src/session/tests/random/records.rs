//! Random records: what is written is read back, in this schema version and in no other.

use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, any},
    prop_assert, prop_assert_eq, proptest,
};

use super::{cases, session};
use crate::session::{
    id::{Lineage, SecretDigest},
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
    (digest(), replaced).prop_map(|(current, (grace, superseded, renewed))| Secrets {
        current,
        grace: grace.map(|(digest, until)| (digest, Timestamp::from_unix_millis(until))),
        superseded,
        renewed,
    })
}

fn record() -> impl Strategy<Value = Record> {
    let label = option::of("[a-zA-Zäöü ]{0,40}");
    let rest = (
        label,
        vec(any::<u8>(), 0..60),
        any::<u64>(),
        any::<[u8; 8]>(),
    );
    (session(), secrets(), rest).prop_map(|(live, secrets, rest)| {
        let (label, binding, expires_at, lineage) = rest;
        let mut state = live.state;
        state.label = label.map(Into::into);
        state.binding = binding.into();
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
        prop_assert_eq!(Record::decode(&bytes).unwrap(), record);
        bytes[0] = version;
        prop_assert_eq!(Record::decode(&bytes).is_ok(), version == 1);
    }

    /// Whatever a later version may mean by them, bits without a meaning are not passed over.
    #[test]
    fn an_unknown_flag_is_refused(record in record(), bit in 6..8_u8) {
        let bytes = record.encode();
        let mut of_the_state = Vec::new();
        record.fields.state.encode_into(&mut of_the_state);
        let state_flags = bytes.len() - of_the_state.len();
        for (at, bit) in [(57, bit - 4), (57, bit), (state_flags, bit)] {
            let mut unknown = bytes.clone();
            unknown[at] |= 1 << bit;
            prop_assert!(Record::decode(&unknown).is_err(), "bit {bit} of byte {at}");
        }
    }
}
