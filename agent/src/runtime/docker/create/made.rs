//! Reads from the engine's answer what a container was created with, beside its options.

use std::collections::BTreeMap;

use bollard::models::{ContainerConfig, HostConfig, Mount};
use oml_common::decide::drift::{FoundContainer, FoundLimits};
use oml_common::document::instance::Volume;
use oml_common::id::ContentHash;

/// The security option that keeps a program from gaining privileges; engines may show a value behind it.
const NO_NEW_PRIVILEGES: &str = "no-new-privileges";

pub(in crate::runtime::docker) fn found(
    host: &HostConfig,
    config: &ContainerConfig,
) -> FoundContainer {
    let variables = config.env.iter().flatten().filter_map(|line| line.split_once('='));
    let env = variables.map(|(name, value)| (name.to_owned(), ContentHash::of(value.as_bytes())));
    let options = host.security_opt.iter().flatten();
    let has = |option: &String| option.starts_with(NO_NEW_PRIVILEGES) && !option.ends_with("false");
    FoundContainer {
        command: config.cmd.clone().unwrap_or_default(),
        env: env.collect(),
        volumes: host.mounts.iter().flatten().filter_map(volume).collect(),
        binds: host.binds.clone().unwrap_or_default(),
        may_gain_privileges: !options.into_iter().any(has),
        limits: limits(host),
    }
}

fn limits(host: &HostConfig) -> FoundLimits {
    let positive = |number: Option<i64>| number.filter(|number| *number > 0);
    let numbers = [
        ("memory-reservation", positive(host.memory_reservation)),
        ("cpu-shares", positive(host.cpu_shares)),
        ("blkio-weight", positive(host.blkio_weight.map(i64::from))),
    ];
    let numbers = numbers.into_iter().filter_map(|(word, it)| Some((word, it?.to_string())));
    let memories = host.cpuset_mems.clone().filter(|memories| !memories.is_empty());
    let others: BTreeMap<&'static str, String> =
        numbers.chain(memories.map(|memories| ("cpuset-mems", memories))).collect();
    FoundLimits {
        pids_max: host.pids_limit,
        swap_bytes_max: positive(host.memory_swap).and_then(|bytes| u64::try_from(bytes).ok()),
        others,
    }
}

fn volume(mount: &Mount) -> Option<Volume> {
    Some(Volume {
        source: mount.source.clone()?,
        target: mount.target.clone()?,
        read_only: mount.read_only == Some(true),
    })
}

#[cfg(test)]
mod tests;
