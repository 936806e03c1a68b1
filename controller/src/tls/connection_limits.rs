//! Limits the connections of each peer, so that no peer takes the places of all others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use oml_daemon::tls::Identity;

/// The peer for which a connection counts: the holder of a certificate, or else an
/// address.
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
    /// Counts another connection, unless the peer already has `max`.
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
        // This ignores poison, because a count is changed in one step.
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

/// Returns the address that is counted. For IPv6 it is the network of 64 bits, which one
/// host has as a whole.
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
