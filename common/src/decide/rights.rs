//! Decides which rights of a host a container asks for, and which of them the policy of the host
//! does not allow.

use std::collections::BTreeSet;
use std::fmt::{Display, Formatter, Result};

use crate::decide::mount::{is_within, normalised};
use crate::document::host_policy::HostPolicy;
use crate::document::instance::{Container, Network};
use crate::id::CapabilityName;

/// The file in which a host says what it allows.
pub const POLICY_FILE: &str = "/etc/omlagent/policy.toml";

/// A right of the host that a container may ask for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    Privileged,
    HostNetwork,
    /// A priority above that of all usual threads.
    Realtime,
    Capability(CapabilityName),
    /// The path of a device of the host.
    Device(String),
    /// The name of a kernel setting.
    Sysctl(String),
    /// A folder or file of the host that is mounted.
    HostPath(String),
}

/// The capabilities that engines give to every container that asks for none (Docker and Podman).
pub const USUAL_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// The kernel settings that change nothing outside of the container that sets them, as Kubernetes
/// lists them. Every host allows them.
pub const SAFE_SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
];

/// The limits of processes that let them have real-time or raised priority.
const REALTIME_ULIMITS: [&str; 2] = ["rtprio", "nice"];

/// Returns the rights that a container asks for. One that is privileged has every capability and
/// device, so these are not asked for by themselves.
#[must_use]
pub fn asked(container: &Container) -> BTreeSet<Right> {
    let options = &container.options;
    let mut rights = BTreeSet::new();
    if options.privileged {
        rights.insert(Right::Privileged);
    } else {
        let unusual = |name: &&CapabilityName| !USUAL_CAPABILITIES.contains(&name.as_str());
        rights.extend(options.cap_add.iter().filter(unusual).cloned().map(Right::Capability));
        rights.extend(options.devices.iter().map(|device| Right::Device(device.host.clone())));
    }
    if options.network == Network::Host {
        rights.insert(Right::HostNetwork);
    }
    let raises = |name: &str| options.ulimits.get(name).is_some_and(|limit| limit.hard != 0);
    if options.cpu_rt_runtime_us.is_some() || REALTIME_ULIMITS.into_iter().any(raises) {
        rights.insert(Right::Realtime);
    }
    let unsafe_names = options.sysctls.keys().filter(|name| !SAFE_SYSCTLS.contains(&name.as_str()));
    rights.extend(unsafe_names.cloned().map(Right::Sysctl));
    let paths = container.volumes.iter().filter(|volume| volume.source.starts_with('/'));
    rights.extend(paths.map(|volume| Right::HostPath(volume.source.clone())));
    rights
}

/// Returns the rights that a container asks for and its host does not allow.
#[must_use]
pub fn refused(container: &Container, policy: &HostPolicy) -> BTreeSet<Right> {
    asked(container).into_iter().filter(|right| !allows(policy, right)).collect()
}

fn allows(policy: &HostPolicy, right: &Right) -> bool {
    match right {
        Right::Privileged => policy.privileged,
        Right::HostNetwork => !policy.no_host_network,
        Right::Realtime => policy.realtime,
        Right::Capability(name) => {
            policy.capabilities.iter().any(|allowed| allowed == name || allowed.as_str() == "ALL")
        }
        Right::Device(path) => is_in_one(path, &policy.devices),
        Right::Sysctl(name) => policy.sysctls.iter().any(|allowed| names(allowed, name)),
        Right::HostPath(path) => {
            policy.host_paths.as_ref().is_none_or(|folders| is_in_one(path, folders))
        }
    }
}

/// Whether a path is one of these, or in one of them.
fn is_in_one(path: &str, folders: &BTreeSet<String>) -> bool {
    folders.iter().any(|folder| is_within(&normalised(path), &normalised(folder)))
}

/// Whether a name in a policy, or one that stands for all that begin so, is that name.
fn names(allowed: &str, name: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => allowed == name,
    }
}

impl Right {
    /// Returns the key of the policy file that allows it, and what its list must have; the key of a
    /// switch has no list.
    fn entry(&self) -> (&'static str, Option<String>) {
        match self {
            Self::Privileged => ("privileged", None),
            Self::HostNetwork => ("host_network", None),
            Self::Realtime => ("realtime", None),
            Self::Capability(name) => ("capabilities", Some(format!("\"{name}\""))),
            Self::Device(path) => ("devices", Some(format!("{path:?}"))),
            Self::Sysctl(name) => ("sysctls", Some(format!("{name:?}"))),
            Self::HostPath(path) => ("host_paths", Some(format!("{path:?}"))),
        }
    }
}

impl Display for Right {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Privileged => f.write_str("privileged"),
            Self::HostNetwork => f.write_str("the network of the host"),
            Self::Realtime => f.write_str("real-time priority"),
            Self::Capability(name) => write!(f, "capability {name}"),
            Self::Device(path) => write!(f, "device {path}"),
            Self::Sysctl(name) => write!(f, "sysctl {name}"),
            Self::HostPath(path) => write!(f, "host path {path}"),
        }
    }
}

/// Rights that a host does not allow, as the reason why a change waits there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAllowed(pub BTreeSet<Right>);

impl Display for NotAllowed {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let rights = listed(&self.0);
        write!(
            f,
            "this host does not allow it: {rights}; allow it in {POLICY_FILE} of the host, "
        )?;
        f.write_str("or apply a change without it")
    }
}

/// The policy file of a host that cannot be used, with what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnusablePolicy<'a>(pub &'a str);

impl Display for UnusablePolicy<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(
            f,
            "{POLICY_FILE} cannot be used, so nothing that it could forbid is allowed until it is \
             mended: {}",
            self.0
        )
    }
}

/// Returns the lines of the policy file that allow these rights, one for every key.
#[must_use]
pub fn lines(rights: &BTreeSet<Right>) -> Vec<String> {
    let entries: Vec<_> = rights.iter().map(Right::entry).collect();
    let of_one_key = entries.chunk_by(|(one, _), (other, _)| one == other);
    let line = |entries: &[(&str, Option<String>)]| {
        let (key, _) = entries.first()?;
        let names: Vec<&str> = entries.iter().filter_map(|(_, name)| name.as_deref()).collect();
        Some(match names.is_empty() {
            true => format!("{key} = true"),
            false => format!("{key} = [{}]", names.join(", ")),
        })
    };
    of_one_key.filter_map(line).collect()
}

/// Returns what allows these rights on a host: the file, and its lines.
#[must_use]
pub fn how_to_allow(rights: &BTreeSet<Right>, host: &str) -> String {
    let has_lists = rights.iter().any(|right| right.entry().1.is_some());
    let add = if has_lists { ", and add to the lists that it has" } else { "" };
    format!("allow it in {POLICY_FILE} of {host}{add}: {}", lines(rights).join("; "))
}

/// Returns the rights as a list for people.
#[must_use]
pub fn listed(rights: &BTreeSet<Right>) -> String {
    let rights: Vec<String> = rights.iter().map(ToString::to_string).collect();
    rights.join(", ")
}

#[cfg(test)]
mod tests;
