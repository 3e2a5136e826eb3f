//! Races: many requests with one cookie (R11, R16, A24, A25).

use super::context::{Context, Failure, broken, expect};
use crate::{
    store::{Counting, Created, Removed, Replaced, Stored},
    testing::RecordBuilder,
};

const TASKS: usize = 16;
const ROUNDS: usize = 8;

pub(super) async fn one_of_16_creations_wins(c: Context) -> Result<(), Failure> {
    for _ in 0..ROUNDS {
        let id = c.id();
        let answers = c.in_parallel(TASKS, move |c, task| async move {
            let record = c.guest().entry("task", task.to_string()).build();
            let answer = c
                .store()
                .create(&id, &record, Counting::Counted, c.now())
                .await?;
            Ok((record, answer))
        });
        let mut winners = Vec::new();
        for (record, answer) in answers.await? {
            if let Created::Created { revision, .. } = answer {
                winners.push(Stored::new(record, revision));
            }
        }
        expect("creations that won", winners.len(), 1)?;
        expect("load", c.load(&id).await?, winners.pop())?;
    }
    Ok(())
}

/// A25: two elevations with one cookie must not both hold.
pub(super) async fn one_of_16_rotations_wins(c: Context) -> Result<(), Failure> {
    for _ in 0..ROUNDS {
        let (id, alice) = (c.id(), c.subject("alice"));
        let record = c.member(&alice).build();
        let revision = c.create(&id, &record).await?;
        let answers = c.in_parallel(TASKS, move |c, task| {
            let rotated = RecordBuilder::of(&record).rotated([task as u8 + 1; 16], c.now());
            async move {
                let rotated = rotated.build();
                let answer = c.replace(&id, revision, &rotated).await?;
                Ok((rotated, answer))
            }
        });
        let mut winners = Vec::new();
        for (record, answer) in answers.await? {
            match answer {
                Replaced::Replaced(revision) => winners.push(Stored::new(record, revision)),
                Replaced::Conflict => {}
                Replaced::Gone => return broken("a rotation that lost", "Conflict", answer),
            }
        }
        expect("rotations that won", winners.len(), 1)?;
        expect("load", c.load(&id).await?, winners.pop())?;
    }
    Ok(())
}

pub(super) async fn one_of_16_removals_removes(c: Context) -> Result<(), Failure> {
    for _ in 0..ROUNDS {
        let id = c.id();
        let _ = c.create(&id, &c.guest().build()).await?;
        let removals = c.in_parallel(TASKS, move |c, _| async move { c.remove(&id).await });
        let removals = removals.await?;
        let removed = removals.iter().filter(|&&one| one == Removed::Removed);
        expect("removals that removed", removed.count(), 1)?;
        c.expect_nothing(&id).await?;
    }
    Ok(())
}

pub(super) async fn none_of_16_parallel_writes_is_lost(c: Context) -> Result<(), Failure> {
    let (id, alice) = (c.id(), c.subject("alice"));
    let _ = c.create(&id, &c.member(&alice).build()).await?;
    let writes = c.in_parallel(TASKS, move |c, task| async move {
        let name = format!("task {task}");
        // A writer loses only to another one, of which there are fifteen.
        for _ in 0..TASKS {
            let Some(stored) = c.load(&id).await? else {
                return broken("load of a session that is written", "a record", "none");
            };
            let record = RecordBuilder::of(&stored.record).entry(&name, "1").build();
            match c.replace(&id, stored.revision, &record).await? {
                Replaced::Replaced(_) => return Ok(()),
                Replaced::Conflict => {}
                Replaced::Gone => return broken("a write", "Replaced or Conflict", "Gone"),
            }
        }
        broken("a write", "Replaced after at most 15 conflicts", "Conflict")
    });
    writes.await?;
    let stored = c.load(&id).await?;
    let entries = stored.map(|stored| stored.record.fields.state.entries.iter().count());
    expect("entries written in parallel", entries, Some(TASKS))
}

/// A24: whichever comes first, nothing is there at the end.
pub(super) async fn a_write_never_revives_a_removed_session(c: Context) -> Result<(), Failure> {
    for round in 0..ROUNDS * 4 {
        let (id, alice) = (c.id(), c.subject("alice"));
        let record = c.member(&alice).build();
        let revision = c.create(&id, &record).await?;
        let by_subject = round % 2 == 1;
        let racers = c.in_parallel(4, move |c, task| {
            let (record, alice) = (record.clone(), alice.clone());
            async move {
                match task {
                    0 if by_subject => drop(c.remove_all_of(&alice, None).await?),
                    0 => drop(c.remove(&id).await?),
                    _ => drop(c.replace(&id, revision, &record).await?),
                }
                Ok(())
            }
        });
        racers.await?;
        c.expect_nothing(&id).await?;
        let sessions = c.listed(&c.subject("alice")).await?;
        expect("alice's sessions", sessions, vec![])?;
    }
    Ok(())
}

pub(super) async fn the_index_is_exact_after_parallel_logins_and_logouts(
    c: Context,
) -> Result<(), Failure> {
    let alice = c.subject("alice");
    let owner = alice.clone();
    let sessions = c.in_parallel(TASKS, move |c, task| {
        let record = c.member(&owner).build();
        async move {
            let [first, second] = [c.id(), c.id()];
            let _ = c.create(&first, &record).await?;
            let _ = c.create(&second, &record).await?;
            let _ = c.remove(&first).await?;
            if task % 2 == 0 {
                return Ok(Some(second));
            }
            let _ = c.remove(&second).await?;
            Ok(None)
        }
    });
    let mut kept: Vec<_> = sessions.await?.into_iter().flatten().collect();
    kept.sort_unstable();
    expect("alice's sessions", c.listed(&alice).await?, kept.clone())?;
    let revoked = c.remove_all_of(&alice, None).await?;
    expect("revoked of alice", revoked, kept.len())
}
