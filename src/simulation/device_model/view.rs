//! [`View`]: a state of the model: what there is, with ids, secrets and cookies named in the order of their issue.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::LazyLock,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    action::Budget,
    replay::{Family, Issued, LIFETIME, Replay, Who, id_of},
};
use crate::{
    device::{proof::Proof, thumbprint::thumbprint},
    session::{
        device::{CROSSING, Thumbprint},
        id::{Secret, SecretDigest, SessionId},
        record::Record,
        time::Timestamp,
    },
    simulation::world::Cookies,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct View {
    pub(super) now: u64,
    pub(super) records: Vec<String>,
    pub(super) families: Vec<FamilyView>,
    pub(super) tokens: Vec<TokenView>,
    /// Of each cookie of a device: its session, and since when its proof is good.
    pub(super) cookies: Vec<(usize, u64)>,
    pub(super) requests: Vec<RequestView>,
    pub(super) jar: [Option<usize>; 2],
    /// When the offer was made that the browser has.
    pub(super) offer: Option<u32>,
    /// Whether the browser has registered a session, and how many proofs the challenge knows of that it holds.
    pub(super) is_registered: bool,
    pub(super) challenge: Option<u32>,
    /// Whom the browser opens.
    pub(super) browser_is: String,
    /// Whether it has the token of a session and a cookie of its device that is good.
    pub(super) is_entitled: bool,
    pub(super) left: Budget,
    /// Whether nothing was lost, nothing failed, and the browser ended no session.
    pub(super) undisturbed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct FamilyView {
    /// Whose registrations were answered with 200.
    pub(super) registered: Vec<Who>,
    /// Whose key the store says that it is bound to, if the store still has the session.
    pub(super) bound_to: Option<Option<Who>>,
    pub(super) ended: bool,
    /// How a refresh by its device is answered.
    pub(super) refreshes: Option<u16>,
    /// For how many seconds it has been bound, as was acknowledged.
    pub(super) bound_since: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenView {
    pub(super) family: usize,
    /// Whom it opens alone, with every cookie of a device that is no proof by now, and with every cookie that there is.
    pub(super) alone: String,
    pub(super) with_old: String,
    pub(super) with_all: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RequestView {
    pub(super) who: Who,
    pub(super) name: &'static str,
    /// When it was sent, which tells the cookies apart that it brought.
    pub(super) at: u64,
    pub(super) came: [Option<usize>; 2],
    pub(super) under_way: bool,
    pub(super) waits_for_delivery: Option<String>,
    /// What the store held at each of its calls: what it knows by now.
    pub(super) saw: Vec<u64>,
}

impl View {
    pub(super) fn of(replay: &Replay, before: &Self, left: Budget, stepped: Option<usize>) -> Self {
        let now = replay.world.now();
        let jar = &replay.browser.jar;
        let registered = &replay.browser.registered;
        Self {
            now: now.as_unix_seconds(),
            records: records(replay),
            families: families(replay, now),
            tokens: tokens(replay, now),
            cookies: replay
                .cookies
                .iter()
                .map(|cookie| (cookie.family, cookie.at.as_unix_seconds()))
                .collect(),
            requests: requests(replay, before, stepped),
            jar: named(replay, jar),
            offer: replay
                .browser
                .offer
                .as_deref()
                .map(|offer| number_in(offer, 16)),
            is_registered: registered.is_some(),
            challenge: registered
                .as_ref()
                .and_then(|(_, held)| Some(number_in(held.as_ref()?, 4))),
            browser_is: replay.probe(jar),
            is_entitled: is_entitled(replay, now),
            left,
            undisturbed: before.undisturbed,
        }
    }
}

fn is_good(cookie: &Issued, now: Timestamp) -> bool {
    now.since(cookie.at) < LIFETIME
}

fn is_entitled(replay: &Replay, now: Timestamp) -> bool {
    let jar = &replay.browser.jar;
    let held = |all: &[Issued], value: &Option<String>| {
        let value = value.as_ref()?;
        all.iter().position(|one| one.value == *value)
    };
    let token = held(&replay.tokens, &jar.session).map(|at| &replay.tokens[at]);
    let cookie = held(&replay.cookies, &jar.bound).map(|at| &replay.cookies[at]);
    token
        .zip(cookie)
        .is_some_and(|(token, cookie)| token.family == cookie.family && is_good(cookie, now))
}

fn named(replay: &Replay, cookies: &Cookies) -> [Option<usize>; 2] {
    let number = |all: &[Issued], value: &Option<String>| {
        let value = value.as_ref()?;
        all.iter().position(|one| one.value == *value)
    };
    [
        number(&replay.tokens, &cookies.session),
        number(&replay.cookies, &cookies.bound),
    ]
}

fn families(replay: &Replay, now: Timestamp) -> Vec<FamilyView> {
    let content = replay.plain.content();
    let view = |family: &Family| {
        let record = content.records.get(&family.id);
        let bound_to = record.map(|(_, record)| {
            let device = record.fields.state.bound_device()?;
            let bound = thumbprint(&device.key);
            let known = KEYS.iter().find(|(_, thumbprint)| *thumbprint == bound);
            known.map(|(who, _)| *who)
        });
        let first = family.registered.first();
        FamilyView {
            registered: family.registered.iter().map(|(who, _)| *who).collect(),
            bound_to,
            ended: family.ended,
            refreshes: family.ended.then(|| replay.probe_refresh(family)).flatten(),
            bound_since: first.map(|(_, at)| now.since(*at).as_secs()),
        }
    };
    replay.families.iter().map(view).collect()
}

/// Whose key has which thumbprint.
static KEYS: LazyLock<[(Who, Thumbprint); 2]> = LazyLock::new(|| {
    [Who::Browser, Who::Thief].map(|who| {
        let proof = who.key().registers("");
        let (_, key) = Proof::of_registration(proof.as_bytes(), "").unwrap();
        (who, thumbprint(&key))
    })
});

fn tokens(replay: &Replay, now: Timestamp) -> Vec<TokenView> {
    let view = |token: &Issued| {
        // Several cookies of a name come one after the other.
        let with = |chosen: &dyn Fn(&Issued) -> bool| {
            let chosen = replay.cookies.iter().filter(|cookie| chosen(cookie));
            let values: Vec<_> = chosen.map(|cookie| &*cookie.value).collect();
            let separator = format!("; {}=", crate::simulation::world::BOUND);
            let bound = (!values.is_empty()).then(|| values.join(&separator));
            replay.probe(&Cookies {
                bound,
                ..Cookies::session(&token.value)
            })
        };
        let alone = replay.probe(&Cookies::session(&token.value));
        TokenView {
            family: token.family,
            with_old: with(&|cookie| cookie.family != token.family || !is_good(cookie, now)),
            with_all: with(&|_| true),
            alone,
        }
    };
    replay.tokens.iter().map(view).collect()
}

fn requests(replay: &Replay, before: &View, stepped: Option<usize>) -> Vec<RequestView> {
    let mut requests = Vec::new();
    for (at, sent) in replay.sent.iter().enumerate() {
        let known = before.requests.get(at);
        let mut saw = known.map(|request| request.saw.clone()).unwrap_or_default();
        if stepped == Some(at) {
            let mut hasher = DefaultHasher::new();
            before.records.hash(&mut hasher);
            saw.push(hasher.finish());
        }
        let under_way = sent.is_under_way();
        let delivery = sent.answer.as_ref().map(|answer| {
            let came = Cookies {
                session: answer.session.clone(),
                bound: answer.bound.clone(),
                ..Cookies::default()
            };
            let written = (answer.session.is_some(), answer.bound.is_some());
            format!("{} {:?} {written:?}", answer.status, named(replay, &came))
        });
        requests.push(RequestView {
            who: sent.who,
            name: sent.name,
            at: sent.at.as_unix_seconds(),
            came: named(replay, &sent.came),
            under_way,
            // What a request that is done once saw has no bearing on anything.
            saw: if under_way { saw } else { Vec::new() },
            waits_for_delivery: delivery,
        });
    }
    requests
}

/// The number at this place of an offer or a challenge.
fn number_in(text: &str, at: usize) -> u32 {
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn digest_of(token: &str) -> SecretDigest {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    Secret::from_bytes(bytes[20..36].try_into().unwrap()).digest()
}

/// Every record, its secrets named by the tokens that hold them.
fn records(replay: &Replay) -> Vec<String> {
    let now = replay.world.now();
    let digests = replay.tokens.iter().map(|token| digest_of(&token.value));
    let digests: Vec<_> = digests.collect();
    let ids: Vec<_> = replay
        .tokens
        .iter()
        .map(|token| id_of(&token.value))
        .collect();
    let secret = |digest: &SecretDigest| digests.iter().position(|own| own == digest);
    let text = |(id, (revision, record)): (&SessionId, &(u64, Record))| {
        let secrets = &record.fields.secrets;
        let grace = secrets
            .grace
            .map(|(digest, until)| (secret(&digest), now < until));
        let superseded: Vec<_> = secrets.superseded.iter().map(secret).collect();
        let device = record.fields.state.bound_device().map(|device| {
            let (bound_at, proof_at) = (device.bound_at, device.last_proof_at);
            let crosses = now.since(bound_at) < CROSSING;
            let times = [bound_at, proof_at].map(Timestamp::as_unix_seconds);
            (thumbprint(&device.key), device.sequence, times, crosses)
        });
        format!(
            "{:?} r{revision} {:?} {grace:?} {superseded:?} {} {} {:?} {device:?}",
            ids.iter().position(|own| own == id),
            secret(&secrets.current),
            secrets.renewed,
            record.level(now).map_or(0, crate::AssuranceLevel::get),
            record.fields.state.entries.as_bytes(),
        )
    };
    let content = replay.plain.content();
    let texts: BTreeSet<_> = content.records.iter().map(text).collect();
    texts.into_iter().collect()
}
