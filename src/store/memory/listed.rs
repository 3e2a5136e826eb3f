//! [`Listed`]: the ids under one key, in order, and how many of them count.

use std::{collections::BTreeMap, mem, ops::Bound};

use super::super::Counting;
use crate::session::id::SessionId;

/// The ids under one key. The one that most keys have is held in place.
#[derive(Debug)]
pub(super) enum Listed {
    One(SessionId, Counting),
    Several(Box<Several>),
}

#[derive(Debug)]
pub(super) struct Several {
    ids: BTreeMap<SessionId, Counting>,
    /// How many of them count.
    counted: usize,
}

impl Listed {
    /// How many count.
    pub(super) fn counted(&self) -> usize {
        match self {
            Self::One(_, counting) => count(*counting),
            Self::Several(several) => several.counted,
        }
    }

    /// Adds an id, or says anew whether it counts, and tells how many count by then.
    pub(super) fn insert(&mut self, id: &SessionId, counting: Counting) -> usize {
        match self {
            Self::One(own, its) if own == id => *its = counting,
            Self::One(own, its) => {
                let counted = count(*its) + count(counting);
                let ids = BTreeMap::from([(*own, *its), (*id, counting)]);
                *self = Self::Several(Box::new(Several { ids, counted }));
            }
            Self::Several(several) => {
                let before = several.ids.insert(*id, counting);
                several.counted += count(counting);
                several.counted -= before.map_or(0, count);
            }
        }
        self.counted()
    }

    /// Takes an id away, and tells whether none is left.
    pub(super) fn remove(&mut self, id: &SessionId) -> bool {
        let several = match self {
            Self::One(own, _) => return own == id,
            Self::Several(several) => several,
        };
        several.counted -= several.ids.remove(id).map_or(0, count);
        if several.ids.len() == 1
            && let Some((last, counting)) = mem::take(&mut several.ids).pop_first()
        {
            *self = Self::One(last, counting);
        }
        false
    }

    /// At most `limit` of the ids that come after `after`, in order.
    pub(super) fn page(
        &self,
        after: Option<SessionId>,
        limit: usize,
    ) -> Vec<(SessionId, Counting)> {
        match self {
            Self::One(id, counting) => {
                let is_next = limit > 0 && after.is_none_or(|after| after < *id);
                is_next.then_some((*id, *counting)).into_iter().collect()
            }
            Self::Several(several) => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let ids = several.ids.range((from, Bound::Unbounded)).take(limit);
                ids.map(|(id, counting)| (*id, *counting)).collect()
            }
        }
    }
}

/// By how much an entry raises the count.
fn count(counting: Counting) -> usize {
    usize::from(counting == Counting::Counted)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Listed, count};
    use crate::{session::id::SessionId, store::Counting};

    const fn id(number: u8) -> SessionId {
        SessionId::from_bytes([number; SessionId::LEN])
    }

    /// S01: whatever is added and taken away in whichever order, as one sorted map would have it.
    #[test]
    fn it_lists_and_counts_as_a_sorted_map_does() {
        let mut seed = 1_u32;
        let mut next = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        let (mut listed, mut plain) = (None::<Listed>, BTreeMap::new());
        for _ in 0..20_000 {
            let at = id(next(4) as u8);
            let counting = [Counting::Counted, Counting::LeftOut][next(2) as usize];
            if next(2) == 0 {
                plain.insert(at, counting);
                let counted = match &mut listed {
                    Some(listed) => listed.insert(&at, counting),
                    None => listed.insert(Listed::One(at, counting)).counted(),
                };
                let expected: usize = plain.values().copied().map(count).sum();
                assert_eq!(counted, expected);
            } else {
                plain.remove(&at);
                listed = listed.and_then(|mut listed| (!listed.remove(&at)).then_some(listed));
            }
            assert_eq!(listed.is_none(), plain.is_empty());
            for after in [None, Some(id(0)), Some(id(2)), Some(id(9))] {
                for limit in [1, 2, 9] {
                    let page = listed
                        .as_ref()
                        .map_or_else(Vec::new, |l| l.page(after, limit));
                    let all = plain.iter().map(|(id, counting)| (*id, *counting));
                    let from = all.filter(|(id, _)| after.is_none_or(|after| after < *id));
                    assert_eq!(page, from.take(limit).collect::<Vec<_>>());
                }
            }
        }
    }
}
