//! Flows that are kept ready to run, by the hash of their artifact. What is kept was hashed when it was
//! read, and a hash names one content for ever, so nothing here goes stale.

use std::{collections::HashMap, sync::Arc};

use souk_objects::Hash;

use crate::flow::Flow;

struct Entry {
    flow: Arc<Flow>,
    bytes: usize,
    used: u64,
}

/// The flows that were used last, up to a sum of artifact bytes.
pub(super) struct Kept {
    entries: HashMap<Hash, Entry>,
    most: usize,
    bytes: usize,
    turn: u64,
}

impl Kept {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { entries: HashMap::new(), most: most_bytes, bytes: 0, turn: 0 }
    }

    pub(super) fn get(&mut self, hash: &Hash) -> Option<Arc<Flow>> {
        self.turn += 1;
        let entry = self.entries.get_mut(hash)?;
        entry.used = self.turn;
        Some(Arc::clone(&entry.flow))
    }

    /// Keeps a flow whose artifact has `bytes`; what was used longest ago makes room.
    pub(super) fn put(&mut self, hash: Hash, flow: Arc<Flow>, bytes: usize) {
        if bytes > self.most || self.entries.contains_key(&hash) {
            return;
        }
        while self.bytes.saturating_add(bytes) > self.most {
            let oldest =
                self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(hash, _)| hash.clone());
            let Some(gone) = oldest.and_then(|hash| self.entries.remove(&hash)) else { break };
            self.bytes = self.bytes.saturating_sub(gone.bytes);
        }
        self.turn += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.entries.insert(hash, Entry { flow, bytes, used: self.turn });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(at: u8) -> Hash {
        Hash::of(&[at])
    }

    #[test]
    fn what_was_used_longest_ago_makes_room() {
        let mut kept = Kept::new(100);
        for at in 0..3 {
            kept.put(hash(at), Arc::default(), 30);
        }
        assert!(kept.get(&hash(0)).is_some());
        kept.put(hash(3), Arc::default(), 40);
        let there: Vec<bool> = (0..4).map(|at| kept.get(&hash(at)).is_some()).collect();
        assert_eq!((there, kept.bytes), (vec![true, false, true, true], 100));
        kept.put(hash(3), Arc::default(), 40);
        assert_eq!(kept.bytes, 100, "the same again takes no more room");
    }

    #[test]
    fn a_flow_larger_than_everything_displaces_nothing() {
        let mut kept = Kept::new(100);
        kept.put(hash(0), Arc::default(), 100);
        kept.put(hash(1), Arc::default(), 101);
        assert!(kept.get(&hash(0)).is_some() && kept.get(&hash(1)).is_none());
        let mut none = Kept::new(0);
        none.put(hash(0), Arc::default(), 1);
        assert!(none.get(&hash(0)).is_none());
    }
}
