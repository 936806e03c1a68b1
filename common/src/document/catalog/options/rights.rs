//! Reads the rights of a container: privileges, capabilities and devices.

use std::collections::BTreeSet;

use crate::decide::rights::USUAL_CAPABILITIES;
use crate::document::instance::{Device, Network};
use crate::id::CapabilityName;
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields};

use super::literal;

/// The capabilities beside [`USUAL_CAPABILITIES`] that Linux has (capabilities(7)).
const UNUSUAL_CAPABILITIES: [&str; 27] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "PERFMON",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
];

/// The kernel settings outside of `net` that a container has for itself, with its own IPC
/// namespace (ipc_namespaces(7)).
const IPC_SYSCTLS: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
];

/// The rights of a container.
#[derive(Debug, Default)]
pub(super) struct Rights {
    pub(super) privileged: bool,
    pub(super) cap_add: BTreeSet<CapabilityName>,
    pub(super) cap_drop: BTreeSet<CapabilityName>,
    pub(super) devices: Vec<Device>,
}

/// Reads the rights. Those that engines do not give by themselves need a reason.
pub(super) fn read(fields: &mut Fields<'_>, has_reason: bool, problems: &mut Problems) -> Rights {
    let privileged_field = fields.get("privileged");
    let privileged = privileged_field.as_ref().and_then(|field| field.flag(problems));
    let privileged = privileged.unwrap_or(false);
    let add = fields.get("cap_add");
    let drop = fields.get("cap_drop");
    let devices = fields.get("devices");
    if privileged {
        for field in [&add, &drop, &devices].into_iter().flatten() {
            let message = "says nothing of a privileged container, which has every capability \
                           and device";
            problems.push(field.problem(message).hint("remove it, or privileged"));
        }
    }
    let cap_add = capabilities(add.as_ref(), problems);
    let cap_drop = capabilities(drop.as_ref(), problems);
    if let Some((field, name)) = drop.as_ref().zip(cap_add.intersection(&cap_drop).next()) {
        problems.push(field.problem(format!("{name} is in cap_add too")));
    }
    let found = devices.as_ref().map(|field| read_devices(field, problems)).unwrap_or_default();
    if !has_reason {
        let is_unusual = |name: &CapabilityName| !USUAL_CAPABILITIES.contains(&name.as_str());
        let further = cap_add.iter().any(is_unusual);
        without_reason(privileged_field.filter(|_| privileged), "a privileged container", problems);
        without_reason(add.filter(|_| further), "a further capability", problems);
        without_reason(devices.filter(|_| !found.is_empty()), "a device", problems);
    }
    Rights { privileged, cap_add, cap_drop, devices: found }
}

fn without_reason(field: Option<FieldNode<'_>>, what: &str, problems: &mut Problems) {
    if let Some(field) = field {
        let hint = "write because: and the reason, in the same component";
        problems.push(field.problem(format!("{what} needs a reason")).hint(hint));
    }
}

/// Reads capabilities, with or without their `CAP_`.
fn capabilities(
    field: Option<&FieldNode<'_>>,
    problems: &mut Problems,
) -> BTreeSet<CapabilityName> {
    let items = field.map(|field| field.list(problems)).unwrap_or_default();
    let mut found = BTreeSet::new();
    for item in items {
        let Some(text) = literal::text(&item, problems) else { continue };
        let name = text.strip_prefix("CAP_").unwrap_or(&text);
        let known = || {
            let all = USUAL_CAPABILITIES.iter().chain(&UNUSUAL_CAPABILITIES);
            all.copied().chain(["ALL"])
        };
        match name.parse().ok().filter(|_| known().any(|it| it == name)) {
            Some(name) => _ = found.insert(name),
            None => {
                let problem = item.problem(format!("{text:?} is no capability"));
                problems.push(problem.suggest(name, known()));
            }
        }
    }
    found
}

/// Reads devices: `HOST`, `HOST:CONTAINER` or `HOST:CONTAINER:ACCESS`.
fn read_devices(field: &FieldNode<'_>, problems: &mut Problems) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    for item in field.list(problems) {
        let Some(text) = literal::text(&item, problems) else { continue };
        let Some(device) = device(&text) else {
            let message = "must be a path below /dev, such as /dev/net/tun, with or without the \
                           path in the container and some of rwm: /dev/ttyS0:/dev/modem:rw";
            problems.push(item.problem(message));
            continue;
        };
        if devices.iter().any(|other| other.container == device.container) {
            problems.push(item.problem(format!("{} is already a device", device.container)));
        }
        devices.push(device);
    }
    devices
}

fn device(text: &str) -> Option<Device> {
    let mut parts = text.split(':');
    let host = parts.next()?;
    let container = parts.next().unwrap_or(host);
    let access = parts.next().unwrap_or("rwm");
    let is_path = |path: &str| {
        path.strip_prefix("/dev/").is_some_and(|rest| {
            !rest.is_empty() && !rest.split('/').any(|part| matches!(part, "" | "." | ".."))
        })
    };
    let is_access = !access.is_empty()
        && access.len() <= 3
        && access.chars().all(|c| "rwm".contains(c) && access.matches(c).count() == 1);
    let is_device = is_path(host) && is_path(container) && is_access && parts.next().is_none();
    let (host, container) = (host.to_owned(), container.to_owned());
    is_device.then(|| Device { host, container, access: access.to_owned() })
}

/// Returns why a container cannot set a kernel setting, and what to do instead; none if it can.
pub(super) fn unusable_sysctl(
    name: &str,
    network: &Network,
) -> Option<(&'static str, &'static str)> {
    let of_network = name.starts_with("net.");
    if of_network && *network == Network::Host {
        let message = "is a setting of the network of the host, which this component has";
        return Some((message, "write network: bridge, or set it on the host in /etc/sysctl.d"));
    }
    let is_name = name.split('.').all(|part| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    });
    let is_own = of_network || name.starts_with("fs.mqueue.") || IPC_SYSCTLS.contains(&name);
    if is_name && is_own {
        return None;
    }
    let message = "is no setting that a container has for itself, as it has those of net., \
                   fs.mqueue., kernel.msg…, kernel.sem and kernel.shm…";
    Some((message, "set it on the host in /etc/sysctl.d"))
}
