//! Sessions in the first layout of the tables, which had one column for a record and one for its subject.

use tower_session_guard::{
    SessionId, SessionStore, Timestamp, store::Replaced, testing::RecordBuilder,
};

use super::common::{end, expect_counted, list, load, numbered, owner};

/// A record of schema 1, from the frozen vectors: the user `42`.
const SCHEMA_1: &str = "01000001a0c4506c00000001a0c4875a800001020304050607503563c1bda45327ff4617750a06bd81\
                        43fcd4e7929934b7cf1e826c1ba60c9000000180f0b2528f4ebf3e018f4e023432";

/// What the records of this module are alive at.
const NOW: Timestamp = Timestamp::from_unix_millis(1_790_000_000_000);

/// A row as the first layout keeps it.
pub(crate) struct Row {
    pub(crate) id: SessionId,
    pub(crate) subject: Option<&'static [u8]>,
    pub(crate) expires_at: i64,
    pub(crate) revision: i64,
    pub(crate) record: Vec<u8>,
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// A user's old record, one that a list need not read whole, and a guest's.
pub(crate) fn rows() -> Vec<Row> {
    let expires_at = 1_790_003_600_000;
    let large = RecordBuilder::new(NOW)
        .subject("42")
        .entry("noise", [7; 9_000]);
    let guest = RecordBuilder::new(NOW).entry("cart", "[1,2]");
    let rows = [
        (Some(&b"42"[..]), unhex(SCHEMA_1)),
        (Some(b"42"), large.build().encode()),
        (None, guest.build().encode()),
    ];
    let rows = (1..).zip(rows).map(|(number, (subject, record))| Row {
        id: numbered(number),
        subject,
        expires_at,
        revision: 6 + i64::try_from(number).unwrap(),
        record,
    });
    rows.collect()
}

/// Every session is there, at its revision, listed, counted, replaceable, and ends.
pub(crate) async fn expect_kept(store: &dyn SessionStore) {
    for row in rows() {
        let found = load(store, &row.id, NOW).await.unwrap();
        assert_eq!(found.revision.get(), row.revision as u64);
        let expected = tower_session_guard::Record::decode(&row.record).unwrap();
        assert_eq!(found.record, expected);
        let replaced = store.replace(&row.id, found.revision, &found.record, NOW);
        let replaced = replaced.await.unwrap();
        assert!(matches!(replaced, Replaced::Replaced(_)), "{replaced:?}");
        assert_eq!(load(store, &row.id, NOW).await.unwrap().record, expected);
    }
    let listed = list(store, &owner("42"), NOW).await;
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|one| one.counted && one.head.is_ok()));
    expect_counted(store, "42", 2).await;
    assert_eq!(end(store, &owner("42")).await, 2);
    assert!(load(store, &numbered(1), NOW).await.is_none());
    assert!(
        load(store, &numbered(3), NOW).await.is_some(),
        "the guest's"
    );
    expect_counted(store, "42", 0).await;
}
