//! [`Change`]: what a plan asks of the list of ended tokens; [`Changed`]: what the list did of it.
//!
//! Both are data, so that a local list can answer at once and a distributed one later.

use crate::{
    session::{authentication::Subject, id::SessionId, live::Live, time::Timestamp},
    store::{
        StoreError,
        revocation::{IssuedToken, Retirement, RevocationList, Revocations},
    },
};

/// What the list is asked for, in this order.
pub(super) struct Change<'a> {
    /// How the request's own token and the one of a guest end, for each of them that does.
    pub(super) end: Retirement,
    pub(super) ended: [Option<&'a Live>; 2],
    pub(super) issue: Issue<'a>,
}

/// Which token is to leave then.
pub(super) enum Issue<'a> {
    Nothing,
    /// A guest's first, about which no list has a say.
    OfGuest {
        id: SessionId,
        at: Timestamp,
    },
    /// The first of a login, issued after everything of the subject that has ended.
    OfLogin {
        id: SessionId,
        subject: &'a Subject,
        at: Timestamp,
    },
    /// The same token again, if it is still good.
    Again(IssuedToken<'a>),
    /// A successor, if the token itself is still good.
    Successor {
        id: SessionId,
        of: IssuedToken<'a>,
        how: Retirement,
        until: Timestamp,
    },
}

/// What the list did of it.
pub(super) struct Changed {
    /// Which tokens this request ended itself.
    pub(super) ended: [bool; 2],
    /// The token that may leave, and when it counts as issued.
    pub(super) issue: Option<(SessionId, Timestamp)>,
}

impl Change<'_> {
    /// Asks the list of this process.
    pub(super) fn ask(&self, list: &Revocations, now: Timestamp) -> Changed {
        let retire = |live: &Live| list.retire(&live.id, self.end, live.state.absolute_expiry, now);
        Changed {
            ended: self.ended.map(|live| live.is_some_and(retire)),
            issue: match self.issue {
                Issue::Nothing => None,
                Issue::OfGuest { id, at } => Some((id, at)),
                Issue::OfLogin { id, subject, at } => Some((id, list.issue_time(subject, at))),
                Issue::Again(token) => list
                    .may_reissue(token.id, token.subject, token.issued_at, now)
                    .then_some((*token.id, now)),
                Issue::Successor { id, of, how, until } => list
                    .retire_of(of.id, of.subject, of.issued_at, how, until, now)
                    .map(|at| (id, at)),
            },
        }
    }

    /// Asks a distributed list.
    pub(super) async fn ask_distributed(
        &self,
        list: &dyn RevocationList,
        now: Timestamp,
    ) -> Result<Changed, StoreError> {
        let mut ended = [false; 2];
        for (live, ended) in self.ended.iter().zip(&mut ended) {
            if let Some(live) = live {
                let until = live.state.absolute_expiry;
                *ended = list.retire(&live.id, self.end, until, now).await?;
            }
        }
        let issue = match self.issue {
            Issue::Nothing => None,
            Issue::OfGuest { id, at } => Some((id, at)),
            Issue::OfLogin { id, subject, at } => Some((id, list.issue_time(subject, at).await?)),
            Issue::Again(token) => {
                let may = list.may_reissue(token, now).await?;
                may.then_some((*token.id, now))
            }
            Issue::Successor { id, of, how, until } => {
                let issue = list.retire_of(of, how, until, now).await?;
                issue.map(|at| (id, at))
            }
        };
        Ok(Changed { ended, issue })
    }
}
