//! Backups of a controller. A backup is one file with the authority and every record
//! of the store, as one JSON document per line, so that it does not depend on the
//! storage engine.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oml_common::document::backup::{BackupBegin, BackupLine, BackupLineError};
use oml_daemon::env::{Env, RandomError};

use crate::config::Settings;
use crate::offline::{self, OfflineError};
use crate::pki::{Authority, PkiError};
use crate::records::values::Epoch;
use crate::records::{Archive, Batch, Records, keys};
use crate::seal::KeyUse;
use crate::store::{Expect, StoreError};

mod epoch;
mod quiesce;

use self::quiesce::quiesce;

/// The error of a backup or a restore.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store cannot be made or opened.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The authority cannot be read or written.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The system has no random bytes for the epoch.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// The file is not a complete backup.
    #[error("{} is not a complete backup: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    /// A line of the file cannot be read.
    #[error("cannot restore {}", path.display())]
    Unreadable { path: PathBuf, source: BackupLineError },
    /// The folder already contains a controller.
    #[error("a controller already exists in {}; nothing was changed; move that folder away and retry", dir.display())]
    Exists { dir: PathBuf },
}

/// The summary of a backup or a restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSummary {
    /// The number of records.
    pub records: usize,
    pub epoch: u64,
    /// The secrets, whose values are sealed. The key is no part of a backup.
    pub secrets: KeyUse,
}

/// Writes a backup of a stopped controller into `file`. `path` names the file in
/// messages.
///
/// # Errors
/// Returns [`BackupError`]; the file is then incomplete.
pub async fn backup(
    settings: &Settings,
    env: &Env,
    file: &mut File,
    path: &Path,
) -> Result<BackupSummary, BackupError> {
    let unusable = |source| BackupError::File { path: path.to_owned(), source };
    let pki = settings.pki_dir();
    let (ca_pem, ca_key) = (read(&pki.join("ca.pem"))?, read(&pki.join("ca.key"))?);
    let store = offline::open_store(settings).await?;
    let exported = Records::new(Arc::clone(&store) as _).export().await;
    offline::close_store(store).await;
    let archive = exported?;
    let epoch = archive.get(&keys::epoch())?.map_or(0, |record| record.epoch);
    let mut file = BufWriter::new(file);
    let mut write = |line: String| file.write_all(line.as_bytes());
    let release = env!("CARGO_PKG_VERSION").to_owned();
    write(BackupBegin::new(release, env.now(), ca_pem, ca_key).write()).map_err(unusable)?;
    for line in archive.lines() {
        write(line.write()).map_err(unusable)?;
    }
    file.flush().map_err(unusable)?;
    drop(file);
    let secrets = secrets_in(&archive);
    Ok(BackupSummary { records: archive.len(), epoch, secrets })
}

/// Makes a controller from a backup, under a higher epoch. Agents accept a higher
/// epoch, even if they have newer assignments than the backup. The controller
/// assigns nothing until an operator applies a change.
///
/// # Errors
/// Returns [`BackupError`] if a controller exists already, or it cannot be written.
pub async fn restore(
    settings: &Settings,
    env: &Env,
    read: Backup,
) -> Result<BackupSummary, BackupError> {
    if settings.store_dir().exists() || settings.pki_dir().exists() {
        return Err(BackupError::Exists { dir: settings.data_dir.clone() });
    }
    let made = make(settings, env, read).await;
    if made.is_err() {
        // The next `restore` would take an incomplete folder for a controller.
        offline::discard(settings);
    }
    made
}

async fn make(settings: &Settings, env: &Env, read: Backup) -> Result<BackupSummary, BackupError> {
    let pki_dir = settings.pki_dir();
    make_private_folder(&pki_dir)?;
    write_private_file(&pki_dir.join("ca.key"), &read.ca_key)?;
    write_private_file(&pki_dir.join("ca.pem"), &read.ca_pem)?;
    let authority = Authority::load(&pki_dir, env.random())?;
    offline::create_store(settings, &authority)?;
    let now = env.now();
    let epoch = epoch::after(read.epoch, now, env.random())?;
    let (mut archive, count) = (read.archive, read.count);
    archive.remove(&keys::epoch());
    quiesce(&mut archive, epoch, now);
    let secrets = secrets_in(&archive);
    let store = offline::open_store(settings).await?;
    let imported = import(&Records::new(Arc::clone(&store) as _), archive, epoch).await;
    offline::close_store(store).await;
    imported?;
    Ok(BackupSummary { records: count, epoch, secrets })
}

/// Returns how the secrets of an archive are sealed.
fn secrets_in(archive: &Archive) -> KeyUse {
    let secrets = archive.list_lossy(&keys::all_secrets());
    KeyUse::of(secrets.iter().map(|(_, record)| record))
}

/// Writes the records, and the epoch last: without it no controller starts on a store
/// that is only partly restored.
async fn import(records: &Records, archive: Archive, epoch: u64) -> Result<(), StoreError> {
    records.import(archive).await?;
    records.commit(Batch::default().put(&keys::epoch(), Expect::Absent, &Epoch { epoch })).await
}

/// A backup in memory. It is read completely before anything is written.
pub struct Backup {
    ca_pem: String,
    ca_key: String,
    epoch: u64,
    count: usize,
    archive: Archive,
}

/// Reads a backup.
///
/// # Errors
/// Returns [`BackupError`] if the file cannot be read, or is not a complete backup.
pub fn read_backup(path: &Path) -> Result<Backup, BackupError> {
    let damaged =
        |reason: &str| BackupError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    let unusable = |source| BackupError::File { path: path.to_owned(), source };
    let mut lines = BufReader::new(File::open(path).map_err(unusable)?).lines();
    let mut next = || lines.next().transpose().map_err(unusable);
    let unreadable = |source| BackupError::Unreadable { path: path.to_owned(), source };
    let first = next()?.unwrap_or_default();
    let (begin, version) = BackupBegin::read(&first).map_err(unreadable)?;
    let BackupBegin { ca_pem, ca_key, .. } = begin;
    let (mut archive, mut count) = (Archive::default(), 0);
    loop {
        let line = next()?.map(|line| BackupLine::read(version, &line)).transpose();
        let incomplete = || damaged("lines at its end or in its middle are missing");
        match archive.add(line.map_err(unreadable)?.ok_or_else(incomplete)?) {
            None => count += 1,
            Some(records) if records == count => break,
            Some(_) => return Err(incomplete()),
        }
    }
    let epoch =
        archive.get(&keys::epoch()).map_err(|_other| damaged("its epoch cannot be read"))?;
    Ok(Backup { ca_pem, ca_key, epoch: epoch.map_or(0, |record| record.epoch), count, archive })
}

fn read(path: &Path) -> Result<String, BackupError> {
    std::fs::read_to_string(path)
        .map_err(|source| BackupError::File { path: path.to_owned(), source })
}

fn make_private_folder(path: &Path) -> Result<(), BackupError> {
    offline::make_folder(path).map_err(|source| BackupError::File { path: path.to_owned(), source })
}

fn write_private_file(path: &Path, text: &str) -> Result<(), BackupError> {
    let file = offline::create_file(path);
    let mut file = file.map_err(|source| BackupError::File { path: path.to_owned(), source })?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| BackupError::File { path: path.to_owned(), source })
}
