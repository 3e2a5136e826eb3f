//! Removal: at once, and nothing else (R05, R16).

use super::context::{Context, Failure, HOUR, expect};
use crate::store::Removed;

pub(super) async fn a_removed_record_is_gone_at_once(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let _ = c.create(&id, &c.member(&alice).build()).await?;
    expect("remove", c.remove(&id).await?, Removed::Removed)?;
    c.expect_nothing(&id).await?;
    expect("alice's sessions", c.listed(&alice).await?, vec![])?;
    expect("a second remove", c.remove(&id).await?, Removed::Absent)?;
    expect(
        "remove of an unknown id",
        c.remove(&c.id()).await?,
        Removed::Absent,
    )
}

pub(super) async fn a_removal_touches_nothing_else(c: Context) -> Result<(), Failure> {
    let (alice, ids) = (c.subject("alice"), c.ids(3));
    let record = c.member(&alice).build();
    let mut revisions = Vec::new();
    for id in &ids {
        revisions.push(c.create(id, &record).await?);
    }
    let _ = c.remove(&ids[1]).await?;
    for kept in [0, 2] {
        c.expect_stored(&ids[kept], &record, revisions[kept])
            .await?;
    }
    let listed = c.listed(&alice).await?;
    expect("alice's sessions", listed, vec![ids[0], ids[2]])
}

pub(super) async fn live_records_counts_the_live_ones(c: Context) -> Result<(), Failure> {
    let now = c.now();
    if c.store().live_records(now).await?.is_none() {
        return Err(Failure::Skipped("the store does not count its records"));
    }
    let ids = c.ids(4);
    for id in &ids {
        let _ = c.create(id, &c.guest().build()).await?;
    }
    let longer = c.guest().expires_at(now.after(HOUR * 3)).build();
    let _ = c.create(&c.id(), &longer).await?;
    let _ = c.remove(&ids[0]).await?;
    let counted = c.store().live_records(c.now()).await?;
    expect("live records", counted, Some(4))?;
    let counted = c.store().live_records(now.after(HOUR * 2)).await?;
    expect("live records two hours later", counted, Some(1))
}
