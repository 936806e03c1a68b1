//! The settings of the controller. They are read, merged and checked once, at the start.
//!
//! A `Fragment` is the content of one source. Fragments are merged into one, and the rest
//! of the program only sees [`Settings`].

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use oml_common::text::problem::{Problem, Problems};
use oml_common::time::parse_duration_ms;
use oml_daemon::proxy::{Proxies, ReadProxies, Use};
use oml_daemon::registries::RegistryEntry;
use oml_daemon::settings::{SettingsError, Sources};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;

use crate::pki::NODE_LIFETIME_MS_DEFAULT;
use crate::registry::Reach;

mod registries;

/// The default folder of the settings.
pub const FOLDER: &str = "/etc/omlcontroller";

const SOURCES: Sources = Sources { file: "controller.toml", prefix: "OMLCONTROLLER", lists: &[] };
const LISTEN: &str = "0.0.0.0:7443";
const ENROLLMENT_LISTEN: &str = "0.0.0.0:7444";
const WEB_LISTEN: &str = "127.0.0.1:9271";
const DATA_DIR: &str = "/var/lib/omlcontroller";
const CATALOG_DIR: &str = "/usr/share/omlcontroller/catalog";
/// The shortest lifetime of a node's certificate. With a shorter one, a host would renew
/// all the time.
const NODE_LIFETIME_MS_MIN: u64 = 60_000;

/// The content of one file or of the environment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fragment {
    listen: Option<String>,
    enrollment_listen: Option<String>,
    web_listen: Option<String>,
    data_dir: Option<PathBuf>,
    catalog_dir: Option<PathBuf>,
    node_certificate_life: Option<String>,
    log: Option<String>,
    registries: Option<BTreeMap<String, RegistryEntry>>,
    mirrors: Option<BTreeMap<String, String>>,
    acme: Option<AcmeEntry>,
}

/// The settings of ACME directories.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcmeEntry {
    ca_file: Option<PathBuf>,
}

/// The controller's settings, complete and valid.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The port of agents and operators.
    pub listen: SocketAddr,
    /// The port of hosts without a certificate.
    pub enrollment_listen: SocketAddr,
    /// The port of metrics and service discovery; `None` if it is disabled.
    pub web_listen: Option<SocketAddr>,
    /// The folder of the store and the authority.
    pub data_dir: PathBuf,
    /// The folder of the catalogs.
    pub catalog_dir: PathBuf,
    /// The lifetime of a node's certificate.
    pub node_lifetime_ms: u64,
    /// The filter of the log.
    pub log: String,
    /// How registries are reached.
    pub reach: Reach,
    /// The authorities that are trusted for ACME directories besides those of the system.
    pub acme_authorities: Vec<CertificateDer<'static>>,
    /// The folder of the credentials that systemd gives to the unit; none if it gives none.
    pub credentials_dir: Option<PathBuf>,
}

impl Settings {
    /// Returns the folder of the store.
    #[must_use]
    pub fn store_dir(&self) -> PathBuf {
        self.data_dir.join("store")
    }

    /// Returns the folder of the authority.
    #[must_use]
    pub fn pki_dir(&self) -> PathBuf {
        self.data_dir.join("pki")
    }
}

/// Reads `controller.toml`, the drop-ins of `conf.d` in the order of their names, and the
/// environment, which also names proxies. Each source overrides the ones before it.
///
/// # Errors
/// Returns an error for the source that cannot be used or the value that is not possible.
pub fn load(folder: &Path) -> Result<Settings, SettingsError> {
    let settings = settings(SOURCES.read(folder)?, Proxies::of_environment(Use::TlsAndHttp))?;
    Ok(Settings { credentials_dir: credentials_dir(), ..settings })
}

/// Returns the folder of the unit's credentials (systemd.exec(5), "Credentials").
#[expect(clippy::disallowed_methods, reason = "systemd names the folder in a variable")]
fn credentials_dir() -> Option<PathBuf> {
    std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from)
}

fn settings(fragment: Fragment, proxies: ReadProxies) -> Result<Settings, SettingsError> {
    let web_listen = match fragment.web_listen.as_deref() {
        Some("off") => None,
        other => Some(listen("web_listen", other, WEB_LISTEN)?),
    };
    let life = fragment.node_certificate_life.as_deref();
    let node_lifetime_ms = life.map_or(Ok(NODE_LIFETIME_MS_DEFAULT), |text| {
        let life = parse_duration_ms(text).ok().filter(|life| *life >= NODE_LIFETIME_MS_MIN);
        life.ok_or_else(|| {
            let expected = "a duration of at least a minute, such as 24h";
            SettingsError::value("node_certificate_life", text, expected)
        })
    })?;
    Ok(Settings {
        listen: listen("listen", fragment.listen.as_deref(), LISTEN)?,
        enrollment_listen: listen(
            "enrollment_listen",
            fragment.enrollment_listen.as_deref(),
            ENROLLMENT_LISTEN,
        )?,
        web_listen,
        data_dir: fragment.data_dir.unwrap_or_else(|| DATA_DIR.into()),
        catalog_dir: fragment.catalog_dir.unwrap_or_else(|| CATALOG_DIR.into()),
        node_lifetime_ms,
        log: fragment.log.unwrap_or_else(|| "info".to_owned()),
        reach: registries::reach(
            fragment.registries.unwrap_or_default(),
            &fragment.mirrors.unwrap_or_default(),
            proxies,
        )?,
        acme_authorities: acme_authorities(fragment.acme.and_then(|acme| acme.ca_file))?,
        credentials_dir: None,
    })
}

/// Reads the authorities of ACME directories from their file, if there is one.
fn acme_authorities(file: Option<PathBuf>) -> Result<Vec<CertificateDer<'static>>, Problems> {
    let Some(file) = file else { return Ok(Vec::new()) };
    registries::authorities(&file)
        .map_err(|problem| Problem { path: "acme.ca_file".to_owned(), ..problem }.into())
}

fn listen(key: &str, text: Option<&str>, default: &str) -> Result<SocketAddr, SettingsError> {
    let text = text.unwrap_or(default);
    text.parse().map_err(|_not_an_address| {
        SettingsError::value(key, text, "an IP address and a port, such as 0.0.0.0:7443")
    })
}

#[cfg(test)]
mod tests;
