//! What runs on a node: one component of one tenant, fully resolved.
//!
//! The same document is hashed, sent, cached on the host and carried by the
//! container as a label, so a host can be understood without any other record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::{Document, Verbatim, is_default};
use crate::id::{
    ComponentName, ContainerName, ContentHash, Digest, EnvName, Repository, SecretName, TenantId,
    UnitName, Version,
};

/// A component of a tenant on a node, with nothing left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub tenant: TenantId,
    /// Catalog entry, and the instance's name on the node.
    pub component: ComponentName,
    /// The systemd unit that owns it.
    pub unit: UnitName,
    /// What the unit runs; a change of it replaces the instance.
    pub workload: Verbatim<Workload>,
    /// Components of the same node that come first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub after: Vec<ComponentName>,
    /// Ports it listens on, in the host's network.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ports: Vec<Port>,
    /// How its health is asked.
    pub probe: Probe,
    /// How its calls, dialogs or sessions are counted, where it has any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub active: Option<ActiveProbe>,
    /// Time limits of its life.
    pub timing: Timing,
    /// Where it offers metrics, if it does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metrics: Option<MetricsEndpoint>,
}

/// What a unit runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Workload {
    /// A container held by a supervisor of ours.
    Container(Container),
    /// A unit of the distribution; we add a drop-in.
    Unit(PackagedUnit),
}

/// A container in the host's network, exactly as it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Name in the engine.
    pub name: ContainerName,
    /// What an operator calls it: the tag that was resolved.
    pub version: Version,
    /// Repository of the image.
    pub repository: Repository,
    /// Identity of the image.
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "is_default")]
    pub env: BTreeMap<EnvName, String>,
    /// Environment read from secret files of the host when the container is created.
    #[serde(default, skip_serializing_if = "is_default")]
    pub secrets: BTreeMap<EnvName, SecretName>,
    /// Mounted volumes and folders.
    #[serde(default, skip_serializing_if = "is_default")]
    pub volumes: Vec<Volume>,
    /// Arguments in place of the image's own; empty keeps the image's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub command: Vec<String>,
    /// Hard limit of memory.
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory_bytes_max: Option<u64>,
}

/// A named volume or a folder of the host inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Volume name, or absolute path on the host.
    pub source: String,
    /// Absolute path in the container.
    pub target: String,
    /// The container may not write.
    #[serde(default, skip_serializing_if = "is_default")]
    pub read_only: bool,
}

/// A unit that a package of the distribution brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackagedUnit {
    /// Lines of the drop-in's `[Service]` section.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drop_in: String,
}

/// A transport port of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// Number, 1 to 65535.
    pub number: u16,
    pub protocol: Protocol,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let protocol = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        write!(f, "{}/{protocol}", self.number)
    }
}

/// A question asked again and again, and how its answers become health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub check: Check,
    /// From one answer to the next question, once healthy.
    pub interval_ms: u64,
    /// Longest wait for an answer.
    pub timeout_ms: u64,
    /// This many failures in a row make it unhealthy.
    pub failures_max: u32,
}

/// A question about health. Addresses are those of the host itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Check {
    /// GET; any status below 400 is healthy. With `tls`, the certificate is not verified.
    Http { port: u16, path: String, tls: bool },
    /// A connection is accepted.
    Tcp { port: u16 },
    /// SIP OPTIONS over UDP (RFC 3261 §11); any final answer is healthy.
    SipOptions { port: u16 },
    /// `PING` answered by `+PONG`, or by a demand for authentication.
    Redis { port: u16 },
    /// A start-up message answered by anything but "starting up" (PostgreSQL protocol 3.0).
    Postgres { port: u16, user: String },
    /// A command inside the container that exits with 0.
    Exec { command: Vec<String> },
    /// The unit's own state in systemd.
    UnitActive,
}

/// A command inside the container whose output counts what a stop would cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveProbe {
    /// Program and arguments.
    pub command: Vec<String>,
    /// The count is the number that stands before this text on a line.
    pub before: String,
    /// What is counted, for people: "calls".
    pub noun: String,
}

/// Time limits of an instance's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Longest way from start to the first healthy answer.
    pub start_timeout_ms: u64,
    /// From the stop signal to the kill.
    pub stop_grace_ms: u64,
}

/// Where Prometheus finds an instance's metrics.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsEndpoint {
    /// TCP port.
    pub port: u16,
    /// Path of the page.
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
    /// Identity of what runs: when it differs, the instance is replaced.
    #[must_use]
    pub fn workload_hash(&self) -> ContentHash {
        self.workload.hash().clone()
    }

    /// The container, unless a packaged unit runs it.
    #[must_use]
    pub fn container(&self) -> Option<&Container> {
        match &*self.workload {
            Workload::Container(container) => Some(container),
            Workload::Unit(_) => None,
        }
    }

    /// What an operator calls the running thing; packaged units have none of ours.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        self.container().map(|container| &container.version)
    }
}

/// An instance in the bytes that its controller made.
pub type InstanceDocument = Verbatim<Instance>;
