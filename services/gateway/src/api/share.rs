//! How much of the door one caller may hold at once: calls that have begun and watches that are open. The
//! parts bound what they work on in all, not who asks; without this, one stranger with calls that never
//! send their body keeps everybody out of a part.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use souk_types::UserId;
use tonic::transport::server::TcpConnectInfo;

/// Who holds: a person wherever they call from; who shows no credential, by the network they call from.
/// Were all strangers one caller, one of them could keep the others from signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Somebody who showed a credential.
    Person(UserId),
    /// Somebody who did not; `None` where the connection has no address.
    Stranger(Option<IpAddr>),
}

impl Who {
    /// Whose call it is.
    pub(crate) fn of(user_id: Option<UserId>, extensions: &http::Extensions) -> Self {
        let peer = || extensions.get::<TcpConnectInfo>().and_then(TcpConnectInfo::remote_addr);
        user_id.map_or_else(|| Self::Stranger(peer().map(|peer| network(peer.ip()))), Self::Person)
    }
}

/// What one stranger can be sure to have alone: an address, or a /64.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
        ip @ IpAddr::V4(_) => ip,
    }
}

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
        let (ann, bob) = (Who::Person(UserId::from_bits(1)), Who::Person(UserId::from_bits(2)));
        let stranger = |ip: &str| Who::Stranger(Some(network(ip.parse().unwrap())));
        let (first, second) = (shares.take(ann).unwrap(), shares.take(ann).unwrap());
        assert!(shares.take(ann).is_none());
        assert!(shares.take(bob).is_some() && shares.take(Who::Stranger(None)).is_some());
        let near =
            [shares.take(stranger("2001:db8::1")).unwrap(), shares.take(stranger("2001:db8::2")).unwrap()];
        assert!(
            shares.take(stranger("2001:db8::3")).is_none() && shares.take(stranger("10.0.0.1")).is_some()
        );
        drop(near);
        drop(first);
        assert!(shares.take(ann).is_some(), "what was given back may be held again");
        drop(second);
        assert!(shares.held.lock().unwrap().is_empty(), "nothing is kept of who is gone");
    }
}
