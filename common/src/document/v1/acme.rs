//! What the controller keeps about the account of a tenant at an ACME directory (RFC 8555), and about its order
//! there. The keys are secrets with reserved names.

use serde::{Deserialize, Serialize};

use crate::document::{Document, is_default};
use crate::id::AccountThumbprint;
use crate::time::Timestamp;

/// The account of a tenant at an ACME directory, with its order under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeRecord {
    /// The version of the secret that is the key of the account.
    pub key: u64,
    /// The thumbprint of that key, by which the web servers of the tenant answer every challenge.
    pub thumbprint: AccountThumbprint,
    /// The account as a directory knows it; none before the first order.
    #[serde(default, skip_serializing_if = "is_default")]
    pub account: Option<AcmeAccount>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub order: Option<AcmeOrder>,
    /// The number of failed attempts since the last certificate.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failures: u32,
    /// The last of them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failed: Option<AcmeFailure>,
    /// After a failure nothing is tried before that, unless an operator asks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub not_before: Timestamp,
    /// The directory itself wants to be asked nothing before that.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limited_until: Timestamp,
    /// Whether an operator asked for another certificate.
    #[serde(default, skip_serializing_if = "is_default")]
    pub asked: bool,
    /// The last certificate that the hosts were given.
    #[serde(default, skip_serializing_if = "is_default")]
    pub given: Option<AcmeGiven>,
}

/// An account as a directory knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeAccount {
    /// The address of the directory.
    pub directory: String,
    /// The mail address that the directory has.
    pub contact: String,
    /// The address of the account.
    pub url: String,
}

/// An order of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeOrder {
    pub url: String,
    /// The address of the directory.
    pub directory: String,
    /// The host names, in alphabetical order.
    pub names: Vec<String>,
    /// The version of the secret that is the key of the certificate.
    pub key: u64,
    pub begun: Timestamp,
}

/// A failed attempt to get a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeFailure {
    pub at: Timestamp,
    /// Why, in the words of the directory where it said why.
    pub reason: String,
}

/// A certificate that the hosts were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcmeGiven {
    /// The version of its secrets.
    pub version: u64,
    pub at: Timestamp,
}

impl AcmeRecord {
    /// Makes the record of an account that no directory knows yet.
    #[must_use]
    pub fn new(key: u64, thumbprint: AccountThumbprint) -> Self {
        Self {
            key,
            thumbprint,
            account: None,
            order: None,
            failures: 0,
            failed: None,
            not_before: Timestamp::default(),
            limited_until: Timestamp::default(),
            asked: false,
            given: None,
        }
    }
}

impl Document for AcmeRecord {
    const KIND: &'static str = "an ACME account";
    const VERSION: Option<u32> = Some(1);
}
