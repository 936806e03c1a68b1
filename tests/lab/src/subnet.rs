//! Picks a free /24 subnet of 10.0.0.0/8 for a lab. The module is pure: the caller passes the networks that are in use.

use std::net::Ipv4Addr;

/// A /24 subnet of 10.0.0.0/8. The names of a lab's bridge, machines and cgroups are derived from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subnet {
    second: u8,
    third: u8,
}

impl Subnet {
    /// Returns the lab's short id. The names of the bridge, the machines and the cgroups start with it, so they are as
    /// unique as the subnet, and short enough for interface names.
    pub(crate) fn id(self) -> String {
        format!("oml-{:02x}{:02x}", self.second, self.third)
    }

    /// Returns the address with this last number.
    pub(crate) fn address(self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, self.second, self.third, last)
    }

    /// Returns the address of the bridge.
    pub(crate) fn gateway(self) -> Ipv4Addr {
        self.address(1)
    }

    /// Returns the subnet in the form `10.x.y.0/24`.
    pub(crate) fn cidr(self) -> String {
        format!("{}/24", self.address(0))
    }

    /// Parses the form that `cidr` returns.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let address: Ipv4Addr = text.strip_suffix("/24")?.parse().ok()?;
        match address.octets() {
            [10, second, third, 0] => Some(Self { second, third }),
            [..] => None,
        }
    }

    fn overlaps(self, network: &Network) -> bool {
        let prefix = network.prefix.min(24);
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        (self.address(0).to_bits() ^ network.address.to_bits()) & mask == 0
    }
}

/// A network that this machine uses already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Network {
    address: Ipv4Addr,
    prefix: u8,
}

/// Finds the networks in the output of `ip -4 route show table all` and `ip -4 -o addr`. Every word that is an address,
/// with or without a prefix, is a network. The default route is not counted.
pub(crate) fn networks_in(text: &str) -> Vec<Network> {
    text.split_whitespace().filter_map(network).collect()
}

fn network(word: &str) -> Option<Network> {
    let (address, prefix) = word.split_once('/').unwrap_or((word, "32"));
    let network = Network {
        address: address.parse().ok()?,
        prefix: prefix.parse().ok().filter(|bits| (1..=32).contains(bits))?,
    };
    Some(network)
}

/// Returns the first free subnet, or `None` if all are in use. The search starts at a position that depends on `seed`, so
/// that two labs that start at the same time rarely pick the same subnet.
pub(crate) fn pick(seed: u16, used: &[Network]) -> Option<Subnet> {
    (0..=u16::MAX)
        .map(|step| {
            let [second, third] = seed.wrapping_add(step).to_be_bytes();
            Subnet { second, third }
        })
        .find(|subnet| !used.iter().any(|network| subnet.overlaps(network)))
}

#[cfg(test)]
mod tests;
