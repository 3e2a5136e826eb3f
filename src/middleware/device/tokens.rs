//! Registrations and refreshes of sessions that are in their tokens.
//!
//! A registration puts a token with the key in the place of the one that came, by the list of ended tokens: it takes a
//! successor for the present token only, so of two registrations one binds. The successor's id follows from the key, so
//! the list knows which key that was.

use std::sync::Arc;

use super::{
    found::{Brought, Failed, Found, FoundSession, TokenSession, Written},
    serving::{Serving, all_of},
};
use crate::{
    cookie::CookieKind,
    middleware::in_flight::Ticket,
    session::{
        admit::{admit, lower_remembered},
        bind::TokenCame,
        device::{BoundDevice, CROSSING, Device},
        device_change::BoundToken,
        id::DeviceClaim,
        live::{Live, Signature},
        standing::Standing,
        state::State,
        unadmitted::Unadmitted,
    },
    store::revocation::{IssuedToken, Replacement, RevocationList},
};

impl Serving {
    /// Finds the session by its token: without it there is nothing that knows the session (V2, V6).
    pub(super) async fn find_token(
        &self,
        list: &dyn RevocationList,
        claim: &DeviceClaim,
        brought: Option<&Brought<'_>>,
    ) -> Result<Found, Failed> {
        let (mut own, mut has_other) = (None::<TokenSession>, false);
        for token in self.tokens_came() {
            let live = token.live();
            let is_own = live.family() == claim.family();
            if !self.goes_on(live) {
                continue;
            }
            let standing = list.standing(self.issued(live), self.now).await;
            let standing = standing.map_err(|error| Failed::of_load(&error))?;
            if !is_own {
                has_other |= standing.opens();
                continue;
            }
            let rank = (standing.rank(), live.state.last_seen_at);
            let best = own
                .as_ref()
                .map(|own| (own.standing.rank(), own.live().state.last_seen_at));
            if best.is_none_or(|best| best < rank) {
                own = Some(TokenSession {
                    token,
                    standing,
                    bound: None,
                    is_bound_elsewhere: false,
                });
            }
        }
        let token = match &own {
            Some(own) if own.standing.opens() => TokenCame::Own,
            _ if has_other => TokenCame::Other,
            _ => TokenCame::None,
        };
        if brought.is_some() && !self.is_inside_the_layer() {
            return Err(Failed::OutsideTheLayer);
        }
        let session = match (own, brought) {
            (Some(own), Some(brought)) => self.to_register(list, own, brought).await?,
            (Some(own), None) => self.to_refresh(list, own).await?,
            (None, _) => None,
        };
        let session = session.map(FoundSession::Token);
        Ok(Found { token, session })
    }

    /// The session of a token that may be bound, or whose binding may be told again.
    async fn to_register(
        &self,
        list: &dyn RevocationList,
        mut session: TokenSession,
        brought: &Brought<'_>,
    ) -> Result<Option<TokenSession>, Failed> {
        // A token under an expiring key may be a thief's, and a binding would put one under the present key in its place (S03).
        if !session.standing.opens() || session.live().signature == Signature::Final {
            return Ok(None);
        }
        let live = session.live();
        match session.standing {
            Standing::Crossing => {}
            // Its browser has a newer one.
            Standing::Grace if live.state.bound_device().is_none() => return Ok(None),
            _ => return Ok(Some(session)),
        }
        let keys = brought.keys;
        let mut bound = None;
        for id in keys.successors(live.family(), &live.id, &brought.thumbprint) {
            let token = IssuedToken {
                id: &id,
                ..self.issued(live)
            };
            let standing = list.standing(token, self.now).await;
            if standing.map_err(|error| Failed::of_load(&error))? == Standing::Current {
                // As if it had been bound when it was offered, which is no later: no second minute begins.
                let bound_at = brought.offered_at.min(self.now);
                let device = BoundDevice::new(brought.key, bound_at);
                let state = self.bound_state(live, device);
                bound = Some(Box::new(BoundToken { id, state }));
                break;
            }
        }
        session.is_bound_elsewhere = bound.is_none();
        session.bound = bound;
        Ok(Some(session))
    }

    /// The session of a token that says its key. One that was replaced moments ago says it too, and opens nothing by that.
    async fn to_refresh(
        &self,
        list: &dyn RevocationList,
        session: TokenSession,
    ) -> Result<Option<TokenSession>, Failed> {
        if session.standing.opens() {
            return Ok(Some(session));
        }
        let ending = list.ending(self.issued(session.live()), self.now).await;
        let ending = ending.map_err(|error| Failed::of_load(&error))?;
        Ok(ending.is_none().then_some(session))
    }

