//! Locks on the files of a store, which keep it open in one process only.
//!
//! A lock can outlive the store that took it by a moment: sled closes its file on
//! a thread of its own, and a child process has a copy of every open file from its
//! fork until it executes its program. Taking a lock therefore waits for a short
//! time before it says that another process has the store open.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::OpenError;

/// The pause between two attempts to take a lock.
const PAUSE: Duration = Duration::from_millis(10);

/// The number of attempts, which together take about two seconds.
const ATTEMPTS: u32 = 200;

/// Locks an open file until it is closed or unlocked. Blocks up to two seconds while
/// somebody else has it locked.
///
/// # Errors
/// Returns [`OpenError::Locked`] if the file is still locked then.
pub(super) fn take(file: &File, path: &Path) -> Result<(), OpenError> {
    take_with(file, path, || thread::sleep(PAUSE))
}

/// Waits until no process has the file at `path` locked, as [`take`] does. sled does
/// not wait: it fails if its file is locked, with an error that has no kind of its own.
pub(super) fn wait_until_free(path: &Path) -> Result<(), OpenError> {
    let file = File::open(path).map_err(|source| OpenError::io(path, source))?;
    take(&file, path)?;
    file.unlock().map_err(|source| OpenError::io(path, source))
}

fn take_with(file: &File, path: &Path, mut pause: impl FnMut()) -> Result<(), OpenError> {
    for _ in 0..ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => pause(),
            Err(TryLockError::Error(source)) => return Err(OpenError::io(path, source)),
        }
    }
    Err(OpenError::Locked { file: path.to_owned() })
}

#[cfg(test)]
mod tests;
