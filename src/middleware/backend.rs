//! [`Keeper`]: where sessions are kept, in a store or in the token itself.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{
    session::{authentication::Subject, id::SessionId, time::Timestamp},
    store::{
        SessionStore, StoreError,
        revocation::{IssuedToken, Retirement, RevocationList, Revocations, Standing},
    },
};

/// Where sessions are kept.
#[derive(Debug)]
pub(crate) enum Keeper {
    SelfContained(List),
    Stored(Arc<dyn SessionStore>),
}

/// The list of ended tokens.
///
/// The one of this process answers at once and never fails, so its callers need not wait: see
/// [`at_once`].
#[derive(Clone, Debug)]
pub(crate) enum List {
    Here(Arc<Revocations>),
    Shared(Arc<dyn RevocationList>),
}

impl List {
    pub(crate) async fn standing(
        &self,
        token: IssuedToken<'_>,
        now: Timestamp,
    ) -> Result<Standing, StoreError> {
        match self {
            Self::Here(list) => Ok(list.standing(token.id, token.subject, token.issued_at, now)),
            Self::Shared(list) => list.standing(token, now).await,
        }
    }

    pub(crate) async fn may_reissue(
        &self,
        token: IssuedToken<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Here(list) => Ok(list.may_reissue(token.id, token.subject, token.issued_at, now)),
            Self::Shared(list) => list.may_reissue(token, now).await,
        }
    }

    pub(crate) async fn retire(
        &self,
        id: &SessionId,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Here(list) => Ok(list.retire(id, how, until, now)),
            Self::Shared(list) => list.retire(id, how, until, now).await,
        }
    }

    pub(crate) async fn retire_of(
        &self,
        token: IssuedToken<'_>,
        how: Retirement,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        match self {
            Self::Here(list) => {
                Ok(list.retire_of(token.id, token.subject, token.issued_at, how, until, now))
            }
            Self::Shared(list) => list.retire_of(token, how, until, now).await,
        }
    }

    pub(crate) async fn end_family(
        &self,
        id: &SessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match self {
            Self::Here(list) => {
                list.end_family(id, until, now);
                Ok(())
            }
            Self::Shared(list) => list.end_family(id, until, now).await,
        }
    }

    pub(crate) async fn end_subject(
        &self,
        subject: &Subject,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        match self {
            Self::Here(list) => {
                list.end_subject(subject, now, until);
                Ok(())
            }
            Self::Shared(list) => list.end_subject(subject, now, until).await,
        }
    }

    pub(crate) async fn end_others(
        &self,
        keep: IssuedToken<'_>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Here(list) => Ok(keep.subject.is_some_and(|subject| {
                list.end_others(subject, keep.id, keep.issued_at, now, until)
            })),
            Self::Shared(list) => list.end_others(keep, now, until).await,
        }
    }

    pub(crate) async fn issue_time(
        &self,
        subject: &Subject,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        match self {
            Self::Here(list) => Ok(list.issue_time(subject, now)),
            Self::Shared(list) => list.issue_time(subject, now).await,
        }
    }
}

/// What a future comes to that waits for nothing: one that asks only the list of this process.
pub(crate) fn at_once<F>(future: F) -> F::Output
where
    F: Future,
{
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the list of this process answers at once"),
    }
}
