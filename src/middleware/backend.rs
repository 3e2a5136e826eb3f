//! [`Backend`]: where sessions are kept, and the types that say so; [`Loaded`]: what a request has of them. Data only.

use std::sync::Arc;

use crate::{
    session::{handle::Session, id::Claim, present::Proofs, record::Record},
    store::{
        Revision, SessionStore, Stored,
        revocation::{RevocationList, Revocations},
    },
};

/// Of a layer or a handle: sessions are in a store.
#[derive(Clone, Copy, Debug)]
pub enum InStore {}

/// Of a layer or a handle: sessions are in their tokens.
#[derive(Clone, Copy, Debug)]
pub enum SelfContained {}

/// Of a layer or a handle: what keeps the sessions is known at run time only.
#[derive(Clone, Copy, Debug)]
pub enum AnyBackend {}

/// Where sessions are kept.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// In the tokens themselves: the server keeps nothing but the tokens that ended before their time.
    SelfContained(EndedTokens),
    /// In a store: the token is a reference, and the record is the authority.
    Stored(Arc<dyn SessionStore>),
}

/// The list of self-contained tokens that ended before their time.
#[derive(Clone, Debug)]
pub(crate) enum EndedTokens {
    /// In this process: it answers at once and never fails.
    Local(Arc<Revocations>),
    /// Shared with other processes.
    Distributed(Arc<dyn RevocationList>),
}

/// What a request has of its layer's backend, besides its session, and what goes back there.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// None without a store, and if the request has no session.
    pub(crate) record: Option<LoadedRecord>,
    pub(crate) beside: Option<Box<Beside>>,
}

/// The sessions whose tokens came besides the one that opened: a login and a logout end them. Boxed, since hardly any
/// request has one.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    /// Those that were looked up, or are in their tokens.
    pub(crate) found: Vec<Session>,
    /// The guests' tokens that came with a logged-in session's, whose records were not looked up.
    pub(crate) unread: Vec<Claim>,
    /// What the bound cookies say, until a session opens or none does.
    pub(crate) proofs: Option<Box<Proofs>>,
}

/// The record of a request's session, and what opened it. The state in it is with the session.
#[derive(Debug)]
pub(crate) struct LoadedRecord {
    pub(crate) claim: Claim,
    pub(crate) revision: Revision,
    pub(crate) record: Record,
}

impl LoadedRecord {
    pub(crate) fn of(claim: Claim, stored: Stored) -> Self {
        let Stored { record, revision } = stored;
        Self {
            claim,
            revision,
            record,
        }
    }
}
