//! Keeps the last assignment and the progress of its updates over a restart of the agent.
//!
//! It is a cache: when it is lost or broken, it is rebuilt from the host and from the
//! next assignment. A file that cannot be used is renamed, so that somebody can look
//! at it, and counts as missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oml_common::document::assignment::AssignmentDocument;
use oml_common::document::update::{InstanceUpdate, SavedUpdates};
use oml_common::document::{self, ReadError};
use oml_common::id::{ComponentName, NodeName, TenantId};
use oml_common::text::error::chain;
use tracing::warn;

use crate::files::{self, FileError};
use crate::paths::Paths;
use crate::reserve;

/// The files of the cache.
#[derive(Debug, Clone)]
pub struct Cache {
    paths: Paths,
    assignment: PathBuf,
    updates: PathBuf,
}

/// The updates of a host, by component.
pub type Updates = BTreeMap<ComponentName, InstanceUpdate>;

impl Cache {
    /// Opens the cache below the agent's state folder.
    #[must_use]
    pub fn new(paths: &Paths) -> Self {
        Self {
            paths: paths.clone(),
            assignment: paths.state.join("assignment.json"),
            updates: paths.state.join("updates.json"),
        }
    }

    /// Loads the last assignment. An assignment of another node counts as missing. If `owner`
    /// is none, because the host never enrolled, the assignment of any node is loaded.
    #[must_use]
    pub fn assignment(&self, owner: Option<(&TenantId, &NodeName)>) -> Option<AssignmentDocument> {
        let assignment = load(&self.assignment, AssignmentDocument::read)?;
        match owner {
            Some((tenant, node)) if (&assignment.tenant, &assignment.node) != (tenant, node) => {
                let found = format!("it is for {}/{}", assignment.tenant, assignment.node);
                set_aside(&self.assignment, &found);
                None
            }
            Some(_) | None => Some(assignment),
        }
    }

    /// Writes an assignment durably.
    ///
    /// # Errors
    /// An error of the file system.
    pub fn save_assignment(&self, assignment: &AssignmentDocument) -> Result<(), FileError> {
        self.keep(&self.assignment, assignment.text().as_bytes())
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
