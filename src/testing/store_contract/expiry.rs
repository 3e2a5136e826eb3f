//! Expiry: decided by the caller's time on every read and write (R60, R65, A29).

use std::time::Duration;

use super::context::{Context, Failure, HOUR, MILLISECOND, claim, expect, list, owner, pause};
use crate::{
    session::{policy::SessionPolicy, record::Record, time::Timestamp},
    store::{Counting, Created, Replaced, Stored},
};

/// The record as it is visible a moment before `at`, and not from then on.
async fn expect_visible_until(
    c: &Context,
    id: &crate::session::id::SessionId,
    record: &Record,
    at: Timestamp,
) -> Result<(), Failure> {
    let just_before = Timestamp::from_unix_millis(at.as_unix_millis() - 1);
    let before = c.load_at(id, just_before).await?;
    let before = before.map(|stored| stored.record);
    expect("load just before the expiry", before, Some(record.clone()))?;
    for late in [at, at.after(MILLISECOND), at.after(HOUR * 24)] {
        expect(
            "load at or after the expiry",
            c.load_at(id, late).await?,
            None,
        )?;
    }
    Ok(())
}

pub(super) async fn an_expired_record_is_invisible(c: Context) -> Result<(), Failure> {
    let alice = c.subject("alice");
    for record in [c.guest().build(), c.member(&alice).build()] {
        let id = c.id();
        let _ = c.create(&id, &record).await?;
        expect_visible_until(&c, &id, &record, record.expires_at()).await?;
    }
    Ok(())
}

pub(super) async fn an_expired_record_is_not_replaced(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let record = c.member(&alice).build();
    let revision = c.create(&id, &record).await?;
    let expiry = record.expires_at();
    let longer = c.member(&alice).expires_at(expiry.after(HOUR)).build();
    for late in [expiry, expiry.after(MILLISECOND)] {
        let answer = c.store().replace(&id, revision, &longer, late).await?;
        expect("replace of an expired record", answer, Replaced::Gone)?;
        expect("load after that", c.load_at(&id, late).await?, None)?;
    }
    let listed = c.listed_at(&alice, expiry.after(MILLISECOND)).await?;
    expect("alice's sessions after that", listed, vec![])
}

pub(super) async fn an_expired_record_is_not_listed(c: Context) -> Result<(), Failure> {
    let (alice, short, long) = (c.subject("alice"), c.id(), c.id());
    let record = c.member(&alice).build();
    let expiry = record.expires_at();
    let _ = c.create(&short, &record).await?;
    let longer = c.member(&alice).expires_at(expiry.after(HOUR)).build();
    let _ = c.create(&long, &longer).await?;
    expect(
        "alice's sessions",
        c.listed(&alice).await?,
        vec![short, long],
    )?;
    let listed = c.listed_at(&alice, expiry).await?;
    expect("alice's sessions at the expiry", listed, vec![long])
}

pub(super) async fn an_expired_id_never_shows_its_old_record(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let old = c.member(&alice).entry("old", "1").build();
    let _ = c.create(&id, &old).await?;
    let late = old.expires_at().after(MILLISECOND);
    let new = c.guest().expires_at(late.after(HOUR)).build();
    let expected = match c.store().create(&id, &new, Counting::Counted, late).await? {
        Created::Occupied => None,
        Created::Created { revision, .. } => Some(Stored::new(new, revision)),
    };
    expect(
        "load after a create on it",
        c.load_at(&id, late).await?,
        expected,
    )?;
    let listed = c.listed_at(&alice, late).await?;
    expect("the old owner's sessions", listed, vec![])
}

pub(super) async fn a_later_expiry_holds(c: Context) -> Result<(), Failure> {
    let id = c.id();
    let record = c.guest().build();
    let revision = c.create(&id, &record).await?;
    let later = record.expires_at().after(HOUR);
    let longer = c.guest().expires_at(later).build();
    let _ = c.replace_now(&id, revision, &longer).await?;
    expect_visible_until(&c, &id, &longer, later).await
}

pub(super) async fn an_earlier_expiry_holds(c: Context) -> Result<(), Failure> {
    let id = c.id();
    let revision = c.create(&id, &c.guest().build()).await?;
    let sooner = c.now().after(HOUR / 2);
    let shorter = c.guest().expires_at(sooner).build();
    let _ = c.replace_now(&id, revision, &shorter).await?;
    expect_visible_until(&c, &id, &shorter, sooner).await
}

