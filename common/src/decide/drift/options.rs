//! Compares the options that a container was created with and those that the engine shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use crate::decide::difference::ContainerChange;
use crate::document::instance::{
    ContainerOptions, Device, LogLimits, Network, PortRange, Published, Tmpfs, Ulimit,
};

/// The options of a container as the engine shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundOptions {
    pub options: ContainerOptions,
    /// The networks that it is connected to.
    pub networks: BTreeSet<String>,
    /// Whether its output is in files. The limits of `log` count for nothing else.
    pub has_log_files: bool,
}

/// Returns the options that differ. Where the document says nothing, the image or the engine
/// decides, so only those of the host's rights are compared there.
pub(super) fn altered(created: &ContainerOptions, found: &FoundOptions) -> Vec<ContainerChange> {
    let log = if found.has_log_files { created.log } else { LogLimits::default() };
    let compared = ContainerOptions { log, ..created.clone() };
    let (was, is) = (texts(&compared), texts(&found.options));
    let compared = was.into_iter().zip(is).filter_map(|(was, is)| {
        let counts = was.always || was.text.is_some();
        (counts && was.text != is.text).then(|| change(was.word, is.text, was.text))
    });
    compared.chain(networks(&created.network, &found.networks)).collect()
}

/// Returns the networks if they are not the one that it was created with. A container in the network
/// of the host cannot be taken off it.
fn networks(created: &Network, found: &BTreeSet<String>) -> Option<ContainerChange> {
    let own = name(created);
    let is_own = found.len() == 1 && found.contains(own);
    let differs = !is_own && (!found.is_empty() || own == "bridge");
    differs.then(|| change("the networks", listed(found), Some(own.to_owned())))
}

pub(super) fn change(
    word: &'static str,
    is: Option<String>,
    was: Option<String>,
) -> ContainerChange {
    let text = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    ContainerChange::Option { word, is: text(is), was: text(was) }
}

/// An option as text.
struct OptionText {
    /// Its word in a catalog.
    word: &'static str,
    /// Its value; none if it is not set.
    text: Option<String>,
    /// Whether it is compared also where it was not set.
    always: bool,
}

fn texts(options: &ContainerOptions) -> Vec<OptionText> {
    // Every field is named, so that a new one does not compile before it is compared.
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
        // The agent looks at the files themselves.
        files: _,
        reloaded: _,
    } = options;
    let LogLimits { file_bytes_max, files_max } = log;
    let always = |word, text| OptionText { word, text, always: true };
    let if_set = |word, text| OptionText { word, text, always: false };
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let limits =
        ulimits.iter().map(|(name, Ulimit { soft, hard })| format!("{name}={soft}:{hard}"));
    let pairs = |pairs: &BTreeMap<String, String>| {
        listed(pairs.iter().map(|(name, value)| format!("{name}={value}")))
    };
    vec![
        if_set("entrypoint", (!entrypoint.is_empty()).then(|| format!("{entrypoint:?}"))),
        if_set("user", user.clone()),
        always("network", Some(name(network).to_owned())),
        always("ports", listed(joined(network.published()))),
        always("privileged", privileged.then(|| "true".to_owned())),
        always("cap_add", listed(cap_add)),
        always("cap_drop", listed(cap_drop)),
        always("devices", listed(devices.iter().map(device).collect::<BTreeSet<_>>())),
        if_set("ulimits", listed(limits)),
        if_set("cpu_rt_runtime", number(*cpu_rt_runtime_us)),
        if_set("shm_size", number(*shm_bytes)),
        always("tmpfs", listed(tmpfs.iter().map(folder).collect::<BTreeSet<_>>())),
        always("sysctls", pairs(sysctls)),
        if_set("stop_signal", stop_signal.clone()),
        always("extra_hosts", pairs(extra_hosts)),
        if_set("log max_size", number(*file_bytes_max)),
        if_set("log max_files", number(files_max.map(u64::from))),
    ]
}

/// Returns the engine's name of a network.
fn name(network: &Network) -> &'static str {
    match network {
        Network::Host => "host",
        Network::Bridge { .. } => "bridge",
    }
}

/// Returns the items as one text; none if there are none.
pub(super) fn listed(items: impl IntoIterator<Item = impl Display>) -> Option<String> {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    (!items.is_empty()).then(|| items.join(" "))
}

fn device(device: &Device) -> String {
    format!("{}:{}:{}", device.host, device.container, device.access)
}

fn folder(tmpfs: &Tmpfs) -> String {
    match tmpfs.bytes_max {
        Some(bytes) => format!("{}:{bytes}", tmpfs.path),
        None => tmpfs.path.clone(),
    }
}

/// Returns the published ports in one form: an engine shows every port of a range by itself.
fn joined(published: &[Published]) -> Vec<String> {
    let mut singles: Vec<Published> = published.iter().flat_map(singles).collect();
    singles.sort_by_key(|it| (it.address.clone(), it.host.protocol, it.host.first, it.container));
    singles.dedup();
    let mut joined: Vec<Published> = Vec::new();
    for next in singles {
        match joined.last_mut().filter(|last| goes_on(last, &next)) {
            Some(last) => last.host.last = next.host.last,
            None => joined.push(next),
        }
    }
    joined.iter().map(text).collect()
}

/// Whether the second port continues the range of the first, on both sides.
fn goes_on(range: &Published, next: &Published) -> bool {
    let length = range.host.last.saturating_sub(range.host.first);
    range.address == next.address
        && range.host.protocol == next.host.protocol
        && range.host.last.checked_add(1) == Some(next.host.first)
        && range.container.checked_add(length).and_then(|it| it.checked_add(1))
            == Some(next.container)
}

fn singles(published: &Published) -> impl Iterator<Item = Published> {
    let Published { host: PortRange { first, last, protocol }, container, address } =
        published.clone();
    let inside = container..=u16::MAX;
    (first..=last).zip(inside).map(move |(host, container)| {
        let host = PortRange { first: host, last: host, protocol };
        Published { host, container, address: address.clone() }
    })
}

fn text(published: &Published) -> String {
    let Published { host, container, address } = published;
    let address = address.as_ref().map(|it| format!("{it}:")).unwrap_or_default();
    let last = container.saturating_add(host.last.saturating_sub(host.first));
    let inside = PortRange { first: *container, last, protocol: host.protocol };
    let outside = host.to_string();
    let (outside, _) = outside.split_once('/').unwrap_or((&outside, ""));
    format!("{address}{outside}:{inside}")
}

#[cfg(test)]
mod tests;
