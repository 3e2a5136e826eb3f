//! [`Arrival`]: the cookies and the client of one request. It opens tokens and decides nothing.

use std::sync::Arc;

use http::{HeaderMap, Request};

use super::settings::Shared;
use crate::{
    cookie::{
        CookieKind,
        request::{Presented, Several},
        token::{Opened, Rejected},
    },
    session::{
        binding::Client,
        came::Came,
        ended::EndCause,
        event::{EventKind, SessionEvent},
        id::Claim,
        time::Timestamp,
        unadmitted::Unadmitted,
    },
};

/// The valid tokens that came with a request, and its client.
#[derive(Debug)]
pub(crate) struct Arrival<T> {
    /// The first of each kind.
    pub(crate) session: Option<T>,
    pub(crate) guest: Option<T>,
    /// The others. Boxed, since hardly any request has one.
    pub(crate) more: Option<Box<More<T>>>,
    pub(crate) came: Came,
    pub(crate) now: Timestamp,
}

/// The valid tokens of a request but the first of each kind, in the order in which they came.
#[derive(Debug)]
pub(crate) struct More<T>(pub(crate) Vec<(CookieKind, T)>);

impl Arrival<Opened<Claim>> {
    /// What the request claims of a store.
    #[inline(always)]
    pub(crate) fn of_references(
        shared: &Shared,
        headers: &HeaderMap,
        client: impl FnOnce() -> Client,
        now: Timestamp,
    ) -> Self {
        Self::read(shared, headers, client, now, |kind, value| {
            shared.tokens.open_reference(kind, value, now)
        })
    }
}

impl Arrival<Unadmitted> {
    /// The sessions inside the request's tokens.
    #[inline(always)]
    pub(crate) fn of_sessions(
        shared: &Arc<Shared>,
        headers: &HeaderMap,
        client: impl FnOnce() -> Client,
        now: Timestamp,
    ) -> Self {
        Self::read(shared, headers, client, now, |kind, value| {
            shared
                .tokens
                .read_self_contained(kind, value, now, |token| {
                    let (id, signature) = (token.id, token.signature);
                    let mut session =
                        Unadmitted::new(id, id.lineage(), signature, Arc::clone(shared) as _, now);
                    token.read(&mut session.live_mut().state)?;
                    Ok(session)
                })
        })
    }
}

impl<T> Arrival<T> {
    /// Reads the cookies and tells of what is wrong with them.
    #[inline(always)]
    fn read(
        shared: &Shared,
        headers: &HeaderMap,
        client: impl FnOnce() -> Client,
        now: Timestamp,
        open: impl FnMut(CookieKind, &[u8]) -> Result<T, Rejected>,
    ) -> Self {
        let found = shared.reader.read(headers, open);
        tell_unless_valid(shared, &found.session, now);
        tell_unless_valid(shared, &found.guest, now);
        let came = Came {
            barred: None,
            guest_token: found.guest.is_signed(),
            session_token: found.session.is_signed(),
            client: client(),
            why_ended: found.session.has_expired().then_some(EndCause::Expired),
        };
        let mut more = None;
        Self {
            session: first_of(found.session, CookieKind::Session, &mut more),
            guest: first_of(found.guest, CookieKind::Guest, &mut more),
            more,
            came,
            now,
        }
    }
}

/// The client of a request, if the layer binds sessions to theirs.
#[inline(always)]
pub(crate) fn client_of<B>(shared: &Shared, request: &Request<B>) -> Client {
    let reader = shared.client.as_ref();
    reader.map_or_else(Client::default, |reader| {
        reader.read(request.headers(), request.extensions())
    })
}

#[inline(always)]
fn first_of<T>(
    presented: Presented<T>,
    kind: CookieKind,
    more: &mut Option<Box<More<T>>>,
) -> Option<T> {
    match presented {
        Presented::Nothing { .. } => None,
        Presented::One(token) => Some(token),
        Presented::Several(several) => first_of_several(*several, kind, more),
    }
}

#[cold]
fn first_of_several<T>(
    several: Several<T>,
    kind: CookieKind,
    more: &mut Option<Box<More<T>>>,
) -> Option<T> {
    let mut tokens = several.tokens.into_iter();
    let first = tokens.next();
    let more = more.get_or_insert_with(|| Box::new(More(Vec::new())));
    more.0.extend(tokens.map(|token| (kind, token)));
    first
}

fn tell_unless_valid<T>(shared: &Shared, presented: &Presented<T>, now: Timestamp) {
    let kind = match presented {
        Presented::One(_) | Presented::Nothing { rejected: None } => return,
        Presented::Nothing {
            rejected: Some(cause),
        } => match cause {
            Rejected::Malformed => EventKind::TokenMalformed,
            Rejected::UnknownKey => EventKind::TokenUnknownKey,
            Rejected::Forged => EventKind::TokenForged,
            Rejected::Expired => EventKind::TokenExpired,
            Rejected::FromTheFuture => EventKind::TokenFromTheFuture,
        },
        Presented::Several(several) if several.are_more => EventKind::TooManyTokens,
        Presented::Several(_) => return,
    };
    shared.tell(&SessionEvent::new(kind, now));
}
