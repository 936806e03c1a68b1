//! The number of inotify instances that a user may have on this machine. The root of all hosts is one user to the kernel,
//! and systemd alone takes several on each host.

use std::fs;
use std::path::Path;

use crate::error::{LabError, Result};

const FILE: &str = "/proc/sys/fs/inotify/max_user_instances";
/// Enough for the hosts of all labs that run at the same time.
const NEEDED: u32 = 1024;

/// Returns the limit of this machine if it is lower than hosts need.
pub(crate) fn low_limit() -> Result<Option<u32>> {
    let text = fs::read_to_string(FILE).map_err(LabError::io("read", Path::new(FILE)))?;
    let limit = text.trim().parse();
    let limit = limit.map_err(|_error| LabError::Invalid(format!("{FILE} contains {text:?}")))?;
    Ok(Some(limit).filter(|limit| *limit < NEEDED))
}

/// Describes what `raise_limit` does.
pub(crate) fn announcement(limit: u32) -> String {
    format!("raises fs.inotify.max_user_instances from {limit} to {NEEDED}, until the next boot")
}

/// Raises the limit until the next boot.
pub(crate) fn raise_limit() -> Result<()> {
    fs::write(FILE, NEEDED.to_string()).map_err(LabError::io("raise", Path::new(FILE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announcement_names_the_setting_and_both_values() {
        let expected = "raises fs.inotify.max_user_instances from 128 to 1024, until the next boot";
        assert_eq!(announcement(128), expected);
    }
}
