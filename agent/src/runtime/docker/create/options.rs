//! Puts the options of a container into the request for it, and reads them from the engine's answer.

use std::collections::{BTreeSet, HashMap};

use bollard::models::{
    ContainerConfig, ContainerCreateBody, DeviceMapping, HostConfig, HostConfigLogConfig,
    NetworkSettings, PortBinding, PortMap, ResourcesUlimits,
};
use oml_common::decide::drift::FoundOptions;
use oml_common::document::instance::{
    ContainerOptions, Device, LogLimits, Network, PortRange, Protocol, Published, Tmpfs, Ulimit,
};
use oml_common::id::CapabilityName;

use super::sysctls;

/// The period in which real-time threads have their time.
const RT_PERIOD_US: i64 = 1_000_000;
const TMPFS_SIZE: &str = "size=";
const LOG_SIZE: &str = "max-size";
const LOG_FILES: &str = "max-file";
const LOG_COMPRESS: &str = "compress";
/// The log driver with a format of its own.
const LOCAL: &str = "local";
/// The usual size of a file of output, as the engine reads it.
const LOG_SIZE_DEFAULT: &str = "10m";
const LOG_FILES_DEFAULT: &str = "3";

/// Adds the options to a request that has everything else.
pub(super) fn add(options: &ContainerOptions, body: &mut ContainerCreateBody) {
    let entrypoint = &options.entrypoint;
    body.entrypoint = (!entrypoint.is_empty()).then(|| entrypoint.clone());
    body.user.clone_from(&options.user);
    body.stop_signal.clone_from(&options.stop_signal);
    let bindings = bindings(options.network.published());
    body.exposed_ports = bindings.as_ref().map(|ports| ports.keys().cloned().collect());
    let host = body.host_config.get_or_insert_default();
    host.port_bindings = bindings;
    host.network_mode = Some(network_mode(&options.network).to_owned());
    host.privileged = options.privileged.then_some(true);
    host.cap_add = capabilities(&options.cap_add);
    host.cap_drop = capabilities(&options.cap_drop);
    host.devices = if_any(options.devices.iter().map(mapping));
    host.ulimits = if_any(options.ulimits.iter().map(ulimit));
    host.cpu_realtime_runtime = options.cpu_rt_runtime_us.and_then(|us| i64::try_from(us).ok());
    host.cpu_realtime_period = host.cpu_realtime_runtime.map(|_| RT_PERIOD_US);
    host.shm_size = options.shm_bytes.and_then(|bytes| i64::try_from(bytes).ok());
    host.tmpfs = if_any(options.tmpfs.iter().map(|it| (it.path.clone(), tmpfs_options(it))));
    host.sysctls = if_any(options.sysctls.clone());
    let hosts = options.extra_hosts.iter();
    host.extra_hosts = if_any(hosts.map(|(name, address)| format!("{name}:{address}")));
}

/// Returns the limits of the output for a log driver that writes files; none for any other.
pub(super) fn log_config(driver: &str, limits: LogLimits) -> Option<HostConfigLogConfig> {
    if !writes_files(driver) {
        return None;
    }
    let LogLimits { file_bytes_max, files_max } = limits;
    let size = file_bytes_max.map_or_else(|| LOG_SIZE_DEFAULT.to_owned(), |it| it.to_string());
    let files = files_max.map_or_else(|| LOG_FILES_DEFAULT.to_owned(), |it| it.to_string());
    let config = [(LOG_SIZE, size), (LOG_FILES, files)];
    let mut config = HashMap::from(config.map(|(key, value)| (key.to_owned(), value)));
    // This driver compresses all files but the last unless told otherwise, and a container with one
    // file and compression cannot be started.
    if driver == LOCAL && files_max == Some(1) {
        config.insert(LOG_COMPRESS.to_owned(), false.to_string());
    }
    Some(HostConfigLogConfig { typ: Some(driver.to_owned()), config: Some(config) })
}

/// Whether a log driver writes files with limits.
fn writes_files(driver: &str) -> bool {
    matches!(driver, "json-file" | LOCAL)
}

