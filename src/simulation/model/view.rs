//! [`View`]: a state of the model: what there is, with ids and secrets named in the order of their issue, and
//! what was ever seen.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    action::Budget,
    replay::{Replay, Who},
};
use crate::{
    session::id::{SecretDigest, SessionId},
    simulation::world::GRACE,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct View {
    pub(super) records: Vec<String>,
    pub(super) tokens: Vec<TokenView>,
    pub(super) requests: Vec<RequestView>,
    pub(super) jar: [Option<usize>; 2],
    /// Whom the victim's browser opens.
    pub(super) victim_is: String,
    pub(super) left: Budget,
    /// Whether the victim's browser is entitled to a session: a login was delivered to it, and neither it nor
    /// anybody else ended it, no answer was lost, no fault struck and nothing was planted.
    pub(super) undisturbed: bool,
    /// Whether the victim's browser was told that what it wrote is in its token.
    pub(super) holds_written: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenView {
    pub(super) id: usize,
    pub(super) is_guest: bool,
    pub(super) opened: String,
    pub(super) opens: String,
    pub(super) known: bool,
    /// Whether it was issued less than a grace time ago.
    pub(super) is_fresh: bool,
    /// Whether its end was acknowledged.
    pub(super) ended: bool,
    /// Whether it was ever found dead.
    pub(super) was_dead: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RequestView {
    pub(super) who: Who,
    pub(super) name: &'static str,
    pub(super) came: [Option<usize>; 2],
    pub(super) under_way: bool,
    /// Whether everything of its user ended since it came.
    pub(super) revoked: bool,
    pub(super) waits_for_delivery: Option<String>,
    /// What the store held at each of its calls: what it knows by now.
    pub(super) saw: Vec<u64>,
}

impl View {
    pub(super) fn of(replay: &Replay, before: &Self, left: Budget, stepped: Option<usize>) -> Self {
        let ids = ids(replay);
        let tokens: Vec<_> = replay
            .tokens
            .iter()
            .enumerate()
            .map(|(at, token)| {
                let opens = replay.probe(&replay.cookies(at));
                let was_dead = before
                    .tokens
                    .get(at)
                    .is_some_and(|token| token.was_dead || !token.is_alive());
                TokenView {
                    id: ids
                        .iter()
                        .position(|id| *id == id_of(&token.value))
                        .unwrap(),
                    is_guest: token.is_guest,
                    opened: token.opened.clone(),
                    opens,
                    known: token.known,
                    is_fresh: replay.world.now().since(token.at) < GRACE,
                    ended: replay.ended.contains(&at),
                    was_dead,
                }
            })
            .collect();
        let number = |value: &Option<String>| value.as_ref().and_then(|value| replay.number(value));
        let requests = replay
            .sent
            .iter()
            .enumerate()
            .map(|(at, sent)| {
                let mut saw = before
                    .requests
                    .get(at)
                    .map(|request| request.saw.clone())
                    .unwrap_or_default();
                if stepped == Some(at) {
                    let mut hasher = DefaultHasher::new();
                    before.records.hash(&mut hasher);
                    saw.push(hasher.finish());
                }
                let under_way = sent.is_under_way();
                let delivery = sent.answer.as_ref().map(|answer| {
                    let cookie = |value: &Option<String>| (value.is_some(), number(value));
                    format!(
                        "{} {:?} {:?}",
                        answer.status,
                        cookie(&answer.session),
                        cookie(&answer.guest)
                    )
                });
                RequestView {
                    who: sent.who,
                    name: sent.name,
                    came: [number(&sent.came.session), number(&sent.came.guest)],
                    under_way,
                    revoked: under_way && sent.revoked,
                    // What a request that is done once saw has no bearing on anything.
                    saw: if under_way { saw } else { Vec::new() },
                    waits_for_delivery: delivery,
                }
            })
            .collect();
        Self {
            records: records(replay, &ids),
            tokens,
            requests,
            jar: [number(&replay.jar.session), number(&replay.jar.guest)],
            victim_is: replay.probe(&replay.jar),
            left,
            undisturbed: before.undisturbed,
            holds_written: replay.holds_written,
        }
    }
}

impl TokenView {
    pub(super) fn is_alive(&self) -> bool {
        self.opens != "nobody"
    }
}

/// The ids of all tokens, in the order in which they first appeared.
fn ids(replay: &Replay) -> Vec<[u8; 16]> {
    let mut ids: Vec<[u8; 16]> = Vec::new();
    for token in &replay.tokens {
        let id = id_of(&token.value);
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn id_of(token: &str) -> [u8; 16] {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(token).unwrap()[4..20]
        .try_into()
        .unwrap()
}

fn digest_of(token: &str) -> SecretDigest {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    crate::session::id::Secret::from_bytes(bytes[20..36].try_into().unwrap()).digest()
}

/// Every record, its secrets named by the tokens that hold them.
fn records(replay: &Replay, ids: &[[u8; 16]]) -> Vec<String> {
    let content = replay.plain.content();
    if content.records.is_empty() {
        return Vec::new();
    }
    let now = replay.world.now();
    let digests: Vec<_> = replay
        .tokens
        .iter()
        .map(|token| digest_of(&token.value))
        .collect();
    let secret = |digest: &SecretDigest| digests.iter().position(|own| own == digest);
    let text = |(id, (revision, record)): (&SessionId, &(u64, crate::session::record::Record))| {
        let secrets = &record.fields.secrets;
        let grace = secrets
            .grace
            .map(|(digest, until)| (secret(&digest), now < until));
        let superseded: Vec<_> = secrets.superseded.iter().map(secret).collect();
        let name = ids.iter().position(|own| own == id.as_bytes());
        format!(
            "{name:?} r{revision} {:?} {:?} {grace:?} {superseded:?} {} {} {:?}",
            record.subject(),
            secret(&secrets.current),
            secrets.renewed,
            record.level(now).map_or(0, crate::AssuranceLevel::get),
            record.fields.state.entries.as_bytes(),
        )
    };
    let texts: BTreeSet<_> = content.records.iter().map(text).collect();
    texts.into_iter().collect()
}
