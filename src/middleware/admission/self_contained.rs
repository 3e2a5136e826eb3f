//! Finds out of the list of ended tokens what a token is worth.

use std::sync::Arc;

use super::candidates::{Candidates, Consequence};
use crate::{
    middleware::{
        backend::{EndedTokens, Loaded},
        request::RequestContext,
        settings::Shared,
    },
    session::unadmitted::Unadmitted,
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
    let now = candidates.now;
    while let Some((kind, session)) = candidates.next() {
        let token = IssuedToken::of(session.live(), &shared.settings.audience);
        let standing = list.standing(token, now);
        match candidates.decide(shared, session, standing, kind) {
            Ok(session) => {
                let ended = EndedTokens::Local(Arc::clone(list));
                let loaded = loaded(ended, candidates.guest.take());
                return Ok(candidates.admitted(shared, session, loaded));
            }
            Err(dead) => {
                if dead.consequence != Consequence::Nothing {
                    let _: bool = list.end(&dead.family, Ending::Ended, dead.until, now)?;
                }
                candidates.pass_over(shared, dead);
            }
        }
    }
    Ok(candidates.anonymous(shared))
}

/// Asks a distributed list.
pub(super) async fn load(
    shared: Arc<Shared>,
    list: Arc<dyn RevocationList>,
    mut candidates: Sessions,
) -> Result<RequestContext, StoreError> {
    let now = candidates.now;
    while let Some((kind, session)) = candidates.next() {
        let token = IssuedToken::of(session.live(), &shared.settings.audience);
        let standing = list.standing(token, now).await?;
        match candidates.decide(&shared, session, standing, kind) {
            Ok(session) => {
                let loaded = loaded(EndedTokens::Distributed(list), candidates.guest.take());
                return Ok(candidates.admitted(&shared, session, loaded));
            }
            Err(dead) => {
                if dead.consequence != Consequence::Nothing {
                    let (family, until) = (&dead.family, dead.until);
                    let _: bool = list.end(family, Ending::Ended, until, now).await?;
                }
                candidates.pass_over(&shared, dead);
            }
        }
    }
    Ok(candidates.anonymous(&shared))
}

const fn loaded(ended: EndedTokens, guest_beside: Option<Unadmitted>) -> Loaded {
    Loaded::SelfContained {
        ended,
        guest_beside,
    }
}
