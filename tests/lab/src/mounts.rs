//! Overlay mounts, and what is mounted below a folder. It only ever unmounts below a folder it was given.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::error::{LabError, Result};

const TABLE: &str = "/proc/self/mountinfo";

/// The folders of one overlay: `lower` (top first) is only read.
pub(crate) struct Overlay<'a> {
    pub(crate) lower: &'a [&'a Path],
    pub(crate) upper: &'a Path,
    pub(crate) work: &'a Path,
    pub(crate) at: &'a Path,
}

impl Overlay<'_> {
    /// Makes the folders and mounts. Features that hide data in attributes stay off: the upper folder must be a
    /// plain tree, because image layers are packed from it.
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

/// Everything mounted at or below `folder`, deepest first.
pub(crate) fn mounted_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let table = fs::read_to_string(TABLE).map_err(LabError::io("read", TABLE))?;
    Ok(points_below(&table, folder))
}

/// True when a mounted overlay reads from `folder`.
pub(crate) fn is_lower_of_a_mount(folder: &Path) -> Result<bool> {
    let table = fs::read_to_string(TABLE).map_err(LabError::io("read", TABLE))?;
    let name = folder.display().to_string();
    Ok(table.split([' ', ',', ':', '=']).any(|word| {
        word.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }))
}

/// Unmounts everything at or below `folder`. What another process unmounts at the same moment is fine.
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
