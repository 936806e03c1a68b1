//! Access to the files of a stopped controller, for `init`, `backup` and `restore`.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use crate::config::Settings;
use crate::pki::Authority;
use crate::store::Embedded;
use crate::store::embedded::{self, OpenError, Options};

/// The error of making or opening the store of a stopped controller.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The controller is running, and has the store locked.
    #[error(
        "the controller is running; stop it first (systemctl stop omlcontroller): agents and components keep running without it"
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

/// Opens the store. This fails while the controller is running, which has the store
/// locked.
pub(crate) async fn open_store(settings: &Settings) -> Result<Arc<Embedded>, OfflineError> {
    Ok(Arc::new(Embedded::open(&settings.store_dir(), Options::default()).await?))
}

/// Closes the store and unlocks its folder, so that it can be opened again at once.
pub(crate) async fn close_store(store: Arc<Embedded>) {
    if let Some(store) = Arc::into_inner(store) {
        store.close().await;
    }
}

/// Makes a folder that only its owner can read.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes the folders of a controller that was not made completely.
pub(crate) fn discard(settings: &Settings) {
    for folder in [settings.pki_dir(), settings.store_dir()] {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(folder = %folder.display(), %error, "cannot remove the incomplete folder");
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Makes a new file that only its owner can read.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
