//! A secret of the controller in an instance document, by its name and version.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::document::is_default;
use crate::id::{SecretMark, SecretName};

/// A secret that the controller keeps, as a workload names it. The value is sent by itself and is
/// part of no document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptSecret {
    pub name: SecretName,
    /// The number of the version, counted from 1.
    pub version: u64,
    /// What distinguishes this version from every other, also from one of the same number that a
    /// restored controller made.
    pub mark: SecretMark,
    /// The path in the container at which the value is mounted; none if it is in the environment.
    #[serde(default, skip_serializing_if = "is_default")]
    pub file: Option<String>,
}

impl fmt::Display for KeptSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {} version {}", self.name, self.version)
    }
}
