//! Copies: what a node reads as the layer does, from its own memory if it can (R66, A27).

use std::time::{Duration, Instant};

use super::{
    context::{Context, Failure, LOOK_EVERY, broken, claim, end, expect, owner, pause},
    freshness::{Freshness, Path},
};
use crate::{
    session::{id::SessionId, record::Record},
    store::{Counting, Created, Removed, Replaced, Revision, SessionStore, Stored},
    testing::RecordBuilder,
};

const SESSIONS: usize = 8;

/// Reads as the layer does.
async fn read(
    c: &Context,
    node: &dyn SessionStore,
    id: &SessionId,
) -> Result<Option<Stored>, Failure> {
    let claim = claim(id);
    if let Some(stored) = node.try_load((&claim).into(), c.now()) {
        return Ok(Some(stored));
    }
    Ok(node.load((&claim).into(), c.now()).await?)
}

/// Reads until the node has a copy of its own, if it keeps any.
async fn read_into_copies(
    c: &Context,
    node: &dyn SessionStore,
    ids: &[SessionId],
) -> Result<(), Failure> {
    let began = Instant::now();
    for id in ids {
        let claim = claim(id);
        loop {
            let seen = read(c, node, id).await?.is_some();
            expect("a live session is read", seen, true)?;
            let is_copied = node.try_load((&claim).into(), c.now()).is_some();
            if is_copied || c.freshness() == Freshness::Immediate {
                break;
            }
            if began.elapsed() > Duration::from_secs(2) {
                return Ok(());
            }
            pause(LOOK_EVERY).await;
        }
    }
    Ok(())
}

/// Waits until what ended may be acknowledged, and has to hold everywhere.
async fn acknowledge(c: &Context, writer: &dyn SessionStore) -> Result<(), Failure> {
    match c.freshness() {
        Freshness::Immediate => {}
        Freshness::Exact(_) => {
            if let Some(holds) = writer.endings_hold() {
                holds.await?;
            }
        }
        Freshness::Bounded(time) => pause(time).await,
    }
    Ok(())
}

async fn create(
    c: &Context,
    node: &dyn SessionStore,
    record: &Record,
) -> Result<(SessionId, Revision), Failure> {
    let id = c.id();
    match node.create(&id, record, Counting::Counted, c.now()).await? {
        Created::Created { revision, .. } => Ok((id, revision)),
        other @ Created::Occupied => broken("create of a new id", "Created", other),
    }
}

async fn replace(
    c: &Context,
    node: &dyn SessionStore,
    (id, revision): &(SessionId, Revision),
    record: &Record,
) -> Result<Revision, Failure> {
    match node.replace(id, *revision, record, c.now()).await? {
        Replaced::Replaced(revision) => Ok(revision),
        other => broken("replace of the present revision", "Replaced", other),
    }
}

pub(super) async fn a_node_sees_its_own_writes_at_once(c: Context) -> Result<(), Failure> {
    let alice = c.subject("alice");
    for node in [c.store(), c.other_node()] {
        let record = c.member(&alice).build();
        let changed = RecordBuilder::of(&record).entry("changed", "1").build();
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            sessions.push(create(&c, node, &record).await?);
        }
        let ids: Vec<_> = sessions.iter().map(|(id, _)| *id).collect();
        read_into_copies(&c, node, &ids).await?;
        for session in &sessions {
            let revision = replace(&c, node, session, &changed).await?;
            let seen = read(&c, node, &session.0).await?;
            let expected = Some(Stored::new(changed.clone(), revision));
            expect("read of an own write", seen, expected)?;
        }
        read_into_copies(&c, node, &ids).await?;
        let removed = node.remove(&ids[0], None).await?;
        expect("remove", removed, Removed::Removed)?;
        expect("read of it", read(&c, node, &ids[0]).await?, None)?;
        let ended = end(node, &owner(&alice), None).await?;
        expect("ended of alice", ended, SESSIONS - 1)?;
        for id in &ids {
            let seen = read(&c, node, id).await?;
            expect("read of what this node ended", seen, None)?;
        }
    }
    Ok(())
}

