//! What a session remembers of its client, and what a change means. Pure.

use std::fmt;

use super::event::EventKind;

/// What happens when a request of a session comes from another client than its login did.
///
/// Where several parts changed, the strictest decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OnChange {
    /// An event tells, once; the session goes on and takes the new client for its own.
    Tell,
    /// The session is suspended for this client until its user logs in again: the client is anonymous, at
    /// level 0 and without data. The session goes on for the client that it belongs to.
    Ask,
    /// The session ends, for everybody.
    End,
}

/// One thing that a client shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientPart {
    UserAgent,
    Address,
    Proof,
}

impl ClientPart {
    pub(crate) const COUNT: usize = 3;
    const ALL: [Self; Self::COUNT] = [Self::UserAgent, Self::Address, Self::Proof];

    pub(crate) const fn event(self) -> EventKind {
        match self {
            Self::UserAgent => EventKind::ClientUserAgentChanged,
            Self::Address => EventKind::ClientAddressChanged,
            Self::Proof => EventKind::ClientProofChanged,
        }
    }
}

/// The digest of one part: what an HMAC-SHA-256 begins with, so the part itself is nowhere to be read.
pub(crate) type PartDigest = [u8; 16];

const KEY_ID_LEN: usize = 3;
const ENTRY_LEN: usize = 1 + size_of::<PartDigest>();
/// The most that [`encode`] writes.
pub(crate) const MAX_LEN: usize = KEY_ID_LEN + ClientPart::COUNT * ENTRY_LEN;

/// The digests of one client under one key, as a record keeps them: the key's id, then for each part
/// that the client showed its number and its digest.
pub(crate) fn encode(
    key_id: [u8; KEY_ID_LEN],
    parts: [Option<PartDigest>; ClientPart::COUNT],
) -> Box<[u8]> {
    let mut out = Vec::with_capacity(MAX_LEN);
    out.extend_from_slice(&key_id);
    for (part, digest) in ClientPart::ALL.into_iter().zip(parts) {
        if let Some(digest) = digest {
            out.push(part as u8);
            out.extend_from_slice(&digest);
        }
    }
    out.into()
}

/// The client of one request. Without a [`ClientBinding`](crate::ClientBinding) it is like any other.
///
/// Boxed, since most layers have no binding, and every request hands its client on.
#[derive(Clone, Default)]
pub(crate) struct Client(Option<Box<Shown>>);

/// What a client shows of itself, and what a change of it means.
#[derive(Clone)]
struct Shown {
    /// The same client under each key of the ring, the signing one first.
    digests: Box<[Box<[u8]>]>,
    on_change: [Option<OnChange>; ClientPart::COUNT],
}

/// How a request's client differs from its session's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) changed: Vec<ClientPart>,
    /// The strictest of what is to happen, if anything changed.
    pub(crate) reaction: Option<OnChange>,
}

impl Client {
    pub(crate) fn new(
        digests: Box<[Box<[u8]>]>,
        on_change: [Option<OnChange>; ClientPart::COUNT],
    ) -> Self {
        Self(Some(Box::new(Shown { digests, on_change })))
    }

    /// What a session that is written now remembers of its client; nothing without a binding.
    pub(crate) fn current(&self) -> &[u8] {
        let digests = self.0.as_ref().map(|shown| &shown.digests);
        digests
            .and_then(|digests| digests.first())
            .map_or(&[], |first| first)
    }

    /// What a session that goes on remembers from now on: of each part that it remembers what this client shows.
    ///
    /// A part that was not shown at the login stays unknown. Otherwise whoever shows one first would be the
    /// session's client, and its user another (S20).
    pub(crate) fn taken_over(&self, remembered: &[u8]) -> Box<[u8]> {
        let current = self.current();
        let Some(key_id) = current.first_chunk() else {
            return remembered.into();
        };
        let parts = ClientPart::ALL.map(|part| {
            digest_of(remembered, part)?;
            digest_of(current, part)?.try_into().ok()
        });
        if parts == [None; ClientPart::COUNT] {
            return Box::default();
        }
        encode(*key_id, parts)
    }

