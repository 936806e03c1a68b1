//! Makes a new controller, and bundles for its operators.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oml_common::problem::{Problem, printable};
use oml_proto::tls::{Identity, OperatorName, Serial};
use serde::Serialize;

use crate::clock;
use crate::config::Settings;
use crate::offline::{self, OfflineError};
use crate::pki::{Authority, PkiError, Terms, highest_serial};
use crate::records::values::{Audit, Operator, PublicEndpoint};
use crate::records::{Batch, Records, if_unchanged, keys};
use crate::store::{Embedded, Expect, StoreError};

/// How long an operator's certificate lives.
const OPERATOR_LIFETIME_MS: u64 = 366 * 24 * 3_600_000;

/// Why there is no new controller, or no new operator.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is one already.
    #[error("there is a controller in {} already; nothing was changed", dir.display())]
    Exists {
        /// Its folder.
        dir: PathBuf,
    },
    /// There is none yet.
    #[error("there is no controller in {}: `omlcontroller init` makes one", dir.display())]
    Missing {
        /// Where it should be.
        dir: PathBuf,
    },
    /// The store cannot be made or opened.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The authority cannot be made or used.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Which.
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
    let authority = Authority::create(&settings.pki_dir(), &public.name, clock::now())?;
    offline::create_store(settings, &authority)?;
    let (bundle, newest) = issue(settings, &authority, &public, (operator, None))?;
    let first = Operator { newest, revoked: None, removed: None };
    let batch = Batch::default()
        .put(&keys::operator(operator), Expect::Absent, &first)
        .put(&keys::epoch(), Expect::Absent, &1)
        .put(&keys::public_endpoint(), Expect::Absent, &public)
        .put(
            &keys::audit(),
            Expect::Absent,
            &audit(format!("made the controller and operator {operator}")),
        );
    let store = open(settings).await?;
    let done = Records::new(Arc::clone(&store) as _).commit(batch).await;
    close(store).await;
    done?;
    Ok(bundle)
}

/// A further operator of a controller that does not run at the moment.
///
/// # Errors
/// There is no controller, or it runs.
pub async fn add_operator(
    settings: &Settings,
    operator: &OperatorName,
) -> Result<Bundle, InitError> {
    if !settings.store_dir().exists() {
        return Err(InitError::Missing { dir: settings.data_dir.clone() });
    }
    let authority = Authority::load(&settings.pki_dir())?;
    let store = open(settings).await?;
    let records = Records::new(Arc::clone(&store) as _);
    let made = make_operator(settings, &authority, &records, operator).await;
    drop(records);
    close(store).await;
    made
}

async fn make_operator(
    settings: &Settings,
    authority: &Authority,
    records: &Records,
    name: &OperatorName,
) -> Result<Bundle, InitError> {
    let public = records.get(&keys::public_endpoint()).await?;
    let public = public.ok_or_else(|| InitError::Missing { dir: settings.data_dir.clone() })?.value;
    let known = records.get(&keys::operator(name)).await?;
    let after = known.as_ref().map(|known| Some(known.value.newest).max(known.value.revoked));
    let (bundle, newest) = issue(settings, authority, &public, (name, after.flatten()))?;
    let revoked = known.as_ref().and_then(|known| known.value.revoked);
    let made = Operator { newest, revoked, removed: None };
    let batch = Batch::default()
        .put(&keys::operator(name), if_unchanged(known.as_ref()), &made)
        .put(&keys::audit(), Expect::Absent, &audit(format!("made operator {name}")));
    records.commit(batch).await?;
    Ok(bundle)
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
    name: &OperatorName,
) -> Result<Option<Problem>, InitError> {
    if !settings.store_dir().exists() {
        return Err(InitError::Missing { dir: settings.data_dir.clone() });
    }
    let store = open(settings).await?;
    let records = Records::new(Arc::clone(&store) as _);
    let removed = revoke_operator(&records, name).await;
    drop(records);
    close(store).await;
    removed
}

async fn revoke_operator(
    records: &Records,
    name: &OperatorName,
) -> Result<Option<Problem>, InitError> {
    let known = records.get(&keys::operator(name)).await?;
    let is_present = known.as_ref().is_some_and(|known| known.value.removed.is_none());
    let unrecorded = if is_present { None } else { Some(not_on_record(records, name).await?) };
    let now = clock::now();
    let highest = highest_serial(now);
    let newest = known.as_ref().map_or(highest, |known| known.value.newest);
    let revoked = known.as_ref().and_then(|known| known.value.revoked);
    let line = newest.max(highest).max(revoked.unwrap_or(highest));
    let removed = Operator { revoked: Some(line), removed: Some(now), newest };
    let batch = Batch::default()
        .put(&keys::operator(name), if_unchanged(known.as_ref()), &removed)
        .put(&keys::audit(), Expect::Absent, &audit(format!("removed operator {name}")));
    records.commit(batch).await?;
    Ok(unrecorded)
}

async fn not_on_record(records: &Records, name: &OperatorName) -> Result<Problem, InitError> {
    let all = records.list(&keys::operators()).await?;
    let present = all.iter().filter(|(_, operator)| operator.value.removed.is_none());
    let problem = Problem::new("operator", format!("there was no operator {name} on record"));
    Ok(problem.suggest(&name.to_string(), present.map(|(name, _)| name.as_str())))
}

async fn open(settings: &Settings) -> Result<Arc<Embedded>, InitError> {
    Ok(Arc::new(offline::open_store(settings).await?))
}

/// Lets go of the store's folder, so that the next one can open it at once.
async fn close(store: Arc<Embedded>) {
    if let Some(store) = Arc::into_inner(store) {
        store.close().await;
    }
}

fn issue(
    settings: &Settings,
    authority: &Authority,
    public: &PublicEndpoint,
    (operator, after): (&OperatorName, Option<Serial>),
) -> Result<(Bundle, Serial), InitError> {
    let terms = Terms { now: clock::now(), lifetime_ms: OPERATOR_LIFETIME_MS, after };
    let own = authority.issue_with_key(&Identity::Operator(operator.clone()), terms)?;
    let host =
        if public.host.contains(':') { format!("[{}]", public.host) } else { public.host.clone() };
    let bundle = Bundle {
        name: public.name.clone(),
        endpoint: format!("{host}:{}", settings.listen.port()),
        ca_pem: authority.pem().to_owned(),
        certificate_pem: own.issued.certificate_pem,
        key_pem: own.key_pem,
    };
    Ok((bundle, own.issued.record.serial))
}

fn audit(what: String) -> Audit {
    Audit {
        at: clock::now(),
        who: "the machine's administrator".into(),
        what,
        tenant: None,
        node: None,
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