/// How a session is ended on a condition: it is replaced by one that is over.
pub(super) async fn a_record_that_is_over_ends_its_session(c: Context) -> Result<(), Failure> {
    for age in [HOUR, Duration::ZERO] {
        let id = c.id();
        let revision = c.create(&id, &c.guest().build()).await?;
        let now = c.now().as_unix_millis();
        let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let over = Timestamp::from_unix_millis(now.saturating_sub(millis));
        let ended = c.guest().expires_at(over).build();
        let newer = c.replace_now(&id, revision, &ended).await?;
        c.expect_nothing(&id).await?;
        for stale in [revision, newer] {
            let answer = c.replace(&id, stale, &c.guest().build()).await?;
            expect("replace of what is over", answer, Replaced::Gone)?;
        }
        // Whether the store still had it is its own affair.
        let _ = c.remove(&id).await?;
        c.expect_nothing(&id).await?;
    }
    Ok(())
}

/// The engine's own time to live must follow each write, or it would end sessions in use.
pub(super) async fn a_session_in_use_outlives_its_first_expiry(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let soon = c.now().after(Duration::from_secs(2));
    let record = c.member(&alice).expires_at(soon).build();
    let revision = c.create(&id, &record).await?;
    let longer = c.member(&alice).build();
    let revision = c.replace_now(&id, revision, &longer).await?;
    pause(soon.since(c.now()) + Duration::from_secs(1)).await;
    c.expect_stored(&id, &longer, revision).await?;
    expect("alice's sessions", c.listed(&alice).await?, vec![id])?;
    expect("revoked of alice", c.remove_all_of(&alice, None).await?, 1)?;
    c.expect_nothing(&id).await
}

pub(super) async fn a_far_expiry_is_kept(c: Context) -> Result<(), Failure> {
    let id = c.id();
    let far = c.now().after(SessionPolicy::MAX_ABSOLUTE);
    let record = c.guest().expires_at(far).build();
    let _ = c.create(&id, &record).await?;
    expect_visible_until(&c, &id, &record, far).await
}

/// A node whose clock is ahead sees the session as expired; the others still have it.
pub(super) async fn reading_with_a_fast_clock_destroys_nothing(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let record = c.member(&alice).build();
    let revision = c.create(&id, &record).await?;
    let ahead = record.expires_at().after(HOUR);
    let seen = c.other_node().load((&claim(&id)).into(), ahead).await?;
    expect("load with a fast clock", seen, None)?;
    let listed = list(c.other_node(), &owner(&alice), ahead).await?;
    expect("the list with a fast clock", listed.len(), 0)?;
    c.expect_stored(&id, &record, revision).await?;
    expect("alice's sessions", c.listed(&alice).await?, vec![id])
}

pub(super) async fn nodes_with_skewed_clocks_share_sessions(c: Context) -> Result<(), Failure> {
    let (id, skew) = (c.id(), Duration::from_secs(300));
    let ahead = c.now().after(skew);
    let record = c.guest().expires_at(ahead.after(HOUR)).build();
    let created = c
        .other_node()
        .create(&id, &record, Counting::Counted, ahead)
        .await?;
    let Created::Created { revision, .. } = created else {
        return super::context::broken("create of a new id", "Created", created);
    };
    c.expect_stored(&id, &record, revision).await?;
    let changed = c.guest().entry("behind", "1").build();
    let revision = c.replace_now(&id, revision, &changed).await?;
    let seen = c
        .other_node()
        .load((&claim(&id)).into(), c.now().after(skew))
        .await?;
    let expected = Some(Stored::new(changed.clone(), revision));
    expect("load by the node ahead", seen, expected)?;
    let seen = c
        .other_node()
        .load((&claim(&id)).into(), changed.expires_at())
        .await?;
    expect("load by the node ahead, at the expiry", seen, None)?;
    let longer = changed.expires_at().after(skew);
    let extended = c.guest().expires_at(longer).build();
    let revision = c.replace_now(&id, revision, &extended).await?;
    let seen = c
        .other_node()
        .load((&claim(&id)).into(), changed.expires_at())
        .await?;
    let expected = Some(Stored::new(extended, revision));
    expect("load by the node ahead, extended meanwhile", seen, expected)
}
