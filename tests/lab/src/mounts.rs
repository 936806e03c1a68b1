//! Mounts overlays, and lists and unmounts what is mounted below a folder. It never unmounts anything outside the given
//! folder.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::error::{LabError, Result};

const TABLE: &str = "/proc/self/mountinfo";

/// The folders of one overlay. The lower folders, the topmost first, are only read.
pub(crate) struct Overlay<'a> {
    pub(crate) lower: &'a [&'a Path],
    pub(crate) upper: &'a Path,
    pub(crate) work: &'a Path,
    pub(crate) at: &'a Path,
}

impl Overlay<'_> {
    /// Makes the folders and mounts the overlay. Features that store data in extended attributes are off, because image
    /// layers are packed from the upper folder, which must be a plain tree of files.
    pub(crate) fn mount(&self) -> Result<()> {
        for folder in [self.upper, self.work, self.at] {
            fs::create_dir_all(folder).map_err(LabError::io("make the folder", folder))?;
        }
        let lower: Vec<_> = self.lower.iter().map(|path| path.display().to_string()).collect();
        let options = format!(
            "lowerdir={},upperdir={},workdir={},redirect_dir=off,metacopy=off,index=off",
            lower.join(":"),
            self.upper.display(),
            self.work.display()
        );
        mount(Some("overlay"), self.at, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
            .map_err(|e| LabError::io("mount an overlay on", self.at)(e.into()))
    }
}

/// Returns the mount points at or below `folder`, the newest first.
pub(crate) fn mounted_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let table = fs::read_to_string(TABLE).map_err(LabError::io("read", TABLE))?;
    Ok(points_below(&table, folder))
}

/// Returns true if a mounted overlay reads from `folder`.
pub(crate) fn is_lower_of_a_mount(folder: &Path) -> Result<bool> {
    let table = fs::read_to_string(TABLE).map_err(LabError::io("read", TABLE))?;
    let name = folder.display().to_string();
    Ok(table.split([' ', ',', ':', '=']).any(|word| {
        word.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }))
}

/// Unmounts everything at or below `folder`. It succeeds if another process unmounts some of it at the same moment.
pub(crate) fn unmount_below(folder: &Path) -> Result<()> {
    for point in mounted_below(folder)? {
        let done =
            umount2(&point, MntFlags::empty()).or_else(|_| umount2(&point, MntFlags::MNT_DETACH));
        if !mounted_below(&point)?.is_empty() {
            done.map_err(|e| LabError::io("unmount", &point)(e.into()))?;
        }
    }
    Ok(())
}

fn points_below(table: &str, folder: &Path) -> Vec<PathBuf> {
    let mut points: Vec<PathBuf> = table
        .lines()
        .filter_map(|line| line.split(' ').nth(4))
        .map(PathBuf::from)
        .filter(|point| point.starts_with(folder))
        .collect();
    points.reverse();
    points
}

#[cfg(test)]
mod tests;
