//! Replacement: only over the revision that was read (R16, A24, D13).

use std::time::Duration;

use super::context::{Context, Failure, expect, list, owner};
use crate::{
    session::{authentication::Subject, head::RecordHead, time::Timestamp},
    store::{Removed, Replaced, Revision},
    testing::RecordBuilder,
};

pub(super) async fn replace_writes_over_the_revision_it_was_given(
    c: Context,
) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let mut record = c.member(&alice).build();
    let mut revision = c.create(&id, &record).await?;
    for round in 0..5 {
        let entry = format!("round {round}");
        record = c.member(&alice).entry(&entry, "1").build();
        revision = c.replace_now(&id, revision, &record).await?;
        c.expect_stored(&id, &record, revision).await?;
    }
    Ok(())
}

pub(super) async fn a_stale_revision_conflicts(c: Context) -> Result<(), Failure> {
    let id = c.id();
    let first = c.create(&id, &c.guest().build()).await?;
    let present = c.guest().entry("present", "1").build();
    let revision = c.replace_now(&id, first, &present).await?;
    let late = c.guest().entry("late", "1").build();
    let unknown = Revision::new(revision.get().wrapping_add(1_000));
    for stale in [first, unknown] {
        let answer = c.replace(&id, stale, &late).await?;
        expect("replace of another revision", answer, Replaced::Conflict)?;
        c.expect_stored(&id, &present, revision).await?;
    }
    Ok(())
}

pub(super) async fn replace_of_nothing_creates_nothing(c: Context) -> Result<(), Failure> {
    let alice = c.subject("alice");
    let record = c.member(&alice).build();
    for number in [0, 1, u64::MAX] {
        let id = c.id();
        let answer = c.replace(&id, Revision::new(number), &record).await?;
        expect("replace under an unknown id", answer, Replaced::Gone)?;
        c.expect_nothing(&id).await?;
    }
    expect("alice's sessions", c.listed(&alice).await?, vec![])
}

/// A24: a slow request that saves after the logout.
pub(super) async fn replace_of_a_removed_record_is_gone(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let record = c.member(&alice).build();
    let first = c.create(&id, &record).await?;
    let last = c.replace_now(&id, first, &record).await?;
    expect("remove", c.remove(&id).await?, Removed::Removed)?;
    for revision in [last, first] {
        let answer = c.replace(&id, revision, &record).await?;
        expect("replace of a removed record", answer, Replaced::Gone)?;
        c.expect_nothing(&id).await?;
    }
    expect("alice's sessions", c.listed(&alice).await?, vec![])
}

/// What a session says of its device comes back from every write, in the record and in its head, and a write that was
/// prepared before the binding does not take it away.
pub(super) async fn a_device_goes_through_every_write(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let expecting = c.member(&alice).expecting_device([0xE7; 32]).build();
    let unbound = c.create(&id, &expecting).await?;
    c.expect_stored(&id, &expecting, unbound).await?;
    expect_listed_as_proved(&c, &alice, None).await?;

    let now = c.now();
    let key = std::array::from_fn(|at| (at as u8).wrapping_mul(37) ^ 0x80);
    let bound = RecordBuilder::of(&expecting)
        .bound_to_device(key, now)
        .build();
    let mut revision = c.replace_now(&id, unbound, &bound).await?;
    c.expect_stored(&id, &bound, revision).await?;
    expect_listed_as_proved(&c, &alice, Some(now)).await?;

    let late = RecordBuilder::of(&expecting).entry("late", "1").build();
    let answer = c.replace(&id, unbound, &late).await?;
    expect(
        "a write from before the binding",
        answer,
        Replaced::Conflict,
    )?;

    let mut record = bound;
    for (step, change) in STEPS.iter().enumerate() {
        let at = now.after(Duration::from_secs(step as u64));
        record = change(RecordBuilder::of(&record), at).build();
        revision = c.replace_now(&id, revision, &record).await?;
        c.expect_stored(&id, &record, revision).await?;
        expect_listed_as_proved(&c, &alice, record.device_proved_at()).await?;
    }
    Ok(())
}

async fn expect_listed_as_proved(
    c: &Context,
    subject: &Subject,
    proved_at: Option<Timestamp>,
) -> Result<(), Failure> {
    let heads = list(c.store(), &owner(subject), c.now()).await?;
    let found = heads.iter().map(|listed| {
        let head = listed.head.as_ref();
        head.map(RecordHead::device_proved_at).map_err(|_| ())
    });
    let found: Vec<_> = found.collect();
    expect(
        "when the device proved itself, in the list",
        found,
        vec![Ok(proved_at)],
    )
}

/// A proof, a rotation, a renewal, data, and a proof.
const STEPS: [fn(RecordBuilder, Timestamp) -> RecordBuilder; 5] = [
    RecordBuilder::device_proved,
    |record, at| record.rotated([2; 16], at),
    |record, at| record.renewed([3; 16], at),
    |record, _| record.entry("data", "1"),
    RecordBuilder::device_proved,
];

pub(super) async fn every_write_has_a_revision_of_its_own(c: Context) -> Result<(), Failure> {
    let (id, record) = (c.id(), c.guest().build());
    let mut seen = vec![c.create(&id, &record).await?];
    for _ in 0..5 {
        // The same record again: what is compared is the revision, not the bytes.
        let next = c.replace_now(&id, seen[seen.len() - 1], &record).await?;
        expect("a revision seen before", seen.contains(&next), false)?;
        seen.push(next);
    }
    let stale = c.replace(&id, seen[0], &record).await?;
    expect("replace of the first revision", stale, Replaced::Conflict)
}
