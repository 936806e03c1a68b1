//! All that a controller keeps, in one file: the authority and every key of the
//! store. One JSON document per line, so that the file outlives the engine.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::config::Settings;
use crate::offline::{self, OfflineError};
use crate::pki::{Authority, PkiError};
use crate::records::values::Epoch;
use crate::records::{Archive, Batch, Records, keys};
use crate::store::{Expect, StoreError};

mod quiesce;

use self::quiesce::quiesce;

/// The form of the file.
const FORMAT: u32 = 1;

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The store cannot be made or opened.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The authority does not fit.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The file is not a whole backup.
    #[error("{} is not a whole backup: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    /// There is a controller already.
    #[error("there is a controller in {} already: move it away first; nothing was changed", dir.display())]
    Exists { dir: PathBuf },
}

/// A line of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Begin {
        format: u32,
        at: Timestamp,
        ca_pem: String,
        ca_key: String,
    },
    /// The value in the store's own bytes: what is known by its hash keeps it.
    Record {
        key: String,
        value: Box<RawValue>,
    },
    End {
        records: usize,
    },
}

/// What was saved or restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupSummary {
    /// Keys of the store.
    pub records: usize,
    pub epoch: u64,
}

/// A new file that only its owner can read.
///
/// # Errors
/// It exists already, or cannot be made.
pub fn create_file(path: &Path) -> Result<File, BackupError> {
    offline::create_file(path).map_err(|source| BackupError::File { path: path.to_owned(), source })
}

/// Writes everything into that file.
///
/// # Errors
/// What cannot be read or written.
pub async fn backup(
    settings: &Settings,
    env: &Env,
    file: File,
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
    let mut write = |line: &Line| -> io::Result<()> {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")
    };
    write(&Line::Begin { format: FORMAT, at: env.now(), ca_pem, ca_key }).map_err(unusable)?;
    for (key, value) in archive.iter() {
        let (key, value) = (key.to_owned(), value.to_owned());
        write(&Line::Record { key, value }).map_err(unusable)?;
    }
    write(&Line::End { records: archive.len() }).map_err(unusable)?;
    let file = file.into_inner().map_err(|error| unusable(error.into_error()))?;
    file.sync_all().map_err(unusable)?;
    Ok(BackupSummary { records: archive.len(), epoch })
}

/// Makes a controller from a backup, under a higher epoch: whatever happened
/// since, agents take what it says from now on. It says nothing until an
/// operator does.
///
/// # Errors
/// There is a controller already, or what was read does not fit together.
pub async fn restore(
    settings: &Settings,
    env: &Env,
    read: Backup,
) -> Result<BackupSummary, BackupError> {
    let pki_dir = settings.pki_dir();
    if settings.store_dir().exists() || pki_dir.exists() {
        return Err(BackupError::Exists { dir: settings.data_dir.clone() });
    }
    make_private(&pki_dir)?;
    write_private(&pki_dir.join("ca.key"), &read.ca_key)?;
    write_private(&pki_dir.join("ca.pem"), &read.ca_pem)?;
    let authority = Authority::load(&pki_dir, env.random())?;
    offline::create_store(settings, &authority)?;
    // A time, so that the same backup restored twice counts twice.
    let now = env.now();
    let epoch = (read.epoch + 1).max(now.0 / 1000);
    let (mut archive, count) = (read.archive, read.count);
    archive.remove(&keys::epoch());
    quiesce(&mut archive, epoch, now);
    let store = offline::open_store(settings).await?;
    let imported = import(&Records::new(Arc::clone(&store) as _), archive, epoch).await;
    offline::close_store(store).await;
    imported?;
    Ok(BackupSummary { records: count, epoch })
}

/// The epoch comes last: without it no controller starts on a half restored store.
async fn import(records: &Records, archive: Archive, epoch: u64) -> Result<(), StoreError> {
    records.import(archive).await?;
    records.commit(Batch::default().put(&keys::epoch(), Expect::Absent, &Epoch { epoch })).await
}

/// A backup, read whole before anything is made of it.
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
/// The file cannot be read, or is not a whole backup.
pub fn read_backup(path: &Path) -> Result<Backup, BackupError> {
    let damaged =
        |reason: &str| BackupError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    let unusable = |source| BackupError::File { path: path.to_owned(), source };
    let mut lines = BufReader::new(File::open(path).map_err(unusable)?).lines();
    let mut next = || -> Result<Option<Line>, BackupError> {
        let Some(line) = lines.next() else { return Ok(None) };
        let line = line.map_err(unusable)?;
        serde_json::from_str(&line).map(Some).map_err(|error| damaged(&error.to_string()))
    };
    let Some(Line::Begin { format: FORMAT, ca_pem, ca_key, .. }) = next()? else {
        return Err(damaged("it does not begin as one of this program"));
    };
    let (mut archive, mut count) = (Archive::default(), 0);
    loop {
        match next()? {
            Some(Line::Record { key, value }) => {
                count += 1;
                archive.insert(key, value);
            }
            Some(Line::End { records }) if records == count => break,
            Some(Line::End { .. } | Line::Begin { .. }) | None => {
                return Err(damaged("it is cut short or put together from pieces"));
            }
        }
    }
    let epoch =
        archive.get(&keys::epoch()).map_err(|_other| damaged("its epoch is not a number"))?;
    Ok(Backup { ca_pem, ca_key, epoch: epoch.map_or(0, |record| record.epoch), count, archive })
}

fn read(path: &Path) -> Result<String, BackupError> {
    std::fs::read_to_string(path)
        .map_err(|source| BackupError::File { path: path.to_owned(), source })
}

fn make_private(path: &Path) -> Result<(), BackupError> {
    offline::make_folder(path).map_err(|source| BackupError::File { path: path.to_owned(), source })
}

fn write_private(path: &Path, text: &str) -> Result<(), BackupError> {
    let mut file = create_file(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| BackupError::File { path: path.to_owned(), source })
}
