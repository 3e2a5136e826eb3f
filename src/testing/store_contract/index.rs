//! The index: owners, tags, counts and pages (R67, S12, S13, S21).

use super::context::{Context, Failure, broken, claim, end, expect, list, owner};
use crate::{
    session::{id::SessionId, index::IndexKey},
    store::{Counting, Created, ListedHead, Removed, StoreErrorKind},
    testing::RecordBuilder,
};

async fn ids_of(c: &Context, key: &IndexKey) -> Result<Vec<SessionId>, Failure> {
    let listed = list(c.store(), key, c.now()).await?;
    Ok(listed.into_iter().map(|listed| listed.id).collect())
}

async fn sessions(
    c: &Context,
    record: &RecordBuilder,
    counting: Counting,
) -> Result<usize, Failure> {
    let record = record.clone().build();
    let created = c
        .store()
        .create(&c.id(), &record, counting, c.now())
        .await?;
    match created {
        Created::Created { sessions, .. } => Ok(sessions),
        Created::Occupied => broken("create of a new id", "Created", created),
    }
}

/// S21.
pub(super) async fn audiences_with_the_same_subject_stay_apart(c: Context) -> Result<(), Failure> {
    let (alice, ids) = (c.subject("alice"), c.ids(3));
    let audiences = ["", "shop", "admin"];
    for (audience, id) in audiences.iter().zip(&ids) {
        let _ = c
            .create(id, &c.member(&alice).audience(audience).build())
            .await?;
    }
    for (audience, id) in audiences.iter().zip(&ids) {
        let key = IndexKey::owner(audience, &alice);
        expect(
            "sessions in one audience",
            ids_of(&c, &key).await?,
            vec![*id],
        )?;
    }
    let shop = IndexKey::owner("shop", &alice);
    expect(
        "ended in one audience",
        end(c.store(), &shop, None).await?,
        1,
    )?;
    expect("another audience", c.load(&ids[0]).await?.is_some(), true)?;
    expect("a third audience", c.load(&ids[2]).await?.is_some(), true)
}

pub(super) async fn a_record_is_listed_and_ended_under_each_of_its_owners(
    c: Context,
) -> Result<(), Failure> {
    let (alice, support) = (c.subject("alice"), c.subject("support"));
    for ender in [&alice, &support] {
        let (acting, own) = (c.id(), c.id());
        let record = c.member(&alice).actor(support.clone()).build();
        let revision = c.create(&acting, &record).await?;
        c.expect_stored(&acting, &record, revision).await?;
        let _ = c.create(&own, &c.member(&support).build()).await?;
        expect("alice's sessions", c.listed(&alice).await?, vec![acting])?;
        let mut both = vec![acting, own];
        both.sort_unstable();
        expect("the actor's sessions", c.listed(&support).await?, both)?;
        let ended = c.remove_all_of(ender, None).await?;
        expect("ended", ended, if ender == &alice { 1 } else { 2 })?;
        c.expect_nothing(&acting).await?;
        expect("alice's sessions after", c.listed(&alice).await?, vec![])?;
        let _ = c.remove_all_of(&support, None).await?;
    }
    Ok(())
}

pub(super) async fn a_tag_ends_the_sessions_that_named_it(c: Context) -> Result<(), Failure> {
    let (alice, bob, ids) = (c.subject("alice"), c.subject("bob"), c.ids(3));
    let (sid, other) = (alice.to_string() + "-sid", alice.to_string() + "-other");
    let tagged = |record: RecordBuilder, tags: &[&str]| record.tags(tags.iter().copied()).build();
    let _ = c
        .create(&ids[0], &tagged(c.member(&alice), &[&sid]))
        .await?;
    let _ = c
        .create(&ids[1], &tagged(c.member(&bob), &[&sid, &other]))
        .await?;
    let _ = c
        .create(&ids[2], &tagged(c.member(&alice), &[&other]))
        .await?;
    let key = IndexKey::tag("", &sid);
    let mut both = vec![ids[0], ids[1]];
    both.sort_unstable();
    expect("sessions with the tag", ids_of(&c, &key).await?, both)?;
    let foreign = IndexKey::tag("shop", &sid);
    expect(
        "the tag in another audience",
        ids_of(&c, &foreign).await?,
        vec![],
    )?;
    expect("ended by the tag", end(c.store(), &key, None).await?, 2)?;
    c.expect_nothing(&ids[0]).await?;
    c.expect_nothing(&ids[1]).await?;
    expect("sessions with the tag", ids_of(&c, &key).await?, vec![])?;
    expect("alice's sessions", c.listed(&alice).await?, vec![ids[2]])?;
    expect("bob's sessions", c.listed(&bob).await?, vec![])
}

pub(super) async fn a_record_never_changes_its_owners_or_tags(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let record = c.member(&alice).tags(["sid"]).build();
    let revision = c.create(&id, &record).await?;
    let mallory = c.subject("mallory");
    for other in [
        c.member(&mallory).tags(["sid"]).build(),
        c.guest().build(),
        c.member(&alice).build(),
        c.member(&alice).tags(["sid", "more"]).build(),
        c.member(&alice).audience("shop").tags(["sid"]).build(),
        c.member(&alice)
            .actor(mallory.clone())
            .tags(["sid"])
            .build(),
    ] {
        let replaced = c.store().replace(&id, revision, &other, c.now()).await;
        let refused = replaced.map_err(|error| error.kind());
        expect(
            "replace by another's",
            refused,
            Err(StoreErrorKind::Unsupported),
        )?;
        c.expect_stored(&id, &record, revision).await?;
    }
    expect("mallory's sessions", c.listed(&mallory).await?, vec![])?;
    expect("alice's sessions", c.listed(&alice).await?, vec![id])
}

