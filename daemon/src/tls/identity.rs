//! The identity in a verified certificate.

use std::fmt;
use std::str::FromStr;

use oml_common::id::{Fingerprint, InvalidId, NodeName, Serial, TenantId};
use oml_common::time::Timestamp;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::BACKDATED_MS;

/// The holder of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Identity {
    /// A person or program that operates the controller.
    Operator(OperatorName),
    /// The agent of a host.
    Node { tenant: TenantId, node: NodeName },
    /// The controller itself.
    Controller,
}

const SCHEME: &str = "oml://";

/// The error of a text that is not an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdentity {
    /// The text has none of the three forms.
    #[error("not oml://operator/NAME, oml://node/TENANT/NODE or oml://controller")]
    Form,
    /// A name in it is not valid.
    #[error("a name in it is not valid")]
    Name(#[source] InvalidId),
    /// The operator's name in it is not valid.
    #[error("a name in it is not valid")]
    Operator(#[source] InvalidOperatorName),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => write!(f, "{SCHEME}operator/{name}"),
            Self::Node { tenant, node } => write!(f, "{SCHEME}node/{tenant}/{node}"),
            Self::Controller => write!(f, "{SCHEME}controller"),
        }
    }
}

impl FromStr for Identity {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let path = text.strip_prefix(SCHEME).ok_or(InvalidIdentity::Form)?;
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["controller"] => Ok(Self::Controller),
            ["operator", name] => {
                name.parse().map(Self::Operator).map_err(InvalidIdentity::Operator)
            }
            ["node", tenant, node] => Ok(Self::Node {
                tenant: tenant.parse().map_err(InvalidIdentity::Name)?,
                node: node.parse().map_err(InvalidIdentity::Name)?,
            }),
            _ => Err(InvalidIdentity::Form),
        }
    }
}

impl TryFrom<String> for Identity {
    type Error = InvalidIdentity;
    fn try_from(text: String) -> Result<Self, InvalidIdentity> {
        text.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> String {
        identity.to_string()
    }
}

/// The name of an operator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OperatorName(String);

/// The error of a text that is not an operator's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an operator's name: 1 to 63 lower-case letters, digits, dots, underscores and hyphens, starting with a letter"
)]
pub struct InvalidOperatorName;

impl OperatorName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for OperatorName {
    type Err = InvalidOperatorName;

    fn from_str(text: &str) -> Result<Self, InvalidOperatorName> {
        let allowed =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let valid = text.len() <= 63
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(allowed);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidOperatorName) }
    }
}

impl TryFrom<String> for OperatorName {
    type Error = InvalidOperatorName;
    fn try_from(text: String) -> Result<Self, InvalidOperatorName> {
        text.parse()
    }
}

impl From<OperatorName> for String {
    fn from(name: OperatorName) -> String {
        name.0
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The facts in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    pub identity: Identity,
    /// The serial number of the certificate.
    pub serial: Serial,
    /// The hash of the holder's public key (its `SubjectPublicKeyInfo`).
    pub public_key: Fingerprint,
    /// The time of issue.
    pub issued: Timestamp,
    pub expires: Timestamp,
}

/// The error of a certificate that does not name a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the certificate does not name an identity: {0}")]
pub struct InvalidPeer(String);

impl Peer {
    /// Reads a certificate whose signature the caller has verified.
    ///
    /// # Errors
    /// Returns an error if the certificate does not contain exactly one name that is an
    /// identity. Only that of a controller may name hosts after it, which are ignored here.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Result<Self, InvalidPeer> {
        let invalid = |reason: &str| InvalidPeer(reason.to_owned());
        let (_rest, parsed) = X509Certificate::from_der(certificate)
            .map_err(|error| InvalidPeer(format!("it cannot be read: {error}")))?;
        let names = parsed.subject_alternative_name();
        let names = names.map_err(|error| InvalidPeer(format!("its names: {error}")))?;
        let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        let uri = |name: &_| if let GeneralName::URI(uri) = name { Some(*uri) } else { None };
        let uris = names.iter().filter_map(uri);
        let [uri] = uris.collect::<Vec<_>>()[..] else {
            return Err(invalid("it has not exactly one name that is a URI"));
        };
        let identity = uri.parse().map_err(|error: InvalidIdentity| {
            InvalidPeer(format!("{} is {error}", uri.escape_default()))
        })?;
        let is_host = |name| matches!(name, &GeneralName::DNSName(_) | &GeneralName::IPAddress(_));
        let has_hosts = identity == Identity::Controller && names.iter().skip(1).all(is_host);
        if names.len() > 1 && !has_hosts {
            return Err(invalid("it has more names than that of its identity"));
        }
        let serial = parsed.raw_serial();
        if serial.len() > 16 {
            return Err(invalid("its number is too long"));
        }
        let serial = serial.iter().fold(0, |sum: u128, byte| sum << 8 | u128::from(*byte));
        let validity = parsed.validity();
        let milliseconds = |time: x509_parser::time::ASN1Time| {
            Timestamp(u64::try_from(time.timestamp()).unwrap_or(0).saturating_mul(1000))
        };
        Ok(Self {
            identity,
            serial: Serial(serial),
            public_key: Fingerprint::of(parsed.public_key().raw),
            issued: milliseconds(validity.not_before).plus_ms(BACKDATED_MS),
            expires: milliseconds(validity.not_after),
        })
    }

    /// Returns the time at which the next certificate is due: between half and four
    /// fifths of the lifetime, depending on `random`, so that not all hosts renew at
    /// once.
    #[must_use]
    pub fn renewal(&self, random: u32) -> Timestamp {
        let life_ms = self.expires.since_ms(self.issued);
        let spread_ms = life_ms * 3 / 10;
        // The result is below `spread_ms`, because `random` is below 2^32.
        let offset_ms = (u128::from(spread_ms) * u128::from(random)) >> 32;
        self.issued.plus_ms(life_ms / 2 + offset_ms as u64)
    }
}

#[cfg(test)]
mod tests;
