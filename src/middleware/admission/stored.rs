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
    session::{
        handle::{Session, Unadmitted},
        id::Claim,
        live::{Dead, Live},
        time::Timestamp,
    },
    store::{Removed, SessionStore, StoreError, Stored},
};

type References = Candidates<Opened<Claim>>;

/// The admission where there is no token, or where the store need not wait for the first token's session,
/// it opens, and nothing has to be ended or told. Everything else is [`load`]'s to find out.
pub(super) fn try_load(
    shared: &Arc<Shared>,
    store: &Arc<dyn SessionStore>,
    mut candidates: References,
) -> Result<RequestContext, References> {
    let Some((kind, token)) = candidates.peek() else {
        let loaded = loaded(Arc::clone(store), None, None);
        return Ok(candidates.anonymous(shared, loaded));
    };
    if shared.client.is_some() {
        return Err(candidates);
    }
    let opened = store
        .try_load(&token.value, candidates.now)
        .and_then(|stored| open(shared, &candidates, kind, token, stored).ok());
    let Some((session, record)) = opened else {
        return Err(candidates);
    };
    let _opened = candidates.next();
    let loaded = loaded(Arc::clone(store), Some(record), candidates.guest.take());
    Ok(candidates.admitted(shared, session, loaded))
}

/// Asks the store.
pub(super) async fn load(
    shared: Arc<Shared>,
    store: Arc<dyn SessionStore>,
    mut candidates: References,
) -> Result<RequestContext, StoreError> {
    let now = candidates.now;
    while let Some((kind, token)) = candidates.next() {
        let opened = match store.load(&token.value, now).await? {
            Some(stored) => open(&shared, &candidates, kind, &token, stored),
            None => Err(unknown(&token.value, now)),
        };
        match opened {
            Ok((session, record)) => {
                let loaded = loaded(store, Some(record), candidates.guest.take());
                return Ok(candidates.admitted(&shared, session, loaded));
            }
            Err(dead) => {
                if dead.consequence != Consequence::Nothing {
                    let _: Removed = store.remove(&dead.id).await?;
                }
                candidates.pass_over(&shared, dead);
            }
        }
    }
    Ok(candidates.anonymous(&shared, loaded(store, None, None)))
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
    let live = Live {
        id: *claim.id(),
        state: mem::take(&mut record.fields.state),
        standing: None,
        stale_key: token.stale_key,
        lineage: record.fields.lineage,
        suspended: false,
        rebind: false,
    };
    let session = Unadmitted::new(live, Arc::clone(shared) as _, candidates.now);
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
        until: now,
        subject: None,
        consequence: Consequence::Nothing,
    }
}

fn loaded(
    store: Arc<dyn SessionStore>,
    record: Option<LoadedRecord>,
    guest_beside: Option<Opened<Claim>>,
) -> Loaded {
    Loaded::Stored {
        store,
        record,
        guest_beside: guest_beside.map(|guest| Box::new(guest.value)),
    }
}
