//! The leases that a namespace holds: for how long any node may go by its own copies.
//!
//! They are in one key, and so in one slot of a cluster. One slot is enough: a node holds its lease before it reads the
//! first record over a feed, and an ending reads the leases after it was committed. If the ending finds no lease of a
//! node, it was committed before that node read anything, wherever the record is, so the node holds no copy from
//! before the ending.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use redis::Cmd;
use tokio::time::{Instant, sleep};
use tower_session_guard::store::{Lease, StoreError};

use crate::{
    RedisStore,
    script::{HELD, HOLD, Server},
    store::parse,
};

/// For how long a lease counts after it was last written: longer than servers' clocks may differ or jump.
const COUNTS_FOR: Duration = Duration::from_secs(120);

/// After what time it is written again.
const WRITTEN_AFTER: Duration = Duration::from_secs(40);

/// Where the leases of a namespace are: the name of their key.
#[derive(Clone, Debug)]
pub(crate) struct Leases(String);

/// A lease that a node holds in a namespace.
#[derive(Debug)]
pub(crate) struct HeldLease {
    leases: Leases,
    name: String,
    /// What stands with the lease until an ending finds that it does not count.
    mark: Mark,
    /// When the lease was written last, if it was answered.
    written_at: Instant,
}

pub(crate) type Mark = String;

impl Leases {
    pub(crate) const fn at(key: String) -> Self {
        Self(key)
    }

    pub(crate) fn key(&self) -> &str {
        &self.0
    }

    /// Holds a lease from now on.
    pub(crate) async fn hold(
        self,
        lease: Lease,
        server: &impl Server,
    ) -> Result<HeldLease, StoreError> {
        let name = name(lease);
        let mut held = HeldLease {
            leases: self,
            name,
            mark: Mark::new(),
            written_at: Instant::now(),
        };
        held.mark = held.write(server).await?;
        Ok(held)
    }

    /// For how long an ending that was committed before this call may not hold on every node.
    async fn wait(&self, server: &impl Server) -> Result<Option<Duration>, StoreError> {
        let names: Vec<String> = parse(HELD.on(self.0.clone()).run(server).await)?;
        Ok(Lease::ending_wait(names.iter().map(|name| named(name))))
    }
}

impl HeldLease {
    /// Fences the lease's server, and tells the lease's mark, which is another than [`mark`](Self::mark) if an ending
    /// may have found no lease since the last fence. It counts now.
    ///
    /// A lease that has lapsed unnoticed does no harm: whoever finds it takes it out.
    ///
    /// It is one command, as a rule, which a server refuses if it would refuse a write.
    pub(crate) async fn check(&mut self, server: &impl Server) -> Result<Mark, StoreError> {
        if self.written_at.elapsed() < WRITTEN_AFTER {
            let leases: Option<String> = parse(server.run(&fence(self.key())).await)?;
            let mark = leases
                .as_deref()
                .and_then(|leases| mark_of(&self.name, leases));
            if mark == Some(&*self.mark) {
                return Ok(self.mark.clone());
            }
        }
        self.write(server).await
    }

    async fn write(&mut self, server: &impl Server) -> Result<Mark, StoreError> {
        let written_at = Instant::now();
        let mark = RandomState::new().hash_one(&self.name);
        let call = HOLD.on(self.leases.0.clone());
        let call = call.arg(&self.name).arg(format!("{mark:016x}"));
        let call = call.arg(COUNTS_FOR.as_millis() as u64);
        let mark = parse(call.run(server).await)?;
        self.written_at = written_at;
        Ok(mark)
    }

    pub(crate) fn key(&self) -> &str {
        self.leases.key()
    }

    pub(crate) const fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Goes by another mark from now on.
    pub(crate) fn renew(&mut self, mark: Mark) {
        self.mark = mark;
    }
}

/// A read that counts as a write, and so is refused where a write would be.
pub(crate) fn fence(key: &str) -> Cmd {
    let mut command = redis::cmd("GETEX");
    command.arg(key);
    command
}

impl RedisStore {
    /// Waits until an ending that was committed before this call holds on every node.
    pub(crate) async fn until_endings_hold(&self, leases: Leases) -> Result<(), StoreError> {
        let Some(wait) = self.timed(leases.wait(&*self.link)).await? else {
            return Ok(());
        };
        // From the answer on: a lease that was written later began after the ending.
        sleep(wait).await;
        Ok(())
    }
}

/// The mark of a lease among those that a namespace holds.
fn mark_of<'a>(name: &str, leases: &'a str) -> Option<&'a str> {
    leases.split(' ').find_map(|lease| {
        let mut parts = lease.split(',');
        let is_it = parts.next() == Some(name);
        let mark = parts.nth(1)?;
        is_it.then_some(mark)
    })
}

/// The name of a lease: `e` for an exact one or `b`, and its milliseconds.
fn name(lease: Lease) -> String {
    let kind = if lease.is_exact() { 'e' } else { 'b' };
    format!("{kind}{}", lease.as_millis())
}

/// The lease of a name, unless this release cannot read it.
fn named(name: &str) -> Option<Lease> {
    let (kind, millis) = name.split_at_checked(1)?;
    let time = Duration::from_millis(millis.parse().ok()?);
    match kind {
        "e" => Lease::exact(time).ok(),
        "b" => Lease::bounded(time).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower_session_guard::store::Lease;

    use super::{mark_of, name, named};

    #[test]
    fn a_name_says_what_a_lease_is() {
        let time = Duration::from_micros(250_001);
        assert_eq!(name(Lease::exact(time).unwrap()), "e251");
        assert_eq!(name(Lease::bounded(Lease::MAX).unwrap()), "b5000");
    }

    #[test]
    fn a_mark_stands_with_its_lease() {
        let leases = "e250,1795778742842,00000000000000af b1000,1795778742842,7";
        assert_eq!(mark_of("e250", leases), Some("00000000000000af"));
        assert_eq!(mark_of("b1000", leases), Some("7"));
        for name in ["e25", "b100", "", "7"] {
            assert_eq!(mark_of(name, leases), None, "{name}");
        }
        assert_eq!(mark_of("e250", ""), None);
    }

    #[test]
    fn a_name_is_read_or_else_none() {
        let time = Duration::from_millis(250);
        for lease in [Lease::exact(time), Lease::bounded(time)].map(Result::unwrap) {
            assert_eq!(named(&name(lease)), Some(lease));
        }
        for unknown in [
            "", "x7", "x250", "b", "\u{e9}5", "e99999", "b99999", "e-250", "e250 ",
        ] {
            assert_eq!(named(unknown), None, "{unknown}");
        }
    }
}
