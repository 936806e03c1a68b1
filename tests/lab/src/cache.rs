//! The cache keeps what is built once: base systems, layers and the registry's content. Every entry is built under a
//! temporary name and renamed when it is complete, so an entry without `.tmp` in its name is always complete.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::{LabError, Result};
use crate::mounts;
use crate::progress::{log, timed};

/// The folder of the cache.
pub(crate) const FOLDER: &str = "/var/cache/oml-lab";
const LOCK: &str = ".lock";

/// The opened cache. Other processes that open it with the same lock wait as long as this value exists.
pub(crate) struct Cache {
    root: PathBuf,
    _lock: File,
    /// The names of the entries that a thread of this process is building.
    busy: Mutex<BTreeSet<String>>,
    released: Condvar,
}

impl Cache {
    /// Opens the cache. If another process has it open, this waits until that process is done, because the two would
    /// build the same entries.
    pub(crate) fn open() -> Result<Self> {
        Self::at(Path::new(FOLDER), LOCK)
    }

    /// Opens the cache for entries that nobody else builds who does not hold the lock with this name.
    pub(crate) fn open_with_lock(name: &str) -> Result<Self> {
        Self::at(Path::new(FOLDER), &format!("{LOCK}-{name}"))
    }

    fn at(root: &Path, lock: &str) -> Result<Self> {
        fs::create_dir_all(root).map_err(LabError::io("make the folder", root))?;
        let path = root.join(lock);
        let lock = File::create(&path).map_err(LabError::io("open", &path))?;
        lock.lock().map_err(LabError::io("lock", &path))?;
        Ok(Self {
            root: root.to_path_buf(),
            _lock: lock,
            busy: Mutex::default(),
            released: Condvar::new(),
        })
    }

    /// Returns the path of an entry, whether or not it exists.
    pub(crate) fn path(&self, name: &str, stamp: &str) -> PathBuf {
        self.root.join(format!("{name}-{stamp}"))
    }

    /// Returns the entry's folder and builds it if it is missing. Threads that need the same entry wait for the first of
    /// them. Older entries with this name are removed unless a lab uses them.
    pub(crate) fn entry(
        &self,
        name: &str,
        stamp: &str,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let _lock = self.lock_entry(name);
        let path = self.path(name, stamp);
        if path.exists() {
            return Ok(path);
        }
        // Child processes of a killed builder may still write to its folder, so every builder uses its own folder.
        let temporary = self.root.join(format!("{name}-{stamp}.{}.tmp", std::process::id()));
        // An earlier try of this process may have left a partly filled folder.
        discard(&temporary)?;
        fs::create_dir_all(&temporary).map_err(LabError::io("make the folder", &temporary))?;
        timed(&format!("build {name}"), || build(&temporary))?;
        fs::rename(&temporary, &path).map_err(LabError::io("rename", &temporary))?;
        self.discard_older(name, &path)?;
        Ok(path)
    }

    fn lock_entry(&self, name: &str) -> EntryLock<'_> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while !busy.insert(name.to_owned()) {
            busy = self.released.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        EntryLock { cache: self, name: name.to_owned() }
    }

    fn discard_older(&self, name: &str, keep: &Path) -> Result<()> {
        let entries = fs::read_dir(&self.root).map_err(LabError::io("list", &self.root))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let file = path.file_name().and_then(|file| file.to_str());
            let stem = file.and_then(|file| file.rsplit_once('-'));
            let is_older = path != keep && stem.is_some_and(|(stem, _)| stem == name);
            if !is_older || mounts::is_lower_of_a_mount(&path)? {
                continue;
            }
            if let Err(error) = discard(&path) {
                log(&format!("{} could not be removed from the cache: {error}", path.display()));
            }
        }
        Ok(())
    }
}

struct EntryLock<'a> {
    cache: &'a Cache,
    name: String,
}

impl Drop for EntryLock<'_> {
    fn drop(&mut self) {
        let mut busy = self.cache.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.name);
        self.cache.released.notify_all();
    }
}

/// Removes the whole cache, of which the caller holds every lock. It is refused while a lab still uses an entry.
pub(crate) fn purge(locked: &[Cache]) -> Result<()> {
    for cache in locked {
        if mounts::is_lower_of_a_mount(&cache.root)? {
            return Err(LabError::Invalid(
                "a lab still uses the cached systems; run `cargo xtask lab down --all` first"
                    .into(),
            ));
        }
        discard(&cache.root)?;
    }
    Ok(())
}

/// Unmounts everything below a folder and removes the folder. It succeeds if the folder does not exist.
pub(crate) fn discard(folder: &Path) -> Result<()> {
    mounts::unmount_below(folder)?;
    ignore_missing(fs::remove_dir_all(folder), folder)
}

/// Removes a file. It succeeds if the file does not exist.
pub(crate) fn discard_file(path: &Path) -> Result<()> {
    ignore_missing(fs::remove_file(path), path)
}

fn ignore_missing(done: std::io::Result<()>, path: &Path) -> Result<()> {
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LabError::io("remove", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Returns a short hash of the parts of a recipe. It changes when any part or any boundary between parts changes.
pub(crate) fn stamp(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize()).chars().take(10).collect()
}

/// Formats bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
