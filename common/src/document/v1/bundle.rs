//! An operator's bundle: the file by which `omlctl` learns how to reach a controller. It is TOML,
//! because people look into it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The version that this release writes and reads.
const VERSION: u32 = 1;

/// Everything that `omlctl` needs to connect to a controller.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Bundle {
    /// It comes first, so that a bundle of a later version is refused by it and by no other field.
    #[serde(default)]
    pub version: BundleVersion,
    /// The controller's name.
    pub name: String,
    /// The address of the controller for operators, as `host:port`.
    pub endpoint: String,
    /// The authority's certificate as PEM.
    pub ca_pem: String,
    /// The operator's certificate as PEM.
    pub certificate_pem: String,
    /// The operator's private key as PEM.
    pub key_pem: String,
}

/// The version of a bundle: 1. A bundle of release 0.1.0 has none, and the same form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BundleVersion(u32);

impl Default for BundleVersion {
    fn default() -> Self {
        Self(VERSION)
    }
}

impl<'de> Deserialize<'de> for BundleVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            VERSION => Ok(Self(VERSION)),
            0 => Err(D::Error::custom("it has version 0, which no release writes")),
            later => Err(D::Error::custom(format_args!(
                "it has version {later}, and this release reads version {VERSION}; install a newer omlctl"
            ))),
        }
    }
}
