//! The administrative commands: every command except `run`. They work on the files
//! of a stopped controller, as the user that owns these files.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};
use oml_common::text::problem::Problem;
use oml_daemon::env::Env;
use oml_daemon::tls::OperatorName;

use crate::backup::{self, BackupError, BackupSummary};
use crate::config::Settings;
use crate::init::{self, BundleFile, InitError};
use crate::records::values::PublicEndpoint;

/// The error of an administrative command.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Making the controller, or making or removing an operator, failed.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The backup or the restore failed.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The owner of the folder cannot be read.
    #[error("cannot read the owner of {}", dir.display())]
    OwnerUnknown { dir: PathBuf, source: io::Error },
    /// The process cannot become the user that owns the folder.
    #[error("cannot switch to the user that owns {}", dir.display())]
    SwitchUser { dir: PathBuf, source: Errno },
}

/// The result of an administrative command.
pub type Result<T> = std::result::Result<T, AdminError>;

/// Makes a controller and writes its first operator's bundle to a new file.
///
/// # Errors
/// Returns [`AdminError`]; the file is then removed again.
pub async fn init(
    settings: &Settings,
    env: &Env,
    endpoint: PublicEndpoint,
    operator: &OperatorName,
    out: &Path,
) -> Result<()> {
    // This comes before the change of the user, so that the file belongs to the caller.
    let file = BundleFile::create(out)?;
    let made = match switch_to_owner(&settings.data_dir) {
        Ok(()) => init::init(settings, env, endpoint, operator).await.map_err(AdminError::from),
        Err(error) => Err(error),
    };
    write_or_discard(file, made)
}

/// Makes another operator and writes its bundle to a new file.
///
/// # Errors
/// Returns [`AdminError`]; the file is then removed again.
pub async fn add_operator(
    settings: &Settings,
    env: &Env,
    operator: &OperatorName,
    out: &Path,
) -> Result<()> {
    let file = BundleFile::create(out)?;
    let made = match switch_to_owner(&settings.data_dir) {
        Ok(()) => init::add_operator(settings, env, operator).await.map_err(AdminError::from),
        Err(error) => Err(error),
    };
    write_or_discard(file, made)
}

/// Removes an operator. Returns a problem if no operator of that name was recorded.
///
/// # Errors
/// Returns [`AdminError`].
pub async fn remove_operator(
    settings: &Settings,
    env: &Env,
    operator: &OperatorName,
) -> Result<Option<Problem>> {
    switch_to_owner(&settings.data_dir)?;
    Ok(init::remove_operator(settings, env, operator).await?)
}

fn write_or_discard(file: BundleFile, made: Result<init::Bundle>) -> Result<()> {
    match made {
        Ok(bundle) => Ok(file.write(&bundle)?),
        Err(error) => {
            file.discard();
            Err(error)
        }
    }
}

/// Writes a backup of the controller to a new file.
///
/// # Errors
/// Returns [`AdminError`]; an incomplete file is then removed.
pub async fn back_up(settings: &Settings, env: &Env, out: &Path) -> Result<BackupSummary> {
    let file = backup::create_file(out)?;
    let saved = match switch_to_owner(&settings.data_dir) {
        Ok(()) => backup::backup(settings, env, file, out).await.map_err(AdminError::from),
        Err(error) => Err(error),
    };
    if saved.is_err() {
        // If removing the file fails, a restore still refuses it, because its end is
        // missing.
        let _left = std::fs::remove_file(out);
    }
    saved
}

/// Makes a controller from a backup.
///
/// # Errors
/// Returns [`AdminError`].
pub async fn restore(settings: &Settings, env: &Env, path: &Path) -> Result<BackupSummary> {
    let read = backup::read_backup(path)?;
    switch_to_owner(&settings.data_dir)?;
    Ok(backup::restore(settings, env, read).await?)
}

/// Switches this process to the user that owns the folder, if it is running as root.
/// The controller could not read files that belong to root.
fn switch_to_owner(dir: &Path) -> Result<()> {
    let metadata = match dir.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(AdminError::OwnerUnknown { dir: dir.to_owned(), source }),
    };
    let (uid, gid) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    if !Uid::effective().is_root() || uid.is_root() {
        return Ok(());
    }
    let became = setgroups(&[gid]).and_then(|()| setgid(gid)).and_then(|()| setuid(uid));
    became.map_err(|source| AdminError::SwitchUser { dir: dir.to_owned(), source })
}
