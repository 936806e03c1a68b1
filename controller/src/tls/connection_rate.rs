//! Limits the rate of new connections from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

const WINDOW: Duration = Duration::from_secs(1);
/// The number of addresses that are counted within a window. So many addresses a second that
/// never showed a certificate are no fleet.
const ADDRESSES_MAX: usize = 64 * 1024;

/// Counts the new connections of every address within a second.
#[derive(Debug)]
pub(super) struct ConnectionRate {
    per_second_max: usize,
    began: Instant,
    counts: HashMap<IpAddr, usize>,
}

impl ConnectionRate {
    pub(super) fn new(per_second_max: usize, now: Instant) -> Self {
        Self { per_second_max, began: now, counts: HashMap::new() }
    }

    /// Counts a connection and returns true if the address may have another one now. If very
    /// many addresses come at once, only known ones are admitted.
    pub(super) fn admit(&mut self, address: IpAddr, is_known: bool, now: Instant) -> bool {
        if now >= self.began + WINDOW {
            self.began = now;
            self.counts.clear();
        }
        if self.counts.len() >= ADDRESSES_MAX && !self.counts.contains_key(&address) {
            return is_known;
        }
        let count = self.counts.entry(address).or_default();
        *count += 1;
        *count <= self.per_second_max
    }
}

#[cfg(test)]
mod tests {
    //! Peers that come too often, and others that do not suffer from them.

    use super::*;

    #[test]
    fn an_address_that_comes_too_often_waits_for_the_next_second() {
        let start = Instant::now();
        let mut rate = ConnectionRate::new(2, start);
        let (greedy, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let admitted = [greedy; 3].map(|address| rate.admit(address, false, start));
        assert_eq!(admitted, [true, true, false]);
        assert!(rate.admit(other, false, start));
        assert!(rate.admit(greedy, false, start + WINDOW));
    }
}
