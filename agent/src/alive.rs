//! Shows other programs of the host whether the agent runs, and when it last did something. The
//! agent holds a lock on a file, which the kernel releases however the agent ends, and gives the
//! file the time of every look at the host.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use oml_common::time::Timestamp;

use crate::paths::Paths;

fn file(paths: &Paths) -> PathBuf {
    paths.run.join("agent.alive")
}

/// The sign that this process is the running agent. It lasts as long as this is held.
#[derive(Debug)]
pub struct SignOfLife {
    file: File,
}

impl SignOfLife {
    /// Takes the lock.
    ///
    /// # Errors
    /// The file cannot be used, or another agent of this host holds the lock
    /// ([`io::ErrorKind::WouldBlock`]).
    pub fn begin(paths: &Paths, now: Timestamp) -> io::Result<Self> {
        fs::create_dir_all(&paths.run)?;
        let mut options = OpenOptions::new();
        let file =
            options.write(true).create(true).truncate(false).mode(0o644).open(file(paths))?;
        file.try_lock().map_err(io::Error::from)?;
        let sign = Self { file };
        sign.beat(now);
        Ok(sign)
    }

    /// Gives the file the time of a look at the host.
    pub fn beat(&self, now: Timestamp) {
        // Without it the time that people see is older, and nothing else depends on it.
        let _notified = self.file.set_modified(UNIX_EPOCH + Duration::from_millis(now.0)).is_ok();
    }
}

/// Whether the agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs and did something at this time.
    Runs { last: Timestamp },
    /// It does not run; it did something at this time for the last time.
    Stopped { last: Timestamp },
    /// None has run since the boot, or one of an earlier release that gives no sign.
    Unknown,
}

/// Returns whether the agent of this host runs.
///
/// # Errors
/// The file is there and cannot be used.
pub fn look(paths: &Paths) -> io::Result<Life> {
    let opened = match File::open(file(paths)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Life::Unknown),
        opened => opened?,
    };
    let modified = opened.metadata()?.modified()?;
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let last = Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
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
}
