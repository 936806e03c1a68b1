//! Reads the notation of ports: `5060/udp`, `20000-20100/udp`, and of ports that lead to a container
//! with a network of its own `8080:80/tcp`, `127.0.0.1:20000-20100:30000-30100/udp`.

use core::net::IpAddr;

use crate::document::instance::{PortRange, Protocol};
use crate::text::printable::printable;

/// A port or a range of ports of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PortText {
    /// The ports of the host.
    pub(crate) host: PortRange,
    /// The first port of the container, if the text names it.
    pub(crate) container: Option<u16>,
    /// The IP address of the host, if the text names it.
    pub(crate) address: Option<String>,
}

/// The reason why a text is no port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PortError {
    #[error("{0:?} is neither tcp nor udp")]
    Protocol(String),
    #[error("{0:?} is not a port number from 1 to 65535")]
    Number(String),
    #[error("{first}-{last} ends before it begins")]
    Backwards { first: u16, last: u16 },
    #[error("{0:?} is no IP address of the host")]
    Address(String),
    #[error("{host} are {} ports of the host, and {container} are another number of ports", host.count())]
    Unequal { host: PortRange, container: PortRange },
}

/// Reads a port.
///
/// # Errors
/// Returns the first reason why it is none.
pub(crate) fn parse(text: &str) -> Result<PortText, PortError> {
    let (rest, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        other => return Err(PortError::Protocol(printable(other))),
    };
    let (address, rest) = split_address(rest)?;
    let (host, container) = match rest.split_once(':') {
        Some((host, container)) => (host, Some(container)),
        None => (rest, None),
    };
    let host = range(host, protocol)?;
    let container = container.map(|container| range(container, protocol)).transpose()?;
    if let Some(container) = container.filter(|container| container.count() != host.count()) {
        return Err(PortError::Unequal { host, container });
    }
    Ok(PortText { host, container: container.map(|container| container.first), address })
}

/// Splits off the address of the host, which is in brackets if it is of IPv6.
fn split_address(text: &str) -> Result<(Option<String>, &str), PortError> {
    let split = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:"),
        None if text.matches(':').count() > 1 => text.split_once(':'),
        None => return Ok((None, text)),
    };
    let address = split.and_then(|(address, rest)| Some((address.parse::<IpAddr>().ok()?, rest)));
    let (address, rest) = address.ok_or_else(|| PortError::Address(printable(text)))?;
    Ok((Some(address.to_string()), rest))
}

fn range(text: &str, protocol: Protocol) -> Result<PortRange, PortError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if last < first {
        return Err(PortError::Backwards { first, last });
    }
    Ok(PortRange { first, last, protocol })
}

fn number(text: &str) -> Result<u16, PortError> {
    let number = text.trim().parse().ok().filter(|port| *port > 0);
    number.ok_or_else(|| PortError::Number(printable(text)))
}

/// Returns the first two ranges that have a port in common, with it.
pub(crate) fn overlap(ranges: &[PortRange]) -> Option<(PortRange, PortRange)> {
    let later = |index: usize| ranges.iter().skip(index + 1);
    let pairs = ranges.iter().enumerate().flat_map(|(i, one)| later(i).map(move |it| (*one, *it)));
    pairs.into_iter().find(|(one, other)| one.common(*other).is_some())
}

#[cfg(test)]
mod tests;
