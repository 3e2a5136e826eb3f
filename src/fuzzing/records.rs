use crate::session::{
    record::Record,
    state::{Schema, State},
    time::Timestamp,
};

/// Bytes are a record or an error, never a panic; and a record has one spelling.
pub fn record_bytes(input: &[u8]) {
    if let Ok(record) = Record::decode(input) {
        // What an earlier release wrote differs in its version alone.
        let mut expected = input.to_vec();
        expected[0] = record.encode()[0];
        assert_eq!(record.encode(), expected, "two spellings of one record");
        let _ = record.level(record.expires_at());
    }
    // The state inside a self-contained token, as if its MAC had held.
    if let Some((seen, rest)) = input.split_first_chunk() {
        let seen = Timestamp::from_unix_millis(u64::from_be_bytes(*seen));
        if let Ok(state) = State::decode(rest, Schema::V2, seen) {
            let mut out = Vec::new();
            state.encode_into(&mut out);
            assert_eq!(out, rest, "two spellings of one state");
            assert_eq!(State::decode(&out, Schema::V2, seen), Ok(state));
        }
    }
}
