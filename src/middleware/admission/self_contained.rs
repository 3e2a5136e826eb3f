//! Finds out of the list of ended tokens what tokens are worth.

use std::sync::Arc;

use super::candidates::{Appraised, Candidates, Chosen, DeadToken};
use crate::{
    cookie::CookieKind,
    middleware::{
        backend::{Beside, Loaded},
        request::RequestContext,
        settings::Shared,
        side_by_side::side_by_side,
    },
    session::{
        admit::admit, ended::EndCause, handle::Session, standing::Standing, unadmitted::Unadmitted,
    },
    store::{
        StoreError,
        revocation::{Ending, Full, IssuedToken, RevocationList, Revocations},
    },
};

type Sessions = Candidates<Unadmitted>;

/// Asks the list of this process, which answers at once. It fails only where an ending finds no room in it.
pub(super) fn admit_now(
    shared: &Arc<Shared>,
    list: &Arc<Revocations>,
    mut candidates: Sessions,
) -> Result<RequestContext, Full> {
    let mut dead = None;
    if let Some((kind, token)) = candidates.take_only() {
        let standing = list.standing(issued(shared, &token), candidates.now);
        match candidates.decide(shared, token, standing, kind) {
            Ok(session) => {
                return Ok(admitted(candidates, shared, session));
            }
            Err(why) => dead = Some((kind, why)),
        }
    }
    admit_others(shared, list, candidates, dead)
}

/// The same after the only token of a cookie turned out to be dead, and where a cookie has several.
#[cold]
fn admit_others(
    shared: &Arc<Shared>,
    list: &Arc<Revocations>,
    mut candidates: Sessions,
    mut only: Option<(CookieKind, DeadToken)>,
) -> Result<RequestContext, Full> {
    let now = candidates.now;
    for kind in CookieKind::IN_ORDER {
        let tokens = candidates.take(kind).into_iter();
        let tokens = tokens.map(|token| (list.standing(issued(shared, &token), now), token));
        let mut appraised = appraise(&candidates, shared, kind, tokens.collect());
        let only = only.take_if(|(of, _)| *of == kind);
        appraised.dead.extend(only.map(|(_, dead)| dead));
        for dead in appraised.with_consequence() {
            let waiting = &shared.settings.waiting;
            let ending = waiting.ending(&dead.family, EndCause::Reused);
            let _: bool = list.end(&dead.family, Ending::Ended, dead.until, now)?;
            ending.done();
        }
        match candidates.choose(shared, kind, appraised, |session| session) {
            Chosen::Next => {}
            Chosen::None => break,
            Chosen::One(session) => return Ok(admitted(candidates, shared, session)),
        }
    }
    let beside = beside(&mut candidates);
    Ok(candidates.anonymous(shared, beside))
}

/// Admits where one token counts and a distributed list knows at once that it opens. Everything else is for [`load`] to
/// find out: what a node has at hand may admit and never refuses.
#[inline]
pub(super) fn admit_at_hand(
    shared: &Arc<Shared>,
    list: &Arc<dyn RevocationList>,
    mut candidates: Sessions,
) -> Result<RequestContext, Sessions> {
    match try_load(shared, list, &mut candidates) {
        Some(session) => Ok(admitted(candidates, shared, session)),
        None => Err(candidates),
    }
}

fn try_load(
    shared: &Arc<Shared>,
    list: &Arc<dyn RevocationList>,
    candidates: &mut Sessions,
) -> Option<Session> {
    // A client that is another one than the session's may end it, which waits.
    if shared.client.is_some() {
        return None;
    }
    let (kind, token) = candidates.peek_only()?;
    let (state, now) = (&token.live().state, candidates.now);
    let standing = list.try_standing(issued(shared, token), now)?;
    let authenticated = kind == CookieKind::Session;
    let opens = admit(state, standing, authenticated, now, shared.policy());
    let opens = opens.and_then(|()| candidates.present(shared, token.live()));
    if !standing.opens() || opens.is_err() {
        return None;
    }
    let (kind, token) = candidates.take_only()?;
    candidates.decide(shared, token, standing, kind).ok()
}

/// Asks a distributed list.
pub(super) async fn load(
    shared: Arc<Shared>,
    list: Arc<dyn RevocationList>,
    mut candidates: Sessions,
) -> Result<RequestContext, StoreError> {
    let now = candidates.now;
    for kind in CookieKind::IN_ORDER {
        let tokens = candidates.take(kind);
        let ask = |token| list.standing(issued(&shared, token), now);
        let standings = side_by_side(tokens.iter().map(ask)).await?;
        let tokens = standings.into_iter().zip(tokens).collect();
        let appraised = appraise(&candidates, &shared, kind, tokens);
        for dead in appraised.with_consequence() {
            let (family, until) = (&dead.family, dead.until);
            let waiting = &shared.settings.waiting;
            let ending = waiting.ending(family, EndCause::Reused);
            let _: bool = list.end(family, Ending::Ended, until, now).await?;
            ending.done();
        }
        match candidates.choose(&shared, kind, appraised, |session| session) {
            Chosen::Next => {}
            Chosen::None => break,
            Chosen::One(session) => return Ok(admitted(candidates, &shared, session)),
        }
    }
    let beside = beside(&mut candidates);
    Ok(candidates.anonymous(&shared, beside))
}

fn issued<'a>(shared: &'a Shared, token: &'a Unadmitted) -> IssuedToken<'a> {
    IssuedToken::of(token.live(), &shared.settings.audience)
}

/// What each session is worth whose tokens came: as much as the best of them, the one that was issued last.
fn appraise(
    candidates: &Sessions,
    shared: &Arc<Shared>,
    kind: CookieKind,
    mut tokens: Vec<(Standing, Unadmitted)>,
) -> Appraised<Session> {
    let issued_at = |token: &Unadmitted| token.live().state.last_seen_at;
    tokens.sort_by_key(|(standing, token)| {
        let worth = (standing.rank(), issued_at(token));
        (*token.live().family(), std::cmp::Reverse(worth))
    });
    tokens.dedup_by_key(|(_, token)| *token.live().family());
    let mut appraised = Appraised::default();
    for (standing, token) in tokens {
        appraised.add(candidates.decide(shared, token, standing, kind));
    }
    appraised
}

// Always: a call would copy the candidates.
#[inline(always)]
fn admitted(mut candidates: Sessions, shared: &Arc<Shared>, session: Session) -> RequestContext {
    let beside = beside(&mut candidates);
    let record = None;
    candidates.admitted(shared, session, Loaded { record, beside })
}

/// Guests beside a logged-in session are not looked at; their tokens say what they are.
#[inline]
fn beside(candidates: &mut Sessions) -> Option<Box<Beside>> {
    candidates.take_beside(|beside, guests| {
        let guests = guests.into_iter().map(Session::admitted);
        beside.found.extend(guests);
    })
}
