//! [`ReplayMemory`]: which logout tokens were carried out.

mod seen;
mod token_id;

use std::{fmt, sync::Arc, time::Duration};

use tower_session_guard::{Timestamp, store::StoreFuture};

pub use self::{seen::SeenTokens, token_id::TokenId};

/// For how long a claim that was granted is held without an outcome: longer than any ending takes.
pub(crate) const CLAIM_LASTS: Duration = Duration::from_secs(60);

/// Remembers logout tokens, so that each is carried out once.
///
/// [`SeenTokens`] remembers those of this process. Where several nodes answer the provider, implement this over something that
/// they share. A token passes through it in two steps: it is claimed before sessions end, and finished or released afterwards.
/// So of two deliveries at the same time one ends sessions, and a delivery that failed may come again.
///
/// | state of a token | [`claim`](Self::claim) says | from there |
/// |---|---|---|
/// | unknown | [`Granted`](Claim::Granted) | claimed |
/// | claimed | [`UnderWay`](Claim::UnderWay) | [`finish`](Self::finish), [`release`](Self::release), or unknown again 60 seconds after the claim, if its node died |
/// | finished | [`Finished`](Claim::Finished) | unknown at `until`, when the token has expired |
///
/// In Redis a claim is `SET key claimed NX PX 60000`, to finish is `SET key finished PXAT until`, and to release is `DEL key`; if
/// the claim set nothing, `GET key` says which of the two it is.
///
/// Only tokens whose signature held come here. An error stops the logout with 503, and the provider may send the token again.
pub trait ReplayMemory: fmt::Debug + Send + Sync + 'static {
    /// Claims `token`, which expires at `until`, if nobody has.
    ///
    /// The test and the claim are one step: of several calls at the same time one is granted. The token is verified, and has not
    /// expired at `now`.
    ///
    /// # Errors
    ///
    /// If the memory does not answer, or has no room for the token.
    fn claim<'a>(
        &'a self,
        token: &'a TokenId,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Claim>;

    /// Remembers until `until`, when it expires, that `token`, which was claimed, was carried out.
    ///
    /// # Errors
    ///
    /// If the memory does not answer.
    fn finish<'a>(&'a self, token: &'a TokenId, until: Timestamp) -> StoreFuture<'a, ()>;

    /// Forgets that `token` was claimed: its sessions could not be ended.
    ///
    /// # Errors
    ///
    /// If the memory does not answer. The claim then lapses by itself.
    fn release<'a>(&'a self, token: &'a TokenId) -> StoreFuture<'a, ()>;
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Claim {
    /// The caller is to carry the token out.
    Granted,
    /// Another call claimed it and has not said what became of it.
    UnderWay,
    /// It was carried out.
    Finished,
}

/// One memory for several endpoints.
impl<M> ReplayMemory for Arc<M>
where
    M: ReplayMemory + ?Sized,
{
    fn claim<'a>(
        &'a self,
        token: &'a TokenId,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Claim> {
        (**self).claim(token, until, now)
    }

    fn finish<'a>(&'a self, token: &'a TokenId, until: Timestamp) -> StoreFuture<'a, ()> {
        (**self).finish(token, until)
    }

    fn release<'a>(&'a self, token: &'a TokenId) -> StoreFuture<'a, ()> {
        (**self).release(token)
    }
}
