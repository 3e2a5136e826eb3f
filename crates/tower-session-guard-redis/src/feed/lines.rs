//! [`Lines`]: the connections of one feed, one to each primary.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::try_join_all;
use redis::Client;
use tokio::time::Instant;
use tower_session_guard::store::{StoreError, StoreErrorKind};

use super::{
    lease::fence,
    line::{Hear, Line, ended},
    over::Over,
    slots::{Topology, beside, key_on_each, slots},
};
use crate::{error::store_error, link::Servers, script::Server, store::parse};

/// How often a feed asks whether the slots of its cluster are where they were.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// The connections of a feed.
#[derive(Debug)]
pub(crate) struct Lines {
    /// By the number of the primary: its connection, and the key of its fence.
    lines: BTreeMap<usize, (Line, String)>,
    /// Which primary has which slots, on a cluster.
    topology: Option<Topology>,
    asked_at: Mutex<Instant>,
    over: Over,
}

impl Lines {
    /// Connects to each primary that may have keys with names that begin with `prefix`.
    pub(crate) async fn dial(
        servers: Servers<'_>,
        prefix: &str,
        hear: &Hear,
        over: Over,
    ) -> Result<Self, StoreError> {
        let (lines, topology) = match servers {
            Servers::One(source) => {
                let client = source.client().await.map_err(store_error)?;
                let line = Line::dial(&client, hear, &over).await?;
                (BTreeMap::from([(0, (line, String::new()))]), None)
            }
            Servers::Cluster(nodes) => {
                let (topology, node) = Topology::ask(nodes).await?;
                let fences = key_on_each(&topology, prefix).into_iter().enumerate();
                let fences = fences.filter_map(|(number, key)| Some((number, key?)));
                let dials = fences.map(|(number, key)| {
                    let (host, port) = &topology.primaries[number];
                    let info = beside(node, host, *port);
                    let over = &over;
                    async move {
                        let client = Client::open(info).map_err(store_error)?;
                        let line = Line::dial(&client, hear, over).await?;
                        Ok::<_, StoreError>((number, (line, key)))
                    }
                });
                let lines = try_join_all(dials).await?;
                (lines.into_iter().collect(), Some(topology))
            }
        };
        Ok(Self {
            lines,
            topology,
            asked_at: Mutex::new(Instant::now()),
            over,
        })
    }

    pub(crate) const fn is_of_a_cluster(&self) -> bool {
        self.topology.is_some()
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = &Line> {
        self.lines.values().map(|(line, _)| line)
    }

    /// The connection to the primary that has a key.
    pub(crate) fn of(&self, key: &str) -> Result<&Line, StoreError> {
        let number = match &self.topology {
            Some(topology) => topology.primary_of(key.as_bytes()),
            None => Some(0),
        };
        let line = number.and_then(|number| self.lines.get(&number));
        // Part of the cluster may be down.
        let (line, _) = line.ok_or(StoreError::new(StoreErrorKind::Unavailable))?;
        Ok(line)
    }

    /// Fences each primary but that of one line.
    pub(crate) async fn fence_but(&self, but: &Line) -> Result<(), StoreError> {
        let others = self.lines.values();
        let others = others.filter(|(line, _)| !std::ptr::eq(line, but));
        let fences = others.map(|(line, key)| async move {
            let _nothing: Option<Vec<u8>> = parse(line.run(&fence(key)).await)?;
            Ok(())
        });
        try_join_all(fences).await.map(|_| ())
    }

    /// Fails if a cluster's slots have moved since the feed was opened, by what one primary says.
    ///
    /// A server tells of each record that it hands over to another, but need not of those that it loses with a slot.
    /// The fences only ask for one slot of each primary.
    pub(crate) async fn ensure_unmoved(&self, line: &Line) -> Result<(), StoreError> {
        let Some(topology) = &self.topology else {
            return Ok(());
        };
        {
            let mut asked_at = self.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
            if asked_at.elapsed() < ASKED_EVERY {
                return Ok(());
            }
            *asked_at = Instant::now();
        }
        let answer = line.run(&slots()).await;
        let now = answer
            .and_then(|answer| Topology::read(answer, ""))
            .map_err(store_error)?;
        if !now.is_split_as(topology) {
            self.over.set();
            return Err(ended());
        }
        Ok(())
    }

    /// The end of the feed, to wait for.
    pub(crate) const fn over(&self) -> &Over {
        &self.over
    }

    /// Fails if the feed has ended.
    pub(crate) fn ensure_open(&self) -> Result<(), StoreError> {
        if self.over.is_set() {
            return Err(ended());
        }
        Ok(())
    }
}
