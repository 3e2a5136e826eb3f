//! Revocation of a subject: what `remove_all_of` returned for is dead (R66, R67, R69).

use super::context::{Context, Failure, expect};
use crate::{store::Replaced, testing::RecordBuilder};

const ROUNDS: usize = 6;
const SESSIONS: usize = 8;

pub(super) async fn remove_all_of_ends_every_session_of_the_subject(
    c: Context,
) -> Result<(), Failure> {
    let (alice, bob) = (c.subject("alice"), c.subject("bob"));
    let (ids, bobs, guests) = (c.ids(3), c.id(), c.id());
    let record = c.member(&alice).build();
    let mut last = None;
    for id in &ids {
        last = Some(c.create(id, &record).await?);
    }
    if let Some(revision) = last {
        let _ = c.replace_now(&ids[2], revision, &record).await?;
    }
    let (bob_record, guest) = (c.member(&bob).build(), c.guest().build());
    let bob_revision = c.create(&bobs, &bob_record).await?;
    let guest_revision = c.create(&guests, &guest).await?;
    expect("revoked of alice", c.remove_all_of(&alice, None).await?, 3)?;
    for id in &ids {
        c.expect_nothing(id).await?;
    }
    expect("alice's sessions", c.listed(&alice).await?, vec![])?;
    expect("revoked again", c.remove_all_of(&alice, None).await?, 0)?;
    c.expect_stored(&bobs, &bob_record, bob_revision).await?;
    c.expect_stored(&guests, &guest, guest_revision).await?;
    expect("bob's sessions", c.listed(&bob).await?, vec![bobs])
}

pub(super) async fn remove_all_of_spares_its_exception(c: Context) -> Result<(), Failure> {
    let (alice, ids) = (c.subject("alice"), c.ids(3));
    let record = c.member(&alice).build();
    let mut revisions = Vec::new();
    for id in &ids {
        revisions.push(c.create(id, &record).await?);
    }
    let revoked = c.remove_all_of(&alice, Some(&ids[1])).await?;
    expect("revoked of alice", revoked, 2)?;
    c.expect_nothing(&ids[0]).await?;
    c.expect_nothing(&ids[2]).await?;
    c.expect_stored(&ids[1], &record, revisions[1]).await?;
    expect("alice's sessions", c.listed(&alice).await?, vec![ids[1]])?;
    let again = c.remove_all_of(&alice, Some(&ids[1])).await?;
    expect("revoked again", again, 0)?;
    expect("revoked at last", c.remove_all_of(&alice, None).await?, 1)?;
    c.expect_nothing(&ids[1]).await
}

pub(super) async fn a_foreign_exception_spares_nothing(c: Context) -> Result<(), Failure> {
    let (alice, bob) = (c.subject("alice"), c.subject("bob"));
    let (id, bobs) = (c.id(), c.id());
    let bob_record = c.member(&bob).build();
    let bob_revision = c.create(&bobs, &bob_record).await?;
    for exception in [bobs, c.id()] {
        let _ = c.create(&id, &c.member(&alice).build()).await?;
        let revoked = c.remove_all_of(&alice, Some(&exception)).await?;
        expect("revoked of alice", revoked, 1)?;
        c.expect_nothing(&id).await?;
    }
    c.expect_stored(&bobs, &bob_record, bob_revision).await
}

/// What existed before is dead; what was created meanwhile is dead or listed, never lost.
pub(super) async fn remove_all_of_ends_all_while_logins_run(c: Context) -> Result<(), Failure> {
    for round in 0..ROUNDS {
        let alice = c.subject(&format!("alice{round}"));
        let (before, kept) = (c.ids(SESSIONS), c.id());
        let except = (round % 2 == 1).then_some(kept);
        for id in before.iter().chain(except.iter()) {
            let _ = c.create(id, &c.member(&alice).build()).await?;
        }
        let owner = alice.clone();
        let logins = c.in_parallel(1 + SESSIONS, move |c, task| {
            let owner = owner.clone();
            async move {
                if task == 0 {
                    let _ = c.remove_all_of(&owner, except.as_ref()).await?;
                    return Ok(None);
                }
                let id = c.id();
                let _ = c.create(&id, &c.member(&owner).build()).await?;
                Ok(Some(id))
            }
        });
        let logins = logins.await?;
        for id in &before {
            c.expect_nothing(id).await?;
        }
        let mut alive = Vec::from_iter(except);
        for id in logins.into_iter().flatten() {
            if c.load(&id).await?.is_some() {
                alive.push(id);
            }
        }
        if let Some(kept) = &except {
            let found = c.load(kept).await?.is_some();
            expect("the exception is alive", found, true)?;
        }
        alive.sort_unstable();
        expect("alice's sessions", c.listed(&alice).await?, alive.clone())?;
        let revoked = c.remove_all_of(&alice, None).await?;
        expect("revoked at last", revoked, alive.len())?;
        for id in &alive {
            c.expect_nothing(id).await?;
        }
    }
    Ok(())
}

pub(super) async fn remove_all_of_ends_sessions_that_are_being_written(
    c: Context,
) -> Result<(), Failure> {
    for round in 0..ROUNDS {
        let alice = c.subject(&format!("alice{round}"));
        let (record, ids) = (c.member(&alice).build(), c.ids(SESSIONS));
        let mut sessions = Vec::new();
        for id in &ids {
            sessions.push((*id, c.create(id, &record).await?));
        }
        let racers = c.in_parallel(1 + SESSIONS, move |c, task| {
            let (alice, record, sessions) = (alice.clone(), record.clone(), sessions.clone());
            async move {
                let Some(&(id, mut revision)) = task.checked_sub(1).and_then(|at| sessions.get(at))
                else {
                    let _ = c.remove_all_of(&alice, None).await?;
                    return Ok(());
                };
                for write in 0..20 {
                    let name = format!("write {write}");
                    let record = RecordBuilder::of(&record).entry(&name, "1").build();
                    match c.replace(&id, revision, &record).await? {
                        Replaced::Replaced(next) => revision = next,
                        Replaced::Conflict | Replaced::Gone => break,
                    }
                }
                Ok(())
            }
        });
        racers.await?;
        for id in &ids {
            c.expect_nothing(id).await?;
        }
    }
    Ok(())
}

pub(super) async fn a_revoked_subject_can_log_in_again(c: Context) -> Result<(), Failure> {
    let (alice, old, new) = (c.subject("alice"), c.id(), c.id());
    let _ = c.create(&old, &c.member(&alice).build()).await?;
    let _ = c.remove_all_of(&alice, None).await?;
    let record = c.member(&alice).build();
    let revision = c.create(&new, &record).await?;
    c.expect_stored(&new, &record, revision).await?;
    c.expect_nothing(&old).await?;
    expect("alice's sessions", c.listed(&alice).await?, vec![new])
}
