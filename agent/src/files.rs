//! Writing files so that a reader, or the next boot, finds the old text or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use oml_daemon::regular_file;

/// A file or folder that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("could not {verb} {}", path.display())]
pub struct FileError {
    verb: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// For `map_err`: what was tried, on which path.
    pub(crate) fn of(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { verb, path, source }
    }

    /// The kind of the system's error.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The file was read, and cannot be what it should be.
    #[must_use]
    pub fn is_about_content(&self) -> bool {
        matches!(self.kind(), io::ErrorKind::InvalidData | io::ErrorKind::FileTooLarge)
    }
}

/// Replaces a file so that it survives a power cut when this returns.
///
/// # Errors
/// The step that failed; the old file is then still there.
pub fn write_durably(path: &Path, text: &[u8], mode: u32) -> Result<(), FileError> {
    let folder = make_folder_of(path)?;
    let temporary = write_beside(path, text, mode, true)?;
    rename_over(&temporary, path).map_err(FileError::of("rename", &temporary))?;
    sync_folder(folder)
}

/// Replaces a file that need not survive a boot.
///
/// # Errors
/// The step that failed; the old file is then still there.
pub fn write_volatile(path: &Path, text: &[u8], mode: u32) -> Result<(), FileError> {
    make_folder_of(path)?;
    let temporary = write_beside(path, text, mode, false)?;
    rename_over(&temporary, path).map_err(FileError::of("rename", &temporary))
}

/// Renames a file within its folder, durably.
///
/// # Errors
/// The step that failed.
pub fn rename_durably(from: &Path, to: &Path) -> Result<(), FileError> {
    rename_over(from, to).map_err(FileError::of("rename", from))?;
    sync_folder(folder_of(to))
}

/// Gives a file a second name, in place of what had that name. Nothing to name, or a folder in its
/// place, is fine.
///
/// # Errors
/// The step that failed.
pub fn link_over(from: &Path, to: &Path) -> Result<(), FileError> {
    let temporary = beside(to);
    remove_durably(&temporary)?;
    match fs::hard_link(from, &temporary) {
        Err(error) if error.kind() == io::ErrorKind::NotFound || from.is_dir() => Ok(()),
        Err(error) => Err(FileError::of("link", from)(error)),
        Ok(()) => rename_durably(&temporary, to),
    }
}

/// Removes a file or an empty folder durably and returns true if it was there.
///
/// # Errors
/// The step that failed.
pub fn remove_durably(path: &Path) -> Result<bool, FileError> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(folder_of(path)).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            fs::remove_dir(path).map_err(FileError::of("remove the folder", path))?;
            sync_folder(folder_of(path)).map(|()| true)
        }
        Err(error) => Err(FileError::of("remove", path)(error)),
    }
}

/// Reads a text file of at most a megabyte, if it is there.
///
/// # Errors
/// What kept it from being read.
pub fn read_if_there(path: &Path) -> Result<Option<String>, FileError> {
    match regular_file::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::of("read", path)(error)),
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn make_folder_of(path: &Path) -> Result<&Path, FileError> {
    let folder = folder_of(path);
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(FileError::of("make the folder", folder))?;
        sync_folder(folder_of(folder))?;
    }
    Ok(folder)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

/// Puts a file in the place of another one, or of an empty folder that somebody else made. A folder
/// with something in it is not touched.
fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
            fs::remove_dir(to)?;
            fs::rename(from, to)
        }
        renamed => renamed,
    }
}

fn write_beside(path: &Path, text: &[u8], mode: u32, sync: bool) -> Result<PathBuf, FileError> {
    let temporary = beside(path);
    let write = || -> io::Result<()> {
        // One left by a crash may have another mode.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                fs::remove_dir(&temporary)?;
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(text)?;
        if sync { file.sync_all() } else { Ok(()) }
    };
    if let Err(error) = write() {
        // On a full disk its beginning takes room that others need.
        let _gone = fs::remove_file(&temporary).is_ok();
        return Err(FileError::of("write", &temporary)(error));
    }
    Ok(temporary)
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(FileError::of("sync the folder", folder))
}

#[cfg(test)]
mod tests;
