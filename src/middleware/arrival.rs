//! [`Arrival`]: the cookies and the client of one request. It opens tokens and decides nothing.

use std::sync::Arc;

use http::Request;

use super::settings::Shared;
use crate::{
    cookie::{
        CookieKind,
        request::Presented,
        token::{Opened, Rejected},
    },
    session::{
        binding::Client,
        event::{EventKind, SessionEvent},
        id::Claim,
        time::Timestamp,
        unadmitted::Unadmitted,
    },
};

/// The valid tokens that came with a request, at most one of each kind, and its client.
#[derive(Debug)]
pub(crate) struct Arrival<T> {
    pub(crate) session: Option<T>,
    pub(crate) guest: Option<T>,
    pub(crate) client: Client,
    pub(crate) now: Timestamp,
}

impl Arrival<Opened<Claim>> {
    /// What the request claims of a store.
    #[inline(always)]
    pub(crate) fn of_references<B>(shared: &Shared, request: &Request<B>, now: Timestamp) -> Self {
        Self::read(shared, request, now, |kind, value| {
            shared.tokens.open_reference(kind, value, now)
        })
    }
}

impl Arrival<Unadmitted> {
    /// The sessions inside the request's tokens.
    #[inline(always)]
    pub(crate) fn of_sessions<B>(
        shared: &Arc<Shared>,
        request: &Request<B>,
        now: Timestamp,
    ) -> Self {
        Self::read(shared, request, now, |kind, value| {
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
    ///
    /// Where two valid session tokens came, nothing else counts either; two valid guest tokens count as
    /// none.
    #[inline(always)]
    fn read<B>(
        shared: &Shared,
        request: &Request<B>,
        now: Timestamp,
        open: impl FnMut(CookieKind, &[u8]) -> Result<T, Rejected>,
    ) -> Self {
        let (headers, extensions) = (request.headers(), request.extensions());
        let found = shared.reader.read(headers, open);
        let client = shared.client.as_ref();
        tell_unless_one(shared, &found.session, now);
        tell_unless_one(shared, &found.guest, now);
        let has_several = matches!(found.session, Presented::Several);
        Self {
            session: found.session.one(),
            guest: found.guest.one().filter(|_| !has_several),
            client: client.map_or_else(Client::default, |reader| reader.read(headers, extensions)),
            now,
        }
    }
}

fn tell_unless_one<T>(shared: &Shared, presented: &Presented<T>, now: Timestamp) {
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
        Presented::Several => EventKind::DuplicateTokens,
    };
    shared.tell(&SessionEvent::new(kind, now));
}
