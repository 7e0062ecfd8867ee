//! A set of endpoints by their index in the compiled list, as bits.

use smallvec::SmallVec;
use std::fmt;

/// A set of endpoint indexes. Sets of one compiled policy have one length, so that combining them is a few ANDs.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct EndpointSet {
    words: SmallVec<[u64; 4]>,
}

impl EndpointSet {
    /// The empty set with room for `len` endpoints.
    #[must_use]
    pub fn empty(len: usize) -> Self {
        Self { words: SmallVec::from_elem(0, len.div_ceil(64)) }
    }

    /// Adds an endpoint. An index beyond the set's room is not added.
    pub fn insert(&mut self, index: usize) {
        if let Some(word) = self.words.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether the endpoint is in the set.
    #[must_use]
    pub fn contains(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    /// How many endpoints it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|w| *w == 0)
    }

    /// Keeps only what the other set holds too. What the other has no room for is dropped.
    pub fn intersect(&mut self, other: &Self) {
        for (i, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(i).copied().unwrap_or(0);
        }
    }

    /// Adds what the other set holds.
    pub fn union(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// What this set holds and the other does not.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut out = self.clone();
        for (word, other) in out.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
        out
    }

    /// Whether everything in this set is in the other.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }

    /// Empties it, keeping its room.
    pub fn clear(&mut self) {
        self.words.iter_mut().for_each(|w| *w = 0);
    }

    /// The indexes, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(i, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                Some(i * 64 + bit)
            })
        })
    }
}

impl fmt::Debug for EndpointSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaves_like_a_set() {
        let mut a = EndpointSet::empty(130);
        for i in [0, 63, 64, 129] {
            a.insert(i);
        }
        a.insert(5000);
        assert_eq!(a.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        let mut b = EndpointSet::empty(130);
        b.insert(64);
        b.insert(1);
        let mut both = a.clone();
        both.intersect(&b);
        assert_eq!(both.iter().collect::<Vec<_>>(), [64]);
        assert_eq!(a.difference(&b).len(), 3);
        assert!(both.is_subset(&a) && !b.is_subset(&a));
        both.clear();
        assert!(both.is_empty() && !a.is_empty());
    }

    #[test]
    fn a_shorter_set_grants_nothing_beyond_its_room() {
        let mut a = EndpointSet::empty(200);
        a.insert(150);
        a.intersect(&EndpointSet::empty(10));
        assert!(a.is_empty());
    }
}
