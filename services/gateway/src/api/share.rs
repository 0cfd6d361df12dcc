//! How much of the door one caller may hold at once: calls that have begun and watches that are open. The
//! parts bound what they work on in all, not who asks; without this, one stranger with calls that never
//! send their body keeps everybody out of a part.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use souk_types::UserId;

/// Who holds; everybody without a credential is one caller.
type Who = Option<UserId>;

/// What is held by whom.
pub(crate) struct Shares {
    most: usize,
    held: Mutex<HashMap<Who, usize>>,
}

impl Shares {
    /// Shares of at most so many places.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, held: Mutex::default() })
    }

    /// A place within the caller's share; `None` when all of it is held.
    pub(crate) fn take(self: &Arc<Self>, who: Who) -> Option<Place> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(who).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { shares: Arc::clone(self), who })
    }
}

/// One place, given back when dropped.
pub(crate) struct Place {
    shares: Arc<Shares>,
    who: Who,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.shares.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.who) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_holds_its_share_and_no_more_whatever_others_hold() {
        let shares = Shares::new(2);
        let (ann, bob) = (Some(UserId::from_bits(1)), Some(UserId::from_bits(2)));
        let (first, second) = (shares.take(ann).unwrap(), shares.take(ann).unwrap());
        assert!(shares.take(ann).is_none());
        assert!(shares.take(bob).is_some() && shares.take(None).is_some());
        drop(first);
        assert!(shares.take(ann).is_some(), "what was given back may be held again");
        drop(second);
        assert!(shares.held.lock().unwrap().is_empty(), "nothing is kept of who is gone");
    }
}
