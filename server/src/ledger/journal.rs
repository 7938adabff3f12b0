//! An ordered map that can take back what was done since a mark: entries are folded before their record is appended, and a lost slot undoes them.

use std::collections::{BTreeMap, btree_map::Range};

/// A map with an undo log. Ordered, so that nothing depends on hash order.
#[derive(Debug)]
pub(super) struct Journaled<K, V> {
    map: BTreeMap<K, V>,
    /// Old values in the order of change; `None` where there was none.
    undo: Vec<(K, Option<V>)>,
    recording: bool,
}

impl<K, V> Default for Journaled<K, V> {
    fn default() -> Self {
        Self {
            map: BTreeMap::new(),
            undo: Vec::new(),
            recording: false,
        }
    }
}

impl<K: Ord + Clone, V: Clone> Journaled<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.map.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        let old = self.map.insert(key.clone(), value);
        if self.recording {
            self.undo.push((key, old));
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        let old = self.map.remove(key);
        if self.recording && old.is_some() {
            self.undo.push((key.clone(), old));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    pub(super) fn range(&self) -> Range<'_, K, V> {
        self.map.range(..)
    }

    /// Starts to remember.
    pub(super) fn begin(&mut self) {
        self.undo.clear();
        self.recording = true;
    }

    /// Keeps what was done.
    pub(super) fn commit(&mut self) {
        self.undo.clear();
        self.recording = false;
    }

    /// Takes back what was done since [`begin`](Self::begin).
    pub(super) fn rollback(&mut self) {
        for (key, old) in self.undo.drain(..).rev() {
            match old {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
        self.recording = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rollback_restores_and_commit_keeps(
            before in prop::collection::btree_map(0_u8..8, any::<u16>(), 0..8),
            steps in prop::collection::vec((0_u8..8, prop::option::of(any::<u16>())), 0..32),
            keep: bool,
        ) {
            let mut journaled = Journaled::default();
            for (k, v) in &before {
                journaled.insert(*k, *v);
            }
            let mut expected = before.clone();
            journaled.begin();
            for (k, v) in steps {
                match v {
                    Some(v) => { journaled.insert(k, v); expected.insert(k, v); }
                    None => { journaled.remove(&k); expected.remove(&k); }
                }
            }
            if keep { journaled.commit(); } else { journaled.rollback(); }
            prop_assert_eq!(&journaled.map, if keep { &expected } else { &before });
        }
    }
}
