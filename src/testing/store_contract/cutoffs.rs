//! Cut-offs: they never fall, and are kept for as long as they say (S02, S05).

use std::time::Duration;

use super::context::{Context, Failure, HOUR, MILLISECOND, expect, owner};
use crate::{
    session::{index::IndexKey, policy::SessionPolicy, time::Timestamp},
    store::Cutoff,
};

fn cutoff(c: &Context, ahead: u64, lasting: Duration, mark: u8) -> Cutoff {
    let at = c.now().after(Duration::from_secs(ahead));
    Cutoff::new(at, at.after(lasting), [mark; 16])
}

pub(super) async fn a_cutoff_comes_back_on_every_node(c: Context) -> Result<(), Failure> {
    let (alice, bob) = (owner(&c.subject("alice")), owner(&c.subject("bob")));
    expect("none yet", c.store().cutoff(&alice, c.now()).await?, None)?;
    let tag = IndexKey::tag("", c.subject("sid").as_str());
    for (number, key) in [&alice, &tag].into_iter().enumerate() {
        let written = cutoff(&c, 0, HOUR, number as u8);
        c.store().raise_cutoff(key, &written, c.now()).await?;
        let seen = c.other_node().cutoff(key, c.now()).await?;
        expect("on the other node", seen, Some(written))?;
    }
    expect("another's", c.store().cutoff(&bob, c.now()).await?, None)
}

pub(super) async fn a_cutoff_never_falls(c: Context) -> Result<(), Failure> {
    let key = owner(&c.subject("alice"));
    let mut held: Option<Cutoff> = None;
    for (ahead, hours, mark) in [(10, 2, 1), (20, 1, 2), (5, 3, 3), (20, 1, 4), (0, 0, 5)] {
        let next = cutoff(&c, ahead, HOUR * hours, mark);
        // The same moment twice: the clock has moved since.
        let next = match &held {
            Some(held) if mark == 4 => Cutoff::new(held.at, next.until, next.mark),
            _ => next,
        };
        c.store().raise_cutoff(&key, &next, c.now()).await?;
        held = Some(held.map_or(next, |held| held.raised_by(&next)));
        let found = c.store().cutoff(&key, c.now()).await?;
        expect("the raised cut-off", found, held)?;
    }
    Ok(())
}

/// A cut-off lasts longer than any policy lets a token last, whoever's policy it is.
pub(super) async fn a_cutoff_outlives_every_token(c: Context) -> Result<(), Failure> {
    let key = owner(&c.subject("alice"));
    let written = cutoff(&c, 0, SessionPolicy::MAX_ABSOLUTE, 1);
    c.store().raise_cutoff(&key, &written, c.now()).await?;
    let _ = c.remove_all_of(&c.subject("alice"), None).await?;
    let last = Timestamp::from_unix_millis(written.until.as_unix_millis() - 1);
    let found = c.store().cutoff(&key, last).await?;
    expect("just before its end", found, Some(written))?;
    let late = written.until.after(Cutoff::SLACK).after(MILLISECOND);
    expect("after its end", c.store().cutoff(&key, late).await?, None)
}

pub(super) async fn none_of_16_parallel_cutoffs_is_lost(c: Context) -> Result<(), Failure> {
    let key = owner(&c.subject("alice"));
    let begin = c.now();
    let shared = key.clone();
    let raises = c.in_parallel(16, move |c, task| {
        let key = shared.clone();
        async move {
            let at = begin.after(Duration::from_secs(task as u64));
            // The later it is, the shorter it lasts.
            let until = begin.after(HOUR * (20 - task as u32));
            let cutoff = Cutoff::new(at, until, [task as u8; 16]);
            c.store().raise_cutoff(&key, &cutoff, c.now()).await?;
            Ok(cutoff)
        }
    });
    let raises = raises.await?;
    let latest = raises.iter().map(|one| one.at).max();
    let until = raises.iter().map(|one| one.until).max();
    let found = c.store().cutoff(&key, c.now()).await?;
    expect("the latest moment", found.map(|one| one.at), latest)?;
    expect("the latest end", found.map(|one| one.until), until)
}
