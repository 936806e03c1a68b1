//! A new file that appears whole or not at all, even if the command that writes it is interrupted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A new file that gets its name when it is complete. Until then it has another one beside it,
/// and a failure removes it. Only its owner can read it.
#[derive(Debug)]
pub(crate) struct WholeFile {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl WholeFile {
    /// Begins a new file. This fails before anything else is done if the file exists or its
    /// folder cannot be written.
    ///
    /// # Errors
    /// Returns the error of the system; it is [`io::ErrorKind::AlreadyExists`] if the file
    /// exists.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(".");
        let temporary =
            tempfile::Builder::new().prefix(&name).suffix(".part").tempfile_in(folder_of(path))?;
        Ok(Self { temporary, path: path.to_owned() })
    }

    /// Returns the file for writing.
    pub(crate) fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Gives the file its name, durably. A file that got this name meanwhile is kept.
    ///
    /// # Errors
    /// Returns the error of the system. A file that did not get its name is removed.
    pub(crate) fn publish(self) -> io::Result<()> {
        let Self { temporary, path } = self;
        temporary.as_file().sync_all()?;
        temporary.persist_noclobber(&path).map_err(|failed| failed.error)?;
        File::open(folder_of(&path))?.sync_all()
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
