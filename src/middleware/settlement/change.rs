//! [`Change`]: what a plan asks of the list of ended tokens; [`Changed`]: what the list did of it.
//!
//! Both are data, so that a local list can answer at once and a distributed one later.

use crate::{
    middleware::ended::waiting::{Pending, Waiting},
    session::{ended::EndCause, id::SessionId, index::IndexKey, live::Live, time::Timestamp},
    store::{
        Admitted, Lease, StoreError,
        revocation::{
            Ending, Full, IssuedToken, Replacement, RevocationList, Revocations, Standing,
        },
    },
};

/// What the list is asked for.
pub(super) struct Change<'a> {
    /// The sessions that end, and how.
    pub(super) ended: Vec<&'a Live>,
    pub(super) end: Ending,
    /// Why they end, for those who wait for it.
    pub(super) cause: EndCause,
    pub(super) waiting: &'a Waiting,
    /// Whether they end whatever becomes of the token that is to leave; else they end only if it may.
    pub(super) ends_first: bool,
    pub(super) issue: Issue<'a>,
    /// A token that must still open its session when the new one begins in its place.
    pub(super) instead_of: Option<InsteadOf<'a>>,
    /// A session whose level falls: it ends if a binding to a device has replaced its token, since nobody would receive one that
    /// says the lower level.
    pub(super) lowered: Option<&'a Live>,
}

/// A token that another session's takes the place of.
pub(super) struct InsteadOf<'a> {
    pub(super) token: IssuedToken<'a>,
    /// An id that no token has: of requests at the same time, one replaces the token.
    pub(super) by: SessionId,
    pub(super) until: Timestamp,
}

/// Which token is to leave then.
pub(super) enum Issue<'a> {
    Nothing,
    /// A guest's first, about which no list has a say.
    OfGuest {
        id: SessionId,
        at: Timestamp,
    },
    /// The first of a login, issued after everything of its keys that has ended; none if that ended while the
    /// login was under way.
    OfLogin {
        id: SessionId,
        keys: Vec<IndexKey>,
        admitted: Admitted,
        at: Timestamp,
    },
    /// The same token again, if it is still good.
    Again(IssuedToken<'a>),
    /// A successor, if the token itself is still good.
    Successor {
        id: SessionId,
        of: IssuedToken<'a>,
        how: Replacement,
        until: Timestamp,
    },
}

/// What the list did of it.
pub(super) struct Changed {
    /// Which sessions this request ended itself, in the order of what it asked for.
    pub(super) ended: Vec<bool>,
    /// The token that may leave, and when it counts as issued.
    pub(super) issue: Option<(SessionId, Timestamp)>,
    /// Whether a binding to a device replaced the token meanwhile, so that none may leave.
    pub(super) is_crossing: bool,
}

