//! Names and numbers of the domain, each with its parsing rule.
//!
//! A value of one of these types is valid by construction, so no other code
//! checks a name again.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::printable::shortened;

mod address;
mod hex;
mod image;
mod machine;
mod registry;
mod run;
mod tls_name;

pub use self::address::{Address, InvalidAddress};
pub use self::hex::{Fingerprint, InvalidHex, Serial};
pub(crate) use self::image::split as split_version;
pub use self::image::{ImageReference, ImageVersion, InvalidReference};
pub use self::machine::{InvalidMachineId, MachineId};
pub use self::registry::{
    DOCKER_HUB, REGISTRY_RULE, can_be_named, registry_key, registry_of_address,
};
pub use self::run::{InvalidRunId, RunId};
pub use self::tls_name::{InvalidTlsName, TlsName};

/// The error of a text that is not a valid name; its message states the rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} is not a {what}: {rule}")]
pub struct InvalidId {
    what: &'static str,
    rule: &'static str,
    shown: String,
}

impl InvalidId {
    fn new(what: &'static str, rule: &'static str, text: &str) -> Self {
        // A long input is cut, so that an error message stays short.
        let shown = shortened(text, 80);
        Self { what, rule, shown }
    }

    /// Returns the rule that the text broke, without the text.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:path, $rule:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the name as text, in the one form in which it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if $check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(InvalidId::new($what, $rule, text))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id!(
    /// A customer whose stack is managed as one unit.
    TenantId, "tenant name", is_label,
    "1 to 63 characters, lower-case letters, digits and hyphens, starting with a letter, not ending with a hyphen"
);
text_id!(
    /// An enrolled host. The name is unique within its tenant.
    NodeName, "node name", is_label,
    "1 to 63 characters, lower-case letters, digits and hyphens, starting with a letter, not ending with a hyphen"
);
text_id!(
    /// The purpose of a node, such as app, voice or data.
    RoleName, "role", is_label,
    "1 to 63 characters, lower-case letters, digits and hyphens, starting with a letter, not ending with a hyphen"
);
text_id!(
    /// A component of a catalog. Its instance on a node has the same name.
    ComponentName, "component name", is_label,
    "1 to 63 characters, lower-case letters, digits and hyphens, starting with a letter, not ending with a hyphen"
);
text_id!(
    /// A set of component definitions.
    CatalogName, "catalog name", is_label,
    "1 to 63 characters, lower-case letters, digits and hyphens, starting with a letter, not ending with a hyphen"
);
text_id!(
    /// The version of a component: an image tag (OCI distribution specification).
    Version, "version", is_tag,
    "1 to 128 letters, digits, dots, hyphens and underscores, not starting with a dot or a hyphen"
);
text_id!(
    /// A set of versions that was published together, such as `2.6.6`.
    ReleaseName, "release", is_tag,
    "1 to 128 letters, digits, dots, hyphens and underscores, not starting with a dot or a hyphen"
);
text_id!(
    /// The digest that identifies an image: `sha256:` and 64 hexadecimal digits.
    Digest, "digest", is_digest,
    "sha256: followed by 64 lower-case hexadecimal digits"
);
text_id!(
    /// The SHA-256 of the bytes of a document, as 64 hexadecimal digits.
    ContentHash, "content hash", is_sha256,
    "64 lower-case hexadecimal digits"
);
text_id!(
    /// A repository of images, without a tag: `registry:port/path/name`.
    Repository, "image repository", is_repository,
    "lower-case path segments separated by slashes, the first may be a host with a port"
);
text_id!(
    /// The name of a systemd service unit (systemd.unit(5)).
    UnitName, "service unit name", is_service_unit,
    "letters, digits and :_.@- followed by .service, at most 255 characters"
);
text_id!(
    /// The name of a container, as the Docker Engine accepts it.
    ContainerName, "container name", is_container,
    "2 to 128 letters, digits, underscores, dots and hyphens, starting with a letter or digit"
);
text_id!(
    /// The file name of a secret on a host.
    SecretName, "secret name", is_secret,
    "1 to 63 lower-case letters, digits and underscores, starting with a letter"
);
text_id!(
    /// A keyed hash that names one version of a secret and says nothing about its value.
    SecretMark, "mark of a secret", is_secret_mark,
    "32 lower-case hexadecimal digits"
);