/// Reads the options of a container that exists.
pub(in crate::runtime::docker) fn found(
    host: HostConfig,
    config: ContainerConfig,
    networks: Option<NetworkSettings>,
) -> FoundOptions {
    let log = host.log_config.unwrap_or_default();
    let has_log_files = log.typ.as_deref().is_some_and(writes_files);
    let log = log.config.unwrap_or_default();
    let log = LogLimits {
        file_bytes_max: log.get(LOG_SIZE).and_then(|size| size.parse().ok()),
        files_max: log.get(LOG_FILES).and_then(|files| files.parse().ok()),
    };
    let published = published(host.port_bindings.unwrap_or_default());
    let network = match host.network_mode.as_deref() {
        Some("host") => Network::Host,
        // Any other is among the networks that it is connected to.
        Some(_) | None => Network::Bridge { published },
    };
    let hosts = host.extra_hosts.unwrap_or_default();
    let hosts = hosts.iter().filter_map(|line| line.split_once([':', '=']));
    let networks = networks.and_then(|networks| networks.networks).unwrap_or_default();
    let of_interface = sysctls::found(&networks);
    let options = ContainerOptions {
        entrypoint: config.entrypoint.unwrap_or_default(),
        user: config.user.filter(|user| !user.is_empty()),
        network,
        privileged: host.privileged == Some(true),
        cap_add: names(host.cap_add),
        cap_drop: names(host.cap_drop),
        devices: host.devices.unwrap_or_default().into_iter().map(device).collect(),
        ulimits: host.ulimits.unwrap_or_default().into_iter().filter_map(limit).collect(),
        cpu_rt_runtime_us: positive(host.cpu_realtime_runtime),
        shm_bytes: positive(host.shm_size),
        tmpfs: host.tmpfs.unwrap_or_default().into_iter().map(tmpfs).collect(),
        sysctls: host.sysctls.unwrap_or_default().into_iter().chain(of_interface).collect(),
        stop_signal: config.stop_signal,
        extra_hosts: hosts.map(|(name, address)| (name.to_owned(), address.to_owned())).collect(),
        log,
        files: Vec::new(),
        reloaded: Default::default(),
    };
    FoundOptions { options, networks: networks.into_keys().collect(), has_log_files }
}

/// Returns the items, if there are any: engines have defaults of their own for what is absent.
fn if_any<T, C: FromIterator<T>>(items: impl IntoIterator<Item = T>) -> Option<C> {
    let mut items = items.into_iter().peekable();
    items.peek()?;
    Some(items.collect())
}

fn positive(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0)
}

fn network_mode(network: &Network) -> &'static str {
    match network {
        Network::Host => "host",
        Network::Bridge { .. } => "bridge",
    }
}

fn bindings(published: &[Published]) -> Option<PortMap> {
    let mut bindings = PortMap::new();
    for Published { host: PortRange { first, last, protocol }, container, address } in published {
        for (host, inside) in (*first..=*last).zip(*container..=u16::MAX) {
            let binding =
                PortBinding { host_ip: address.clone(), host_port: Some(host.to_string()) };
            let key = format!("{inside}/{}", protocol.as_str());
            bindings.entry(key).or_default().get_or_insert_default().push(binding);
        }
    }
    (!bindings.is_empty()).then_some(bindings)
}

fn published(bindings: PortMap) -> Vec<Published> {
    let mut published = Vec::new();
    for (inside, bindings) in bindings {
        let Some((container, protocol)) = inside.split_once('/') else { continue };
        let Ok(container) = container.parse() else { continue };
        let protocol = if protocol == "udp" { Protocol::Udp } else { Protocol::Tcp };
        for PortBinding { host_ip, host_port } in bindings.unwrap_or_default() {
            let Some(host) = host_port.and_then(|port| port.parse().ok()) else { continue };
            let host = PortRange { first: host, last: host, protocol };
            let address = host_ip.filter(|address| !address.is_empty());
            published.push(Published { host, container, address });
        }
    }
    published
}

fn capabilities(names: &BTreeSet<CapabilityName>) -> Option<Vec<String>> {
    if_any(names.iter().map(ToString::to_string))
}

/// Reads capabilities. Engines show them with or without their `CAP_`.
fn names(shown: Option<Vec<String>>) -> BTreeSet<CapabilityName> {
    let shown = shown.unwrap_or_default();
    let name = |shown: &String| shown.strip_prefix("CAP_").unwrap_or(shown).parse().ok();
    shown.iter().filter_map(name).collect()
}

fn mapping(device: &Device) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(device.host.clone()),
        path_in_container: Some(device.container.clone()),
        cgroup_permissions: Some(device.access.clone()),
    }
}

fn device(mapping: DeviceMapping) -> Device {
    Device {
        host: mapping.path_on_host.unwrap_or_default(),
        container: mapping.path_in_container.unwrap_or_default(),
        access: mapping.cgroup_permissions.unwrap_or_default(),
    }
}

fn ulimit((name, limit): (&String, &Ulimit)) -> ResourcesUlimits {
    let Ulimit { soft, hard } = *limit;
    ResourcesUlimits { name: Some(name.clone()), soft: Some(soft), hard: Some(hard) }
}

fn limit(limit: ResourcesUlimits) -> Option<(String, Ulimit)> {
    Some((limit.name?, Ulimit { soft: limit.soft?, hard: limit.hard? }))
}

fn tmpfs_options(tmpfs: &Tmpfs) -> String {
    tmpfs.bytes_max.map(|bytes| format!("{TMPFS_SIZE}{bytes}")).unwrap_or_default()
}

fn tmpfs((path, options): (String, String)) -> Tmpfs {
    let mut options = options.split(',');
    let size = options.find_map(|option| option.strip_prefix(TMPFS_SIZE)?.parse().ok());
    Tmpfs { path, bytes_max: size }
}

#[cfg(test)]
mod tests;
