//! The store's `header` file: the format, the cluster that the store belongs to,
//! and the number of a commit that was acknowledged.
//!
//! It fits into one disk sector and is overwritten in place after each commit is
//! durable. The number may therefore be lower than that of the last commit; if
//! the last commit in the database is lower than the number, data was lost.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{OpenError, lock};

/// The format that this release writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

const NAME: &str = "header";
const MAGIC: &str = "omlcontroller store";

/// The open and locked header file, with its content.
#[derive(Debug)]
pub(super) struct Header {
    file: File,
    path: PathBuf,
    pub(super) cluster: String,
    pub(super) committed: u64,
}

impl Header {
    /// Writes the header of a new store. This is the last step of making a store,
    /// because a folder without a header is not one.
    pub(super) fn create(dir: &Path, cluster: &str) -> Result<(), OpenError> {
        let path = dir.join(NAME);
        let io = |source| OpenError::Io { file: path.clone(), source };
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&path).map_err(io)?;
        file.write_all(text(cluster, 0).as_bytes()).map_err(io)?;
        file.sync_all().map_err(io)
    }

    /// Opens and locks the header, so that no other process can open the store.
    pub(super) fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.join(NAME);
        let opened = OpenOptions::new().read(true).write(true).open(&path);
        let file = opened.map_err(|source| {
            let file = path.clone();
            let is_missing = source.kind() == std::io::ErrorKind::NotFound;
            if is_missing { OpenError::Missing { file } } else { OpenError::Io { file, source } }
        })?;
        lock::take(&file, &path)?;
        let mut found = Vec::new();
        let read = (&file).take(4096).read_to_end(&mut found);
        read.map_err(|source| OpenError::Io { file: path.clone(), source })?;
        let (cluster, committed) = parse(&found, &path)?;
        Ok(Self { file, path, cluster, committed })
    }

    /// Records that commit `version` is durable. The write is not synced: a number that
    /// is too low is harmless.
    pub(super) fn record_committed(&mut self, version: u64) {
        self.committed = version;
        let offset = text(&self.cluster, 0).len() - (DIGITS + 1);
        let digits = format!("{version:0DIGITS$}\n");
        if let Err(error) = self.file.write_all_at(digits.as_bytes(), offset as u64) {
            // The commit itself is durable; only the check at the next start is weaker.
            let file = self.path.display();
            tracing::warn!(%file, %error, "cannot write the number of the last commit");
        }
    }
}

impl Drop for Header {
    fn drop(&mut self) {
        // Closing the file would leave it locked while a child process that was just
        // forked has a copy of it.
        if let Err(error) = self.file.unlock() {
            tracing::warn!(file = %self.path.display(), %error, "cannot unlock the store");
        }
    }
}

const DIGITS: usize = 20;

fn text(cluster: &str, committed: u64) -> String {
    format!("{MAGIC}\nformat {FORMAT}\ncluster {cluster}\ncommitted {committed:0DIGITS$}\n")
}

fn parse(found: &[u8], path: &Path) -> Result<(String, u64), OpenError> {
    let file = || path.to_owned();
    let Some(rest) = found.strip_prefix(MAGIC.as_bytes()) else {
        if MAGIC.as_bytes().starts_with(found) {
            return Err(OpenError::CutShort { file: file() });
        }
        return Err(OpenError::Foreign { file: file(), reason: "it is not a store's header" });
    };
    let damaged = || OpenError::Damaged { file: file(), reason: "its content is invalid".into() };
    let rest = str::from_utf8(rest).map_err(|_not_text| damaged())?;
    let mut lines = rest.strip_prefix('\n').unwrap_or_default().split_inclusive('\n');
    let mut field = |name: &str| {
        let line = lines.next().ok_or_else(|| OpenError::CutShort { file: file() })?;
        let line = line.strip_suffix('\n').ok_or_else(|| OpenError::CutShort { file: file() })?;
        let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
        value.map(str::to_owned).ok_or_else(damaged)
    };
    let format: u32 = field("format")?.parse().map_err(|_error| damaged())?;
    if format > FORMAT {
        return Err(OpenError::Newer { file: file(), found: format });
    }
    let cluster = field("cluster")?;
    let committed = field("committed")?.parse().map_err(|_error| damaged())?;
    Ok((cluster, committed))
}
