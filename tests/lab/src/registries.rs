//! Further registries of a lab, each with a port, a login and a transport of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::debian::write;
use crate::error::Result;
use crate::mounts::{self, Overlay};
use crate::own_address::own_address;
use crate::prepare::Prepared;
use crate::progress::log;
use crate::push::Client;
use crate::registry::{self, Served, write_login};
use crate::variant::Variant;

/// The description of a further registry.
#[derive(Debug, Clone)]
pub struct RegistrySpec<'a> {
    /// The name of its folder, which is unique in the lab.
    pub name: &'a str,
    pub port: u16,
    /// The user and the password, if it requires a login.
    pub login: Option<(&'a str, &'a str)>,
    /// What it speaks TLS with; without it, it speaks plain HTTP.
    pub tls: Option<Tls<'a>>,
    /// The images that it has besides those of every registry: the repository, the tag, and how the image of the tag v1
    /// is changed.
    pub images: &'a [(&'a str, &'a str, Variant)],
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone, Copy)]
pub struct Tls<'a> {
    pub certificate: &'a str,
    pub key: &'a str,
}

/// A further registry. Dropping the value stops it.
#[derive(Debug)]
pub struct FurtherRegistry {
    folder: PathBuf,
    digests: Vec<String>,
}

impl FurtherRegistry {
    /// Returns the digests of its own images, in the order of their description.
    pub fn digests(&self) -> &[String] {
        &self.digests
    }

    /// Fills a registry over an overlay of the shared content, and starts it at the bridge's address.
    pub(crate) fn start(
        spec: &RegistrySpec<'_>,
        folder: &Path,
        gateway: Ipv4Addr,
        prepared: &Prepared,
    ) -> Result<Self> {
        let store = folder.join("store");
        Overlay {
            lower: &[&prepared.store],
            upper: &folder.join("upper"),
            work: &folder.join("work"),
            at: &store,
        }
        .mount()?;
        // From here on, an early return stops what was started.
        let mut this = Self { folder: folder.to_path_buf(), digests: Vec::new() };
        let address = own_address();
        let served = Served { folder, store: &store, address, passwords: None, tls: None };
        served.start(&prepared.registry_program)?;
        let client = Client { address, login: None };
        for (repository, tag, variant) in spec.images {
            this.digests.push(client.push_variant(repository, "v1", tag, *variant)?);
        }
        registry::stop(folder)?;
        let passwords = match spec.login {
            Some((user, password)) => Some(write_login(folder, user, password)?),
            None => None,
        };
        let tls = match spec.tls {
            Some(Tls { certificate, key }) => {
                let files = (folder.join("certificate.pem"), folder.join("key.pem"));
                write(&files.0, certificate, 0o600)?;
                write(&files.1, key, 0o600)?;
                Some(files)
            }
            None => None,
        };
        let served = Served {
            address: SocketAddr::from((gateway, spec.port)),
            passwords: passwords.as_deref(),
            tls: tls.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path())),
            ..served
        };
        served.start(&prepared.registry_program)?;
        Ok(this)
    }
}

impl Drop for FurtherRegistry {
    fn drop(&mut self) {
        let stopped = registry::stop(&self.folder);
        if let Err(error) = stopped.and_then(|()| mounts::unmount_below(&self.folder)) {
            log(&format!("a further registry could not be stopped: {error}"));
        }
    }
}