/// A copy may admit and never refuses: what it does not open, the layer asks `load`.
pub(super) async fn load_is_never_answered_from_a_copy(c: Context) -> Result<(), Failure> {
    let other = c.second_node()?;
    for _ in 0..SESSIONS {
        let record = c.guest().build();
        let session = create(&c, c.store(), &record).await?;
        read_into_copies(&c, other, &[session.0]).await?;
        let rotated = RecordBuilder::of(&record).rotated([9; 16], c.now());
        let revision = replace(&c, c.store(), &session, &rotated.build()).await?;
        let claim = claim(&session.0);
        let seen = other.load((&claim).into(), c.now()).await?;
        let seen = seen.map(|stored| stored.revision);
        expect("load on the other node", seen, Some(revision))?;
    }
    Ok(())
}

pub(super) async fn data_reaches_another_node_in_time(c: Context) -> Result<(), Failure> {
    let other = c.second_node()?;
    let record = c.guest().build();
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        sessions.push(create(&c, c.store(), &record).await?);
    }
    let ids: Vec<_> = sessions.iter().map(|(id, _)| *id).collect();
    for round in 0..3 {
        read_into_copies(&c, other, &ids).await?;
        let number = round.to_string();
        let changed = RecordBuilder::of(&record).entry("changed", number).build();
        for session in &mut sessions {
            session.1 = replace(&c, c.store(), session, &changed).await?;
        }
        pause(c.freshness().time()).await;
        for (id, revision) in &sessions {
            let seen = read(&c, other, id).await?;
            let expected = Some(Stored::new(changed.clone(), *revision));
            expect("read on the other node", seen, expected)?;
        }
    }
    Ok(())
}

/// Ended by removal, by a new secret and by the owner's key.
pub(super) async fn an_ending_holds_on_another_node_in_time(c: Context) -> Result<(), Failure> {
    for [writer, reader] in [[c.store(), c.second_node()?], [c.second_node()?, c.store()]] {
        let (alice, bob) = (c.subject("alice"), c.subject("bob"));
        let (removed, rotated) = (c.member(&bob).build(), c.guest().build());
        let removed = create(&c, writer, &removed).await?;
        let session = create(&c, writer, &rotated).await?;
        let mut ids = vec![removed.0];
        for _ in 0..SESSIONS {
            ids.push(create(&c, writer, &c.member(&alice).build()).await?.0);
        }
        let copied = [&ids[..], &[session.0]].concat();
        read_into_copies(&c, reader, &copied).await?;
        let answer = writer.remove(&removed.0, None).await?;
        expect("remove", answer, Removed::Removed)?;
        let rotated = RecordBuilder::of(&rotated)
            .rotated([9; 16], c.now())
            .build();
        let revision = replace(&c, writer, &session, &rotated).await?;
        let ended = end(writer, &owner(&alice), None).await?;
        expect("ended of alice", ended, SESSIONS)?;
        acknowledge(&c, writer).await?;
        for id in &ids {
            let seen = read(&c, reader, id).await?;
            expect("read on the other node of what ended", seen, None)?;
        }
        let seen = read(&c, reader, &session.0).await?;
        let expected = Some(Stored::new(rotated, revision));
        expect("read on the other node of what was rotated", seen, expected)?;
    }
    Ok(())
}

/// A record that is read while it changes must not be kept as it was.
pub(super) async fn what_is_read_while_it_changes_is_not_kept(c: Context) -> Result<(), Failure> {
    c.second_node()?;
    for _ in 0..3 {
        let record = c.guest().build();
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            sessions.push(create(&c, c.store(), &record).await?);
        }
        let shared = (sessions.clone(), record.clone());
        // Odd tasks run on the second node: they read, while the even ones write.
        let answers = c.in_parallel(2 * SESSIONS, move |c, task| {
            let (sessions, record) = shared.clone();
            async move {
                let session = sessions[task / 2];
                if task % 2 == 0 {
                    pause(Duration::from_millis(task as u64 % 7)).await;
                    let changed = RecordBuilder::of(&record).rotated([9; 16], c.now());
                    let revision = replace(&c, c.store(), &session, &changed.build()).await?;
                    return Ok(Some((session.0, revision)));
                }
                for _ in 0..20 {
                    let _seen = read(&c, c.store(), &session.0).await?;
                    pause(Duration::from_millis(1)).await;
                }
                Ok(None)
            }
        });
        let answers = answers.await?;
        acknowledge(&c, c.store()).await?;
        for (id, revision) in answers.into_iter().flatten() {
            for node in [c.store(), c.other_node()] {
                let seen = read(&c, node, &id).await?.map(|stored| stored.revision);
                expect("read of what was rotated meanwhile", seen, Some(revision))?;
            }
        }
    }
    Ok(())
}

