//! Setting up a new controller, and making and removing operators while it is stopped.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oml_common::document::bundle::{Bundle, BundleVersion};
use oml_common::text::printable::printable;
use oml_common::text::problem::Problem;
use oml_daemon::env::Env;
use oml_daemon::tls::OperatorName;

use crate::config::Settings;
use crate::offline::{self, OfflineError};
use crate::ops::OpsError;
use crate::ops::operators::{Operators, Unrecorded};
use crate::pki::{Authority, OwnCertificate, PkiError};
use crate::records::Records;
use crate::records::values::PublicEndpoint;

/// The error of making a controller, or of making or removing an operator.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    #[error("a controller already exists in {}; nothing was changed", dir.display())]
    Exists { dir: PathBuf },
    #[error("no controller exists in {}; make one with `omlcontroller init`", dir.display())]
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
    Write { path: PathBuf, source: io::Error },
    /// An argument of the command is invalid.
    #[error("{0}")]
    Mistake(Problem),
}

/// Returns a bundle as the text of its file.
#[must_use]
pub fn text_of(bundle: &Bundle) -> String {
    toml::to_string(bundle).expect("a bundle is a flat table of a number and strings")
}

/// Makes a controller: its authority, its store and its first operator.
///
/// # Errors
/// Returns [`InitError`]. An existing controller is never changed.
pub async fn init(
    settings: &Settings,
    env: &Env,
    public: PublicEndpoint,
    operator: &OperatorName,
) -> Result<Bundle, InitError> {
    check_host("--name", &public.name)?;
    for address in [&public.host].into_iter().chain(&public.addresses) {
        check_host("--address", address)?;
    }
    let dir = &settings.data_dir;
    if settings.store_dir().exists() || settings.pki_dir().exists() {
        return Err(InitError::Exists { dir: dir.clone() });
    }
    make_folder(dir)?;
    let made = make(settings, env, &public, operator).await;
    if made.is_err() {
        // The next `init` would take an incomplete folder for a controller.
        offline::discard(settings);
    }
    made
}

async fn make(
    settings: &Settings,
    env: &Env,
    public: &PublicEndpoint,
    operator: &OperatorName,
) -> Result<Bundle, InitError> {
    make_folder(&settings.pki_dir())?;
    let authority = Authority::create(&settings.pki_dir(), &public.name, env.now(), env.random())?;
    offline::create_store(settings, &authority)?;
    let authority = Arc::new(authority);
    let store = offline::open_store(settings).await?;
    let operators =
        Operators::new(env.clone(), Records::new(Arc::clone(&store) as _), Arc::clone(&authority));
    let founded = operators.found(operator, public).await;
    drop(operators);
    offline::close_store(store).await;
    Ok(bundle(settings, &authority, public, founded?))
}

/// Makes another operator. The controller must be stopped.
///
/// # Errors
/// Returns [`InitError`] if there is no controller, or it is running.
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

/// Makes the operator. Returns `None` if the store has no public endpoint, because
/// `init` was interrupted.
async fn add(
    operators: &Operators,
    name: &OperatorName,
) -> Result<Option<(PublicEndpoint, OwnCertificate)>, InitError> {
    let Some(endpoint) = operators.public_endpoint().await? else { return Ok(None) };
    let own = operators.add(name).await?;
    Ok(Some((endpoint, own)))
}

/// Removes an operator. The controller must be stopped; from its next start on,
/// all certificates of that name that were made until now are revoked.
///
/// A name without a record can be revoked too, if `unrecorded` says so, because it may have
/// certificates: they may have been made after the backup that was restored.
///
/// # Errors
/// Returns [`InitError`] if there is no controller, or it is running; it is
/// [`InitError::Mistake`] if the name has no record.
pub async fn remove_operator(
    settings: &Settings,
    env: &Env,
    name: &OperatorName,
    unrecorded: Unrecorded,
) -> Result<(), InitError> {
    if !settings.store_dir().exists() {
        return Err(InitError::Missing { dir: settings.data_dir.clone() });
    }
    let authority = Arc::new(Authority::load(&settings.pki_dir(), env.random())?);
    let store = offline::open_store(settings).await?;
    let operators = Operators::new(env.clone(), Records::new(Arc::clone(&store) as _), authority);
    let removed = operators.remove(name, unrecorded).await;
    drop(operators);
    offline::close_store(store).await;
    match removed {
        Err(OpsError::Problems(mut problems)) if problems.0.len() == 1 => {
            Err(InitError::Mistake(problems.0.remove(0)))
        }
        removed => Ok(removed?),
    }
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
        version: BundleVersion::default(),
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
    let parsed = host.parse::<oml_common::id::Address>();
    parsed.map(|_address| ()).map_err(|_invalid| {
        let message = format!("{:?} is not a valid host name or IP address", printable(host));
        InitError::Mistake(Problem::new(option, message).hint("for example oml.example.org"))
    })
}

#[cfg(test)]
mod tests;
