//! Limits the connections of each peer, so that none takes the places of all others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use oml_proto::tls::Identity;

/// Whom a connection counts for: a certificate's holder, else an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Address(IpAddr),
    Identity(Identity),
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Identity(identity) => identity.fmt(f),
        }
    }
}

/// Counts the connections of every peer.
#[derive(Debug, Default)]
pub(super) struct ConnectionLimits {
    taken: Mutex<HashMap<Holder, usize>>,
}

/// One connection of a peer, until it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    slots: Arc<ConnectionLimits>,
    holder: Holder,
}

impl ConnectionLimits {
    /// One more connection, unless the holder has `max` already.
    pub(super) fn take(self: &Arc<Self>, holder: Holder, max: usize) -> Option<ConnectionSlot> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&holder).copied().unwrap_or_default();
        if count >= max {
            return None;
        }
        taken.insert(holder.clone(), count + 1);
        Some(ConnectionSlot { slots: Arc::clone(self), holder })
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        // A count is changed in one step, so a poisoned lock guards a whole state.
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = taken.entry(self.holder.clone()) {
            if *count.get() > 1 {
                *count.get_mut() -= 1;
            } else {
                count.remove();
            }
        }
    }
}

/// What an address counts as: of IPv6 the network of 64 bits, which one host
/// has whole.
pub(super) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(network.into())
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests;