    /// Puts a token that says the key in the place of the one that came, unless another request replaced that first.
    pub(super) async fn bind_token(
        &self,
        list: &dyn RevocationList,
        session: &TokenSession,
        device: BoundDevice,
        brought: &Brought<'_>,
    ) -> Result<Option<Written>, Failed> {
        let live = session.live();
        let (family, key) = (live.family(), &brought.thumbprint);
        let Some(id) = brought.keys.successors(family, &live.id, key).next() else {
            return Ok(None);
        };
        let state = self.bound_state(live, device);
        let mut token = BoundToken { id, state };
        // What does not fit must not take the place of what does.
        if !self.fits(&token) {
            return Err(Failed::TooLarge);
        }
        let ticket = brought.ticket.as_ref();
        if !ticket.is_some_and(Ticket::claim_renewal) {
            // Unless it was the same registration that came first, the session was written since this one came.
            let standing = list.standing(self.issued(live), self.now).await;
            return match standing.map_err(|error| Failed::of_load(&error))? {
                Standing::Current => Err(Failed::Contention),
                _ => Ok(None),
            };
        }
        let how = Replacement::Bound {
            crossing_until: self.now.after(CROSSING),
        };
        let until = live.remembered_until(self.now);
        let replaced = list.replace(self.issued(live), id, how, until, self.now);
        let replaced = replaced.await.map_err(|error| Failed::of_write(&error))?;
        self.shared.watch_list(list.occupancy(), self.now);
        let Some(issue) = replaced else {
            return Ok(None);
        };
        // No token of an older state leaves after this one.
        self.shared.settings.in_flight.note_write(family);
        let seen = token.state.last_seen_at.max(issue);
        token.state.last_seen_at = seen;
        let waiting = &self.shared.settings.waiting;
        waiting.note_issue(family, seen);
        Ok(Some(leaves(token)))
    }

    /// Hands out the token of a binding once more, whose answer may have been lost. None if it was replaced meanwhile.
    pub(super) async fn hand_out_again(
        &self,
        list: &dyn RevocationList,
        session: &TokenSession,
    ) -> Result<Option<Written>, Failed> {
        let Some(bound) = &session.bound else {
            // The token that came says the key.
            return Ok(Some(Written::default()));
        };
        let token = IssuedToken {
            id: &bound.id,
            ..self.issued(session.live())
        };
        let may = list.may_reissue(token, self.now).await;
        if !may.map_err(|error| Failed::of_write(&error))? {
            return Ok(None);
        }
        Ok(Some(leaves(BoundToken {
            id: bound.id,
            state: bound.state.clone(),
        })))
    }

    /// The sessions in the tokens of users that came.
    fn tokens_came(&self) -> Vec<Unadmitted> {
        let (shared, now) = (&self.shared, self.now);
        let found = shared.reader.read(&self.asked.cookies, |kind, value| {
            let tokens = &shared.tokens;
            tokens.read_self_contained(kind, value, now, |token| {
                let (id, signature) = (token.id, token.signature);
                let environment = Arc::clone(shared) as _;
                let mut session = Unadmitted::new(id, id.lineage(), signature, environment, now);
                token.read(&mut session.live_mut().state)?;
                Ok(session)
            })
        });
        all_of(found.session)
    }

    fn is_inside_the_layer(&self) -> bool {
        let name = self.shared.settings.cookies.session_name().as_str();
        let session = self.asked.session.as_ref();
        session.is_some_and(|session| session.is_in(name))
    }

    fn issued<'a>(&'a self, live: &'a Live) -> IssuedToken<'a> {
        IssuedToken::of(live, &self.shared.settings.audience)
    }

    /// Whether none of its limits has ended a user's session.
    fn goes_on(&self, live: &Live) -> bool {
        let is_somebodys = true;
        let policy = self.shared.policy();
        admit(
            &live.state,
            Standing::Current,
            is_somebodys,
            self.now,
            policy,
        )
        .is_ok()
    }

    /// The session of a token once it is bound.
    fn bound_state(&self, live: &Live, device: BoundDevice) -> State {
        let (mut state, family) = (live.state.clone(), *live.family());
        state.with_extra(|extra| {
            extra.device = Some(Device::Bound(device));
            extra.family = Some(family);
        });
        // What its request would have found: from now on nothing says how long it went unused.
        lower_remembered(&mut state, self.now, self.shared.policy());
        state.rotated_at = self.now;
        state.last_seen_at = state.last_seen_at.max(self.now);
        state
    }

    /// Whether the token of a bound session fits into its cookie.
    fn fits(&self, token: &BoundToken) -> bool {
        let tokens = &self.shared.tokens;
        tokens
            .seal_self_contained(CookieKind::Session, &token.id, &token.state)
            .is_ok()
    }
}

fn leaves(token: BoundToken) -> Written {
    Written {
        token: Some(Box::new(token)),
    }
}
