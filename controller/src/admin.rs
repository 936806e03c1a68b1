//! The verbs beside `run`: they work on the controller's files, as the user
//! that owns them, while it does not run.

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

/// Why a verb did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// No controller or operator was made.
    #[error(transparent)]
    Init(#[from] InitError),
    /// Nothing was saved or restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Whose files these are cannot be told.
    #[error("cannot look at {}", dir.display())]
    Unseen {
        dir: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The files' owner cannot be impersonated.
    #[error("cannot become the owner of {}", dir.display())]
    Owner {
        dir: PathBuf,
        /// What went wrong.
        source: Errno,
    },
}

/// A result of the verbs.
pub type Result<T> = std::result::Result<T, AdminError>;

/// Makes a controller and writes its first operator's bundle to a new file.
///
/// # Errors
/// What stands in the way.
pub async fn begin(
    settings: &Settings,
    env: &Env,
    endpoint: PublicEndpoint,
    operator: &OperatorName,
    out: &Path,
) -> Result<()> {
    // Before the owner changes: the file is the caller's.
    let file = BundleFile::create(out)?;
    let made = match become_owner(&settings.data_dir) {
        Ok(()) => init::init(settings, env, endpoint, operator).await.map_err(AdminError::from),
        Err(error) => Err(error),
    };
    hand_out(file, made)
}

/// Writes a further operator's bundle to a new file.
///
/// # Errors
/// What stands in the way.
pub async fn add_operator(
    settings: &Settings,
    env: &Env,
    operator: &OperatorName,
    out: &Path,
) -> Result<()> {
    let file = BundleFile::create(out)?;
    let made = match become_owner(&settings.data_dir) {
        Ok(()) => init::add_operator(settings, env, operator).await.map_err(AdminError::from),
        Err(error) => Err(error),
    };
    hand_out(file, made)
}

/// Takes an operator away; says so when there was none of that name on record.
///
/// # Errors
/// What stands in the way.
pub async fn remove_operator(
    settings: &Settings,
    env: &Env,
    operator: &OperatorName,
) -> Result<Option<Problem>> {
    become_owner(&settings.data_dir)?;
    Ok(init::remove_operator(settings, env, operator).await?)
}

fn hand_out(file: BundleFile, made: Result<init::Bundle>) -> Result<()> {
    match made {
        Ok(bundle) => Ok(file.write(&bundle)?),
        Err(error) => {
            file.discard();
            Err(error)
        }
    }
}

/// Writes everything into a new file.
///
/// # Errors
/// What stands in the way.
pub async fn back_up(settings: &Settings, env: &Env, out: &Path) -> Result<BackupSummary> {
    let file = backup::create_file(out)?;
    let saved = match become_owner(&settings.data_dir) {
        Ok(()) => backup::backup(settings, env, file, out).await.map_err(AdminError::from),
        Err(error) => Err(error),
    };
    if saved.is_err() {
        // Half a backup is none; if it stays, its end is missing and it is refused.
        let _left = std::fs::remove_file(out);
    }
    saved
}

/// Makes a controller from a backup.
///
/// # Errors
/// What stands in the way.
pub async fn restore(settings: &Settings, env: &Env, path: &Path) -> Result<BackupSummary> {
    let read = backup::read_backup(path)?;
    become_owner(&settings.data_dir)?;
    Ok(backup::restore(settings, env, read).await?)
}

/// Files that root makes would be closed to the controller: where the folder
/// has another owner, this process goes on as that one.
fn become_owner(dir: &Path) -> Result<()> {
    let metadata = match dir.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(AdminError::Unseen { dir: dir.to_owned(), source }),
    };
    let (uid, gid) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
    if !Uid::effective().is_root() || uid.is_root() {
        return Ok(());
    }
    let became = setgroups(&[gid]).and_then(|()| setgid(gid)).and_then(|()| setuid(uid));
    became.map_err(|source| AdminError::Owner { dir: dir.to_owned(), source })
}
