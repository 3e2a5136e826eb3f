//! [`Events`]: what happens next.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::Time;

/// What is to happen, in the order of time, and of what happens at one time in the order in which it was told.
#[derive(Debug)]
pub(crate) struct Events<E> {
    heap: BinaryHeap<Reverse<(Time, u64, usize)>>,
    /// The events themselves, and which places are free: the heap only moves numbers.
    events: Vec<Option<E>>,
    free: Vec<usize>,
    told: u64,
}

impl<E> Events<E> {
    pub(crate) const fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            events: Vec::new(),
            free: Vec::new(),
            told: 0,
        }
    }

    pub(crate) fn at(&mut self, time: Time, event: E) {
        let place = self.free.pop().unwrap_or(self.events.len());
        if place == self.events.len() {
            self.events.push(Some(event));
        } else {
            self.events[place] = Some(event);
        }
        self.told += 1;
        self.heap.push(Reverse((time, self.told, place)));
    }

    pub(crate) fn next(&mut self) -> Option<(Time, E)> {
        let Reverse((time, _, place)) = self.heap.pop()?;
        self.free.push(place);
        Some((time, self.events[place].take()?))
    }
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_telling() {
        let mut events = Events::new();
        for (time, name) in [(3, 'd'), (1, 'a'), (2, 'b'), (2, 'c')] {
            events.at(time, name);
        }
        assert_eq!(events.next(), Some((1, 'a')));
        events.at(2, 'e');
        let rest: String = std::iter::from_fn(|| events.next().map(|(_, name)| name)).collect();
        assert_eq!(rest, "bced");
    }
}
