//! The names that a certificate of a tenant is for.

use core::net::IpAddr;
use std::fmt;
use std::str::FromStr;

use crate::text::printable::shortened;

/// A host name, which may have `*` as its first label, or an IP address. It is kept in the one form in
/// which certificates are compared: lower case, and addresses as RFC 5952 writes them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsName(String);

/// The error of a text that is no name of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is neither a host name such as pbx.example.com nor an IP address")]
pub struct InvalidTlsName {
    shown: String,
}

impl TlsName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    /// Returns what it is, if no HTTP-01 challenge (RFC 8555 §8.3) can be answered for it.
    #[must_use]
    pub fn beyond_http_01(&self) -> Option<&'static str> {
        if self.address().is_some() {
            return Some("an address");
        }
        if self.0.starts_with("*.") {
            return Some("a wildcard");
        }
        (!self.0.contains('.')).then_some("a name without a domain")
    }

    /// Whether a certificate for these names is valid for this one. A wildcard stands for exactly one
    /// label (RFC 9525 §6.3), and for no address.
    #[must_use]
    pub fn is_covered_by(&self, names: &[String]) -> bool {
        let wildcard = match self.address() {
            Some(_) => None,
            None => self.0.split_once('.').map(|(_, rest)| format!("*.{rest}")),
        };
        let is_it = |name: &String| {
            name.eq_ignore_ascii_case(&self.0)
                || wildcard.as_ref().is_some_and(|wildcard| name.eq_ignore_ascii_case(wildcard))
        };
        names.iter().any(is_it)
    }
}

impl FromStr for TlsName {
    type Err = InvalidTlsName;

    fn from_str(text: &str) -> Result<Self, InvalidTlsName> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_canonical().to_string()));
        }
        let name = text.to_ascii_lowercase();
        let (is_wildcard, host) = match name.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, name.as_str()),
        };
        let is_long_enough = !is_wildcard || host.contains('.');
        if is_host(host) && is_long_enough && name.len() <= NAME_LEN_MAX {
            Ok(Self(name))
        } else {
            Err(InvalidTlsName { shown: shortened(text, 80) })
        }
    }
}

/// The longest host name (RFC 1035 §2.3.4).
const NAME_LEN_MAX: usize = 253;
/// The longest label of a host name.
const LABEL_LEN_MAX: usize = 63;

/// Whether a text is a host name (RFC 1123 §2.1). One whose last label is a number could be taken for
/// an address.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_LEN_MAX).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
    text.split('.').all(is_label) && !text.rsplit('.').next().is_some_and(is_number)
}

impl fmt::Display for TlsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        text.parse().ok().map(|name: TlsName| name.to_string())
    }

    #[test]
    fn a_name_is_a_host_name_a_wildcard_or_an_address_in_one_form() {
        for (text, name) in [
            ("PBX.Example.com", "pbx.example.com"),
            ("pbx", "pbx"),
            ("*.example.com", "*.example.com"),
            ("10.0.0.5", "10.0.0.5"),
            ("2001:DB8:0::1", "2001:db8::1"),
            ("::ffff:10.0.0.5", "10.0.0.5"),
        ] {
            assert_eq!(read(text).as_deref(), Some(name), "{text}");
        }
    }

    #[test]
    fn what_could_be_meant_otherwise_is_no_name() {
        let long = format!("{}.example.com", "x".repeat(64));
        for text in [
            "",
            ".",
            "a..b",
            "pbx.example.com.",
            "10.0.0.300",
            "*.com",
            "*",
            "a.*.com",
            "-a.com",
            "under_score.com",
            "https://a.com",
            "a.com:443",
            "a b",
            long.as_str(),
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
        let error = "10.0.0.300".parse::<TlsName>().unwrap_err().to_string();
        assert!(error.contains("\"10.0.0.300\" is neither a host name"), "{error}");
    }

    #[test]
    fn only_a_host_name_with_a_domain_can_be_proved_by_http() {
        for (name, what) in [
            ("pbx.example.com", None),
            ("10.0.0.5", Some("an address")),
            ("2001:db8::1", Some("an address")),
            ("*.example.com", Some("a wildcard")),
            ("pbx", Some("a name without a domain")),
        ] {
            let name: TlsName = name.parse().unwrap();
            assert_eq!(name.beyond_http_01(), what, "{name}");
        }
    }

    #[test]
    fn a_wildcard_stands_for_one_label_and_for_no_address() {
        let names = ["*.example.com", "10.0.0.5", "PBX.example.org"].map(str::to_owned);
        for (name, is_covered) in [
            ("a.example.com", true),
            ("a.b.example.com", false),
            ("example.com", false),
            ("10.0.0.5", true),
            ("10.0.0.6", false),
            ("pbx.example.org", true),
            ("*.example.com", true),
        ] {
            let name: TlsName = name.parse().unwrap();
            assert_eq!(name.is_covered_by(&names), is_covered, "{name}");
        }
        let address: TlsName = "10.0.0.5".parse().unwrap();
        assert!(!address.is_covered_by(&["*.0.0.5".to_owned()]));
    }
}
