//! Which primary of a cluster has which slots.

use std::time::Duration;

use futures_util::future::join_all;
use redis::{Client, Cmd, ConnectionAddr, ConnectionInfo, RedisResult, Value, aio::ConnectionLike};
use tokio::time::timeout;
use tower_session_guard::store::{StoreError, StoreErrorKind};

use crate::error::store_error;

/// How many slots a cluster has.
pub(crate) const SLOTS: u16 = 16_384;

/// How long one server may take to say who has the slots.
const ASK_WITHIN: Duration = Duration::from_millis(500);

/// The primaries of a cluster, and which of them has which slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Topology {
    pub(crate) primaries: Vec<(String, u16)>,
    /// The last slot of each range, in order, and the primary that has it, if any.
    ranges: Vec<(u16, Option<usize>)>,
}

impl Topology {
    /// What most of these servers say, and the first of them who says so.
    pub(crate) async fn ask(
        nodes: &[ConnectionInfo],
    ) -> Result<(Self, &ConnectionInfo), StoreError> {
        let answers = join_all(nodes.iter().map(ask_one)).await;
        let mut told = Vec::new();
        let mut failure = None;
        for (node, answer) in nodes.iter().zip(answers) {
            match answer {
                Ok(topology) => told.push((topology, node)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let votes = |(topology, _): &(Self, _)| told.iter().filter(|(t, _)| t == topology).count();
        let best = (0..told.len()).rev().max_by_key(|at| votes(&told[*at]));
        match best {
            Some(best) => Ok(told.swap_remove(best)),
            None => Err(failure.unwrap_or(StoreError::new(StoreErrorKind::Unavailable))),
        }
    }

    /// The number of the primary that has a key.
    pub(crate) fn primary_of(&self, key: &[u8]) -> Option<usize> {
        self.primary_of_slot(slot_of(key))
    }

    fn primary_of_slot(&self, slot: u16) -> Option<usize> {
        let range = self.ranges.partition_point(|(last, _)| *last < slot);
        self.ranges.get(range).and_then(|(_, primary)| *primary)
    }

    /// Whether the slots are split alike among as many primaries. Servers may know each other by several names; a
    /// primary that all of its slots left is found by its fence.
    pub(crate) fn is_split_as(&self, other: &Self) -> bool {
        self.ranges == other.ranges
    }

    /// Reads the answer to `CLUSTER SLOTS`, which came from `host`.
    pub(crate) fn read(answer: Value, host: &str) -> RedisResult<Self> {
        // First slot, last slot, and the primary: its host and port.
        type Range = (u16, u16, (Option<String>, u16));
        let ranges: Vec<Vec<Value>> = redis::from_redis_value(answer)?;
        let mut read = Vec::new();
        for range in ranges {
            let mut parts = range.into_iter();
            let mut next = || parts.next().unwrap_or(Value::Nil);
            let (first, last) = (
                redis::from_redis_value(next())?,
                redis::from_redis_value(next())?,
            );
            let mut primary = redis::from_redis_value::<Vec<Value>>(next())?.into_iter();
            let mut next = || primary.next().unwrap_or(Value::Nil);
            let (name, port) = (
                redis::from_redis_value(next())?,
                redis::from_redis_value(next())?,
            );
            let range: Range = (first, last, (name, port));
            read.push(range);
        }
        read.sort_by_key(|(first, ..)| *first);
        let mut topology = Self {
            primaries: Vec::new(),
            ranges: Vec::new(),
        };
        let mut next = 0;
        for (first, last, (name, port)) in read {
            // A server that does not know its own name is where it was asked.
            let name = name.filter(|name| !name.is_empty() && name != "?");
            let primary = (name.unwrap_or_else(|| host.to_owned()), port);
            let known = topology
                .primaries
                .iter()
                .position(|known| *known == primary);
            let number = known.unwrap_or(topology.primaries.len());
            if known.is_none() {
                topology.primaries.push(primary);
            }
            if first > next {
                topology.ranges.push((first - 1, None));
            }
            topology.ranges.push((last, Some(number)));
            next = last.saturating_add(1);
        }
        Ok(topology)
    }
}

/// What asks a server who has the slots.
pub(crate) fn slots() -> Cmd {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    command
}

async fn ask_one(node: &ConnectionInfo) -> Result<Topology, StoreError> {
    let asking = async {
        let client = Client::open(node.clone())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let answer = connection.req_packed_command(&slots()).await?;
        let host = match node.addr() {
            ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } => host.as_str(),
            _ => "localhost",
        };
        Topology::read(answer.extract_error()?, host)
    };
    match timeout(ASK_WITHIN, asking).await {
        Ok(answer) => answer.map_err(store_error),
        Err(_) => Err(StoreError::new(StoreErrorKind::Timeout)),
    }
}

/// The way to a server of a cluster, as to the one that named it.
pub(crate) fn beside(node: &ConnectionInfo, host: &str, port: u16) -> ConnectionInfo {
    let address = match node.addr().clone() {
        ConnectionAddr::TcpTls {
            insecure,
            tls_params,
            ..
        } => ConnectionAddr::TcpTls {
            host: host.to_owned(),
            port,
            insecure,
            tls_params,
        },
        _ => ConnectionAddr::Tcp(host.to_owned(), port),
    };
    node.clone().set_addr(address)
}

/// The slot of a key: of what is between its first brace and the next closing one, or of all of it.
fn slot_of(key: &[u8]) -> u16 {
    let tag = || {
        let open = key.iter().position(|byte| *byte == b'{')?;
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        Some(&rest[..close]).filter(|tag| !tag.is_empty())
    };
    crc16(tag().unwrap_or(key)) % SLOTS
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    })
}

