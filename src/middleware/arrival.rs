//! [`Arrival`]: the cookies and the client of one request.

use http::{Extensions, HeaderMap, Request};

use super::settings::Shared;
use crate::{
    cookie::{
        CookieKind,
        request::{Found, Presented},
        token::Rejected,
    },
    session::{
        binding::Client,
        event::{EventKind, SessionEvent},
        time::Timestamp,
    },
};

/// The valid tokens that came with a request, and its client.
#[derive(Debug)]
pub(crate) struct Arrival<T> {
    pub(crate) tokens: Found<T>,
    pub(crate) client: Client,
}

impl<T> Arrival<T> {
    pub(crate) const fn is_empty(&self) -> bool {
        !self.tokens.session.is_one() && !self.tokens.guest.is_one()
    }
}

impl Shared {
    /// Reads the cookies and tells of what is wrong with them.
    ///
    /// Where two valid session tokens came, nothing else counts either; two valid guest tokens count as none.
    pub(crate) fn arrival<T, B>(
        &self,
        request: &Request<B>,
        now: Timestamp,
        open: impl FnMut(CookieKind, &[u8]) -> Result<T, Rejected>,
    ) -> Arrival<T> {
        let mut arrival = Arrival {
            tokens: self.reader.read(request.headers(), open),
            client: self.client(request.headers(), request.extensions()),
        };
        self.tell_unless_one(&arrival.tokens.session, now);
        self.tell_unless_one(&arrival.tokens.guest, now);
        if matches!(arrival.tokens.session, Presented::Several) {
            arrival.tokens.guest = Presented::default();
        }
        arrival
    }

    fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> Client {
        let reader = self.client.as_ref();
        reader.map_or_else(Client::default, |reader| reader.read(headers, extensions))
    }

    fn tell_unless_one<T>(&self, presented: &Presented<T>, now: Timestamp) {
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
        self.tell(&SessionEvent::new(kind, now));
    }
}
