//! Kernel settings of one interface of a container, such as `net.ipv4.conf.eth0.rp_filter`. From API 1.46 on, the
//! engine wants them with the network that the interface belongs to, where the interface is called `IFNAME`
//! (version history of the Engine API); before, it wants them among all others.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{ContainerCreateBody, EndpointSettings, NetworkingConfig};

/// The option of a network under which the settings stand.
const OPTION: &str = "com.docker.network.endpoint.sysctls";
/// The only interface, besides its loopback, of a container in the network [`NETWORK`].
const INTERFACE: &str = "eth0";
const PLACEHOLDER: &str = "IFNAME";
const NETWORK: &str = "bridge";

/// A version of the engine's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::runtime::docker) struct ApiVersion {
    major: u32,
    minor: u32,
}

/// The first version that takes the settings with a network.
const WITH_NETWORK: ApiVersion = ApiVersion { major: 1, minor: 46 };

impl ApiVersion {
    /// Reads a version such as `1.45`.
    pub(in crate::runtime::docker) fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

/// Returns true if a request sets something for one interface.
pub(in crate::runtime::docker) fn are_of_interface(body: &ContainerCreateBody) -> bool {
    let sysctls = body.host_config.iter().filter_map(|host| host.sysctls.as_ref()).flatten();
    sysctls.into_iter().any(|(name, _)| renamed(name, INTERFACE, PLACEHOLDER).is_some())
}

/// Moves what a request sets for one interface to where an engine with this API wants it.
pub(in crate::runtime::docker) fn place(body: &mut ContainerCreateBody, api: Option<ApiVersion>) {
    let sysctls = body.host_config.as_mut().and_then(|host| host.sysctls.as_mut());
    let (Some(sysctls), true) = (sysctls, api >= Some(WITH_NETWORK)) else { return };
    let mut moved = BTreeMap::new();
    sysctls.retain(|name, value| {
        // A comma stands between two settings, so a value with one stays, and the engine refuses it.
        let other = renamed(name, INTERFACE, PLACEHOLDER).filter(|_| !value.contains(','));
        let stays = other.is_none();
        moved.extend(other.map(|other| (other, value.clone())));
        stays
    });
    if moved.is_empty() {
        return;
    }
    let settings: Vec<String> =
        moved.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let options = HashMap::from([(OPTION.to_owned(), settings.join(","))]);
    let endpoint = EndpointSettings { driver_opts: Some(options), ..EndpointSettings::default() };
    let networks = HashMap::from([(NETWORK.to_owned(), endpoint)]);
    body.networking_config = Some(NetworkingConfig { endpoints_config: Some(networks) });
}

/// Reads what was set with the networks of a container that exists, in the words of a request.
pub(super) fn found(
    networks: &HashMap<String, EndpointSettings>,
) -> impl Iterator<Item = (String, String)> {
    let options = networks.get(NETWORK).and_then(|network| network.driver_opts.as_ref());
    let settings = options.and_then(|options| options.get(OPTION));
    let settings = settings.into_iter().flat_map(|settings| settings.split(','));
    settings.filter_map(|setting| {
        let (name, value) = setting.split_once('=')?;
        Some((renamed(name, PLACEHOLDER, INTERFACE)?, value.to_owned()))
    })
}

/// Returns the name of a setting with another name of its interface; none if it is not about this interface.
fn renamed(name: &str, interface: &str, other: &str) -> Option<String> {
    let mut parts: Vec<&str> = name.splitn(5, '.').collect();
    if parts.first() != Some(&"net") || parts.len() != 5 {
        return None;
    }
    let part = parts.get_mut(3).filter(|part| **part == interface)?;
    *part = other;
    Some(parts.join("."))
}

#[cfg(test)]
mod tests;
