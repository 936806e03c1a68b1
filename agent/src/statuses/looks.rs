//! Looks at the status files of a folder that cannot be watched.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use oml_common::id::ComponentName;

use super::{Statuses, component_of};

/// The files as the last look found them.
#[derive(Default)]
pub(super) struct Looks(BTreeMap<ComponentName, Stamp>);

/// What differs between two files of the same name: each is written under another name and renamed.
#[derive(PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
}

impl Looks {
    /// Returns the components whose file was written since the last look, and the known ones whose
    /// file is gone. The first look returns all. A missing folder has no files.
    pub(super) fn next(
        &mut self,
        folder: &Path,
        known: &Statuses,
    ) -> io::Result<Vec<ComponentName>> {
        let found = list(folder)?;
        let written = found.iter().filter(|(name, stamp)| self.0.get(name) != Some(stamp));
        let removed = known.keys().filter(|name| !found.contains_key(name));
        let changed = written.map(|(name, _)| name).chain(removed).cloned().collect();
        self.0 = found;
        Ok(changed)
    }
}

fn list(folder: &Path) -> io::Result<BTreeMap<ComponentName, Stamp>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries?,
    };
    entries.filter_map(|entry| entry.and_then(|entry| stamp(&entry)).transpose()).collect()
}

/// Returns the stamp of a status file that still exists.
fn stamp(entry: &DirEntry) -> io::Result<Option<(ComponentName, Stamp)>> {
    let Some(name) = component_of(&entry.path()) else { return Ok(None) };
    match entry.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => {
            let found = found?;
            let changed = (found.ctime(), found.ctime_nsec());
            Ok(Some((name, Stamp { inode: found.ino(), changed })))
        }
    }
}
