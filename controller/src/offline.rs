//! The files of a controller that does not run, as `init` and `backup` use them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use crate::config::Settings;
use crate::pki::Authority;
use crate::store::Embedded;
use crate::store::embedded::{self, OpenError, Options};

/// Why the store is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The controller runs.
    #[error(
        "the controller runs: stop it for this (systemctl stop omlcontroller); agents and components go on without it"
    )]
    Running,
    /// The store cannot be made or opened.
    #[error(transparent)]
    Open(OpenError),
}

impl From<OpenError> for OfflineError {
    fn from(error: OpenError) -> Self {
        if matches!(error, OpenError::Locked { .. }) { Self::Running } else { Self::Open(error) }
    }
}

/// Makes an empty store that belongs to this authority.
pub(crate) fn create_store(settings: &Settings, authority: &Authority) -> Result<(), OfflineError> {
    Ok(embedded::create(&settings.store_dir(), &authority.fingerprint().to_string())?)
}

/// Opens the store, which a controller that runs has for itself.
pub(crate) async fn open_store(settings: &Settings) -> Result<Arc<Embedded>, OfflineError> {
    Ok(Arc::new(Embedded::open(&settings.store_dir(), Options::default()).await?))
}

/// Lets go of the store's folder, so that the next one can open it at once.
pub(crate) async fn close_store(store: Arc<Embedded>) {
    if let Some(store) = Arc::into_inner(store) {
        store.close().await;
    }
}

/// A folder that only its owner can look into.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A new file that only its owner can read.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
