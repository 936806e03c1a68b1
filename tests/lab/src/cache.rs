//! What is built once and kept: base systems, layers, the registry's content. Every entry is built under a temporary
//! name and renamed when complete, so a name without `.tmp` is always whole.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::error::{LabError, Result};
use crate::mounts;
use crate::say::{say, timed};

const FOLDER: &str = "/var/cache/oml-lab";

/// The cache, locked against other builders for as long as this value lives.
pub(crate) struct Cache {
    root: PathBuf,
    _lock: File,
    /// Entries that a thread of this process builds right now.
    busy: Mutex<BTreeSet<String>>,
    freed: Condvar,
}

impl Cache {
    /// Waits for another builder on this machine to finish: what it builds is what this one would.
    pub(crate) fn open() -> Result<Self> {
        Self::at(Path::new(FOLDER))
    }

    fn at(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).map_err(LabError::io("make the folder", root))?;
        let path = root.join(".lock");
        let lock = File::create(&path).map_err(LabError::io("open", &path))?;
        lock.lock().map_err(LabError::io("lock", &path))?;
        Ok(Self {
            root: root.to_path_buf(),
            _lock: lock,
            busy: Mutex::default(),
            freed: Condvar::new(),
        })
    }

    /// Where an entry is or would be.
    pub(crate) fn path(&self, name: &str, stamp: &str) -> PathBuf {
        self.root.join(format!("{name}-{stamp}"))
    }

    /// The entry's folder, built now if it is missing; threads that want the same wait for the first. Older entries of the
    /// name are removed unless a lab uses them.
    pub(crate) fn entry(
        &self,
        name: &str,
        stamp: &str,
        build: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let _turn = self.take_turn(name);
        let path = self.path(name, stamp);
        if path.exists() {
            return Ok(path);
        }
        // Programs of a builder that was killed may still write under its name, so this one has its own.
        let temporary = self.root.join(format!("{name}-{stamp}.{}.tmp", std::process::id()));
        // What an earlier try of this process left half-filled is no beginning for the next.
        discard(&temporary)?;
        fs::create_dir_all(&temporary).map_err(LabError::io("make the folder", &temporary))?;
        timed(&format!("build {name}"), || build(&temporary))?;
        fs::rename(&temporary, &path).map_err(LabError::io("rename", &temporary))?;
        self.discard_older(name, &path)?;
        Ok(path)
    }

    fn take_turn(&self, name: &str) -> Turn<'_> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while !busy.insert(name.to_owned()) {
            busy = self.freed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        Turn { cache: self, name: name.to_owned() }
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
                say(&format!("an old {name} stays in the cache: {error}"));
            }
        }
        Ok(())
    }
}

struct Turn<'a> {
    cache: &'a Cache,
    name: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut busy = self.cache.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.name);
        self.cache.freed.notify_all();
    }
}

/// Removes the whole cache. Refused while a lab still reads from it.
pub(crate) fn purge() -> Result<()> {
    let root = Path::new(FOLDER);
    if !root.exists() {
        return Ok(());
    }
    let cache = Cache::open()?;
    if mounts::is_lower_of_a_mount(&cache.root)? {
        return Err(LabError::Invalid(
            "a lab still uses the cached systems: `lab down` it first".into(),
        ));
    }
    discard(root)
}

/// Removes a folder and what is mounted below it; not there is fine.
pub(crate) fn discard(folder: &Path) -> Result<()> {
    mounts::unmount_below(folder)?;
    removed(fs::remove_dir_all(folder), folder)
}

/// Removes a file; not there is fine.
pub(crate) fn discard_file(path: &Path) -> Result<()> {
    removed(fs::remove_file(path), path)
}

fn removed(done: std::io::Result<()>, path: &Path) -> Result<()> {
    match done {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(LabError::io("remove", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A short name for the content of a recipe: changes when any part does.
pub(crate) fn stamp(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize()).chars().take(10).collect()
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
