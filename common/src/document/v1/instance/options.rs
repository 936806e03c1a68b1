//! How a container is started, what it may use of the host, and how much of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Protocol;
use super::files::ContainerFile;
use super::ports::PortRange;
use crate::document::is_default;
use crate::id::CapabilityName;

/// Everything about a container beyond its image, environment, volumes and limits of memory and
/// processes. The default of each is that of the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerOptions {
    /// The program that replaces that of the image, with its first arguments, unless empty.
    #[serde(default, skip_serializing_if = "is_default")]
    pub entrypoint: Vec<String>,
    /// The user, with or without a group, as `docker run --user` takes it; that of the image if
    /// there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub network: Network,
    /// Whether it has every right of the host.
    #[serde(default, skip_serializing_if = "is_default")]
    pub privileged: bool,
    /// The capabilities that it has beyond those of the engine.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cap_add: BTreeSet<CapabilityName>,
    /// The capabilities of the engine that it lacks; `ALL` for all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cap_drop: BTreeSet<CapabilityName>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub devices: Vec<Device>,
    /// The limits of its processes by their names, such as `nofile` (getrlimit(2)).
    #[serde(default, skip_serializing_if = "is_default")]
    pub ulimits: BTreeMap<String, Ulimit>,
    /// The processor time of its real-time threads in microseconds of every second.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cpu_rt_runtime_us: Option<u64>,
    /// The size of `/dev/shm`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shm_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub tmpfs: Vec<Tmpfs>,
    /// The kernel settings of its own namespaces, such as `net.core.somaxconn`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sysctls: BTreeMap<String, String>,
    /// The signal that asks it to stop, such as `SIGQUIT`; that of the image if there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stop_signal: Option<String>,
    /// Further lines of `/etc/hosts`: the address of each name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub extra_hosts: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub log: LogLimits,
    /// The files that the agent writes and mounts into it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub files: Vec<ContainerFile>,
    /// The places in it of further files, whose content is no part of the workload: the program
    /// takes it over while it runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reloaded: BTreeSet<String>,
}

/// The network of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", from = "StrictNetwork")]
pub enum Network {
    /// That of the host.
    #[default]
    Host,
    /// One of its own behind the engine's bridge.
    Bridge {
        /// The ports of the host that lead to it.
        #[serde(skip_serializing_if = "is_default")]
        published: Vec<Published>,
    },
}

/// A network as it is read. serde ignores every other field of a unit variant with a tag, also with
/// `deny_unknown_fields`, so the host's is a struct without fields here.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum StrictNetwork {
    Host {},
    Bridge {
        #[serde(default)]
        published: Vec<Published>,
    },
}

impl From<StrictNetwork> for Network {
    fn from(network: StrictNetwork) -> Self {
        match network {
            StrictNetwork::Host {} => Self::Host,
            StrictNetwork::Bridge { published } => Self::Bridge { published },
        }
    }
}

/// A range of ports of the host that leads to as many ports of the container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    #[serde(deserialize_with = "StrictPortRange::deserialize")]
    pub host: PortRange,
    /// The first port in the container.
    pub container: u16,
    /// The IP address of the host; every one if there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub address: Option<String>,
}

/// A range of ports as it is read in a workload, where no field may be left out. Outside of one, a
/// range ignores a field that it does not know.
#[derive(Deserialize)]
#[serde(remote = "PortRange", deny_unknown_fields)]
struct StrictPortRange {
    first: u16,
    last: u16,
    protocol: Protocol,
}

/// A device of the host that a container may use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Its path on the host.
    pub host: String,
    /// Its path in the container.
    pub container: String,
    /// What may be done with it: some of `r`, `w` and `m`, for reading, writing and mknod(2).
    pub access: String,
}

/// The limits of one resource of a process; -1 stands for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ulimit {
    pub soft: i64,
    pub hard: i64,
}

/// A folder of a container in memory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tmpfs {
    /// An absolute path in the container.
    pub path: String,
    /// The most that it holds; none for as much as the container may have of memory.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bytes_max: Option<u64>,
}

/// What the engine keeps of the output of a container. A limit that is absent is the usual one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLimits {
    /// The size of a file.
    #[serde(default, skip_serializing_if = "is_default")]
    pub file_bytes_max: Option<u64>,
    /// The number of files.
    #[serde(default, skip_serializing_if = "is_default")]
    pub files_max: Option<u32>,
}

impl Network {
    /// Returns the ports of the host that lead to the container.
    #[must_use]
    pub fn published(&self) -> &[Published] {
        match self {
            Self::Host => &[],
            Self::Bridge { published } => published,
        }
    }
}
