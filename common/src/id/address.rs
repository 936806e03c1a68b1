//! The address of a host.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

/// An IP address or host name of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

/// The error of a text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or a host name")]
pub struct InvalidAddress;

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        let is_name = (1..=253).contains(&text.len())
            && text.bytes().all(allowed)
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let is_address = text.parse::<IpAddr>().is_ok();
        if is_name || is_address { Ok(Self(text.to_owned())) } else { Err(InvalidAddress) }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self(address.to_canonical().to_string())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
