//! What the measurements of `benches/` look at beside the public interface: the parts of a request, one
//! by one. Built with `--cfg bench` only; nothing here is promised.

use http::HeaderMap;

use crate::{
    cookie::{
        CookieKind, CookiePolicy,
        request::CookieReader,
        token::{Opened, SelfContained, TokenKeys},
    },
    key::KeyRing,
    session::{
        admit,
        authentication::{AssuranceLevel, Authentication, Subject},
        came::Came,
        device::Presence,
        id::{Claim, Secret, SessionId},
        live::{Live, Signature},
        mark::{Login, Mark},
        policy::SessionPolicy,
        settle::{self, Outcome, Realm, Settlement, Upkeep},
        standing::Standing,
        state::State,
        time::Timestamp,
    },
};

/// A logged-in session and what belongs to it.
#[derive(Debug)]
pub struct Parts {
    tokens: TokenKeys,
    reader: CookieReader,
    policy: SessionPolicy,
    live: Live,
    now: Timestamp,
}

impl Parts {
    /// Of this subject, logged in at `now`.
    #[must_use]
    pub fn new(ring: KeyRing, subject: &str, now: Timestamp) -> Self {
        let (cookies, policy) = (CookiePolicy::default(), SessionPolicy::default());
        let id = SessionId::from_bytes([7; SessionId::LEN]);
        let state = State {
            authentication: Some(Authentication {
                subject: Subject::from(subject),
                level: AssuranceLevel::AAL1,
                authenticated_at: now,
                elevation: None,
            }),
            created_at: now,
            last_seen_at: now,
            rotated_at: now,
            absolute_expiry: policy.absolute_expiry(now, false),
            persistent: false,
            label: None,
            binding: Box::default(),
            extra: None,
            entries: Default::default(),
        };
        Self {
            tokens: TokenKeys::new(ring, &cookies, ""),
            reader: CookieReader::new(&cookies, TokenKeys::reference_lengths()),
            policy,
            live: Live {
                id,
                state,
                standing: Some(Standing::Current),
                signature: Signature::Current,
                lineage: id.lineage(),
                suspended: false,
                rebind: false,
                presence: Presence::Unbound,
            },
            now,
        }
    }

    /// Seals a reference token.
    #[must_use]
    pub fn seal_reference(&self) -> String {
        let secret = Secret::from_bytes([9; Secret::LEN]);
        let expiry = self.live.state.absolute_expiry;
        let id = &self.live.id;
        let token = self
            .tokens
            .seal_reference(CookieKind::Session, id, &secret, expiry);
        token.as_str().to_owned()
    }

    /// Opens a reference token.
    #[must_use]
    pub fn open_reference(&self, value: &[u8]) -> bool {
        let opened: Result<Opened<Claim>, _> =
            self.tokens
                .open_reference(CookieKind::Session, value, self.now);
        opened.is_ok()
    }

    /// Seals a self-contained token.
    #[must_use]
    pub fn seal_self_contained(&self) -> Option<String> {
        let (id, state) = (&self.live.id, &self.live.state);
        let token = self
            .tokens
            .seal_self_contained(CookieKind::Session, id, state);
        Some(token.ok()?.as_str().to_owned())
    }

    /// Opens a self-contained token.
    #[must_use]
    pub fn open_self_contained(&self, value: &[u8]) -> bool {
        let opened: Result<Opened<SelfContained>, _> =
            self.tokens
                .open_self_contained(CookieKind::Session, value, self.now);
        opened.is_ok()
    }

    /// Finds our cookie in the `Cookie` fields, without opening it.
    #[must_use]
    pub fn find(&self, headers: &HeaderMap) -> bool {
        let found = self.reader.read(headers, |_, value| Ok(value.len()));
        found.session.is_signed()
    }

    /// Decides whether the session opens.
    #[must_use]
    pub fn admit(&self) -> bool {
        let state = &self.live.state;
        admit::admit(state, Standing::Current, true, self.now, &self.policy).is_ok()
    }

    /// Decides that a session that nobody marked stays as it is.
    #[must_use]
    pub fn is_due(&self) -> bool {
        settle::is_due(&self.live, self.now, &self.policy)
    }

    /// Decides what a login of another subject comes to.
    #[must_use]
    pub fn settle_login(&self) -> usize {
        let marks = [(self.now, Mark::Login(Login::new("somebody else")))];
        let settled = settle::settle(&Settlement {
            live: Some(&self.live),
            came: &Came::default(),
            marks: &marks,
            outcome: Outcome::Answered,
            now: self.now,
            policy: &self.policy,
            realm: Realm::default(),
            data_budget: usize::MAX,
            upkeep: Upkeep::Everything,
        });
        settled.events.len()
    }
}
