//! Backups of a controller: one JSON value per line, so that a backup of any size can be
//! written and read line by line. The first line has the format of the whole file.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::document::is_default;
use crate::text::printable::{printable, shortened};
use crate::time::Timestamp;

/// The format of backups that this release writes.
pub const FORMAT: u32 = 1;

/// One line of a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupLine {
    /// The first line.
    Begin(BackupBegin),
    /// A record of the store. The value has the same bytes as in the store, because
    /// hashes depend on them.
    Record { key: String, value: Box<RawValue> },
    /// The last line, without which the backup is not complete.
    End { records: usize },
}

/// What the first line of a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupBegin {
    /// The format of the file.
    pub format: u32,
    /// The release that wrote the file; empty if it did not say so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub release: String,
    pub at: Timestamp,
    /// The certificate of the authority, as PEM.
    pub ca_pem: String,
    /// The private key of the authority, as PEM.
    pub ca_key: String,
}

/// The error of reading a line of a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupLineError {
    /// A release with another format wrote the file.
    #[error(
        "it has format {format}, and this release reads format {FORMAT}; restore it with {}",
        needed(release)
    )]
    OtherFormat { format: u32, release: String },
    /// The first line is not that of a backup.
    #[error("its first line is not that of a backup")]
    NoBackup,
    /// A line is not one of a backup.
    #[error("a line cannot be read")]
    Malformed(#[from] serde_json::Error),
}

fn needed(release: &str) -> String {
    if release.is_empty() {
        return "a newer release of the controller".to_owned();
    }
    let short = shortened(release, 40);
    format!("release {} of the controller, which wrote it, or with a newer one", printable(&short))
}

/// The fields that the first line has in every format.
#[derive(Deserialize)]
struct AnyBegin {
    begin: AnyBeginFields,
}

#[derive(Deserialize)]
struct AnyBeginFields {
    format: u32,
    #[serde(default)]
    release: String,
}

impl BackupBegin {
    /// Reads the first line of a backup.
    ///
    /// # Errors
    /// Returns [`BackupLineError`] for another format and for what is no backup.
    pub fn read(line: &str) -> Result<Self, BackupLineError> {
        let AnyBegin { begin } =
            serde_json::from_str(line).map_err(|_other| BackupLineError::NoBackup)?;
        let AnyBeginFields { format, release } = begin;
        if format != FORMAT {
            return Err(BackupLineError::OtherFormat { format, release });
        }
        match BackupLine::read(line)? {
            BackupLine::Begin(begin) => Ok(begin),
            BackupLine::Record { .. } | BackupLine::End { .. } => Err(BackupLineError::NoBackup),
        }
    }
}

impl BackupLine {
    /// Writes the line, with its line break.
    #[must_use]
    pub fn write(&self) -> String {
        let text = serde_json::to_string(self).expect("a line has text as keys");
        text + "\n"
    }

    /// Reads a line of a backup whose first line was read by [`BackupBegin::read`].
    ///
    /// # Errors
    /// Returns [`BackupLineError::Malformed`] for what is no line of a backup.
    pub fn read(line: &str) -> Result<Self, BackupLineError> {
        Ok(serde_json::from_str(line)?)
    }
}

#[cfg(test)]
mod tests;