/// A key for each of `primaries` that it has, with a name that begins with `prefix`; none where no such name leads
/// to it, since all of them lead to one slot.
pub(crate) fn key_on_each(topology: &Topology, prefix: &str) -> Vec<Option<String>> {
    // A primary with one slot is found by one name in 16,384 on average.
    const TRIES: u32 = 1 << 20;
    let mut keys = vec![None; topology.primaries.len()];
    let mut missing = keys.len();
    let is_tagged = slot_of(format!("{prefix}{{a}}").as_bytes())
        == slot_of(format!("{prefix}{{b}}").as_bytes());
    let tries = if is_tagged { 1 } else { TRIES };
    for number in 0..tries {
        if missing == 0 {
            break;
        }
        let key = format!("{prefix}{{fence{number}}}");
        if let Some(primary) = topology.primary_of(key.as_bytes())
            && keys[primary].is_none()
        {
            keys[primary] = Some(key);
            missing -= 1;
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use redis::{Value, cluster_routing::Slot};

    use super::{Topology, key_on_each, slot_of};

    #[test]
    fn a_slot_is_that_of_the_client_crate() {
        for key in [
            "session:{AAAAAAAAAAAAAAAAAAAAAA}",
            "session:{lease}",
            "{app}:{AAAAAAAAAAAAAAAAAAAAAA}",
            "a{}b",
            "a{b",
            "}{a}",
            "{{a}}",
            "",
            "123456789",
        ] {
            assert_eq!(
                Slot::new(slot_of(key.as_bytes())),
                Some(Slot::for_key(key)),
                "{key}"
            );
        }
    }

    fn range(first: i64, last: i64, host: Option<&str>, port: i64) -> Value {
        let host = host.map_or(Value::Nil, |host| Value::BulkString(host.into()));
        let primary = Value::Array(vec![host, Value::Int(port), Value::BulkString("id".into())]);
        let replica = Value::Array(vec![Value::BulkString("replica".into()), Value::Int(1)]);
        Value::Array(vec![Value::Int(first), Value::Int(last), primary, replica])
    }

    #[test]
    fn a_key_belongs_to_the_primary_of_its_slot() {
        let answer = Value::Array(vec![
            range(8000, 16_383, Some("b"), 2),
            range(0, 99, Some("a"), 1),
            range(200, 7000, Some(""), 3),
            range(100, 100, Some("b"), 2),
        ]);
        let topology = Topology::read(answer, "here").unwrap();
        let port = |slot| {
            topology
                .primary_of_slot(slot)
                .map(|at| topology.primaries[at].1)
        };
        for (slot, expected) in [
            (0, Some(1)),
            (99, Some(1)),
            (100, Some(2)),
            (101, None),
            (200, Some(3)),
            (7000, Some(3)),
            (7001, None),
            (7999, None),
            (8000, Some(2)),
            (16_383, Some(2)),
        ] {
            assert_eq!(port(slot), expected, "{slot}");
        }
        assert!(topology.primaries.contains(&("here".to_owned(), 3)));

        // Each primary gets a fence where its records may be.
        for (at, key) in key_on_each(&topology, "session:").into_iter().enumerate() {
            assert_eq!(topology.primary_of(key.unwrap().as_bytes()), Some(at));
        }
        let of_one_slot = key_on_each(&topology, "{app}:");
        assert_eq!(of_one_slot.iter().flatten().count(), 1);
    }

    #[test]
    fn what_is_no_list_of_slots_is_refused() {
        for answer in [Value::Int(3), Value::Array(vec![Value::Int(3)])] {
            assert!(Topology::read(answer, "here").is_err());
        }
        let nothing = Value::Array(vec![Value::Array(vec![])]);
        assert!(Topology::read(nothing, "here").is_err());
    }
}