impl SecretMark {
    /// The mark of no secret, for a document that is checked where there are none.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self("0".repeat(32))
    }
}

text_id!(
    /// The thumbprint of the key of an ACME account (RFC 8555 §8.1): the SHA-256 of its JWK (RFC 7638), in
    /// base64url.
    AccountThumbprint, "thumbprint of an account key", is_thumbprint,
    "43 letters, digits, hyphens and underscores"
);

impl AccountThumbprint {
    /// The thumbprint of no key, for a document that is checked where there are none.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self("A".repeat(THUMBPRINT_LEN))
    }
}

text_id!(
    /// The name of an environment variable.
    EnvName, "environment variable name", is_env,
    "1 to 128 letters, digits and underscores, not starting with a digit"
);
text_id!(
    /// An operation that a component of a catalog declares.
    OperationName, "operation name", is_label,
    "1 to 63 characters, lower-case letters, digits and hyphens, starting with a letter, not ending with a hyphen"
);
text_id!(
    /// The name of a value that an operator gives to an operation.
    ValueName, "name of a value", is_secret,
    "1 to 63 lower-case letters, digits and underscores, starting with a letter"
);
text_id!(
    /// A value that an operator gives to an operation. It holds nothing that a shell or an option
    /// parser would take for more than a value.
    OperationValue, "value", is_value,
    "1 to 128 letters, digits and characters of _.,:@+=/-, not starting with a hyphen"
);
text_id!(
    /// A capability of Linux (capabilities(7)) without its `CAP_`, or `ALL`.
    CapabilityName, "capability", is_capability,
    "1 to 40 upper-case letters, digits and underscores, such as NET_ADMIN"
);

impl ContentHash {
    /// Hashes `bytes` with SHA-256 (FIPS 180-4).
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        use std::fmt::Write as _;
        let mut text = String::with_capacity(64);
        for byte in sha2::Sha256::digest(bytes) {
            // Writing to a String cannot fail.
            let _infallible = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// Returns the first twelve digits, which are enough for people.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl UnitName {
    /// Returns the name of an instance as an example, if this is the name of a template, which is
    /// no unit: only its instances are.
    #[must_use]
    pub fn instance_of_template(&self) -> Option<String> {
        self.0.strip_suffix("@.service").map(|template| format!("{template}@main.service"))
    }
}

/// The number of a revision of a tenant, counted from 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RevisionNumber(pub u64);

impl RevisionNumber {
    /// Returns the number of the revision after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for RevisionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of an assignment of a node, ordered by epoch first.
///
/// A restore from a backup raises the epoch. Every assignment made after the
/// restore is therefore newer than any that was made before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Generation {
    /// Grows by one with every restore of the controller's store.
    pub epoch: u64,
    /// Grows by one with every assignment of the node whose content changed.
    pub number: u64,
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.number)
    }
}

fn is_label(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(is_sha256)
}

fn is_repository(text: &str) -> bool {
    let segment = |s: &str| {
        let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        s.bytes().next().is_some_and(edge)
            && s.bytes().last().is_some_and(edge)
            && s.bytes().all(|b| edge(b) || matches!(b, b'.' | b'_' | b'-'))
    };
    let mut segments = text.split('/');
    let Some(first) = segments.next() else {
        return false;
    };
    let (host, port) = first.split_once(':').map_or((first, None), |(h, p)| (h, Some(p)));
    let port_is_valid = port.is_none_or(|p| p.parse::<u16>().is_ok_and(|n| n > 0));
    text.len() <= 255 && segment(host) && port_is_valid && segments.all(segment)
}

fn is_service_unit(text: &str) -> bool {
    let Some(stem) = text.strip_suffix(".service") else {
        return false;
    };
    !stem.is_empty()
        && text.len() <= 255
        && stem
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b':' | b'_' | b'.' | b'@' | b'-'))
}

fn is_container(text: &str) -> bool {
    (2..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

fn is_secret(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_secret_mark(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The length of a SHA-256 in base64url (RFC 4648 §5) without padding.
const THUMBPRINT_LEN: usize = 43;

fn is_thumbprint(text: &str) -> bool {
    text.len() == THUMBPRINT_LEN
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn is_value(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.,:@+=/-".contains(&b))
}

fn is_capability(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

fn is_env(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests;
