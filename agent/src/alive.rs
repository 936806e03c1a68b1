//! Shows other programs of the host whether the agent runs, and when it last did something. The
//! agent holds a lock on a file, which the kernel releases however the agent ends, and gives the
//! file the time of every look at the host.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oml_common::time::Timestamp;
use oml_daemon::regular_file;

use crate::paths::Paths;

fn file(paths: &Paths) -> PathBuf {
    paths.run.join("agent.alive")
}

/// The sign that this process is the running agent. It lasts as long as this is held.
#[derive(Debug)]
pub struct SignOfLife {
    path: PathBuf,
    /// The locked file.
    file: Mutex<File>,
}

impl SignOfLife {
    /// Takes the lock.
    ///
    /// # Errors
    /// The file cannot be used, or another agent of this host holds the lock
    /// ([`io::ErrorKind::WouldBlock`]).
    pub fn begin(paths: &Paths, now: Timestamp) -> io::Result<Self> {
        let path = file(paths);
        let sign = Self { file: Mutex::new(locked(&path)?), path };
        sign.beat(now);
        Ok(sign)
    }

    /// Gives the file the time of a look at the host. A file that somebody removed or replaced is
    /// created and locked again.
    pub fn beat(&self, now: Timestamp) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_at(&file, &self.path)
            && let Ok(fresh) = locked(&self.path)
        {
            *file = fresh;
        }
        // Without it the time that people see is older, and nothing else depends on it.
        let _notified = file.set_modified(UNIX_EPOCH + Duration::from_millis(now.0)).is_ok();
    }
}

/// Opens and locks the file at that path, and creates it if it is missing.
fn locked(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    // A pipe in its place has no reader, and is refused then.
    options.custom_flags(nix::libc::O_NONBLOCK);
    let file = options.write(true).create(true).truncate(false).mode(0o644).open(path)?;
    file.try_lock().map_err(io::Error::from)?;
    Ok(file)
}

/// Returns true if that path leads to that file.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |found: fs::Metadata| (found.dev(), found.ino());
    let (Ok(own), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    identity(own) == identity(there)
}

/// Converts a time of the file system.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Whether the agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs and did something at this time.
    Runs { last: Timestamp },
    /// It does not run; it did something at this time for the last time.
    Stopped { last: Timestamp },
    /// None has run since the boot, one of an earlier release that gives no sign did, or the sign
    /// was removed.
    Unknown,
}

/// Returns whether the agent of this host runs.
///
/// # Errors
/// The file is there and cannot be used.
pub fn look(paths: &Paths) -> io::Result<Life> {
    let opened = match regular_file::open(&file(paths)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Life::Unknown),
        opened => opened?,
    };
    let last = timestamp(opened.metadata()?.modified()?);
    // A shared lock, so that two people who look at once do not take each other for the agent.
    match opened.try_lock_shared() {
        Ok(()) => Ok(Life::Stopped { last }),
        Err(TryLockError::WouldBlock) => Ok(Life::Runs { last }),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_runs_as_long_as_it_holds_its_sign() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        assert_eq!(look(&paths).unwrap(), Life::Unknown);
        let sign = SignOfLife::begin(&paths, Timestamp(1_000)).unwrap();
        assert_eq!(look(&paths).unwrap(), Life::Runs { last: Timestamp(1_000) });
        let second = SignOfLife::begin(&paths, Timestamp(2_000)).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        sign.beat(Timestamp(3_000));
        assert_eq!(look(&paths).unwrap(), Life::Runs { last: Timestamp(3_000) });
        drop(sign);
        assert_eq!(look(&paths).unwrap(), Life::Stopped { last: Timestamp(3_000) });
    }

    #[test]
    fn a_sign_whose_file_was_removed_or_replaced_is_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let sign = SignOfLife::begin(&paths, Timestamp(1_000)).unwrap();
        fs::remove_file(file(&paths)).unwrap();
        assert_eq!(look(&paths).unwrap(), Life::Unknown);
        sign.beat(Timestamp(2_000));
        assert_eq!(look(&paths).unwrap(), Life::Runs { last: Timestamp(2_000) });
        fs::remove_dir_all(&paths.run).unwrap();
        sign.beat(Timestamp(3_000));
        assert_eq!(look(&paths).unwrap(), Life::Runs { last: Timestamp(3_000) });
        fs::write(paths.run.join("other"), "").unwrap();
        fs::rename(paths.run.join("other"), file(&paths)).unwrap();
        sign.beat(Timestamp(4_000));
        assert_eq!(look(&paths).unwrap(), Life::Runs { last: Timestamp(4_000) });
        drop(sign);
        assert_eq!(look(&paths).unwrap(), Life::Stopped { last: Timestamp(4_000) });
    }

    #[test]
    fn the_sign_of_another_agent_is_not_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::below(folder.path());
        let sign = SignOfLife::begin(&paths, Timestamp(1_000)).unwrap();
        fs::remove_file(file(&paths)).unwrap();
        let other = SignOfLife::begin(&paths, Timestamp(2_000)).unwrap();
        sign.beat(Timestamp(3_000));
        assert_eq!(look(&paths).unwrap(), Life::Runs { last: Timestamp(2_000) });
        drop(other);
        sign.beat(Timestamp(4_000));
        assert_eq!(look(&paths).unwrap(), Life::Runs { last: Timestamp(4_000) });
    }
}
