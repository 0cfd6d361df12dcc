//! Credentials that stand for nobody, for a short while: whoever tries a dead one again and again costs a
//! look here, not a read of tenancy each.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use souk_types::Time;

use super::Hash;
use crate::error::Error;

/// How long one is refused without asking again. What is made good meanwhile waits no longer than this.
const BELIEVED: Duration = Duration::from_secs(2);
/// Kept at the most: beyond them strangers cost reads again, not memory.
const KEPT: usize = 10_000;

/// What is known to stand for nobody.
#[derive(Default)]
pub(crate) struct Refused(Mutex<HashMap<Hash, Known>>);

struct Known {
    until: Time,
    expired: bool,
}

impl Refused {
    /// Keeps a refusal that asking again would only repeat.
    pub(crate) fn keep(&self, hash: Hash, error: &Error, now: Time) {
        if !error.is_final() {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.retain(|_, known| known.until > now);
        }
        if known.len() < KEPT {
            known.insert(hash, Known { until: now + BELIEVED, expired: error.is_expiry() });
        }
    }

    /// Whether the credential was refused just now, and why.
    pub(crate) fn check(&self, hash: Hash, now: Time) -> Result<(), Error> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&hash) {
            Some(known) if known.until > now && known.expired => Err(Error::CredentialExpired),
            Some(known) if known.until > now => Err(Error::CredentialInvalid),
            _ => Ok(()),
        }
    }

    /// Forgets one: something about it was changed.
    pub(crate) fn forget(&self, hash: Hash) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_repeated_for_a_while_and_no_other_error_is() {
        let (refused, now) = (Refused::default(), Time::from_micros(0));
        refused.keep([1; 32], &Error::CredentialInvalid, now);
        refused.keep([2; 32], &Error::CredentialExpired, now);
        refused.keep([3; 32], &Error::Key("tenancy is away".to_owned()), now);
        assert!(matches!(refused.check([1; 32], now), Err(Error::CredentialInvalid)));
        assert!(matches!(refused.check([2; 32], now), Err(Error::CredentialExpired)));
        assert!(refused.check([3; 32], now).is_ok() && refused.check([1; 32], now + BELIEVED).is_ok());
        refused.forget([1; 32]);
        assert!(refused.check([1; 32], now).is_ok());
    }

    #[test]
    fn strangers_fill_it_to_a_bound_and_old_ones_make_room() {
        let (refused, now) = (Refused::default(), Time::from_micros(0));
        let hash = |at: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&at.to_be_bytes());
            hash
        };
        for at in 0..KEPT + 5 {
            refused.keep(hash(at), &Error::CredentialInvalid, now);
        }
        assert_eq!(refused.0.lock().unwrap().len(), KEPT);
        refused.keep(hash(KEPT), &Error::CredentialInvalid, now + BELIEVED);
        assert_eq!(refused.0.lock().unwrap().len(), 1);
    }
}