impl Change<'_> {
    /// Whether it ends something that held a user's privilege, so that what tells of it waits until it holds on every
    /// node. A renewal whose time of grace outlasts every lease ends nothing yet.
    pub(super) fn takes_privilege(&self, now: Timestamp) -> bool {
        let ends_token = match &self.issue {
            Issue::Successor { of, how, .. } => {
                let outlasts = match how {
                    Replacement::Elevated => false,
                    Replacement::Renewed { grace_until: until }
                    | Replacement::Bound {
                        crossing_until: until,
                    } => until.since(now) >= Lease::MAX,
                };
                of.subject.is_some() && !outlasts
            }
            Issue::Nothing | Issue::OfGuest { .. } | Issue::OfLogin { .. } | Issue::Again(_) => {
                false
            }
        };
        ends_token || self.ended.iter().any(|live| live.subject().is_some())
    }

    /// Asks the list of this process.
    pub(super) fn ask(&self, list: &Revocations, now: Timestamp) -> Result<Changed, Full> {
        if self.ends_first {
            let ended = self.end(list, now)?;
            let issue = self.issue(list, now)?;
            let is_crossing = issue.is_none() && self.crosses(list, now);
            if let Some(live) = self.lowered.filter(|_| is_crossing) {
                self.end_one(live, list, now)?;
            }
            return Ok(Changed {
                ended,
                issue,
                is_crossing,
            });
        }
        let issue = self.issue(list, now)?;
        let ended = match issue {
            Some(_) if self.takes_place(list, now)? => self.end(list, now)?,
            _ => Vec::new(),
        };
        Ok(Changed {
            ended,
            issue,
            is_crossing: false,
        })
    }

    /// Whether the token that the new one takes the place of has opened its session up to now.
    fn takes_place(&self, list: &Revocations, now: Timestamp) -> Result<bool, Full> {
        let Some(instead) = &self.instead_of else {
            return Ok(true);
        };
        let InsteadOf { token, by, until } = *instead;
        let replaced = list.replace(token, by, Replacement::Elevated, until, now)?;
        Ok(replaced.is_some())
    }

    fn end(&self, list: &Revocations, now: Timestamp) -> Result<Vec<bool>, Full> {
        let end = |live: &&Live| self.end_one(live, list, now);
        self.ended.iter().map(end).collect()
    }

    fn end_one(&self, live: &Live, list: &Revocations, now: Timestamp) -> Result<bool, Full> {
        let ending = self.ending(live);
        let ended = list.end(live.family(), self.end, live.remembered_until(now), now)?;
        ending.done();
        Ok(ended)
    }

    /// The token that was to leave again, or to be replaced.
    const fn own_token(&self) -> Option<IssuedToken<'_>> {
        match &self.issue {
            Issue::Again(token) | Issue::Successor { of: token, .. } => Some(*token),
            Issue::Nothing | Issue::OfGuest { .. } | Issue::OfLogin { .. } => None,
        }
    }

    fn crosses(&self, list: &Revocations, now: Timestamp) -> bool {
        let token = self.own_token();
        token.is_some_and(|token| list.standing(token, now) == Standing::Crossing)
    }

    fn issue(
        &self,
        list: &Revocations,
        now: Timestamp,
    ) -> Result<Option<(SessionId, Timestamp)>, Full> {
        Ok(match &self.issue {
            Issue::Nothing => None,
            Issue::OfGuest { id, at } => Some((*id, *at)),
            Issue::OfLogin {
                id,
                keys,
                admitted,
                at,
            } => list.issue(keys, admitted, *at)?.map(|at| (*id, at)),
            Issue::Again(token) => {
                let may = list.may_reissue(*token, now)?;
                may.then_some((*token.id, now))
            }
            Issue::Successor { id, of, how, until } => {
                let issue = list.replace(*of, *id, *how, *until, now)?;
                issue.map(|at| (*id, at))
            }
        })
    }

    fn ending(&self, live: &Live) -> Pending<'_> {
        self.waiting.ending(live.family(), self.cause)
    }

    /// Asks a distributed list.
    pub(super) async fn ask_distributed(
        &self,
        list: &dyn RevocationList,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        if self.ends_first {
            let ended = self.end_distributed(list, now).await?;
            let issue = self.issue_distributed(list, now).await?;
            let is_crossing = match self.own_token() {
                Some(token) if issue.is_none() => {
                    list.standing(token, now).await? == Standing::Crossing
                }
                _ => false,
            };
            if let Some(live) = self.lowered.filter(|_| is_crossing) {
                self.end_one_distributed(live, list, now).await?;
            }
            return Ok(Changed {
                ended,
                issue,
                is_crossing,
            });
        }
        let issue = self.issue_distributed(list, now).await?;
        let ended = match issue {
            Some(_) if self.takes_place_distributed(list, now).await? => {
                self.end_distributed(list, now).await?
            }
            _ => Vec::new(),
        };
        Ok(Changed {
            ended,
            issue,
            is_crossing: false,
        })
    }

    async fn takes_place_distributed(
        &self,
        list: &dyn RevocationList,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(instead) = &self.instead_of else {
            return Ok(true);
        };
        let InsteadOf { token, by, until } = *instead;
        let how = Replacement::Elevated;
        let replaced = list.replace(token, by, how, until, now).await?;
        Ok(replaced.is_some())
    }

    async fn end_distributed(
        &self,
        list: &dyn RevocationList,
        now: Timestamp,
    ) -> Result<Vec<bool>, StoreError> {
        let mut ended = Vec::with_capacity(self.ended.len());
        for live in &self.ended {
            ended.push(self.end_one_distributed(live, list, now).await?);
        }
        Ok(ended)
    }

    async fn end_one_distributed(
        &self,
        live: &Live,
        list: &dyn RevocationList,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let until = live.remembered_until(now);
        let ending = self.ending(live);
        let ended = list.end(live.family(), self.end, until, now).await?;
        ending.done();
        Ok(ended)
    }

    async fn issue_distributed(
        &self,
        list: &dyn RevocationList,
        now: Timestamp,
    ) -> Result<Option<(SessionId, Timestamp)>, StoreError> {
        Ok(match &self.issue {
            Issue::Nothing => None,
            Issue::OfGuest { id, at } => Some((*id, *at)),
            Issue::OfLogin {
                id,
                keys,
                admitted,
                at,
            } => list.issue(keys, admitted, *at).await?.map(|at| (*id, at)),
            Issue::Again(token) => {
                let may = list.may_reissue(*token, now).await?;
                may.then_some((*token.id, now))
            }
            Issue::Successor { id, of, how, until } => {
                let issue = list.replace(*of, *id, *how, *until, now).await?;
                issue.map(|at| (*id, at))
            }
        })
    }
}
