//! Sessions in a store: the token is a reference, the record is the authority.

use std::{mem, sync::Arc};

use super::{Admission, BoxLoad, held_in};
use crate::{
    cookie::{CookieKind, request::Presented, token::Opened},
    middleware::{
        arrival::Arrival, failure::SessionError, request::RequestContext, settings::Shared,
    },
    session::{
        admit,
        binding::Client,
        event::{EventKind, SessionEvent},
        handle::Session,
        id::{Claim, Lineage},
        live::{Dead, Live},
        policy::TokenReuse,
        record::Record,
        secrets::Secrets,
        standing::Standing,
        time::Timestamp,
    },
    store::{Removed, Revision, SessionStore, StoreError, Stored},
};

/// What a request holds of a store, beside the session itself.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(in crate::middleware) kept: Option<Kept>,
    /// The guest token that came beside a session's: hardly ever.
    pub(in crate::middleware) beside: Option<Box<Claim>>,
}

/// The record without the session's state, and what opened it.
#[derive(Debug)]
pub(in crate::middleware) struct Kept {
    pub(in crate::middleware) claim: Claim,
    pub(in crate::middleware) revision: Revision,
    pub(in crate::middleware) record: Record,
}

impl Kept {
    pub(in crate::middleware) fn secrets(&self) -> (Secrets, Lineage) {
        let fields = &self.record.fields;
        (fields.secrets.clone(), fields.lineage)
    }
}

/// Asks the store for what the tokens claim, and tells if it fails.
pub(crate) fn load(
    shared: Arc<Shared>,
    store: Arc<dyn SessionStore>,
    arrival: Arrival<Opened<Claim>>,
    now: Timestamp,
) -> BoxLoad {
    Box::pin(async move {
        let admitted = admit(&shared, &*store, arrival, now).await;
        if admitted.is_err() {
            shared.tell(&SessionEvent::new(EventKind::StoreFailedLoad, now));
        }
        let (session, admission) = admitted?;
        Ok(RequestContext::new(session, admission))
    })
}

/// The admission where the store has the session at hand and it opens: nothing is asked, ended or told.
/// Everything else is [`load`]'s to find out.
pub(crate) fn at_hand(
    shared: &Arc<Shared>,
    store: &dyn SessionStore,
    arrival: &Arrival<Opened<Claim>>,
    now: Timestamp,
) -> Option<(Session, Admission<Held>)> {
    if shared.binds_clients() {
        return None;
    }
    let tokens = &arrival.tokens;
    let (member, guest) = (&tokens.session, &tokens.guest);
    let token = member.as_one().or(guest.as_one())?;
    let kind = CookieKind::of_session(member.is_one());
    let stored = store.at_hand(&token.value, now)?;
    let standing = standing(token, &stored.record, now);
    weigh(shared, standing, &stored.record, kind, now).ok()?;
    let (mut session, kept) = admitted(shared, token, stored, now);
    let live = held_in(&mut session);
    live.standing = Some(standing);
    admit::lower_remembered(&mut live.state, now, shared.policy());
    let beside = guest.as_one().filter(|_| member.is_one());
    let admission = Admission {
        held: Held {
            kept: Some(kept),
            beside: beside.map(|guest| Box::new(guest.value.clone())),
        },
        barred: false,
        guest_came: guest.is_one(),
        client: Client::default(),
    };
    Some((session, admission))
}

fn standing(token: &Opened<Claim>, record: &Record, now: Timestamp) -> Standing {
    record.fields.secrets.standing(token.value.secret(), now)
}

/// Whether a stored session opens for the bearer of a token of this standing.
fn weigh(
    shared: &Shared,
    standing: Standing,
    record: &Record,
    kind: CookieKind,
    now: Timestamp,
) -> Result<(), Dead> {
    let authenticated = kind == CookieKind::Session;
    admit::admit(
        &record.fields.state,
        standing,
        authenticated,
        now,
        shared.policy(),
    )
}

/// The session of a record, and what is left of the record.
fn admitted(
    shared: &Arc<Shared>,
    token: &Opened<Claim>,
    stored: Stored,
    now: Timestamp,
) -> (Session, Kept) {
    let Stored {
        mut record,
        revision,
    } = stored;
    let claim = token.value.clone();
    let live = Live {
        id: *claim.id(),
        state: mem::take(&mut record.fields.state),
        standing: None,
        stale_key: token.stale_key,
        lineage: record.fields.lineage,
        suspended: false,
        rebind: false,
    };
    let session = Session::holding(live, Arc::clone(shared) as _, now);
    let kept = Kept {
        claim,
        revision,
        record,
    };
    (session, kept)
}

async fn admit(
    shared: &Arc<Shared>,
    store: &dyn SessionStore,
    arrival: Arrival<Opened<Claim>>,
    now: Timestamp,
) -> Result<(Session, Admission<Held>), SessionError> {
    let Arrival { tokens, client } = arrival;
    let guest_came = tokens.guest.is_one();
    let mut barred = false;
    let mut beside = tokens.guest.one();
    if let Presented::One(token) = tokens.session {
        match open(shared, store, &token, CookieKind::Session, &client, now).await? {
            Ok((session, kept)) => {
                let beside = beside.map(|guest| Box::new(guest.value));
                let admission = Admission {
                    held: Held {
                        kept: Some(kept),
                        beside,
                    },
                    barred,
                    guest_came,
                    client,
                };
                return Ok((session, admission));
            }
            Err(dead) => barred = dead.is_retired(),
        }
    }
    let mut admission = Admission {
        held: Held::default(),
        barred,
        guest_came,
        client,
    };
    if let Some(token) = beside.take() {
        match open(
            shared,
            store,
            &token,
            CookieKind::Guest,
            &admission.client,
            now,
        )
        .await?
        {
            Ok((session, kept)) => {
                admission.held.kept = Some(kept);
                return Ok((session, admission));
            }
            Err(dead) => admission.barred |= dead.is_retired(),
        }
    }
    let nobody = Session::new(Arc::clone(shared) as _, now);
    Ok((nobody, admission))
}

async fn open(
    shared: &Arc<Shared>,
    store: &dyn SessionStore,
    token: &Opened<Claim>,
    kind: CookieKind,
    client: &Client,
    now: Timestamp,
) -> Result<Result<(Session, Kept), Dead>, StoreError> {
    let id = *token.value.id();
    let Some(stored) = store.load(&token.value, now).await? else {
        shared.tell_dead(id, None, Dead::Unknown, now);
        return Ok(Err(Dead::Unknown));
    };
    let standing = standing(token, &stored.record, now);
    let verdict = weigh(shared, standing, &stored.record, kind, now);
    let (mut session, kept) = admitted(shared, token, stored, now);
    let live = held_in(&mut session);
    match verdict {
        Ok(()) => {
            live.standing = Some(standing);
            if let Err(dead) = shared.appraise(live, client, now) {
                let _: Removed = store.remove(&id).await?;
                shared.tell_dead(id, Some(live), dead, now);
                return Ok(Err(dead));
            }
            Ok(Ok((session, kept)))
        }
        Err(dead) => {
            if dead == Dead::Reused && shared.policy().token_reuse() == TokenReuse::EndSession {
                let _: Removed = store.remove(&id).await?;
                let event = SessionEvent::new(EventKind::SessionEndedByReuse, now).of(id);
                shared.tell(&event.by(live.subject().cloned()));
            } else {
                shared.tell_dead(id, Some(live), dead, now);
            }
            Ok(Err(dead))
        }
    }
}
