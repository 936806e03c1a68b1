//! The rights that a host gives to containers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::document::is_default;
use crate::id::{CapabilityName, SecretName};
use crate::text::printable::printable;

/// The most names in each list.
pub const NAMES_MAX: usize = 256;
/// The longest name in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// The longest report of mistakes in characters.
const PROBLEM_CHARS_MAX: usize = 1_000;

/// The rights that a host gives to containers, as its administrator says in a file of the host.
/// The default is what holds without that file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostPolicy {
    /// Containers may have every right of the host.
    #[serde(default, skip_serializing_if = "is_default")]
    pub privileged: bool,
    /// Containers may have real-time priority.
    #[serde(default, skip_serializing_if = "is_default")]
    pub realtime: bool,
    /// No container may have the network of the host.
    #[serde(default, skip_serializing_if = "is_default")]
    pub no_host_network: bool,
    /// The capabilities beyond those that engines give to every container.
    #[serde(default, skip_serializing_if = "is_default")]
    pub capabilities: BTreeSet<CapabilityName>,
    /// The paths of devices, or of folders with all devices in them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub devices: BTreeSet<String>,
    /// The names of kernel settings beyond the safe ones; one that ends with `.*` stands for all
    /// names that begin so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sysctls: BTreeSet<String>,
    /// The folders of the host that may be mounted, with all that is in them; every one that is
    /// not protected if this is `None`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub host_paths: Option<BTreeSet<String>>,
}

impl Default for HostPolicy {
    /// Returns what containers could have before hosts had a policy, and nothing beyond it. It must
    /// never change: records of all releases rely on it.
    fn default() -> Self {
        Self {
            privileged: false,
            realtime: false,
            no_host_network: false,
            capabilities: BTreeSet::new(),
            devices: BTreeSet::new(),
            sysctls: BTreeSet::new(),
            host_paths: None,
        }
    }
}

impl HostPolicy {
    /// Returns the policy that allows nothing that a file could forbid. It holds while the file of
    /// a host cannot be used: nobody knows what it should say.
    #[must_use]
    pub fn strictest() -> Self {
        Self { no_host_network: true, host_paths: Some(BTreeSet::new()), ..Self::default() }
    }
}

/// A policy as it was found on a host, and the secrets that are there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPolicy {
    #[serde(default, skip_serializing_if = "is_default")]
    pub policy: HostPolicy,
    /// What is wrong with its file, each mistake with its place, so that the strictest policy
    /// holds; empty if nothing is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub problem: String,
    /// The names of the secrets that are files of the host, never their values; `None` if nobody knows them.
    #[serde(default, skip_serializing_if = "is_default")]
    pub secrets: Option<BTreeSet<SecretName>>,
}

impl FoundPolicy {
    /// Returns the policy within the limits of what is stored of a node. What exceeds them is left
    /// out, which allows less and never more.
    #[must_use]
    pub fn bounded(self) -> Self {
        let Self { policy, problem, secrets } = self;
        let problem = printable(&problem).chars().take(PROBLEM_CHARS_MAX).collect();
        let capabilities = policy.capabilities.into_iter().take(NAMES_MAX).collect();
        let policy = HostPolicy {
            capabilities,
            devices: fitting(policy.devices),
            sysctls: fitting(policy.sysctls),
            host_paths: policy.host_paths.map(fitting),
            ..policy
        };
        // Of a list that is cut nobody knows what lacks.
        let secrets = secrets.filter(|names| names.len() <= NAMES_MAX);
        Self { policy, problem, secrets }
    }
}

fn fitting(names: BTreeSet<String>) -> BTreeSet<String> {
    let fitting = names.into_iter().filter(|name| name.len() <= NAME_BYTES_MAX);
    fitting.take(NAMES_MAX).collect()
}
