//! The instance documents and status files of a host: what a supervisor works by, and
//! what it reports. Nothing here decides when they change.

use std::io::ErrorKind;
use std::path::Path;

use oml_common::document::host_notes::{LastGoodNote, Note as _};
use oml_common::document::instance::{HeldInstance, InstanceDocument};
use oml_common::document::status::Status;
use oml_common::document::{self, ReadError};
use oml_common::id::{ComponentName, ContentHash, UnitName};
use oml_common::text::error::chain;
use tracing::warn;

use crate::files::{self, FileError};
use crate::paths::{Paths, Slot};
use crate::reserve;

/// A document or status that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A later release wrote the text.
    #[error("needs a newer agent: {path} is not {what} that this release can read")]
    NeedsNewerAgent { path: String, what: &'static str, source: ReadError },
    /// The text is not what it should be.
    #[error("{path} is not {what}")]
    Unreadable {
        path: String,
        /// "an instance document" or "a status".
        what: &'static str,
        /// Where the text goes wrong.
        source: ReadError,
    },
    /// The file is a copy of another component's.
    #[error("{path} is the document of {component}")]
    OfAnother { path: String, component: ComponentName },
}

/// The components that have documents.
///
/// # Errors
/// An error of the file system.
pub fn components(paths: &Paths) -> Result<Vec<ComponentName>, FileError> {
    let folder = paths.instances();
    let listed = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.and_then(Iterator::collect::<std::io::Result<Vec<_>>>),
    };
    let listed = listed.map_err(FileError::of("list", &folder))?;
    Ok(listed.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Reads an instance document, if it is there.
///
/// # Errors
/// A file that cannot be read or is no instance document.
pub fn read(
    paths: &Paths,
    component: &ComponentName,
    slot: Slot,
) -> Result<Option<InstanceDocument>, DocumentError> {
    let parse = |text: &str| {
        InstanceDocument::read(text).map(|instance| (instance.component.clone(), instance))
    };
    read_as(paths, component, slot, parse)
}

/// Reads the current document as far as it takes to hold a container that exists,
/// if it is there.
///
/// # Errors
/// A file that cannot be read or is no instance document.
pub fn read_held(
    paths: &Paths,
    component: &ComponentName,
) -> Result<Option<HeldInstance>, DocumentError> {
    read_as(paths, component, Slot::Current, held)
}

/// Reads the document that was seen last as it should be. One that cannot be read says nothing.
#[must_use]
pub fn read_settled(paths: &Paths, component: &ComponentName) -> Option<HeldInstance> {
    read_as(paths, component, Slot::Settled, held).ok().flatten()
}

fn held(text: &str) -> Result<(ComponentName, HeldInstance), ReadError> {
    HeldInstance::read(text).map(|instance| (instance.component.clone(), instance))
}

/// Returns the units of a component that its documents name, that of the current one first. A
/// document that cannot be read names none.
#[must_use]
pub fn units(paths: &Paths, component: &ComponentName) -> Vec<UnitName> {
    let slots = [Slot::Current, Slot::Next, Slot::Previous].into_iter();
    let read = |slot| read_as(paths, component, slot, held).ok().flatten();
    slots.filter_map(read).map(|instance| instance.unit).collect()
}

/// Reads a document, which `parse` returns with the component that it is about. By a document of
/// another component, a supervisor would hold a second container of that one.
fn read_as<T>(
    paths: &Paths,
    component: &ComponentName,
    slot: Slot,
    parse: impl Fn(&str) -> Result<(ComponentName, T), ReadError>,
) -> Result<Option<T>, DocumentError> {
    let path = paths.document(component, slot);
    let Some(text) = files::read_if_there(&path)? else { return Ok(None) };
    let (found, instance) =
        parse(&text).map_err(|source| unreadable(&path, "an instance document", source))?;
    if &found == component {
        Ok(Some(instance))
    } else {
        Err(DocumentError::OfAnother { path: path.display().to_string(), component: found })
    }
}

fn unreadable(path: &Path, what: &'static str, source: ReadError) -> DocumentError {
    let path = path.display().to_string();
    if source.is_of_later_release() {
        DocumentError::NeedsNewerAgent { path, what, source }
    } else {
        DocumentError::Unreadable { path, what, source }
    }
}

/// Reads an instance document. One that cannot be understood (cut short, or of another
/// release) is logged and counts as missing.
///
/// # Errors
/// An error of the file system.
pub fn read_usable(
    paths: &Paths,
    component: &ComponentName,
    slot: Slot,
) -> Result<Option<InstanceDocument>, FileError> {
    usable(component, read(paths, component, slot))
}

/// Reads the current document as [`read_held`] does. One that cannot be understood is
/// logged and counts as missing.
///
/// # Errors
/// An error of the file system.
pub fn read_usable_held(
    paths: &Paths,
    component: &ComponentName,
) -> Result<Option<HeldInstance>, FileError> {
    usable(component, read_held(paths, component))
}

fn usable<T>(
    component: &ComponentName,
    read: Result<Option<T>, DocumentError>,
) -> Result<Option<T>, FileError> {
    match read {
        Ok(document) => Ok(document),
        Err(DocumentError::File(error)) if !error.is_about_content() => Err(error),
        Err(error) => {
            warn!(%component, error = chain(&error), "cannot read document; treating it as missing");
            Ok(None)
        }
    }
}

/// Writes an instance document durably.
///
/// # Errors
/// An error of the file system.
pub fn write(paths: &Paths, instance: &InstanceDocument, slot: Slot) -> Result<(), FileError> {
    write_text(paths, &instance.component, slot, instance.text())
}

/// Writes the document that was seen as it should be. The reserve of the disk is not for it.
///
/// # Errors
/// An error of the file system.
pub fn write_settled(paths: &Paths, instance: &InstanceDocument) -> Result<(), FileError> {
    let path = paths.document(&instance.component, Slot::Settled);
    files::write_durably(&path, instance.text().as_bytes(), 0o600)
}

/// Removes the copy of a document of this workload that has another content, as far as there is one.
///
/// # Errors
/// An error of the file system.
pub fn forget_settled(paths: &Paths, instance: &InstanceDocument) -> Result<(), FileError> {
    let settled = read_settled(paths, &instance.component);
    let is_former = |settled: &HeldInstance| {
        settled.workload.hash == instance.workload_hash() && settled.hash() != *instance.hash()
    };
    if settled.as_ref().is_some_and(is_former) {
        files::remove_durably(&paths.document(&instance.component, Slot::Settled))?;
    }
    Ok(())
}

/// Writes the document that was read from a container's label back as the current one.
///
/// # Errors
/// An error of the file system.
pub fn write_held(paths: &Paths, instance: &HeldInstance) -> Result<(), FileError> {
    write_text(paths, &instance.component, Slot::Current, instance.text())
}

/// Writes a document back as that of the version before.
///
/// # Errors
/// An error of the file system.
pub fn write_previous(
    paths: &Paths,
    component: &ComponentName,
    text: &str,
) -> Result<(), FileError> {
    write_text(paths, component, Slot::Previous, text)
}

fn write_text(
    paths: &Paths,
    component: &ComponentName,
    slot: Slot,
    text: &str,
) -> Result<(), FileError> {
    let path = paths.document(component, slot);
    reserve::release_and_retry(paths, || files::write_durably(&path, text.as_bytes(), 0o600))
}

/// Writes another document of the workload by which the host works as the current one. No other
/// document of that workload stays as it was: it would keep secrets of an earlier content on the host.
/// What was seen last is forgotten first, because the current one differs from it then.
///
/// # Errors
/// An error of the file system.
pub fn replace(paths: &Paths, instance: &InstanceDocument) -> Result<(), FileError> {
    let component = &instance.component;
    let settled = read_settled(paths, component);
    if settled.is_none_or(|settled| settled.hash() != *instance.hash()) {
        files::remove_durably(&paths.document(component, Slot::Settled))?;
    }
    write(paths, instance, Slot::Current)?;
    let is_same = |found: &InstanceDocument| found.workload_hash() == instance.workload_hash();
    if read_usable(paths, component, Slot::Next)?.as_ref().is_some_and(is_same) {
        files::remove_durably(&paths.document(component, Slot::Next))?;
    }
    // After a rollback, the current one and the previous one are of the same workload.
    let previous = read_usable(paths, component, Slot::Previous)?;
    if previous.filter(is_same).is_some_and(|previous| previous.hash() != instance.hash()) {
        write(paths, instance, Slot::Previous)?;
    }
    Ok(())
}

/// Makes the next document the current one, and the current one the previous.
/// At every moment there is a current document, if there was one before.
///
/// # Errors
/// An error of the file system.
pub fn advance(paths: &Paths, component: &ComponentName) -> Result<(), FileError> {
    let current = paths.document(component, Slot::Current);
    let previous = paths.document(component, Slot::Previous);
    reserve::release_and_retry(paths, || files::link_over(&current, &previous))?;
    files::rename_durably(&paths.document(component, Slot::Next), &current)
}

/// Removes every document of a component, and its status.
///
/// # Errors
/// An error of the file system.
pub fn remove(paths: &Paths, component: &ComponentName) -> Result<(), FileError> {
    for slot in [Slot::Current, Slot::Next, Slot::Previous, Slot::Settled] {
        files::remove_durably(&paths.document(component, slot))?;
    }
    files::remove_durably(&paths.last_good(component))?;
    files::remove_durably(&paths.status(component))?;
    let folder = paths.instances().join(component.as_str());
    match std::fs::remove_dir(&folder).map_err(|error| (error.kind(), error)) {
        // What somebody else put there stays.
        Ok(()) | Err((ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty, _)) => Ok(()),
        Err((_, error)) => Err(FileError::of("remove the folder", &folder)(error)),
    }
}

/// Reads the last good workload of a component; none if it is not noted, or damaged.
///
/// # Errors
/// A note that only a later release can read.
pub fn read_last_good(
    paths: &Paths,
    component: &ComponentName,
) -> Result<Option<ContentHash>, ReadError> {
    let Some(text) = files::read_if_there(&paths.last_good(component)).ok().flatten() else {
        return Ok(None);
    };
    match LastGoodNote::read(&text) {
        Ok(note) => Ok(Some(note.workload)),
        Err(error) if error.is_of_later_release() => Err(error),
        Err(_damaged) => Ok(None),
    }
}

/// Writes the last good workload of a component.
///
/// # Errors
/// An error of the file system.
pub fn write_last_good(
    paths: &Paths,
    component: &ComponentName,
    hash: &ContentHash,
) -> Result<(), FileError> {
    let note = document::write(&LastGoodNote { workload: hash.clone() });
    files::write_durably(&paths.last_good(component), note.as_bytes(), 0o600)
}

/// Reads what the component's supervisor last reported, if it did since the boot.
///
/// # Errors
/// A file that cannot be read or is no status.
pub fn read_status(
    paths: &Paths,
    component: &ComponentName,
) -> Result<Option<Status>, DocumentError> {
    let path = paths.status(component);
    let Some(text) = files::read_if_there(&path)? else { return Ok(None) };
    let status = document::read(&text).map_err(|source| unreadable(&path, "a status", source))?;
    Ok(Some(status))
}

/// Writes what the supervisor reports.
///
/// # Errors
/// An error of the file system.
pub fn write_status(
    paths: &Paths,
    component: &ComponentName,
    status: &Status,
) -> Result<(), FileError> {
    files::write_volatile(&paths.status(component), document::write(status).as_bytes(), 0o644)
}

#[cfg(test)]
mod tests;