pub(super) async fn create_counts_the_owners_sessions(c: Context) -> Result<(), Failure> {
    use Counting::{Counted, LeftOut};
    let (alice, bob) = (c.subject("alice"), c.subject("bob"));
    for expected in 1..=3 {
        let count = sessions(&c, &c.member(&alice), Counted).await?;
        expect("alice's sessions that count", count, expected)?;
    }
    let left_out = sessions(&c, &c.member(&alice), LeftOut).await?;
    expect("with one that does not count", left_out, 3)?;
    let acting = c.member(&bob).actor(alice.clone());
    let left_out = sessions(&c, &acting, LeftOut).await?;
    expect("bob's, where alice acts as bob", left_out, 0)?;
    expect("bob's sessions", sessions(&c, &acting, Counted).await?, 1)?;
    let other_audience = c.member(&alice).audience("shop");
    expect(
        "in another audience",
        sessions(&c, &other_audience, Counted).await?,
        1,
    )?;
    expect("a guest's", sessions(&c, &c.guest(), Counted).await?, 0)?;
    let counted = list(c.store(), &owner(&bob), c.now()).await?;
    let counts = counted.iter().filter(|one| one.counted).count();
    expect(
        "bob's entries, and those that count",
        (counted.len(), counts),
        (2, 1),
    )?;
    let alices = list(c.store(), &owner(&alice), c.now()).await?;
    let left_out = alices.iter().filter(|one| !one.counted).count();
    expect("alice's entries that do not count", left_out, 2)?;
    for removed in alices.iter().filter(|one| one.counted) {
        let _ = c.remove(&removed.id).await?;
    }
    let after = sessions(&c, &c.member(&alice), Counted).await?;
    if after > 4 {
        return broken("the count after removals", "at most four", after);
    }
    Ok(())
}

pub(super) async fn a_removal_under_a_key_is_of_that_keys_sessions(
    c: Context,
) -> Result<(), Failure> {
    let (id, alice, mallory) = (c.id(), c.subject("alice"), c.subject("mallory"));
    let record = c.member(&alice).build();
    let revision = c.create(&id, &record).await?;
    for foreign in [
        owner(&mallory),
        IndexKey::owner("shop", &alice),
        IndexKey::tag("", alice.as_str()),
    ] {
        let answer = c.store().remove(&id, Some(&foreign)).await?;
        expect("remove under a foreign key", answer, Removed::Absent)?;
    }
    c.expect_stored(&id, &record, revision).await?;
    let answer = c.store().remove(&id, Some(&owner(&alice))).await?;
    expect("remove under its key", answer, Removed::Removed)?;
    c.expect_nothing(&id).await?;
    expect("alice's sessions", c.listed(&alice).await?, vec![])
}

pub(super) async fn pages_of_one_entry_reach_the_end(c: Context) -> Result<(), Failure> {
    let (alice, mut ids) = (c.subject("alice"), c.ids(7));
    for id in &ids {
        let _ = c.create(id, &c.member(&alice).build()).await?;
    }
    let key = owner(&alice);
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..1_000 {
        let page = c.store().heads(&key, after.as_ref(), 1, c.now()).await?;
        found.extend(page.heads.into_iter().map(|listed| listed.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    found.sort_unstable();
    found.dedup();
    ids.sort_unstable();
    expect("found page by page", found, ids.clone())?;
    let (mut ended, mut after) = (0, None);
    for _ in 0..1_000 {
        let page = c
            .store()
            .end_listed(&key, after.as_ref(), 1, Some(&ids[3]))
            .await?;
        ended += page.ended;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    expect("ended page by page", ended, 6)?;
    expect("what is left", c.listed(&alice).await?, vec![ids[3]])
}

/// S12: what a later release wrote stands in nobody's way.
pub(super) async fn a_record_of_a_later_release_is_listed_counted_and_ended(
    c: Context,
) -> Result<(), Failure> {
    let (alice, readable) = (c.subject("alice"), c.id());
    let later = c.member(&alice).of_a_later_release().build();
    let ids = c.ids(3);
    for id in &ids {
        let _ = c.create(id, &later).await?;
    }
    let count = sessions(&c, &c.member(&alice), Counting::Counted).await?;
    expect("sessions that count", count, 4)?;
    let _ = c.create(&readable, &c.member(&alice).build()).await?;
    let claim = claim(&ids[0]);
    let loaded = c.store().load((&claim).into(), c.now()).await;
    let refused = loaded.map_err(|error| error.kind());
    expect("load", refused, Err(StoreErrorKind::Corrupt))?;
    let listed = list(c.store(), &owner(&alice), c.now()).await?;
    let unreadable = |listed: &&ListedHead| listed.head.is_err();
    expect(
        "listed without details",
        listed.iter().filter(unreadable).count(),
        3,
    )?;
    expect("listed", listed.len(), 5)?;
    let answer = c.store().remove(&ids[0], Some(&owner(&alice))).await?;
    expect("ended by its id", answer, Removed::Removed)?;
    expect(
        "removed by its id",
        c.remove(&ids[1]).await?,
        Removed::Removed,
    )?;
    expect(
        "ended with the others",
        c.remove_all_of(&alice, None).await?,
        3,
    )?;
    expect("alice's sessions", c.listed(&alice).await?, vec![])
}
