//! Backups of a controller: one JSON value per line, so that a backup of any size can be
//! written and read line by line. The first line has the version of the whole file.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::document::{self, Document, ReadError, is_default};
use crate::text::printable::{printable, shortened};
use crate::time::Timestamp;

/// The version of backups by the name that release 0.1.0 gave it.
const FORMAT: u32 = 1;

/// What the first line of a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupBegin {
    /// The version once more, by which release 0.1.0 knows whether it can read the file.
    #[serde(rename = "format")]
    format: u32,
    /// The release that wrote the file; empty if it did not say so.
    #[serde(default, skip_serializing_if = "is_default")]
    pub release: String,
    pub at: Timestamp,
    /// The certificate of the authority, as PEM.
    pub ca_pem: String,
    /// The private key of the authority, as PEM.
    pub ca_key: String,
}

/// A line of a backup after the first, in the form of this release.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupLine {
    /// A record of the store. The value has the same bytes as in the store, because
    /// hashes depend on them, and a version of its own.
    Record { key: String, value: Box<RawValue> },
    /// The last line, without which the backup is not complete.
    End { records: usize },
}

/// The version of a backup that is being read: all its lines have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupVersion {
    V1,
}

/// The error of reading a line of a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupLineError {
    /// A later release wrote the file.
    #[error(
        "it has version {found}, and this release reads versions up to {known}; restore it with {}",
        needed(release)
    )]
    Newer { found: u32, known: u32, release: String },
    /// The first line is not that of a backup.
    #[error("its first line is not that of a backup")]
    NoBackup,
    /// A line is not one of a backup.
    #[error("a line cannot be read")]
    Malformed(#[from] serde_json::Error),
    /// The first line is not one of its version.
    #[error(transparent)]
    Begin(ReadError),
}

fn needed(release: &str) -> String {
    if release.is_empty() {
        return "a newer release of the controller".to_owned();
    }
    let short = shortened(release, 40);
    format!("release {} of the controller, which wrote it, or with a newer one", printable(&short))
}

/// The first line of every version.
#[derive(Deserialize)]
struct FirstLine {
    begin: Box<RawValue>,
}

/// The fields by which the version is known.
#[derive(Deserialize)]
struct AnyBegin {
    /// Release 0.1.0 wrote only `format`.
    version: Option<u32>,
    format: Option<u32>,
    #[serde(default)]
    release: String,
}

impl Document for BackupBegin {
    const KIND: &'static str = "a backup";
    const VERSION: Option<u32> = Some(1);
}

impl BackupBegin {
    /// Makes the first line of a backup.
    #[must_use]
    pub fn new(release: String, at: Timestamp, ca_pem: String, ca_key: String) -> Self {
        Self { format: FORMAT, release, at, ca_pem, ca_key }
    }

    /// Writes the first line, with its line break.
    #[must_use]
    pub fn write(&self) -> String {
        format!("{{\"begin\":{}}}\n", document::write(self))
    }

    /// Reads the first line of a backup of any version up to the one of this release, and
    /// converts it. The version is needed for the lines that follow.
    ///
    /// # Errors
    /// Returns [`BackupLineError`] for a later version and for what is no backup.
    pub fn read(line: &str) -> Result<(Self, BackupVersion), BackupLineError> {
        let FirstLine { begin } =
            serde_json::from_str(line).map_err(|_other| BackupLineError::NoBackup)?;
        let AnyBegin { version, format, release } =
            serde_json::from_str(begin.get()).map_err(|_other| BackupLineError::NoBackup)?;
        let version = version.or(format).ok_or(BackupLineError::NoBackup)?;
        match document::read_version(version, begin.get()) {
            Ok(begin) => Ok((begin, BackupVersion::V1)),
            Err(ReadError::Newer { found, known, .. }) => {
                Err(BackupLineError::Newer { found, known, release })
            }
            Err(error) => Err(BackupLineError::Begin(error)),
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

    /// Reads a line of a backup of that version. A version whose lines have another form is
    /// read in that form and converted here.
    ///
    /// # Errors
    /// Returns [`BackupLineError::Malformed`] for what is no line of a backup.
    pub fn read(version: BackupVersion, line: &str) -> Result<Self, BackupLineError> {
        match version {
            BackupVersion::V1 => Ok(serde_json::from_str(line)?),
        }
    }
}

#[cfg(test)]
mod tests;
