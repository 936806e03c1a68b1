//! The ports of an instance: single ones and ranges.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Instance, Port, Protocol};

/// The ports of one protocol from one number to another. Both belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest number, from 1 to 65535.
    pub first: u16,
    /// The highest number, which is not below the lowest.
    pub last: u16,
    pub protocol: Protocol,
}

impl PortRange {
    /// Returns the number of its ports.
    #[must_use]
    pub fn count(self) -> u32 {
        u32::from(self.last.saturating_sub(self.first)) + 1
    }

    /// Returns true if it has that port.
    #[must_use]
    pub fn contains(self, port: Port) -> bool {
        port.protocol == self.protocol && (self.first..=self.last).contains(&port.number)
    }

    /// Returns true if every port of the other one is one of its own.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.protocol == other.protocol && self.first <= other.first && other.last <= self.last
    }

    /// Returns the ports that both have.
    #[must_use]
    pub fn common(self, other: Self) -> Option<Self> {
        let (first, last) = (self.first.max(other.first), self.last.min(other.last));
        let has_common = self.protocol == other.protocol && first <= last;
        has_common.then_some(Self { first, last, protocol: self.protocol })
    }
}

impl From<Port> for PortRange {
    fn from(Port { number, protocol }: Port) -> Self {
        Self { first: number, last: number, protocol }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last, protocol } = self;
        if first == last {
            return write!(f, "{first}/{}", protocol.as_str());
        }
        write!(f, "{first}-{last}/{}", protocol.as_str())
    }
}

impl Instance {
    /// Returns all ports of the host that it uses, single ones as ranges of one.
    #[must_use]
    pub fn port_ranges(&self) -> Vec<PortRange> {
        self.ports.iter().map(|port| (*port).into()).chain(self.ranges.iter().copied()).collect()
    }
}
