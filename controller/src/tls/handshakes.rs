//! Chooses the handshake that gives way when there are too many, so that peers that open
//! a connection and say nothing cannot close a port.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// The number of addresses in each of the two generations of [`KnownAddresses`].
const KNOWN_LEN_MAX: usize = 8 * 1024;

/// The unfinished handshakes of a port, oldest first. `K` identifies one of them.
#[derive(Debug)]
pub(super) struct Handshakes<K> {
    max: usize,
    per_address_max: usize,
    open: Vec<Handshake<K>>,
    per_address: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Handshake<K> {
    key: K,
    address: IpAddr,
    is_known: bool,
}

impl<K: Copy + Eq> Handshakes<K> {
    pub(super) fn new(max: usize, per_address_max: usize) -> Self {
        Self { max, per_address_max, open: Vec::new(), per_address: HashMap::new() }
    }

    /// Returns the handshake that must be dropped before another one from `address` may
    /// begin: the oldest of the same address if that has too many, or else the oldest of the
    /// address that has the most. An address from which a host showed a certificate lately
    /// gives way only if there is no other.
    pub(super) fn to_drop(&self, address: IpAddr) -> Option<K> {
        if self.count(address) >= self.per_address_max {
            return self.oldest(|handshake| handshake.address == address);
        }
        if self.open.len() < self.max {
            return None;
        }
        let most = |is_known: bool| {
            let candidates = self.open.iter().filter(|it| it.is_known == is_known);
            candidates.map(|it| self.count(it.address)).max().and_then(|most| {
                self.oldest(|it| it.is_known == is_known && self.count(it.address) == most)
            })
        };
        most(false).or_else(|| most(true))
    }

    pub(super) fn begin(&mut self, key: K, address: IpAddr, is_known: bool) {
        self.open.push(Handshake { key, address, is_known });
        *self.per_address.entry(address).or_default() += 1;
    }

    /// Forgets a handshake that is over or was dropped. One that is forgotten already is ignored.
    pub(super) fn end(&mut self, key: K) {
        let Some(index) = self.open.iter().position(|handshake| handshake.key == key) else {
            return;
        };
        let address = self.open.remove(index).address;
        if let Some(count) = self.per_address.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&address);
            }
        }
    }

    fn count(&self, address: IpAddr) -> usize {
        self.per_address.get(&address).copied().unwrap_or_default()
    }

    fn oldest(&self, is_it: impl Fn(&Handshake<K>) -> bool) -> Option<K> {
        self.open.iter().find(|handshake| is_it(handshake)).map(|handshake| handshake.key)
    }
}

/// The addresses from which a peer showed a valid certificate lately. Old ones are forgotten
/// when many new ones come.
#[derive(Debug, Default)]
pub(super) struct KnownAddresses {
    recent: HashSet<IpAddr>,
    before: HashSet<IpAddr>,
}

impl KnownAddresses {
    pub(super) fn add(&mut self, address: IpAddr) {
        if self.recent.len() >= KNOWN_LEN_MAX {
            self.before = std::mem::take(&mut self.recent);
        }
        self.recent.insert(address);
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.recent.contains(&address) || self.before.contains(&address)
    }
}

#[cfg(test)]
mod tests;