    /// Compares with what a session remembers.
    ///
    /// A part that was not shown at the login is not compared; one that was and is not shown now has
    /// changed. So has every part whose key is no longer in the ring.
    pub(crate) fn differs_from(&self, remembered: &[u8]) -> Difference {
        let mut difference = Difference::default();
        let Some(shown) = self.0.as_ref().filter(|shown| !shown.digests.is_empty()) else {
            return difference;
        };
        let own = shown
            .digests
            .iter()
            .find(|own| own.get(..KEY_ID_LEN) == remembered.get(..KEY_ID_LEN));
        for part in ClientPart::ALL {
            let Some(on_change) = shown.on_change[part as usize] else {
                continue;
            };
            let before = digest_of(remembered, part);
            if before.is_some() && before != own.and_then(|own| digest_of(own, part)) {
                difference.changed.push(part);
                difference.reaction = difference.reaction.max(Some(on_change));
            }
        }
        difference
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(REDACTED)")
    }
}

fn digest_of(encoded: &[u8], part: ClientPart) -> Option<&[u8]> {
    let mut entries = encoded.get(KEY_ID_LEN..)?.chunks_exact(ENTRY_LEN);
    let entry = entries.find(|entry| entry[0] == part as u8)?;
    Some(&entry[1..])
}

#[cfg(test)]
mod tests {
    use super::{Client, ClientPart, OnChange, encode};

    const AGENT: usize = ClientPart::UserAgent as usize;
    const ADDRESS: usize = ClientPart::Address as usize;

    fn digests(key: u8, agent: Option<u8>, address: Option<u8>) -> Box<[u8]> {
        let part = |byte: Option<u8>| byte.map(|byte| [byte; 16]);
        encode([key; 3], [part(agent), part(address), None])
    }

    /// A client under the keys 2 and 1, whose address changes more than its browser may.
    fn client(agent: Option<u8>, address: Option<u8>) -> Client {
        let mut on_change = [None; 3];
        on_change[AGENT] = Some(OnChange::Tell);
        on_change[ADDRESS] = Some(OnChange::Ask);
        let under = |key| digests(key, agent, address);
        Client::new([under(2), under(1)].into(), on_change)
    }

    #[track_caller]
    fn check(remembered: &[u8], client: &Client, reaction: Option<OnChange>, changed: usize) {
        let difference = client.differs_from(remembered);
        assert_eq!(difference.reaction, reaction);
        assert_eq!(difference.changed.len(), changed);
    }

    /// R93.
    #[test]
    fn the_strictest_changed_part_decides() {
        let login = digests(2, Some(1), Some(1));
        check(&login, &client(Some(1), Some(1)), None, 0);
        check(&login, &client(Some(9), Some(1)), Some(OnChange::Tell), 1);
        check(&login, &client(Some(1), Some(9)), Some(OnChange::Ask), 1);
        check(&login, &client(Some(9), Some(9)), Some(OnChange::Ask), 2);
    }

    /// R93.
    #[test]
    fn a_part_that_is_no_longer_shown_has_changed() {
        let login = digests(2, Some(1), Some(1));
        check(&login, &client(Some(1), None), Some(OnChange::Ask), 1);
    }

    #[test]
    fn what_was_not_shown_at_the_login_is_not_compared() {
        check(
            &digests(2, Some(1), None),
            &client(Some(1), Some(9)),
            None,
            0,
        );
        check(&[], &client(Some(1), Some(9)), None, 0);
    }

    /// R26: a session that began under an older key is compared under it.
    #[test]
    fn digests_under_an_older_key_are_compared_under_that_key() {
        let login = digests(1, Some(1), Some(1));
        check(&login, &client(Some(1), Some(1)), None, 0);
        check(&login, &client(Some(1), Some(9)), Some(OnChange::Ask), 1);
        let retired = digests(7, Some(1), Some(1));
        check(&retired, &client(Some(1), Some(1)), Some(OnChange::Ask), 2);
    }

    /// R31.
    #[test]
    fn a_client_never_prints() {
        let printed = format!("{:?}", client(Some(1), Some(1)));
        assert_eq!(printed, "Client(REDACTED)");
    }

    #[test]
    fn without_a_binding_nothing_is_compared_or_remembered() {
        let login = digests(2, Some(1), Some(1));
        check(&login, &Client::default(), None, 0);
        assert!(Client::default().current().is_empty());
    }
}
