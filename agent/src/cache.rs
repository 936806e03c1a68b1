//! Keeps the last assignment and the progress of its updates over a restart of the agent.
//!
//! It is a cache: when it is lost or broken, it is rebuilt from the host and from the
//! next assignment. A file that cannot be used is renamed, so that somebody can look
//! at it, and counts as missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oml_common::document::assignment::AssignmentDocument;
use oml_common::document::host_notes::{CopiesNote, MachineNote, Note as _};
use oml_common::document::update::{InstanceUpdate, SavedUpdates};
use oml_common::document::{self, ReadError};
use oml_common::id::{ComponentName, ContentHash, NodeName, TenantId};
use oml_common::text::error::chain;
use tracing::warn;

use crate::documents;
use crate::files::{self, FileError};
use crate::paths::{Paths, Slot};
use crate::reserve;

/// The files of the cache.
#[derive(Debug, Clone)]
pub struct Cache {
    paths: Paths,
    assignment: PathBuf,
    updates: PathBuf,
    /// Says with which assignment the copies of documents belong.
    copies: PathBuf,
    /// Holds the id of the machine that the assignment was sent to.
    machine_file: PathBuf,
    /// The id of this machine; empty if it has none.
    machine: String,
}

/// The reason why a cached assignment is not acted on. What runs is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOwn {
    #[error(
        "the cached assignment is for {found} and this host is {own}, so nothing is done until the controller sends its own"
    )]
    Node { found: String, own: String },
    #[error(
        "the cached assignment was sent to machine {found} and this is machine {own}, so nothing is done until the controller sends its own; if this host is a copy, enrol it with a token of its own"
    )]
    Machine { found: String, own: String },
    /// A later release noted the machine.
    #[error(
        "{why}, so it is not known whether the cached assignment was sent to this host, and nothing is done until the controller sends its own"
    )]
    MachineUnreadable { why: String },
}

/// The updates of a host, by component.
pub type Updates = BTreeMap<ComponentName, InstanceUpdate>;

impl Cache {
    /// Opens the cache below the agent's state folder, on the machine with that id.
    #[must_use]
    pub fn new(paths: &Paths, machine: &str) -> Self {
        Self {
            paths: paths.clone(),
            assignment: paths.state.join("assignment.json"),
            updates: paths.state.join("updates.json"),
            copies: paths.state.join("copies"),
            machine_file: paths.state.join("machine"),
            machine: machine.to_owned(),
        }
    }

    /// Loads the last assignment. If `owner` is none, because the host never enrolled, the
    /// assignment of any node is loaded.
    ///
    /// # Errors
    /// An assignment of another node or machine, as on a copy of a host.
    pub fn assignment(
        &self,
        owner: Option<(&TenantId, &NodeName)>,
    ) -> Result<Option<AssignmentDocument>, NotOwn> {
        let Some(assignment) = load(&self.assignment, AssignmentDocument::read) else {
            return Ok(None);
        };
        if let Some((tenant, node)) = owner
            && (&assignment.tenant, &assignment.node) != (tenant, node)
        {
            let found = format!("{}/{}", assignment.tenant, assignment.node);
            let not_own = NotOwn::Node { found, own: format!("{tenant}/{node}") };
            set_aside(&self.assignment, &not_own.to_string());
            return Err(not_own);
        }
        self.check_machine()?;
        Ok(Some(assignment))
    }

    /// Checks that the assignment was sent to this machine, as far as machines have ids.
    fn check_machine(&self) -> Result<(), NotOwn> {
        if self.machine.is_empty() {
            return Ok(());
        }
        match self.noted_machine()? {
            Some(found) if found != self.machine => {
                Err(NotOwn::Machine { found, own: self.machine.clone() })
            }
            Some(_) => Ok(()),
            // An earlier release did not write it, or it is damaged.
            None => {
                if let Err(error) = self.save_machine() {
                    warn!(error = chain(&error), "cannot record the machine's id");
                }
                Ok(())
            }
        }
    }

