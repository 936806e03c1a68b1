//! Instance documents: one component of one tenant on a node, fully resolved.
//!
//! The same bytes are hashed, sent, cached on the host and attached to the container
//! as a label. The host alone therefore shows what runs on it and why.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::document::{Document, Verbatim, is_default};
use crate::id::{
    ComponentName, ContainerName, ContentHash, Digest, EnvName, Repository, SecretName, TenantId,
    UnitName, Version,
};

mod active;
mod check;
mod files;
mod held;
mod kept_secret;
mod operation;
mod options;
mod ports;
mod registry_login;
mod reload;

pub use self::active::{ActiveProbe, ActiveSource, ActiveTotal, Counting};
pub use self::check::{Check, HttpDetails, SipTransport, WebSocketDetails};
pub use self::files::ContainerFile;
pub use self::held::{HeldInstance, HeldWorkload};
pub use self::kept_secret::KeptSecret;
pub use self::operation::{OperationCommand, OperationStep};
pub use self::options::{ContainerOptions, Device, LogLimits, Network, Published, Tmpfs, Ulimit};
pub use self::ports::PortRange;
pub use self::registry_login::RegistryLogin;
pub use self::reload::{Reload, ReloadBy};

/// A component of a tenant on a node, with every value filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub tenant: TenantId,
    /// The component, which is also the name of the instance on the node.
    pub component: ComponentName,
    /// The systemd unit that owns it.
    pub unit: UnitName,
    /// What the unit runs; when it changes, the instance is replaced.
    pub workload: Verbatim<Workload>,
    /// The repository from which the image is pulled, if that is not the container's own. It is
    /// no part of the workload, because the image is the same wherever it comes from.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pull_from: Option<Repository>,
    /// The login with which the image is pulled, if the tenant has one for the registry. It is no
    /// part of the workload, so another password replaces nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pull_login: Option<RegistryLogin>,
    /// The components that must be healthy first on the same node.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after: Vec<ComponentName>,
    /// The ports of the host that it listens on or that lead to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ports: Vec<Port>,
    /// Ranges of such ports.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ranges: Vec<PortRange>,
    pub probe: Probe,
    /// How its calls, dialogs or sessions are counted, if it has any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub active: Option<ActiveProbe>,
    pub timing: Timing,
    /// When it is restarted because it stays unhealthy.
    #[serde(default, skip_serializing_if = "is_default")]
    pub restart_unhealthy: RestartUnhealthy,
    #[serde(default, skip_serializing_if = "is_default")]
    pub metrics: Option<MetricsEndpoint>,
    /// What has to succeed with the new image before anything is stopped for it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub checks: Vec<OperationStep>,
    /// What has to succeed once before its first start on the node.
    #[serde(default, skip_serializing_if = "is_default")]
    pub preparations: Vec<OperationStep>,
    /// What has to succeed once before the first start of another image.
    #[serde(default, skip_serializing_if = "is_default")]
    pub migrations: Vec<OperationStep>,
    /// What its program takes over while it runs. It is no part of the workload.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reload: Option<Reload>,
}

/// What a unit runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "almost every workload is a container")]
pub enum Workload {
    /// A container, which a supervisor of ours runs under the unit.
    Container(Container),
    /// A unit that a package installed, to which we add a drop-in.
    Unit(PackagedUnit),
}

/// A container, exactly as it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// The name in the container engine.
    pub name: ContainerName,
    /// The tag that was resolved to the digest.
    pub version: Version,
    pub repository: Repository,
    /// The digest of the image.
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "is_default")]
    pub env: BTreeMap<EnvName, String>,
    /// The environment variables that are read from secret files of the host when the
    /// container is created.
    #[serde(default, skip_serializing_if = "is_default")]
    pub secrets: BTreeMap<EnvName, SecretName>,
    /// The environment variables whose values, or files, are secrets of the controller.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kept_secrets: BTreeMap<EnvName, KeptSecret>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub volumes: Vec<Volume>,
    /// The arguments that replace those of the image, unless empty.
    #[serde(default, skip_serializing_if = "is_default")]
    pub command: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory_bytes_max: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub pids_limit: PidsLimit,
    /// Whether a program may gain privileges that its parent lacks, as `sudo` and programs
    /// with file capabilities do.
    #[serde(default, skip_serializing_if = "is_default")]
    pub may_gain_privileges: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub options: Box<ContainerOptions>,
}

/// The largest number of processes and threads that a container may have at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PidsLimit(pub NonZeroU32);

impl Default for PidsLimit {
    /// Returns the limit of every container whose document names none. It must never change:
    /// documents of all releases rely on it.
    fn default() -> Self {
        const DEFAULT: NonZeroU32 = NonZeroU32::MIN.saturating_add(4095);
        Self(DEFAULT)
    }
}

