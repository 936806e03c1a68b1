//! The settings of an operator, which are read, merged and checked once, at the start.
//!
//! A [`Fragment`] holds what one source says. All fragments are merged into one, which is
//! checked and becomes [`Settings`], the only type that the rest of the program sees.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use oml_common::text::problem::Problems;
use oml_daemon::proxy::{Proxies, ReadProxies, Use};
use oml_daemon::registries::{self, Login, Reader, RegistryEntry, RegistrySettings};
use oml_daemon::settings::{SettingsError, Sources};
use serde::Deserialize;

use crate::disk::MinFree;

/// The port of a controller's services for agents and operators, if the setting has none.
pub const CONTROLLER_PORT: u16 = 7443;
/// The port of a controller's enrolment service, if the setting has none.
pub const ENROLLMENT_PORT: u16 = 7444;

const SOURCES: Sources =
    Sources { file: "agent.toml", prefix: "OMLAGENT", lists: &["controllers", "enrollment"] };
const METRICS_LISTEN: &str = "127.0.0.1:9270";
const CONTROLLERS_MAX: usize = 8;

/// The settings in one file or in the environment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fragment {
    controllers: Option<Vec<String>>,
    enrollment: Option<Vec<String>>,
    address: Option<String>,
    metrics_listen: Option<String>,
    log: Option<String>,
    engine_disk_free_min: Option<String>,
    state_disk_free_min: Option<String>,
    registries: Option<BTreeMap<String, RegistryEntry>>,
}

/// The agent's settings, complete and valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The controllers as `host:port`, in order of preference. Without any, the agent works alone.
    pub controllers: Vec<String>,
    /// Their enrolment services, which give a new certificate after the old one has expired.
    pub enrollment: Vec<String>,
    /// The address by which other hosts of the tenant reach this one. If it is not set, the
    /// agent finds it out.
    pub address: Option<IpAddr>,
    /// The address of the metrics page; there is no page without one.
    pub metrics_listen: Option<SocketAddr>,
    pub log: String,
    /// The disk space that must stay free when something is pulled or created.
    pub min_free: MinFree,
    /// The logins by the key of the registry.
    pub registries: BTreeMap<String, Login>,
    /// The proxies through which controllers are reached.
    pub proxies: Proxies,
    /// What is wrong and left out, because the agent can work without it.
    pub left_out: Problems,
}

impl Settings {
    /// Returns the port of the metrics page, unless only this host can reach it.
    #[must_use]
    pub fn metrics_port(&self) -> Option<u16> {
        let reachable = |listen: &SocketAddr| !listen.ip().to_canonical().is_loopback();
        self.metrics_listen.filter(reachable).map(|listen| listen.port())
    }
}

/// Reads `agent.toml`, the drop-ins of `conf.d` in the order of their names,
/// and the environment, each over the ones before, and the proxies that the environment names.
/// A proxy that cannot be used is left out: no release may stop at what an earlier one ignored.
///
/// # Errors
/// Returns an error if a source cannot be read or a value is not allowed.
pub fn load(folder: &Path) -> Result<Settings, SettingsError> {
    settings(SOURCES.read(folder)?, Proxies::of_environment(Use::Tls))
}

fn settings(fragment: Fragment, proxies: ReadProxies) -> Result<Settings, SettingsError> {
    let controllers = endpoints("controllers", fragment.controllers, CONTROLLER_PORT)?;
    let enrollment = endpoints("enrollment", fragment.enrollment, ENROLLMENT_PORT)?;
    let address = fragment.address.map(|text| {
        let parsed = text.parse();
        parsed.map_err(|_not_an_address| SettingsError::value("address", text, "an IP address"))
    });
    let listen = fragment.metrics_listen.unwrap_or_else(|| METRICS_LISTEN.to_owned());
    let metrics_listen = match listen.as_str() {
        "" | "off" => None,
        text => Some(text.parse().map_err(|_not_an_address| {
            let expected = "an IP address and a port such as 127.0.0.1:9270, or \"off\"";
            SettingsError::value("metrics_listen", text, expected)
        })?),
    };
    let default = MinFree::default();
    let min_free = MinFree {
        engine_bytes: size("engine_disk_free_min", fragment.engine_disk_free_min)?
            .unwrap_or(default.engine_bytes),
        state_bytes: size("state_disk_free_min", fragment.state_disk_free_min)?
            .unwrap_or(default.state_bytes),
    };
    let mut problems = Problems::default();
    let ReadProxies { proxies, wrong: mut left_out } = proxies;
    let registries = fragment.registries.unwrap_or_default();
    let registries = logins(registries, &mut problems, &mut left_out);
    problems.into_result(())?;
    Ok(Settings {
        controllers,
        enrollment,
        address: address.transpose()?,
        metrics_listen,
        log: fragment.log.unwrap_or_else(|| "info".to_owned()),
        min_free,
        registries,
        proxies,
        left_out,
    })
}

/// Returns the logins by the key of each registry. Earlier releases took those that are never
/// used, so they are added to `left_out`.
fn logins(
    entries: BTreeMap<String, RegistryEntry>,
    problems: &mut Problems,
    left_out: &mut Problems,
) -> BTreeMap<String, Login> {
    let read = registries::read(entries, Reader::Agent, problems);
    let unused = |(key, settings): (&String, &RegistrySettings)| {
        registries::of_no_image(&settings.path, key)
    };
    left_out.0.extend(read.iter().filter_map(unused));
    read.into_iter().filter_map(|(key, registry)| Some((key, registry.login?))).collect()
}

/// Reads the number of bytes from a size such as `512MiB`.
fn size(key: &'static str, text: Option<String>) -> Result<Option<u64>, SettingsError> {
    let Some(text) = text else { return Ok(None) };
    let parsed = [("MiB", 1 << 20), ("GiB", 1 << 30)].iter().find_map(|(unit, bytes)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(*bytes)
    });
    let expected = "a size such as 512MiB or 2GiB";
    parsed.map(Some).ok_or_else(|| SettingsError::value(key, text, expected))
}

fn endpoints(
    key: &'static str,
    texts: Option<Vec<String>>,
    default_port: u16,
) -> Result<Vec<String>, SettingsError> {
    let texts = texts.unwrap_or_default();
    let invalid = |value: String| {
        let expected = "a list of at most 8 addresses such as controller.example:7443";
        SettingsError::value(key, value, expected)
    };
    if texts.len() > CONTROLLERS_MAX {
        return Err(invalid(texts.join(", ")));
    }
    texts
        .into_iter()
        .map(|text| endpoint(&text, default_port).ok_or_else(|| invalid(text)))
        .collect()
}

/// Returns `host:port` for `host` or `host:port`.
#[must_use]
pub fn endpoint(text: &str, default_port: u16) -> Option<String> {
    let with_port = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && !host.is_empty() => {
            let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
            format!("{host}:{port}")
        }
        Some(_) => return None,
        None => format!("{text}:{default_port}"),
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    (!text.is_empty() && with_port.chars().all(allowed)).then_some(with_port)
}

#[cfg(test)]
mod tests;
