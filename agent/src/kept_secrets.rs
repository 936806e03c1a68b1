//! The secrets that the controller sent to this host: one file for every version, which only root
//! can read. They are kept over a restart and for as long as an instance of the host names them.

use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use oml_common::document::assignment::Assignment;
use oml_common::document::host_notes::SecretNote;
use oml_common::document::instance::KeptSecret;
use oml_common::id::{ContentHash, SecretMark, SecretName};
use oml_common::text::secret_text::SecretText;

use crate::documents;
use crate::files::{self, FileError};
use crate::paths::{Paths, Slot};
use crate::reserve;

mod edited;
mod file;

pub use self::edited::{EditedSecrets, find_edited, forget_edit};
use self::file::{State, rewrite, state};

/// The mode of a value that only the agent reads.
const KEPT_MODE: u32 = 0o600;
/// The mode of a value that programs of other users read.
const MOUNTED_MODE: u32 = 0o444;

/// A secret as the controller sent it.
#[derive(Debug, Clone)]
pub struct SentSecret {
    pub name: SecretName,
    pub version: u64,
    pub mark: SecretMark,
    /// Whether a container mounts it as a file.
    pub is_mounted: bool,
    pub value: SecretText,
}

impl Paths {
    /// The folder of the secrets that the controller sent.
    #[must_use]
    pub fn kept_secrets(&self) -> PathBuf {
        self.state.join("secrets")
    }

    /// The folder of those that containers mount. Programs of other users read them there, so only
    /// the folder keeps the users of the host away.
    #[must_use]
    pub fn mounted_secrets(&self) -> PathBuf {
        self.kept_secrets().join("mounted")
    }

    /// The folder of the notes of what was sent.
    #[must_use]
    pub fn secret_notes(&self) -> PathBuf {
        self.kept_secrets().join("sums")
    }

    /// The note of a version of a secret.
    #[must_use]
    pub fn secret_note(&self, name: &SecretName, mark: &SecretMark) -> PathBuf {
        self.secret_notes().join(file_name(name, mark))
    }

    /// The file of a version of a secret.
    #[must_use]
    pub fn kept_secret(&self, name: &SecretName, mark: &SecretMark) -> PathBuf {
        self.kept_secrets().join(file_name(name, mark))
    }

    /// The file of a version of a secret that containers mount.
    #[must_use]
    pub fn mounted_secret(&self, name: &SecretName, mark: &SecretMark) -> PathBuf {
        self.mounted_secrets().join(file_name(name, mark))
    }
}

/// Returns the name of a version's file. A mark is never used twice, so a file never changes.
fn file_name(name: &SecretName, mark: &SecretMark) -> String {
    format!("{name}.{mark}")
}

/// Writes the secrets that are not on this host yet, and those that somebody edited; returns whether
/// there were any.
///
/// # Errors
/// An error of the file system. Those that were written before it stay.
pub fn write(paths: &Paths, sent: &[SentSecret]) -> Result<bool, FileError> {
    let mut is_new = false;
    for secret in sent {
        is_new |= write_one(paths, secret)?;
    }
    Ok(is_new)
}

fn write_one(paths: &Paths, secret: &SentSecret) -> Result<bool, FileError> {
    let SentSecret { name, mark, is_mounted, value, .. } = secret;
    let sum = ContentHash::of(value.reveal().as_bytes());
    let kept = (paths.kept_secret(name, mark), KEPT_MODE);
    let mounted = is_mounted.then(|| (paths.mounted_secret(name, mark), MOUNTED_MODE));
    let files: Vec<_> = [kept].into_iter().chain(mounted).collect();
    let states: Vec<_> = files.iter().map(|(path, _)| state(path, &sum)).collect();
    let is_edited = states.iter().any(|state| matches!(state, State::Edited));
    edited::note(paths, name, mark, |known| SecretNote {
        was_edited: is_edited || known.is_some_and(|known| known.was_edited),
        sum: sum.clone(),
    })?;
    for ((path, mode), state) in files.iter().zip(&states) {
        let text = value.reveal().as_bytes();
        match state {
            State::Right(_) => {}
            State::Missing => {
                make_folder_of(path)?;
                reserve::release_and_retry(paths, || files::write_durably(path, text, *mode))?;
            }
            State::Edited => reserve::release_and_retry(paths, || rewrite(path, text, *mode))?,
        }
    }
    Ok(states.iter().any(|state| !matches!(state, State::Right(_))))
}

fn make_folder_of(path: &Path) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(path);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(FileError::of("make the folder", folder))
}

/// Whether everything of a secret is on this host that an instance with it needs.
#[must_use]
pub fn is_here(paths: &Paths, secret: &KeptSecret) -> bool {
    let KeptSecret { name, mark, file, .. } = secret;
    match file {
        Some(_) => paths.mounted_secret(name, mark).is_file(),
        None => paths.kept_secret(name, mark).is_file(),
    }
}

/// Removes the secrets that neither the assignment nor a document of the host names any more, with their
/// notes, and returns how many files of values that were. If a document cannot be read, none is removed.
///
/// # Errors
/// An error of the file system.
pub fn remove_unnamed(paths: &Paths, assignment: Option<&Assignment>) -> Result<usize, FileError> {
    let files = on_disk(paths)?;
    if files.is_empty() {
        return Ok(0);
    }
    let Some(named) = named(paths, assignment) else { return Ok(0) };
    let mut removed = 0;
    for (path, mark) in files {
        if mark.is_none_or(|mark| !named.contains(&mark)) && files::remove_durably(&path)? {
            removed += usize::from(!path.starts_with(paths.secret_notes()));
        }
    }
    Ok(removed)
}

/// Returns the marks of everything that an instance of this host names; none if that is not known.
fn named(paths: &Paths, assignment: Option<&Assignment>) -> Option<BTreeSet<SecretMark>> {
    let share = &assignment?.content.share;
    if !share.unreadable.is_empty() {
        return None;
    }
    let assigned = share.instances.values().map(|desired| desired.instance.clone());
    let mut instances: Vec<_> = assigned.collect();
    for component in documents::components(paths).ok()? {
        for slot in [Slot::Current, Slot::Next, Slot::Previous] {
            instances.extend(documents::read(paths, &component, slot).ok()?);
        }
        // A copy that cannot be read says nothing, and is written again.
        instances.extend(documents::read(paths, &component, Slot::Settled).ok().flatten());
    }
    let secrets = instances.iter().flat_map(|instance| instance.named_secrets());
    Some(secrets.map(|secret| secret.mark.clone()).collect())
}

/// Lists the files of secrets, each with its mark. One without was left by a crash.
fn on_disk(paths: &Paths) -> Result<Vec<(PathBuf, Option<SecretMark>)>, FileError> {
    let mut found = Vec::new();
    for folder in [paths.kept_secrets(), paths.mounted_secrets(), paths.secret_notes()] {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(FileError::of("list", &folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(FileError::of("list", &folder))?.path();
            if path.is_dir() {
                continue;
            }
            let name = path.file_name().and_then(|name| name.to_str());
            let mark = name.and_then(|name| name.split_once('.')?.1.parse().ok());
            found.push((path, mark));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
