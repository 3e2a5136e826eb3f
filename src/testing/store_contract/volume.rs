//! Many sessions of one owner: work grows with their number, and others are served meanwhile (S01, S13).

use std::time::{Duration, Instant};

use super::context::{Context, Failure, broken, end, expect, list, owner};
use crate::session::authentication::Subject;

/// How much more a session may cost among ten times as many: a square would cost ten times as much.
const GROWTH: u32 = 4;

/// How often it is measured before growth counts: a machine can be paused in the middle of a measurement, and
/// growth that is there is there each time.
const MEASUREMENTS: u32 = 3;

/// How long anybody else may wait for one load meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

async fn log_in(c: &Context, subject: &Subject, count: usize) -> Result<(), Failure> {
    let subject = subject.clone();
    let each = count.div_ceil(16);
    let logins = c.in_parallel(16, move |c, _| {
        let record = c.member(&subject).entry("data", [7; 512]).build();
        async move {
            for _ in 0..each {
                let _ = c.create(&c.id(), &record).await?;
            }
            Ok(())
        }
    });
    logins.await?;
    Ok(())
}

/// The time that listing and ending take for each of `count` sessions.
async fn cost(c: &Context, name: &str, count: usize) -> Result<Duration, Failure> {
    let subject = c.subject(name);
    log_in(c, &subject, count).await?;
    let key = owner(&subject);
    let began = Instant::now();
    let listed = list(c.store(), &key, c.now()).await?.len();
    let ended = end(c.store(), &key, None).await?;
    let took = began.elapsed();
    if listed < count || ended != listed {
        return broken("listed and ended", &count.to_string(), (listed, ended));
    }
    expect("left", c.listed(&subject).await?, vec![])?;
    Ok(took / u32::try_from(listed).unwrap_or(u32::MAX))
}

pub(super) async fn many_sessions_of_one_owner_are_listed_and_ended_in_linear_time(
    c: Context,
) -> Result<(), Failure> {
    let many = c.volume();
    let mut told = Ok(());
    for measurement in 0..MEASUREMENTS {
        let few = cost(&c, &format!("few{measurement}"), many / 10).await?;
        let each = cost(&c, &format!("many{measurement}"), many).await?;
        // Below this a comparison would be one of timers.
        let floor = Duration::from_micros(5);
        if each <= few.max(floor) * GROWTH {
            return Ok(());
        }
        let limit = format!("at most {GROWTH} times {few:?}");
        told = broken("the time for each of ten times as many", &limit, each);
    }
    told
}

pub(super) async fn others_are_served_while_many_sessions_end(c: Context) -> Result<(), Failure> {
    let (crowd, bob, bobs) = (c.subject("crowd"), c.subject("bob"), c.id());
    let record = c.member(&bob).build();
    let revision = c.create(&bobs, &record).await?;
    log_in(&c, &crowd, c.volume()).await?;
    let key = owner(&crowd);
    let ending = c.in_parallel(2, move |c, task| {
        let (key, record) = (key.clone(), record.clone());
        async move {
            if task == 0 {
                let _ = end(c.store(), &key, None).await?;
                return Ok(Duration::ZERO);
            }
            let mut longest = Duration::ZERO;
            for _ in 0..200 {
                let began = Instant::now();
                c.expect_stored(&bobs, &record, revision).await?;
                longest = longest.max(began.elapsed());
                tokio::task::yield_now().await;
            }
            Ok(longest)
        }
    });
    let longest = ending.await?.into_iter().max().unwrap_or_default();
    if longest > PATIENCE {
        return broken("another's longest wait", "at most a second", longest);
    }
    Ok(())
}
