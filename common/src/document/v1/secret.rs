//! The secrets of a tenant, as the controller keeps them: each version sealed with a key that is not
//! in the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::tls_facts::TlsFacts;
use crate::document::{Document, is_default};
use crate::id::SecretMark;
use crate::time::Timestamp;

/// A secret with those of its versions that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRecord {
    /// The number of the newest version. It only grows, so that no number is used twice.
    pub last: u64,
    /// The kept versions by their numbers; empty if the secret was removed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub versions: BTreeMap<u64, SealedVersion>,
}

/// A version of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedVersion {
    pub mark: SecretMark,
    pub at: Timestamp,
    /// The operator who gave the value or let it be generated.
    pub who: String,
    /// Names the key that sealed the value.
    pub key: String,
    /// The nonce and the sealed value with its tag, in base64 (RFC 4648 §4).
    pub sealed: String,
    /// Whether the value has several lines, so that it cannot be in an environment.
    #[serde(default, skip_serializing_if = "is_default")]
    pub has_lines: bool,
    /// What everybody may know of the certificate that is the value; none if it is something else.
    #[serde(default, skip_serializing_if = "is_default")]
    pub certificate: Option<TlsFacts>,
}

impl SecretRecord {
    /// Returns the newest version; none if the secret was removed.
    #[must_use]
    pub fn newest(&self) -> Option<(u64, &SealedVersion)> {
        self.versions.last_key_value().map(|(number, version)| (*number, version))
    }
}

impl Document for SecretRecord {
    const KIND: &'static str = "a secret";
    const VERSION: Option<u32> = Some(1);
}
