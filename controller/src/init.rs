//! Makes a new controller, and bundles for its operators.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oml_common::text::problem::{Problem, printable};
use oml_daemon::env::Env;
use oml_daemon::tls::OperatorName;
use serde::Serialize;

use crate::config::Settings;
use crate::offline::{self, OfflineError};
use crate::ops::OpsError;
use crate::ops::operators::Operators;
use crate::pki::{Authority, OwnCertificate, PkiError};
use crate::records::Records;
use crate::records::values::PublicEndpoint;

/// Why there is no new controller, or no new operator.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("there is a controller in {} already; nothing was changed", dir.display())]
    Exists { dir: PathBuf },
    #[error("there is no controller in {}: `omlcontroller init` makes one", dir.display())]
    Missing { dir: PathBuf },
    /// The store cannot be made or opened.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The operator could not be recorded.
    #[error(transparent)]
    Ops(#[from] OpsError),
    /// The authority cannot be made or used.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// What was asked for cannot be meant.
    #[error("{0}")]
    Mistake(Problem),
}

/// What an operator's program needs to reach the controller.
#[derive(Debug, Serialize)]
pub struct Bundle {
    /// The controller's name.
    pub name: String,
    /// Where it listens, as `host:port`.
    pub endpoint: String,
    /// The authority's certificate.
    pub ca_pem: String,
    /// The operator's certificate.
    pub certificate_pem: String,
    /// The operator's private key.
    pub key_pem: String,
}

/// A file for a bundle, made before anything else: what cannot be handed out
/// is not made.
#[derive(Debug)]
pub struct BundleFile {
    file: std::fs::File,
    path: PathBuf,
}

impl BundleFile {
    /// A new file that only its owner can read.
    ///
    /// # Errors
    /// It exists already, or cannot be made.
    pub fn create(path: &Path) -> Result<Self, InitError> {
        let file = offline::create_file(path)
            .map_err(|source| InitError::Write { path: path.to_owned(), source })?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Writes the bundle.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(mut self, bundle: &Bundle) -> Result<(), InitError> {
        let text = toml::to_string(bundle).expect("a bundle is a flat table of strings");
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|source| InitError::Write { path: self.path, source })
    }

    /// Takes the file away again.
    pub fn discard(self) {
        // It is empty; whoever finds it loses nothing.
        let _left = std::fs::remove_file(&self.path);
    }
}

/// Makes a controller: authority, store and first operator.
///
/// # Errors
/// What stands in the way. A controller that exists is never touched.
pub async fn init(
    settings: &Settings,
    env: &Env,
    public: PublicEndpoint,
    operator: &OperatorName,
) -> Result<Bundle, InitError> {
    check_host("--name", &public.name)?;
    check_host("--address", &public.host)?;
    let dir = &settings.data_dir;
    if settings.store_dir().exists() || settings.pki_dir().exists() {
        return Err(InitError::Exists { dir: dir.clone() });
    }
    make_folder(dir)?;
    make_folder(&settings.pki_dir())?;
    let authority = Authority::create(&settings.pki_dir(), &public.name, env.now(), env.random())?;
    offline::create_store(settings, &authority)?;
    let authority = Arc::new(authority);
    let store = offline::open_store(settings).await?;
    let operators =
        Operators::new(env.clone(), Records::new(Arc::clone(&store) as _), Arc::clone(&authority));
    let founded = operators.found(operator, &public).await;
    drop(operators);
    offline::close_store(store).await;
    Ok(bundle(settings, &authority, &public, founded?))
}

/// A further operator of a controller that does not run at the moment.
///
/// # Errors
/// There is no controller, or it runs.
pub async fn add_operator(
    settings: &Settings,
    env: &Env,
    operator: &OperatorName,
) -> Result<Bundle, InitError> {
    if !settings.store_dir().exists() {
        return Err(InitError::Missing { dir: settings.data_dir.clone() });
    }
    let authority = Arc::new(Authority::load(&settings.pki_dir(), env.random())?);
    let store = offline::open_store(settings).await?;
    let operators =
        Operators::new(env.clone(), Records::new(Arc::clone(&store) as _), Arc::clone(&authority));
    let added = add(&operators, operator).await;
    drop(operators);
    offline::close_store(store).await;
    let added = added?.ok_or_else(|| InitError::Missing { dir: settings.data_dir.clone() })?;
    Ok(bundle(settings, &authority, &added.0, added.1))
}

/// None where the store does not know how the controller is reached: it was
/// not made to its end.
async fn add(
    operators: &Operators,
    name: &OperatorName,
) -> Result<Option<(PublicEndpoint, OwnCertificate)>, InitError> {
    let Some(endpoint) = operators.public_endpoint().await? else { return Ok(None) };
    let own = operators.add(name).await?;
    Ok(Some((endpoint, own)))
}

/// Removes an operator of a controller that does not run at the moment: from
/// its next start on, none of the certificates made until now counts. A name
/// that is not on record may have some all the same: it was made before
/// operators were recorded, or after the backup that was restored. That it is
/// not on record is what comes back.
///
/// # Errors
/// There is no controller, or it runs.
pub async fn remove_operator(
    settings: &Settings,
    env: &Env,
    name: &OperatorName,
) -> Result<Option<Problem>, InitError> {
    if !settings.store_dir().exists() {
        return Err(InitError::Missing { dir: settings.data_dir.clone() });
    }
    let authority = Arc::new(Authority::load(&settings.pki_dir(), env.random())?);
    let store = offline::open_store(settings).await?;
    let operators = Operators::new(env.clone(), Records::new(Arc::clone(&store) as _), authority);
    let removed = operators.remove(name).await;
    drop(operators);
    offline::close_store(store).await;
    Ok(removed?)
}

fn bundle(
    settings: &Settings,
    authority: &Authority,
    endpoint: &PublicEndpoint,
    own: OwnCertificate,
) -> Bundle {
    let host = match endpoint.host.contains(':') {
        true => format!("[{}]", endpoint.host),
        false => endpoint.host.clone(),
    };
    Bundle {
        name: endpoint.name.clone(),
        endpoint: format!("{host}:{}", settings.listen.port()),
        ca_pem: authority.pem().to_owned(),
        certificate_pem: own.issued.certificate_pem,
        key_pem: own.key_pem,
    }
}

fn make_folder(path: &Path) -> Result<(), InitError> {
    offline::make_folder(path).map_err(|source| InitError::Write { path: path.to_owned(), source })
}

fn check_host(option: &str, host: &str) -> Result<(), InitError> {
    let parsed = host.parse::<crate::ops::nodes::Address>();
    parsed.map(|_address| ()).map_err(|_invalid| {
        let message = format!("{:?} is not a host name or address", printable(host));
        InitError::Mistake(Problem::new(option, message).hint("for example oml.example.org"))
    })
}

#[cfg(test)]
mod tests;
