//! Data: any bytes of any size that a session may hold.

use super::{
    context::{Context, Failure, expect},
    subjects::odd_subjects,
};
use crate::session::id::SessionId;

/// As much as one session's data may be in this suite, in bytes.
const LARGE: usize = 256 * 1024;

pub(super) async fn empty_data_comes_back(c: Context) -> Result<(), Failure> {
    let id = c.id();
    let empty = c.guest().build();
    let revision = c.create(&id, &empty).await?;
    c.expect_stored(&id, &empty, revision).await?;
    let empty_value = c.guest().entry("empty", "").build();
    let revision = c.replace_now(&id, revision, &empty_value).await?;
    c.expect_stored(&id, &empty_value, revision).await?;
    let revision = c.replace_now(&id, revision, &empty).await?;
    c.expect_stored(&id, &empty, revision).await
}

pub(super) async fn large_data_comes_back(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    // Not compressible, and not text.
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let noise: Vec<u8> = noise.take(LARGE).collect();
    let large = c.member(&alice).entry("noise", &noise).build();
    let revision = c.create(&id, &large).await?;
    c.expect_stored(&id, &large, revision).await?;
    let mut many = c.member(&alice);
    for number in 0..1_000 {
        many = many.entry(&format!("entry {number}"), number.to_string());
    }
    let many = many.build();
    let revision = c.replace_now(&id, revision, &many).await?;
    c.expect_stored(&id, &many, revision).await
}

pub(super) async fn any_bytes_come_back(c: Context) -> Result<(), Failure> {
    let id = c.id();
    let every_byte: Vec<u8> = (0..=255).collect();
    let mut record = c.guest().label("quote ' \" \0 \u{202E} 🦀");
    for name in odd_subjects() {
        record = record.entry(name.as_str(), &every_byte);
    }
    let record = record.build();
    let revision = c.create(&id, &record).await?;
    c.expect_stored(&id, &record, revision).await
}

pub(super) async fn ids_of_any_bytes_are_kept_apart(c: Context) -> Result<(), Failure> {
    let alice = c.subject("alice");
    let mut ids: Vec<_> = [0, 1, b'\n', b'%', b'*', b':', b'A', b'a', 0x7F, 0x80, 0xFF]
        .map(|byte| SessionId::from_bytes([byte; SessionId::LEN]))
        .to_vec();
    for last in [1, 0x80] {
        let mut bytes = [0; SessionId::LEN];
        bytes[SessionId::LEN - 1] = last;
        ids.push(SessionId::from_bytes(bytes));
    }
    ids.sort_unstable();
    for id in &ids {
        // What another run may have left, where a store's namespace is its caller's.
        let _ = c.remove(id).await?;
    }
    for id in &ids {
        let record = c.member(&alice).label(&id.to_string()).build();
        let _ = c.create(id, &record).await?;
    }
    for id in &ids {
        let label = c
            .load(id)
            .await?
            .and_then(|stored| stored.record.label().map(str::to_owned));
        expect("the record's label", label, Some(id.to_string()))?;
    }
    expect("alice's sessions", c.listed(&alice).await?, ids.clone())?;
    let revoked = c.remove_all_of(&alice, None).await?;
    expect("revoked of alice", revoked, ids.len())
}