pub(super) async fn all_that_ended_while_logins_ran_has_ended_on_every_node(
    c: Context,
) -> Result<(), Failure> {
    let other = c.second_node()?;
    let alice = c.subject("alice");
    let mut before = Vec::new();
    for _ in 0..SESSIONS {
        before.push(create(&c, c.store(), &c.member(&alice).build()).await?.0);
    }
    for node in [c.store(), other] {
        read_into_copies(&c, node, &before).await?;
    }
    let owned = alice.clone();
    let logins = c.in_parallel(2 * SESSIONS, move |c, task| {
        let alice = owned.clone();
        async move {
            if task == 0 {
                let _ended = end(c.store(), &owner(&alice), None).await?;
                return Ok(None);
            }
            let (id, _) = create(&c, c.store(), &c.member(&alice).build()).await?;
            let _seen = read(&c, c.store(), &id).await?;
            Ok(Some(id))
        }
    });
    let logins = logins.await?;
    acknowledge(&c, c.store()).await?;
    for node in [c.store(), other] {
        for id in &before {
            expect("read of what ended", read(&c, node, id).await?, None)?;
        }
        for id in logins.iter().flatten() {
            let claim = claim(id);
            let seen = read(&c, node, id).await?.is_some();
            let lives = node.load((&claim).into(), c.now()).await?.is_some();
            expect("read of a login meanwhile", seen, lives)?;
        }
    }
    Ok(())
}

pub(super) async fn a_node_that_hears_nothing_admits_nothing_that_ended(
    c: Context,
) -> Result<(), Failure> {
    disturbed(c, |_| Path::Silent).await
}

pub(super) async fn a_node_that_connects_again_admits_nothing_that_ended(
    c: Context,
) -> Result<(), Failure> {
    disturbed(c, |_| Path::Cut).await
}

pub(super) async fn a_node_that_hears_late_admits_nothing_that_ended(
    c: Context,
) -> Result<(), Failure> {
    disturbed(c, |freshness| Path::Slow(3 * freshness.time())).await
}

/// Sessions end while something is wrong between the second node and the engine.
async fn disturbed(c: Context, path: fn(Freshness) -> Path) -> Result<(), Failure> {
    let (other, alice) = (c.second_node()?, c.subject("alice"));
    let time = c.freshness().time();
    c.set_path(Path::Open).await?;
    let mut ids = Vec::new();
    for _ in 0..SESSIONS {
        ids.push(create(&c, c.store(), &c.member(&alice).build()).await?.0);
    }
    read_into_copies(&c, other, &ids).await?;
    c.set_path(path(c.freshness())).await?;
    // Whoever goes by what arrives now hears of it as late as it can.
    let began = Instant::now();
    while began.elapsed() < time {
        let claim = claim(&ids[0]);
        let _seen = other.try_load((&claim).into(), c.now());
        pause(LOOK_EVERY).await;
    }
    let ended = end(c.store(), &owner(&alice), None).await?;
    expect("ended of alice", ended, SESSIONS)?;
    acknowledge(&c, c.store()).await?;
    let admits_nothing = async |time: Duration| {
        let began = Instant::now();
        loop {
            for id in &ids {
                let claim = claim(id);
                let seen = other.try_load((&claim).into(), c.now());
                expect("a copy of what ended", seen, None)?;
            }
            if began.elapsed() >= time {
                return Ok::<_, Failure>(());
            }
            pause(LOOK_EVERY).await;
        }
    };
    admits_nothing(4 * time).await?;
    c.set_path(Path::Open).await?;
    admits_nothing(4 * time).await?;
    for id in &ids {
        let began = Instant::now();
        let seen = loop {
            match read(&c, other, id).await {
                Err(_) if began.elapsed() < Duration::from_secs(10) => pause(LOOK_EVERY).await,
                seen => break seen?,
            }
        };
        expect("read of what ended", seen, None)?;
    }
    Ok(())
}
