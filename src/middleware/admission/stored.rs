//! Finds out of a store what tokens are worth.

use std::{mem, sync::Arc};

use super::candidates::{Appraised, Candidates, Chosen, Consequence, DeadToken};
use crate::{
    cookie::{CookieKind, token::Opened},
    middleware::{
        backend::{Beside, Loaded, LoadedRecord},
        request::RequestContext,
        settings::Shared,
        side_by_side::side_by_side,
    },
    session::{
        ended::EndCause, handle::Session, id::Claim, live::Dead, standing::Standing,
        time::Timestamp, unadmitted::Unadmitted,
    },
    store::{Removed, SessionStore, StoreError, Stored},
};

type References = Candidates<Opened<Claim>>;
/// A session, and the rest of its record.
type Opens = (Session, Stored);

/// The admission where one token counts, the store has its session at once, it opens, and nothing has to be ended or
/// told. Everything else is for [`load`] to find out.
pub(super) fn try_load(
    shared: &Arc<Shared>,
    store: &Arc<dyn SessionStore>,
    candidates: &mut References,
) -> Option<(Session, Loaded)> {
    if shared.client.is_some() {
        return None;
    }
    let (kind, token) = candidates.peek_only()?;
    let stored = store.try_load((&token.value).into(), candidates.now)?;
    let standing = standing(&stored, token, candidates.now);
    let (session, stored) = open(shared, candidates, kind, token, standing, stored).ok()?;
    let (_, token) = candidates.take_only()?;
    let loaded = Loaded {
        record: Some(LoadedRecord::of(token.value, stored)),
        beside: beside(candidates),
    };
    Some((session, loaded))
}

/// Asks the store: for each session once, and for all of one cookie side by side.
pub(super) async fn load(
    shared: Arc<Shared>,
    store: Arc<dyn SessionStore>,
    mut candidates: References,
) -> Result<RequestContext, StoreError> {
    let now = candidates.now;
    for kind in CookieKind::IN_ORDER {
        let sessions = by_session(candidates.take(kind));
        let calls = sessions
            .iter()
            .map(|tokens| store.load((&tokens[0].value).into(), now));
        let loads = side_by_side(calls).await?;
        let mut appraised = Appraised::default();
        for (tokens, stored) in sessions.iter().zip(loads) {
            appraised.add(match stored {
                Some(stored) => open_best(&shared, &candidates, kind, tokens, stored),
                None => Err(unknown(&tokens[0].value, now)),
            });
        }
        for dead in appraised.with_consequence() {
            let ending = shared.settings.waiting.ending(&dead.id, EndCause::Reused);
            let _: Removed = store.remove(&dead.id, None).await?;
            ending.done();
        }
        match candidates.choose(&shared, kind, appraised, |(session, _)| session) {
            Chosen::Next => {}
            Chosen::None => break,
            Chosen::One((session, record)) => {
                let loaded = Loaded {
                    record: Some(record),
                    beside: beside(&mut candidates),
                };
                return Ok(candidates.admitted(&shared, session, loaded));
            }
        }
    }
    let beside = beside(&mut candidates);
    Ok(candidates.anonymous(&shared, beside))
}

/// The tokens of each session, of which there is one at least.
fn by_session(tokens: Vec<Opened<Claim>>) -> Vec<Vec<Opened<Claim>>> {
    let mut sessions: Vec<Vec<Opened<Claim>>> = Vec::new();
    for token in tokens {
        let of_same = |others: &&mut Vec<Opened<Claim>>| others[0].value.id() == token.value.id();
        match sessions.iter_mut().find(of_same) {
            Some(others) => others.push(token),
            None => sessions.push(vec![token]),
        }
    }
    sessions
}

/// The session of a record, if the best of its tokens opens it.
fn open_best(
    shared: &Arc<Shared>,
    candidates: &References,
    kind: CookieKind,
    tokens: &[Opened<Claim>],
    stored: Stored,
) -> Result<(Session, LoadedRecord), DeadToken> {
    let standing = |token| standing(&stored, token, candidates.now);
    let mut best = (standing(&tokens[0]), &tokens[0]);
    for token in &tokens[1..] {
        let standing = standing(token);
        if standing.rank() >= best.0.rank() {
            best = (standing, token);
        }
    }
    let (standing, best) = best;
    // What opens the session is remembered, so most requests hash one secret once.
    let secrets = &stored.record.fields.secrets;
    let knows = |token: &Opened<Claim>| secrets.knows(token.value.secret());
    let is_known = standing.opens() || tokens.iter().any(knows);
    match open(shared, candidates, kind, best, standing, stored) {
        Ok((session, stored)) => Ok((session, LoadedRecord::of(best.value.clone(), stored))),
        Err(mut dead) => {
            // Only who holds a token that the session remembers may end it.
            dead.session = dead.session.filter(|_| is_known);
            Err(dead)
        }
    }
}

fn standing(stored: &Stored, token: &Opened<Claim>, now: Timestamp) -> Standing {
    let secrets = &stored.record.fields.secrets;
    secrets.standing(token.value.secret(), now)
}

/// The session of a record, if it opens for the bearer of this token, which has this standing.
fn open(
    shared: &Arc<Shared>,
    candidates: &References,
    kind: CookieKind,
    token: &Opened<Claim>,
    standing: Standing,
    mut stored: Stored,
) -> Result<Opens, DeadToken> {
    let fields = &mut stored.record.fields;
    let mut session = Unadmitted::new(
        *token.value.id(),
        fields.lineage,
        token.signature,
        Arc::clone(shared) as _,
        candidates.now,
    );
    mem::swap(&mut session.live_mut().state, &mut fields.state);
    let session = candidates.decide(shared, session, standing, kind)?;
    Ok((session, stored))
}

/// A token whose session the store does not have.
const fn unknown(claim: &Claim, now: Timestamp) -> DeadToken {
    DeadToken {
        why: Dead::Unknown,
        id: *claim.id(),
        family: *claim.id(),
        until: now,
        subject: None,
        actor: None,
        consequence: Consequence::Nothing,
        session: None,
    }
}

/// Guests beside a logged-in session are not looked up.
#[inline]
fn beside(candidates: &mut References) -> Option<Box<Beside>> {
    candidates.take_beside(|beside, guests| {
        let guests = guests.into_iter().map(|guest| guest.value);
        beside.unread.extend(guests);
    })
}
