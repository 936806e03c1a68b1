//! Reads how the container of a component is started and what it may use of the host.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::mount::normalised;
use crate::document::instance::{ContainerOptions, LogLimits, Network, Tmpfs, Volume};
use crate::document::spec::{bytes_of, read_bytes};
use crate::text::problem::Problems;
use crate::text::yaml::{FieldNode, Fields};

use super::literal;

mod hosts;
mod process;
mod rights;

pub(crate) use self::hosts::is_address;

/// The microseconds of one second, the period in which real-time threads have their time.
const PERIOD_US: u64 = 1_000_000;
/// The most files of output that are kept.
const LOG_FILES_MAX: u64 = 100;

/// The folders of every container in which nothing else can be mounted, and what to do instead.
const RESERVED: [(&str, &str); 4] = [
    ("/proc", "the kernel's own files are there"),
    ("/sys", "the kernel's own files are there"),
    ("/dev/shm", "write shm_size: for its size"),
    ("/dev", "the devices are there"),
];

/// Reads the options of a container. Those of the volumes are known, because nothing is mounted
/// over them. `has_reason` says that the component explains its unusual rights.
pub(super) fn read(
    fields: &mut Fields<'_>,
    volumes: &[Volume],
    has_reason: bool,
    problems: &mut Problems,
) -> ContainerOptions {
    let networks = [("host", false), ("bridge", true)];
    let is_bridge = fields.get("network").and_then(|field| field.choice(&networks, problems));
    let network = match is_bridge {
        Some(true) => Network::Bridge { published: Vec::new() },
        Some(false) | None => Network::Host,
    };
    let rights = rights::read(fields, has_reason, problems);
    let runtime = fields.get("cpu_rt_runtime");
    ContainerOptions {
        entrypoint: literal::templates(fields.get("entrypoint").as_ref(), problems),
        user: fields.get("user").and_then(|field| process::user(&field, problems)),
        privileged: rights.privileged,
        cap_add: rights.cap_add,
        cap_drop: rights.cap_drop,
        devices: rights.devices,
        ulimits: fields.get("ulimits").map(|f| process::ulimits(&f, problems)).unwrap_or_default(),
        cpu_rt_runtime_us: runtime.and_then(|field| rt_runtime(&field, problems)),
        shm_bytes: fields.get("shm_size").and_then(|field| read_bytes(&field, problems)),
        tmpfs: fields.get("tmpfs").map(|f| tmpfs(&f, volumes, problems)).unwrap_or_default(),
        sysctls: read_sysctls(fields.get("sysctls").as_ref(), &network, problems),
        stop_signal: fields.get("stop_signal").and_then(|f| process::stop_signal(&f, problems)),
        extra_hosts: fields
            .get("extra_hosts")
            .map(|f| hosts::read(&f, problems))
            .unwrap_or_default(),
        log: fields.get("log").map(|field| log(&field, problems)).unwrap_or_default(),
        // Their templates are filled in with a tenant's values.
        files: Vec::new(),
        reloaded: Default::default(),
        network,
    }
}

/// Reads the time of real-time threads in every second, in microseconds.
fn rt_runtime(field: &FieldNode<'_>, problems: &mut Problems) -> Option<u64> {
    let us = field.duration_ms(problems)?.saturating_mul(1_000);
    if us == 0 || us > PERIOD_US {
        problems.push(field.problem("must be a part of a second, such as 950ms"));
        return None;
    }
    Some(us)
}

fn read_sysctls(
    field: Option<&FieldNode<'_>>,
    network: &Network,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let Some(field) = field else { return BTreeMap::new() };
    let mut sysctls = BTreeMap::new();
    for (name, item) in field.entries::<String>(problems) {
        let Some(value) = literal::text(&item, problems) else { continue };
        if let Some((message, hint)) = rights::unusable_sysctl(&name, network) {
            problems.push(item.problem(message).hint(hint));
            continue;
        }
        sysctls.insert(name, value);
    }
    sysctls
}

/// Reads the folders in memory: `PATH` or `PATH:SIZE`.
fn tmpfs(field: &FieldNode<'_>, volumes: &[Volume], problems: &mut Problems) -> Vec<Tmpfs> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut found = Vec::new();
    for item in field.list(problems) {
        let Some(text) = literal::text(&item, problems) else { continue };
        let (path, size) = text.split_once(':').map_or((&*text, None), |(p, s)| (p, Some(s)));
        let bytes_max = size.map(bytes_of);
        let is_path = path.starts_with('/') && !path.split('/').any(|part| part == "..");
        if !is_path || bytes_max == Some(None) {
            let message = "must be an absolute path in the container, or one with a size of at \
                           least 8MiB, such as /run:64MiB";
            problems.push(item.problem(message));
            continue;
        }
        let place = normalised(path);
        if let Some(why) = in_the_way(&place, volumes, &taken) {
            problems.push(item.problem(format!("{path} cannot be a folder in memory: {why}")));
        }
        taken.insert(place);
        found.push(Tmpfs { path: path.to_owned(), bytes_max: bytes_max.flatten() });
    }
    found
}

/// Returns what is already at a place in the container.
fn in_the_way(place: &str, volumes: &[Volume], taken: &BTreeSet<String>) -> Option<String> {
    if place == "/" {
        return Some("the image is there".to_owned());
    }
    if let Some((_, why)) = RESERVED.iter().find(|(folder, _)| is_in(place, folder)) {
        return Some((*why).to_owned());
    }
    if taken.contains(place) {
        return Some("it is one already".to_owned());
    }
    let mounted = volumes.iter().find(|volume| is_in(&normalised(&volume.target), place));
    mounted.map(|volume| format!("{} is mounted at {}", volume.source, volume.target))
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn log(field: &FieldNode<'_>, problems: &mut Problems) -> LogLimits {
    let Some(mut fields) = Fields::open(field, problems) else { return LogLimits::default() };
    let file_bytes_max = fields.get("max_size").and_then(|field| read_bytes(&field, problems));
    let files = fields.get("max_files").and_then(|field| field.number(1..=LOG_FILES_MAX, problems));
    fields.finish(problems);
    LogLimits { file_bytes_max, files_max: files.and_then(|n| u32::try_from(n).ok()) }
}

#[cfg(test)]
mod tests;
