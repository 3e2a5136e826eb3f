//! [`SeenTokens`]: the logout tokens that this process has carried out.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Mutex, PoisonError},
};

use tower_session_guard::{
    Timestamp,
    store::{StoreError, StoreErrorKind, StoreFuture},
};

use super::{CLAIM_LASTS, Claim, ReplayMemory, TokenId};

/// The logout tokens that this process has carried out, until they expire.
///
/// It holds [`MAX_TOKENS`](Self::MAX_TOKENS) tokens unless [`with_max_tokens`](Self::with_max_tokens) says otherwise, in some 250
/// bytes each. When it is full it forgets none: further logouts are answered with 503 until some expire. Only tokens that the
/// provider signed take room.
///
/// A restart forgets them, so until it expires a token could be used again. Another process does not know of them.
pub struct SeenTokens {
    max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tokens: HashMap<TokenId, Seen>,
    /// The same, by when they are forgotten.
    by_end: BTreeSet<(Timestamp, TokenId)>,
}

#[derive(Clone, Copy)]
struct Seen {
    finished: bool,
    until: Timestamp,
}

impl SeenTokens {
    /// How many tokens are remembered unless said otherwise.
    pub const MAX_TOKENS: usize = 65_536;

    /// A memory that holds [`MAX_TOKENS`](Self::MAX_TOKENS) tokens.
    #[must_use]
    pub fn new() -> Self {
        Self {
            max: Self::MAX_TOKENS,
            state: Mutex::default(),
        }
    }

    /// Sets how many tokens are remembered at a time.
    ///
    /// That is how many logouts the provider may send in the lifetime of a token.
    #[must_use]
    pub fn with_max_tokens(mut self, max: usize) -> Self {
        self.max = max;
        self
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn claim(
        &mut self,
        token: &TokenId,
        until: Timestamp,
        now: Timestamp,
        max: usize,
    ) -> Option<Claim> {
        while self.by_end.first().is_some_and(|(end, _)| *end <= now) {
            if let Some((_, over)) = self.by_end.pop_first() {
                self.tokens.remove(&over);
            }
        }
        if let Some(seen) = self.tokens.get(token) {
            return Some(if seen.finished {
                Claim::Finished
            } else {
                Claim::UnderWay
            });
        }
        if self.tokens.len() >= max {
            return None;
        }
        self.put(token, false, until.min(now.after(CLAIM_LASTS)));
        Some(Claim::Granted)
    }

    fn put(&mut self, token: &TokenId, finished: bool, until: Timestamp) {
        self.forget(token);
        self.tokens.insert(token.clone(), Seen { finished, until });
        self.by_end.insert((until, token.clone()));
    }

    fn forget(&mut self, token: &TokenId) {
        if let Some(seen) = self.tokens.remove(token) {
            self.by_end.remove(&(seen.until, token.clone()));
        }
    }
}

impl ReplayMemory for SeenTokens {
    fn claim<'a>(
        &'a self,
        token: &'a TokenId,
        until: Timestamp,
        now: Timestamp,
    ) -> StoreFuture<'a, Claim> {
        let claim = self.with(|state| state.claim(token, until, now, self.max));
        Box::pin(async move { claim.ok_or_else(|| StoreError::new(StoreErrorKind::Full)) })
    }

    fn finish<'a>(&'a self, token: &'a TokenId, until: Timestamp) -> StoreFuture<'a, ()> {
        self.with(|state| state.put(token, true, until));
        Box::pin(async { Ok(()) })
    }

    fn release<'a>(&'a self, token: &'a TokenId) -> StoreFuture<'a, ()> {
        self.with(|state| state.forget(token));
        Box::pin(async { Ok(()) })
    }
}

impl Default for SeenTokens {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SeenTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeenTokens")
            .field("max", &self.max)
            .field("tokens", &self.with(|state| state.tokens.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower_session_guard::Timestamp;

    use super::{Claim, ReplayMemory, SeenTokens, TokenId};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    fn at(seconds: u64) -> Timestamp {
        NOW.after(Duration::from_secs(seconds))
    }

    fn token(jti: &str) -> TokenId {
        TokenId::of("https://idp.example", jti)
    }

    async fn claim(memory: &SeenTokens, jti: &str, now: u64) -> Option<Claim> {
        memory.claim(&token(jti), at(120), at(now)).await.ok()
    }

    /// R57: once, until the token expires; a claim is neither used up by a failure nor by a node that dies.
    #[tokio::test]
    async fn a_token_is_granted_once_until_it_expires() {
        let memory = SeenTokens::new();
        assert_eq!(claim(&memory, "a", 0).await, Some(Claim::Granted));
        assert_eq!(claim(&memory, "a", 0).await, Some(Claim::UnderWay));
        memory.release(&token("a")).await.unwrap();
        assert_eq!(claim(&memory, "a", 0).await, Some(Claim::Granted));
        assert_eq!(claim(&memory, "a", 59).await, Some(Claim::UnderWay));
        assert_eq!(claim(&memory, "a", 60).await, Some(Claim::Granted));
        memory.finish(&token("a"), at(120)).await.unwrap();
        for now in [60, 119] {
            assert_eq!(claim(&memory, "a", now).await, Some(Claim::Finished));
        }
        assert_eq!(claim(&memory, "b", 119).await, Some(Claim::Granted));
    }

    /// R57: it is bounded, and full it grants nothing that it could not remember.
    #[tokio::test]
    async fn a_full_memory_forgets_nothing_and_grants_nothing() {
        let memory = SeenTokens::new().with_max_tokens(2);
        for jti in ["a", "b"] {
            assert_eq!(claim(&memory, jti, 0).await, Some(Claim::Granted));
            memory.finish(&token(jti), at(120)).await.unwrap();
        }
        assert_eq!(claim(&memory, "c", 119).await, None);
        assert_eq!(claim(&memory, "a", 119).await, Some(Claim::Finished));
        let later = memory.claim(&token("c"), at(240), at(120)).await;
        assert_eq!(later.unwrap(), Claim::Granted);
        memory.finish(&token("c"), at(240)).await.unwrap();
        assert_eq!(
            memory.with(|state| (state.tokens.len(), state.by_end.len())),
            (1, 1)
        );
    }

    #[test]
    fn ids_of_different_issuers_and_tokens_differ() {
        let ids = [
            TokenId::of("ab", "c"),
            TokenId::of("a", "bc"),
            TokenId::of("", "abc"),
            TokenId::of("ab", "d"),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert_eq!(id.as_str().len(), 43);
            assert!(!ids[at + 1..].contains(id));
        }
    }
}
