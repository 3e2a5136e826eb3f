//! Finds out of a store what a token is worth.

use std::{mem, sync::Arc};

use super::candidates::{Candidates, Consequence, DeadToken};
use crate::{
    cookie::{CookieKind, token::Opened},
    middleware::{
        backend::{Loaded, LoadedRecord},
        request::RequestContext,
        settings::Shared,
    },
    session::{handle::Session, id::Claim, live::Dead, time::Timestamp, unadmitted::Unadmitted},
    store::{Removed, SessionStore, StoreError, Stored},
};

type References = Candidates<Opened<Claim>>;

/// The admission where the store has the first token's session at once, it opens, and nothing has to be
/// ended or told. Everything else is for [`load`] to find out.
pub(super) fn try_load(
    shared: &Arc<Shared>,
    store: &Arc<dyn SessionStore>,
    candidates: &mut References,
) -> Option<(Session, Loaded)> {
    if shared.client.is_some() {
        return None;
    }
    let (kind, token) = candidates.peek()?;
    let stored = store.try_load((&token.value).into(), candidates.now)?;
    let (session, record) = open(shared, candidates, kind, token, stored).ok()?;
    let _opened = candidates.next();
    let loaded = loaded(Arc::clone(store), record, candidates.guest.take());
    Some((session, loaded))
}

/// Asks the store.
pub(super) async fn load(
    shared: Arc<Shared>,
    store: Arc<dyn SessionStore>,
    mut candidates: References,
) -> Result<RequestContext, StoreError> {
    let now = candidates.now;
    while let Some((kind, token)) = candidates.next() {
        let opened = match store.load((&token.value).into(), now).await? {
            Some(stored) => open(&shared, &candidates, kind, &token, stored),
            None => Err(unknown(&token.value, now)),
        };
        match opened {
            Ok((session, record)) => {
                let loaded = loaded(store, record, candidates.guest.take());
                return Ok(candidates.admitted(&shared, session, loaded));
            }
            Err(dead) => {
                if dead.consequence != Consequence::Nothing {
                    let _: Removed = store.remove(&dead.id, None).await?;
                }
                candidates.pass_over(&shared, dead);
            }
        }
    }
    Ok(candidates.anonymous(&shared))
}

/// The session of a record, if it opens for the bearer of this token.
fn open(
    shared: &Arc<Shared>,
    candidates: &References,
    kind: CookieKind,
    token: &Opened<Claim>,
    stored: Stored,
) -> Result<(Session, LoadedRecord), DeadToken> {
    let Stored {
        mut record,
        revision,
    } = stored;
    let claim = token.value.clone();
    let standing = record
        .fields
        .secrets
        .standing(claim.secret(), candidates.now);
    let mut session = Unadmitted::new(
        *claim.id(),
        record.fields.lineage,
        token.signature,
        Arc::clone(shared) as _,
        candidates.now,
    );
    mem::swap(&mut session.live_mut().state, &mut record.fields.state);
    let session = candidates.decide(shared, session, standing, kind)?;
    let record = LoadedRecord {
        claim,
        revision,
        record,
    };
    Ok((session, record))
}

/// A token whose session the store does not have.
const fn unknown(claim: &Claim, now: Timestamp) -> DeadToken {
    DeadToken {
        why: Dead::Unknown,
        id: *claim.id(),
        family: *claim.id(),
        until: now,
        subject: None,
        consequence: Consequence::Nothing,
    }
}

fn loaded(
    store: Arc<dyn SessionStore>,
    record: LoadedRecord,
    guest_beside: Option<Opened<Claim>>,
) -> Loaded {
    Loaded::Stored {
        store,
        record: Some(record),
        guest_beside: guest_beside.map(|guest| Box::new(guest.value)),
    }
}
