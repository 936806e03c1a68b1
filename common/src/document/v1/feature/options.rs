//! The features that the options of a container need.

use std::collections::BTreeSet;

use super::Feature;
use crate::document::instance::{
    ContainerFile, ContainerOptions, Device, KeptSecret, LogLimits, Network, PortRange, Published,
    Reload, ReloadBy, Tmpfs, Ulimit,
};
use crate::document::is_default;

/// Returns the features that an agent needs for these options.
pub(super) fn of(options: &ContainerOptions) -> BTreeSet<Feature> {
    let ContainerOptions {
        entrypoint,
        user,
        network,
        privileged,
        cap_add,
        cap_drop,
        devices,
        ulimits,
        cpu_rt_runtime_us,
        shm_bytes,
        tmpfs,
        sysctls,
        stop_signal,
        extra_hosts,
        log,
        files,
        reloaded,
    } = options;
    let asked = [
        (!entrypoint.is_empty(), Feature::Entrypoint),
        (user.is_some(), Feature::ContainerUser),
        (of_network(network), Feature::BridgeNetwork),
        (*privileged, Feature::Privileged),
        (!cap_add.is_empty() || !cap_drop.is_empty(), Feature::Capabilities),
        (devices.iter().any(of_device), Feature::Devices),
        (ulimits.values().any(of_ulimit), Feature::Ulimits),
        (cpu_rt_runtime_us.is_some(), Feature::RealtimeRuntime),
        (shm_bytes.is_some(), Feature::ShmSize),
        (tmpfs.iter().any(of_tmpfs), Feature::Tmpfs),
        (!sysctls.is_empty(), Feature::Sysctls),
        (stop_signal.is_some(), Feature::StopSignal),
        (!extra_hosts.is_empty(), Feature::ExtraHosts),
        (of_log(log), Feature::LogLimits),
        (!files.is_empty(), Feature::ContainerFiles),
        (files.iter().any(of_file), Feature::FileOwners),
        (!reloaded.is_empty(), Feature::Reload),
    ];
    asked.into_iter().filter_map(|(is_asked, feature)| is_asked.then_some(feature)).collect()
}

// In each of these every field is named, so that a new one does not compile before somebody has
// chosen whether it needs a feature.

fn of_network(network: &Network) -> bool {
    match network {
        Network::Host => false,
        Network::Bridge { published } => {
            published.iter().for_each(of_published);
            true
        }
    }
}

fn of_published(published: &Published) {
    let Published { host, container: _, address: _ } = published;
    let PortRange { first: _, last: _, protocol: _ } = host;
}

fn of_device(device: &Device) -> bool {
    let Device { host: _, container: _, access: _ } = device;
    true
}

fn of_ulimit(limit: &Ulimit) -> bool {
    let Ulimit { soft: _, hard: _ } = limit;
    true
}

fn of_tmpfs(tmpfs: &Tmpfs) -> bool {
    let Tmpfs { path: _, bytes_max: _ } = tmpfs;
    true
}

/// Whether a file belongs to another user or group than root.
fn of_file(file: &ContainerFile) -> bool {
    let ContainerFile { path: _, mode: _, uid, gid, text: _ } = file;
    (*uid, *gid) != (0, 0)
}

/// Returns the features that an agent needs for what a program takes over while it runs. What is
/// asked of a file or a secret of the container is asked of one here too.
pub(super) fn of_reload(reload: &Reload) -> BTreeSet<Feature> {
    let Reload { by, deadline_ms: _, files, secrets } = reload;
    secrets.iter().for_each(of_secret);
    let way = match by {
        ReloadBy::Command { command: _ } | ReloadBy::Signal { signal: _ } | ReloadBy::NextStart => {
            Feature::Reload
        }
    };
    let of_files = files.iter().any(of_file).then_some(Feature::FileOwners);
    [way].into_iter().chain(of_files).collect()
}

fn of_secret(secret: &KeptSecret) {
    let KeptSecret { name: _, version: _, mark: _, file: _ } = secret;
}

fn of_log(log: &LogLimits) -> bool {
    let LogLimits { file_bytes_max: _, files_max: _ } = log;
    !is_default(log)
}