/// A named volume or a folder of the host that is mounted into the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// A volume name, or an absolute path on the host.
    pub source: String,
    /// An absolute path in the container.
    pub target: String,
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only: bool,
}

/// A unit that a package installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackagedUnit {
    /// The lines of the drop-in's `[Service]` section.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drop_in: String,
}

/// A TCP or UDP port of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// The number, from 1 to 65535.
    pub number: u16,
    pub protocol: Protocol,
}

/// The transport protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// Returns the word for it in documents and in the notation of a port.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol.as_str())
    }
}

/// A health check, how often it runs, and when its failures count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub check: Check,
    /// The host name or IP address at which the program is asked; without one, the agent asks
    /// where a program is bound to the port.
    #[serde(default, skip_serializing_if = "is_default")]
    pub address: Option<String>,
    /// The time from one answer to the next check, once the instance is healthy.
    pub interval_ms: u64,
    pub timeout_ms: u64,
    /// The number of failures in a row after which the instance is unhealthy.
    pub failures_max: u32,
}

/// The time limits for the start and the stop of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// The longest time from the start to the first healthy answer.
    pub start_timeout_ms: u64,
    /// The time from the stop signal to the kill.
    pub stop_grace_ms: u64,
}

impl Instance {
    /// Returns true if a stop may cut calls, as [`may_carry_calls`] says.
    #[must_use]
    pub fn may_carry_calls(&self) -> bool {
        let protocols = self.port_ranges().into_iter().map(|range| range.protocol.as_str());
        may_carry_calls(self.active.is_some(), protocols)
    }
}

/// Returns true if the stop of an instance may cut calls: it counts them, or it has a port that is
/// not TCP, as programs for SIP and media do. A protocol that only a later release knows counts
/// as one for calls.
fn may_carry_calls<'a>(counts_calls: bool, mut protocols: impl Iterator<Item = &'a str>) -> bool {
    counts_calls || protocols.any(|protocol| protocol != Protocol::Tcp.as_str())
}

/// When an instance that stays unhealthy is restarted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartUnhealthy {
    /// The time for which it must have been unhealthy; absent if it is never restarted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after_ms: Option<u64>,
    /// Whether it is restarted also while calls are up or cannot be counted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cuts_calls: bool,
}

impl Default for RestartUnhealthy {
    fn default() -> Self {
        Self { after_ms: Some(300_000), cuts_calls: false }
    }
}

/// Where Prometheus finds the metrics of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsEndpoint {
    pub port: u16,
    pub path: String,
}

impl Document for Instance {
    const KIND: &'static str = "an instance document";
    const VERSION: Option<u32> = Some(1);
}

impl Document for Workload {
    const KIND: &'static str = "a workload";
    const VERSION: Option<u32> = None;
}

impl Instance {
    /// Returns the hash of the workload. When it changes, the instance is replaced.
    #[must_use]
    pub fn workload_hash(&self) -> ContentHash {
        self.workload.hash().clone()
    }

    /// Returns the container, unless the workload is a packaged unit.
    #[must_use]
    pub fn container(&self) -> Option<&Container> {
        match &*self.workload {
            Workload::Container(container) => Some(container),
            Workload::Unit(_) => None,
        }
    }

    /// Returns the secrets of the controller that it names: those that its program gets, and the
    /// password with which its image is pulled.
    pub fn named_secrets(&self) -> impl Iterator<Item = &KeptSecret> {
        self.program_secrets().chain(self.pull_login.iter().map(|login| &login.password))
    }

    /// Returns the secrets of the controller that its program gets: those of its container, and
    /// those that it takes over while it runs.
    pub fn program_secrets(&self) -> impl Iterator<Item = &KeptSecret> {
        let of_container = self.container().into_iter().flat_map(|it| it.kept_secrets.values());
        of_container.chain(self.reload.iter().flat_map(|reload| &reload.secrets))
    }

    /// Returns the repository from which its image is pulled; none for a packaged unit.
    #[must_use]
    pub fn image_source(&self) -> Option<&Repository> {
        let own = self.container().map(|container| &container.repository);
        own.map(|own| self.pull_from.as_ref().unwrap_or(own))
    }

    /// Returns the version, which a packaged unit does not have.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        self.container().map(|container| &container.version)
    }

    /// Returns whether something has to run once before one of its starts.
    #[must_use]
    pub fn has_steps_before_start(&self) -> bool {
        !self.preparations.is_empty() || !self.migrations.is_empty()
    }
}

/// An instance in the bytes that the controller wrote.
pub type InstanceDocument = Verbatim<Instance>;
