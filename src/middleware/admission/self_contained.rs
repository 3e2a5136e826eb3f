//! Sessions in the token itself: nothing is kept but the list of tokens that ended before their time.

use std::{mem, sync::Arc};

use super::{Admission, BoxLoad, held_in};
use crate::{
    cookie::{CookieKind, request::Presented, token::Rejected},
    middleware::{arrival::Arrival, backend::List, request::RequestContext, settings::Shared},
    session::{
        admit,
        binding::Client,
        event::{EventKind, SessionEvent},
        handle::Session,
        live::{Dead, Live},
        policy::TokenReuse,
        standing::Standing,
        state::State,
        time::Timestamp,
    },
    store::{
        StoreError,
        revocation::{IssuedToken, Retirement},
    },
};

/// What a request holds beside its session: the guest session that came with it.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(in crate::middleware) beside: Option<Session>,
}

/// The session in a token, read to where it stays: it is too large to be handed around.
///
/// Where the list is in this process and the token opens without anything to be asked, ended or told, the session
/// is admitted here. Any other waits for [`admit`].
pub(crate) fn read(
    shared: &Arc<Shared>,
    list: &List,
    kind: CookieKind,
    value: &[u8],
    now: Timestamp,
) -> Result<Session, Rejected> {
    let tokens = &shared.tokens;
    tokens.read_self_contained(kind, value, now, |token| {
        let unread = Live {
            id: token.id,
            state: State::default(),
            standing: None,
            stale_key: token.stale_key,
            lineage: token.id.lineage(),
            suspended: false,
            rebind: false,
        };
        let mut session = Session::holding(unread, Arc::clone(shared) as _, now);
        let live = held_in(&mut session);
        token.read(&mut live.state)?;
        if let List::Here(list) = list
            && !shared.binds_clients()
        {
            let token = issued(live);
            let standing = list.standing(token.id, token.subject, token.issued_at, now);
            if weigh(shared, live, standing, kind, now).is_ok() {
                live.standing = Some(standing);
                admit::lower_remembered(&mut live.state, now, shared.policy());
            }
        }
        Ok(session)
    })
}

/// The admission where the session that counts is held already: it leaves the arrival.
pub(crate) fn at_hand(arrival: &mut Arrival<Session>) -> Option<(Session, Admission<Held>)> {
    let guest_came = arrival.tokens.guest.is_one();
    let (token, has_beside) = match arrival.tokens.session {
        Presented::One(_) => (&mut arrival.tokens.session, guest_came),
        _ => (&mut arrival.tokens.guest, false),
    };
    let live = token.as_one()?.live()?;
    live.standing?;
    let session = mem::take(token).one()?;
    let beside = if has_beside {
        mem::take(&mut arrival.tokens.guest).one()
    } else {
        None
    };
    let admission = Admission {
        held: Held { beside },
        barred: false,
        guest_came,
        client: Client::default(),
    };
    Some((session, admission))
}

/// Asks a shared list what the tokens are worth, and tells if it fails.
pub(crate) fn load(
    shared: Arc<Shared>,
    list: List,
    arrival: Arrival<Session>,
    now: Timestamp,
) -> BoxLoad {
    Box::pin(async move {
        let admitted = admit(&shared, &list, arrival, now).await;
        if admitted.is_err() {
            shared.tell(&SessionEvent::new(EventKind::StoreFailedLoad, now));
        }
        let (session, admission) = admitted?;
        Ok(RequestContext::new(session, admission))
    })
}

/// Decides what the tokens are worth.
pub(crate) async fn admit(
    shared: &Arc<Shared>,
    list: &List,
    arrival: Arrival<Session>,
    now: Timestamp,
) -> Result<(Session, Admission<Held>), StoreError> {
    let Arrival { tokens, client } = arrival;
    let mut admission = Admission {
        held: Held::default(),
        barred: false,
        guest_came: tokens.guest.is_one(),
        client,
    };
    if let Presented::One(mut session) = tokens.session {
        let client = &admission.client;
        match open(shared, list, &mut session, CookieKind::Session, client, now).await? {
            Ok(()) => {
                admission.held.beside = tokens.guest.one();
                return Ok((session, admission));
            }
            Err(dead) => admission.barred = dead.is_retired(),
        }
    }
    if let Presented::One(mut guest) = tokens.guest {
        let client = &admission.client;
        match open(shared, list, &mut guest, CookieKind::Guest, client, now).await? {
            Ok(()) => return Ok((guest, admission)),
            Err(dead) => admission.barred |= dead.is_retired(),
        }
    }
    let nobody = Session::new(Arc::clone(shared) as _, now);
    Ok((nobody, admission))
}

async fn open(
    shared: &Shared,
    list: &List,
    session: &mut Session,
    kind: CookieKind,
    client: &Client,
    now: Timestamp,
) -> Result<Result<(), Dead>, StoreError> {
    let live = held_in(session);
    let standing = list.standing(issued(live), now).await?;
    match weigh(shared, live, standing, kind, now) {
        Ok(()) => {
            live.standing = Some(standing);
            if let Err(dead) = shared.appraise(live, client, now) {
                let until = live.state.absolute_expiry;
                let _: bool = list.retire(&live.id, Retirement::Ended, until, now).await?;
                shared.tell_dead(live.id, Some(live), dead, now);
                return Ok(Err(dead));
            }
            Ok(Ok(()))
        }
        Err(dead) => {
            if dead == Dead::Reused && shared.policy().token_reuse() == TokenReuse::EndSession {
                let until = live.state.absolute_expiry;
                list.end_family(&live.id, until, now).await?;
                let event = SessionEvent::new(EventKind::SessionEndedByReuse, now).of(live.id);
                shared.tell(&event.by(live.subject().cloned()));
            } else {
                shared.tell_dead(live.id, Some(live), dead, now);
            }
            Ok(Err(dead))
        }
    }
}

/// What a session is worth to the bearer of a token of this standing.
fn weigh(
    shared: &Shared,
    live: &Live,
    standing: Standing,
    kind: CookieKind,
    now: Timestamp,
) -> Result<(), Dead> {
    let authenticated = kind == CookieKind::Session;
    admit::admit(&live.state, standing, authenticated, now, shared.policy())
}

/// The token that opened a session, as the list knows it.
pub(in crate::middleware) fn issued(live: &Live) -> IssuedToken<'_> {
    IssuedToken::new(&live.id, live.subject(), live.state.last_seen_at)
}
