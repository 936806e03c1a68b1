//! URLs as people write them into settings: `SCHEME://HOST[:PORT][/…]` (RFC 3986 §3).

use core::net::Ipv6Addr;

use crate::id::Address;

/// Checks that a text is a URL with a host, and without a password.
///
/// # Errors
/// Returns why it is none; empty if nothing more can be said.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("it needs a scheme, such as https://")?;
    let is_scheme = scheme.bytes().next().is_some_and(|first| first.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !is_scheme {
        return Err("its scheme is not one, such as https");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("it contains a space");
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    if authority.contains('@') {
        return Err("everybody sees a setting, so a user and a password belong into a secret");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or("a bracket is not closed")?;
            host.parse::<Ipv6Addr>().map_err(|_error| "what is in brackets is no IPv6 address")?;
            let port = if behind.is_empty() { None } else { behind.strip_prefix(':').or(Some("")) };
            (None, port)
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(authority), None),
        },
    };
    if host.is_some_and(|host| host.parse::<Address>().is_err()) {
        return Err("it names no host");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0)) || port.is_none() {
        return Ok(());
    }
    Err("its port is not a number from 1 to 65535")
}
