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
        revocation::{IssuedToken, Retirement, RevocationList, Revocations},
    },
};

type Sessions = Candidates<Unadmitted>;

/// Asks the list of this process, which answers at once and never fails.
pub(super) fn admit_now(
    shared: &Arc<Shared>,
    list: &Arc<Revocations>,
    mut candidates: Sessions,
) -> RequestContext {
    let now = candidates.now;
    while let Some((kind, session)) = candidates.next() {
        let token = IssuedToken::of(session.live());
        let standing = list.standing(token.id, token.subject, token.issued_at, now);
        match candidates.decide(shared, session, standing, kind) {
            Ok(session) => {
                let ended = EndedTokens::Local(Arc::clone(list));
                let loaded = loaded(ended, candidates.guest.take());
                return candidates.admitted(shared, session, loaded);
            }
            Err(dead) => {
                match dead.consequence {
                    Consequence::Nothing => {}
                    Consequence::EndSession => {
                        let _: bool = list.retire(&dead.id, Retirement::Ended, dead.until, now);
                    }
                    Consequence::EndFamily => list.end_family(&dead.id, dead.until, now),
                }
                candidates.pass_over(shared, dead);
            }
        }
    }
    candidates.anonymous(shared)
}

/// Asks a distributed list.
pub(super) async fn load(
    shared: Arc<Shared>,
    list: Arc<dyn RevocationList>,
    mut candidates: Sessions,
) -> Result<RequestContext, StoreError> {
    let now = candidates.now;
    while let Some((kind, session)) = candidates.next() {
        let standing = list.standing(IssuedToken::of(session.live()), now).await?;
        match candidates.decide(&shared, session, standing, kind) {
            Ok(session) => {
                let loaded = loaded(EndedTokens::Distributed(list), candidates.guest.take());
                return Ok(candidates.admitted(&shared, session, loaded));
            }
            Err(dead) => {
                let (id, until) = (&dead.id, dead.until);
                match dead.consequence {
                    Consequence::Nothing => {}
                    Consequence::EndSession => {
                        let _: bool = list.retire(id, Retirement::Ended, until, now).await?;
                    }
                    Consequence::EndFamily => list.end_family(id, until, now).await?,
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
