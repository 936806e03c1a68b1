//! The administrative commands: every command except `run`. They work on the files
//! of a stopped controller, as the user that owns these files.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getgroups, setegid, seteuid, setgroups};
use oml_common::document::bundle::Bundle;
use oml_daemon::env::{Env, RandomError};
use oml_daemon::tls::OperatorName;

use crate::backup::{self, BackupError, BackupSummary};
use crate::config::Settings;
use crate::init::{self, InitError};
use crate::ops::operators::Unrecorded;
use crate::records::values::PublicEndpoint;
use crate::seal::{KEY_FILE, new_key};
use crate::whole_file::WholeFile;

/// The error of an administrative command.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Making the controller, or making or removing an operator, failed.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The backup or the restore failed.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The file that the command should write exists.
    #[error("{} exists already, and nothing was changed; name another file", path.display())]
    OutExists { path: PathBuf },
    /// The file that the command should write cannot be written.
    #[error("cannot write {}", path.display())]
    Out { path: PathBuf, source: io::Error },
    /// The system has no random bytes for a key.
    #[error(transparent)]
    Random(#[from] RandomError),
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
/// Returns [`AdminError`]; there is no file then.
pub async fn init(
    settings: &Settings,
    env: &Env,
    endpoint: PublicEndpoint,
    operator: &OperatorName,
    out: &Path,
) -> Result<()> {
    // The file belongs to the caller, so it is made before the change of the user.
    let file = begin(out)?;
    let owner = Owner::become_owner_of(&settings.data_dir)?;
    let bundle = init::init(settings, env, endpoint, operator).await?;
    drop(owner);
    // The key belongs to the caller, which is root: the controller's own user cannot read it, and
    // gets it as a credential of its unit.
    match make_secrets_key(settings, env) {
        // It was put there for a restore, and then a new controller was wanted.
        Ok(_) | Err(AdminError::OutExists { .. }) => {}
        Err(error) => return Err(error),
    }
    write(file, &bundle, out)
}

/// Makes the key that seals secrets, and returns its file.
///
/// # Errors
/// Returns [`AdminError`]; a key that exists is never replaced.
pub fn make_secrets_key(settings: &Settings, env: &Env) -> Result<PathBuf> {
    let path = settings.data_dir.join(KEY_FILE);
    let mut file = begin(&path)?;
    let key = new_key(env.random())?;
    let written = file.file().write_all(key.as_bytes());
    written.and_then(|()| file.publish()).map_err(unwritable(&path))?;
    Ok(path)
}

/// Makes another operator and writes its bundle to a new file.
///
/// # Errors
/// Returns [`AdminError`]; there is no file then.
pub async fn add_operator(
    settings: &Settings,
    env: &Env,
    operator: &OperatorName,
    out: &Path,
) -> Result<()> {
    let file = begin(out)?;
    let owner = Owner::become_owner_of(&settings.data_dir)?;
    let bundle = init::add_operator(settings, env, operator).await?;
    drop(owner);
    write(file, &bundle, out)
}

/// Removes an operator.
///
/// # Errors
/// Returns [`AdminError`]; a name that is not on record is a mistake, unless `unrecorded`
/// revokes it.
pub async fn remove_operator(
    settings: &Settings,
    env: &Env,
    operator: &OperatorName,
    unrecorded: Unrecorded,
) -> Result<()> {
    let _owner = Owner::become_owner_of(&settings.data_dir)?;
    Ok(init::remove_operator(settings, env, operator, unrecorded).await?)
}

/// Begins the file that a command writes. It comes first, so that nothing is changed if the
/// file cannot be written.
fn begin(out: &Path) -> Result<WholeFile> {
    WholeFile::create(out).map_err(unwritable(out))
}

fn unwritable(out: &Path) -> impl Fn(io::Error) -> AdminError {
    let path = out.to_owned();
    move |source| {
        let path = path.clone();
        if source.kind() == io::ErrorKind::AlreadyExists {
            AdminError::OutExists { path }
        } else {
            AdminError::Out { path, source }
        }
    }
}

fn write(mut file: WholeFile, bundle: &Bundle, out: &Path) -> Result<()> {
    let written = file.file().write_all(init::text_of(bundle).as_bytes());
    written.and_then(|()| file.publish()).map_err(unwritable(out))
}

/// Writes a backup of the controller to a new file.
///
/// # Errors
/// Returns [`AdminError`]; there is no file then.
pub async fn back_up(settings: &Settings, env: &Env, out: &Path) -> Result<BackupSummary> {
    let mut file = begin(out)?;
    let owner = Owner::become_owner_of(&settings.data_dir)?;
    let saved = backup::backup(settings, env, file.file(), out).await?;
    drop(owner);
    file.publish().map_err(unwritable(out))?;
    Ok(saved)
}

/// Makes a controller from a backup.
///
/// # Errors
/// Returns [`AdminError`].
pub async fn restore(settings: &Settings, env: &Env, path: &Path) -> Result<BackupSummary> {
    let read = backup::read_backup(path)?;
    let _owner = Owner::become_owner_of(&settings.data_dir)?;
    Ok(backup::restore(settings, env, read).await?)
}

/// This process as the user that owns the controller's folder, if root has started it. The
/// controller could not read files that belong to root. When it is dropped, the process is
/// root again, and can name or remove the file that the caller asked for.
#[derive(Debug)]
struct Owner {
    /// The group and the groups of the caller; `None` if the user was not changed.
    caller: Option<(Gid, Vec<Gid>)>,
}

impl Owner {
    fn become_owner_of(dir: &Path) -> Result<Self> {
        let metadata = match dir.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { caller: None });
            }
            Err(source) => return Err(AdminError::OwnerUnknown { dir: dir.to_owned(), source }),
        };
        let (uid, gid) = (Uid::from_raw(metadata.uid()), Gid::from_raw(metadata.gid()));
        if !Uid::effective().is_root() || uid.is_root() {
            return Ok(Self { caller: None });
        }
        let failed = |source| AdminError::SwitchUser { dir: dir.to_owned(), source };
        let caller = Some((Gid::effective(), getgroups().map_err(failed)?));
        // Made first, so that a change that fails half way is undone.
        let owner = Self { caller };
        let became = setgroups(&[gid]).and_then(|()| setegid(gid)).and_then(|()| seteuid(uid));
        became.map_err(failed)?;
        Ok(owner)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let Some((gid, groups)) = self.caller.take() else { return };
        let back = seteuid(Uid::from_raw(0)).and_then(|()| setegid(gid));
        if let Err(error) = back.and_then(|()| setgroups(&groups)) {
            tracing::warn!(%error, "cannot become root again");
        }
    }
}
