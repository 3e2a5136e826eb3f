//! Creation: only where nothing is (R14, A35).

use super::context::{Context, Failure, HOUR, PAGE, claim, expect, owner};
use crate::{
    session::authentication::AssuranceLevel,
    store::{Counting, Created, Cutoff},
};

pub(super) async fn a_created_record_comes_back_whole(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let later = c.now().after(HOUR);
    let record = c
        .member(&alice)
        .elevated(AssuranceLevel::AAL2, Some(later))
        .label("a browser on a boat")
        .entry("cart", b"[1,2]")
        .rotated([1; 16], c.now())
        .renewed([2; 16], c.now())
        .build();
    let revision = c.create(&id, &record).await?;
    c.expect_stored(&id, &record, revision).await?;
    c.expect_stored(&id, &record, revision).await
}

/// R13: what was looked up is not thereby there.
pub(super) async fn an_unknown_id_is_nothing_and_stays_nothing(c: Context) -> Result<(), Failure> {
    let id = c.id();
    c.expect_nothing(&id).await?;
    c.expect_nothing(&id).await?;
    let record = c.guest().build();
    let revision = c.create(&id, &record).await?;
    c.expect_stored(&id, &record, revision).await
}

pub(super) async fn create_never_overwrites(c: Context) -> Result<(), Failure> {
    let id = c.id();
    let first = c.guest().entry("whose", "first").build();
    let revision = c.create(&id, &first).await?;
    for record in [
        c.guest().entry("whose", "second").build(),
        c.member(&c.subject("mallory")).build(),
        first.clone(),
    ] {
        let second = c
            .other_node()
            .create(&id, &record, Counting::Counted, c.now())
            .await?;
        expect("create on an id in use", second, Created::Occupied)?;
        c.expect_stored(&id, &first, revision).await?;
    }
    Ok(())
}

pub(super) async fn a_refused_create_leaves_the_index_alone(c: Context) -> Result<(), Failure> {
    let (id, alice, mallory) = (c.id(), c.subject("alice"), c.subject("mallory"));
    let record = c.member(&alice).build();
    let _ = c.create(&id, &record).await?;
    for subject in [&mallory, &alice] {
        let second = c.member(subject).entry("second", "1").build();
        let answer = c
            .store()
            .create(&id, &second, Counting::Counted, c.now())
            .await?;
        expect("create on an id in use", answer, Created::Occupied)?;
        expect("alice's sessions", c.listed(&alice).await?, vec![id])?;
        expect("mallory's sessions", c.listed(&mallory).await?, vec![])?;
    }
    expect(
        "revoked of mallory",
        c.remove_all_of(&mallory, None).await?,
        0,
    )?;
    expect("revoked of alice", c.remove_all_of(&alice, None).await?, 1)?;
    c.expect_nothing(&id).await
}

pub(super) async fn a_future_that_is_never_polled_does_nothing(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let record = c.member(&alice).build();
    drop(c.store().create(&id, &record, Counting::Counted, c.now()));
    c.expect_nothing(&id).await?;
    let revision = c.create(&id, &record).await?;
    let changed = c.member(&alice).entry("changed", "1").build();
    drop(c.store().replace(&id, revision, &changed, c.now()));
    drop(c.store().remove(&id, None));
    let key = owner(&alice);
    drop(c.store().end_listed(&key, None, PAGE, None));
    let cutoff = Cutoff::new(c.now(), c.now().after(HOUR), [1; 16]);
    drop(c.store().raise_cutoff(&key, &cutoff, c.now()));
    drop(c.store().load((&claim(&id)).into(), c.now()));
    expect("the cut-off", c.store().cutoff(&key, c.now()).await?, None)?;
    c.expect_stored(&id, &record, revision).await
}