    /// Writes an assignment durably.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn save_assignment(&self, assignment: &AssignmentDocument) -> Result<(), FileError> {
        self.keep(&self.assignment, assignment.text().as_bytes())?;
        self.save_machine()?;
        self.save_copies(assignment)
    }

    /// Removes the copies of documents unless this agent took this assignment: one of an earlier release leaves
    /// them as they are when it writes other documents.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn check_copies(&self, assignment: Option<&AssignmentDocument>) -> Result<(), FileError> {
        let text = files::read_if_there(&self.copies).ok().flatten();
        let noted = text.and_then(|text| document::read::<CopiesNote>(&text).ok());
        if noted.is_some_and(|noted| assignment.map(of) == Some(noted.assignment)) {
            return Ok(());
        }
        self.forget_sums()?;
        for component in documents::components(&self.paths)? {
            files::remove_durably(&self.paths.document(&component, Slot::Settled))?;
        }
        assignment.map_or(Ok(()), |assignment| self.save_copies(assignment))
    }

    /// Forgets what the agent wrote beside the documents: another one may have written it since.
    fn forget_sums(&self) -> Result<(), FileError> {
        let text = files::read_if_there(&self.updates).ok().flatten();
        let saved = text.and_then(|text| document::read::<SavedUpdates>(&text).ok());
        match saved {
            Some(saved) if !saved.sums.is_empty() => {
                self.save_updates(&SavedUpdates { sums: BTreeMap::new(), ..saved })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn save_copies(&self, assignment: &AssignmentDocument) -> Result<(), FileError> {
        let note = document::write(&CopiesNote { assignment: of(assignment) });
        self.keep(&self.copies, note.as_bytes())
    }

    /// Returns the machine that the assignment was sent to, if it is noted. What only a later
    /// release reads may be another machine.
    fn noted_machine(&self) -> Result<Option<String>, NotOwn> {
        let Some(text) = files::read_if_there(&self.machine_file).ok().flatten() else {
            return Ok(None);
        };
        match MachineNote::read(&text) {
            Ok(note) => Ok(Some(note.machine)),
            Err(error) => match error.of_later_release() {
                Some(why) => Err(NotOwn::MachineUnreadable { why }),
                None => Ok(None),
            },
        }
    }

    /// Records that the assignment was sent to this machine.
    fn save_machine(&self) -> Result<(), FileError> {
        let noted = self.noted_machine().ok().flatten();
        if self.machine.is_empty() || noted.as_ref() == Some(&self.machine) {
            return Ok(());
        }
        let note = document::write(&MachineNote { machine: self.machine.clone() });
        self.keep(&self.machine_file, note.as_bytes())
    }

    /// Loads the updates that had not finished.
    #[must_use]
    pub fn updates(&self) -> SavedUpdates {
        let found: SavedUpdates = load(&self.updates, document::read).unwrap_or_default();
        for (component, unreadable) in &found.unreadable {
            warn!(%component, error = unreadable.why, "cannot read the saved update; a newer agent is needed");
        }
        found
    }

    /// Writes the updates durably.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn save_updates(&self, kept: &SavedUpdates) -> Result<(), FileError> {
        self.keep(&self.updates, document::write(kept).as_bytes())
    }

    fn keep(&self, path: &Path, text: &[u8]) -> Result<(), FileError> {
        reserve::release_and_retry(&self.paths, || files::write_durably(path, text, 0o600))
    }
}

fn of(assignment: &AssignmentDocument) -> ContentHash {
    ContentHash::of(assignment.text().as_bytes())
}

fn load<T>(path: &Path, parse: impl Fn(&str) -> Result<T, ReadError>) -> Option<T> {
    let text = match files::read_if_there(path) {
        Ok(text) => text?,
        Err(error) => {
            set_aside(path, &error.to_string());
            return None;
        }
    };
    parse(&text).map_err(|error| set_aside(path, &chain(&error))).ok()
}

fn set_aside(path: &Path, found: &str) {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".broken");
    match files::rename_durably(path, Path::new(&aside)) {
        Ok(()) => warn!(file = %path.display(), reason = found, "unusable cache file renamed"),
        Err(error) => {
            let error = chain(&error);
            warn!(file = %path.display(), reason = found, error, "cannot rename unusable cache file");
        }
    }
}

#[cfg(test)]
mod tests;
