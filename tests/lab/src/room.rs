//! Whether the disks of this machine have room for a lab. A full disk fails every host in it with words of its own.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::error::{LabError, Result};

/// What a lab writes while it runs: what its hosts unpack, pull and log.
const LAB_BYTES: u64 = 5 << 30;
/// What the base systems and images take, with what is only needed while they are built.
const CACHE_BYTES: u64 = 7 << 30;

/// What will be written below a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needed<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) bytes: u64,
}

/// Checks that a lab fits on the disk of `labs`, and, if they still have to be built, the base systems and images on that
/// of `cache`.
pub(crate) fn check(labs: &Path, cache: Option<&Path>) -> Result<()> {
    let lab = Needed { folder: labs, bytes: LAB_BYTES };
    let cache = cache.map(|folder| Needed { folder, bytes: CACHE_BYTES });
    let mut disks: Vec<(Needed<'_>, Disk)> = Vec::new();
    for needed in [Some(lab), cache].into_iter().flatten() {
        let disk = Disk::of(needed.folder)?;
        match disks.iter_mut().find(|(_, other)| other.id == disk.id) {
            Some((sum, _)) => sum.bytes += needed.bytes,
            None => disks.push((needed, disk)),
        }
    }
    let lacking = disks.into_iter().find_map(|(needed, disk)| lacks(&needed, disk.available));
    lacking.map_or(Ok(()), |why| Err(LabError::CannotRun(why)))
}

/// The disk of a folder.
struct Disk {
    id: u64,
    /// The bytes that root can still write there.
    available: u64,
}

impl Disk {
    /// Returns the disk on which a folder is or, if it does not exist yet, will be made.
    fn of(folder: &Path) -> Result<Self> {
        let existing = folder.ancestors().find(|it| it.exists()).unwrap_or(Path::new("/"));
        let found = statvfs(existing)
            .map_err(std::io::Error::from)
            .map_err(LabError::io("ask for the room on the disk of", existing))?;
        Ok(Self {
            id: found.filesystem_id(),
            available: found.blocks_free().saturating_mul(found.fragment_size()),
        })
    }
}

/// Says what a disk lacks; `None` if it has enough room.
fn lacks(needed: &Needed<'_>, available: u64) -> Option<String> {
    (available < needed.bytes).then(|| {
        format!(
            "the disk of {} has {:.1} GiB left, and {:.1} GiB are needed (remove what is not needed there; `cargo xtask lab down --purge` removes what earlier runs left, `cargo clean` what builds did)",
            needed.folder.display(),
            gibibytes(available),
            gibibytes(needed.bytes),
        )
    })
}

fn gibibytes(bytes: u64) -> f64 {
    // An exact number of bytes is not worth reading.
    (bytes >> 20) as f64 / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_too_little_room_is_named_with_what_it_lacks() {
        let needed = Needed { folder: Path::new("/var/lib/oml-lab"), bytes: 5 << 30 };
        let said = lacks(&needed, 3 << 29).unwrap();
        assert!(
            said.starts_with("the disk of /var/lib/oml-lab has 1.5 GiB left, and 5.0"),
            "{said}"
        );
        assert_eq!(lacks(&needed, 5 << 30), None);
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_is_looked_up_on_the_disk_where_it_will_be() {
        let missing = Path::new("/nowhere/at/all");
        let (missing, root) = (Disk::of(missing).unwrap(), Disk::of(Path::new("/")).unwrap());
        assert_eq!(missing.id, root.id);
        assert!(missing.available > 0);
    }
}
