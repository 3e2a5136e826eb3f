//! [`Derived`]: what is computed from every key of a ring, and follows the ring when it is replaced.

use std::{fmt, sync::Arc};

use arc_swap::{ArcSwap, Guard};

use super::{KeyId, KeyRing, KeyUse, LABEL, Mac};

/// What was computed from every key of a ring; computed again once the ring was replaced.
///
/// As long as the ring stays, a use costs one load and one comparison.
pub(crate) struct Derived<T> {
    ring: KeyRing,
    from: Box<dyn Fn(&Mac) -> T + Send + Sync>,
    cached: ArcSwap<DerivedSet<T>>,
}

impl<T> Derived<T> {
    pub(crate) fn new(ring: KeyRing, from: impl Fn(&Mac) -> T + Send + Sync + 'static) -> Self {
        let cached = ArcSwap::from_pointee(DerivedSet::new(&ring, &from));
        Self {
            ring,
            from: Box::new(from),
            cached,
        }
    }

    /// What belongs to the keys that are in the ring now.
    pub(crate) fn current(&self) -> Guard<Arc<DerivedSet<T>>> {
        let cached = self.cached.load();
        if cached.generation == self.ring.generation() {
            return cached;
        }
        // Not what the cache holds by then: a slower thread may have put an older set there.
        let fresh = Arc::new(DerivedSet::new(&self.ring, &self.from));
        self.cached.store(Arc::clone(&fresh));
        Guard::from_inner(fresh)
    }
}

impl KeyRing {
    /// The keys for one purpose in one context, which follow the ring when it is replaced.
    ///
    /// Each is the HMAC-SHA-256, under the ring's key, of the crate's label, the purpose and the context,
    /// each part with its length before it; no other purpose or context gives the same key. The purpose
    /// `key id` is taken.
    pub(crate) fn derive(&self, purpose: &'static str, context: &[&[u8]]) -> Derived<Mac> {
        debug_assert_ne!(purpose.as_bytes(), KeyId::PURPOSE);
        let context: Vec<Vec<u8>> = context.iter().map(|part| part.to_vec()).collect();
        Derived::new(self.clone(), move |key| {
            let context = context.iter().map(Vec::as_slice);
            let parts: Vec<&[u8]> = [LABEL, purpose.as_bytes()]
                .into_iter()
                .chain(context)
                .collect();
            key.derive(&parts)
        })
    }
}

impl<T> fmt::Debug for Derived<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Derived").field(&self.ring).finish()
    }
}

/// What was computed from the keys of a ring at one moment, in the ring's order.
pub(crate) struct DerivedSet<T> {
    generation: u64,
    keys: Box<[(KeyId, KeyUse, T)]>,
}

impl<T> DerivedSet<T> {
    fn new(ring: &KeyRing, from: impl Fn(&Mac) -> T) -> Self {
        // Read before the keys: if the ring is replaced in between, the set counts as outdated.
        let generation = ring.generation();
        let keys = ring.keys();
        Self {
            generation,
            keys: keys
                .iter()
                .map(|key| (key.id, key.role, from(&key.mac)))
                .collect(),
        }
    }

    /// What belongs to the key that signs.
    pub(crate) fn first(&self) -> (KeyId, &T) {
        // A ring is never empty.
        let (id, _, value) = &self.keys[0];
        (*id, value)
    }

    /// What belongs to each key, the signing one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (KeyId, &T)> {
        self.keys.iter().map(|(id, _, value)| (*id, value))
    }

    /// What belongs to the key with this id, and what that key is for.
    pub(crate) fn find(&self, id: KeyId) -> Option<(&T, KeyUse)> {
        let (_, role, value) = self.keys.iter().find(|(own, ..)| *own == id)?;
        Some((value, *role))
    }
}
