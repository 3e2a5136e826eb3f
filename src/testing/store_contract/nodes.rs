//! Several nodes, and an engine that comes back (R66, A27).

use std::time::Duration;

use super::context::{Context, Failure, broken, claim, expect, list, owner, pause};
use crate::{
    session::id::SessionId,
    store::{Counting, Created, Removed, Replaced, Stored},
};

const ROUNDS: usize = 16;

pub(super) async fn two_nodes_see_each_other_at_once(c: Context) -> Result<(), Failure> {
    let other = c.second_node()?;
    let alice = c.subject("alice");
    for _ in 0..ROUNDS {
        let id = c.id();
        let record = c.member(&alice).build();
        let first = c.create(&id, &record).await?;
        let seen = other.load((&claim(&id)).into(), c.now()).await?;
        let expected = Some(Stored::new(record.clone(), first));
        expect("load on the other node", seen, expected)?;
        let listed = list(other, &owner(&alice), c.now()).await?;
        let listed: Vec<_> = listed.iter().map(|listed| listed.id).collect();
        expect("the list on the other node", listed, vec![id])?;
        let changed = c.member(&alice).entry("changed", "1").build();
        let answer = other.replace(&id, first, &changed, c.now()).await?;
        let Replaced::Replaced(second) = answer else {
            return broken("replace on the other node", "Replaced", answer);
        };
        c.expect_stored(&id, &changed, second).await?;
        let stale = c.replace(&id, first, &changed).await?;
        expect(
            "replace of what the other replaced",
            stale,
            Replaced::Conflict,
        )?;
        let record = c.member(&alice).entry("changed", "2").build();
        let third = c.replace_now(&id, second, &record).await?;
        let seen = other.load((&claim(&id)).into(), c.now()).await?;
        let expected = Some(Stored::new(record, third));
        expect("load on the other node", seen, expected)?;
        let removed = other.remove(&id, None).await?;
        expect("remove on the other node", removed, Removed::Removed)?;
        c.expect_nothing(&id).await?;
        let gone = c.replace(&id, third, &changed).await?;
        expect("replace of what the other removed", gone, Replaced::Gone)?;
    }
    Ok(())
}

pub(super) async fn a_revocation_holds_on_every_node(c: Context) -> Result<(), Failure> {
    let other = c.second_node()?;
    let alice = c.subject("alice");
    for _ in 0..ROUNDS {
        let ids = c.ids(2);
        for id in &ids {
            let _ = c.create(id, &c.member(&alice).build()).await?;
            // The other node has seen it alive, so a cache there has it.
            let seen = other.load((&claim(id)).into(), c.now()).await?.is_some();
            expect("seen on the other node", seen, true)?;
        }
        let revoked = c.remove_all_of(&alice, None).await?;
        expect("revoked of alice", revoked, ids.len())?;
        for id in &ids {
            let seen = other.load((&claim(id)).into(), c.now()).await?;
            expect("load on the other node", seen, None)?;
        }
    }
    Ok(())
}

pub(super) async fn parallel_rotations_on_two_nodes_have_one_winner(
    c: Context,
) -> Result<(), Failure> {
    c.second_node()?;
    for _ in 0..ROUNDS {
        let id = c.id();
        let record = c.guest().build();
        let revision = c.create(&id, &record).await?;
        // Odd tasks run on the second node.
        let answers = c.in_parallel(8, move |c, _| {
            let record = record.clone();
            async move { c.replace(&id, revision, &record).await }
        });
        let answers = answers.await?;
        let winners = answers
            .iter()
            .filter(|one| matches!(one, Replaced::Replaced(_)));
        expect("rotations that won", winners.count(), 1)?;
    }
    Ok(())
}

/// Loads until the engine is back, for up to ten seconds.
async fn load_once_back(c: &Context, id: &SessionId) -> Result<Option<Stored>, Failure> {
    let mut error = None;
    for _ in 0..100 {
        match c.store().load((&claim(id)).into(), c.now()).await {
            Ok(stored) => return Ok(stored),
            Err(failed) => error = Some(failed),
        }
        pause(Duration::from_millis(100)).await;
    }
    broken(
        "load after a restart",
        "an answer within ten seconds",
        error,
    )
}

pub(super) async fn the_store_works_again_after_a_restart(c: Context) -> Result<(), Failure> {
    let (alice, old) = (c.subject("alice"), c.id());
    let record = c.member(&alice).build();
    let revision = c.create(&old, &record).await?;
    for _ in 0..2 {
        c.restart().await?;
        // An engine without persistence may have lost it; a durable one may not have changed it.
        if let Some(stored) = load_once_back(&c, &old).await? {
            expect(
                "what was kept",
                stored,
                Stored::new(record.clone(), revision),
            )?;
        }
        let id = c.id();
        let created = c
            .store()
            .create(&id, &record, Counting::Counted, c.now())
            .await?;
        let Created::Created { revision, .. } = created else {
            return broken("create of a new id", "Created", created);
        };
        let revision = c.replace_now(&id, revision, &record).await?;
        c.expect_stored(&id, &record, revision).await?;
        let listed = c.listed(&alice).await?.contains(&id);
        expect("the new session is listed", listed, true)?;
        expect("remove", c.remove(&id).await?, Removed::Removed)?;
    }
    Ok(())
}

pub(super) async fn a_restart_revives_nothing(c: Context) -> Result<(), Failure> {
    let (alice, ids) = (c.subject("alice"), c.ids(3));
    let record = c.member(&alice).build();
    let mut revisions = Vec::new();
    for id in &ids {
        revisions.push(c.create(id, &record).await?);
    }
    expect("remove", c.remove(&ids[0]).await?, Removed::Removed)?;
    expect("revoked of alice", c.remove_all_of(&alice, None).await?, 2)?;
    c.restart().await?;
    for (id, revision) in ids.iter().zip(revisions) {
        let seen = load_once_back(&c, id).await?;
        expect("load of a removed record after a restart", seen, None)?;
        let answer = c.replace(id, revision, &record).await?;
        expect("replace of it", answer, Replaced::Gone)?;
    }
    expect("alice's sessions", c.listed(&alice).await?, vec![])
}
