//! Whether the disks of this machine have room for a lab. A full disk fails every host in it with words of its own.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::error::{LabError, Result};

/// What a lab writes while it runs: what its hosts unpack, pull and log.
const LAB_BYTES: u64 = 5 << 30;

/// What will be written below a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needed<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) bytes: u64,
}

/// Checks that a lab fits on the disk of the folder `labs`, beside what else has to be written first.
pub(crate) fn check(labs: &Path, first: Needed<'_>) -> Result<()> {
    let lab = Needed { folder: labs, bytes: LAB_BYTES };
    let asked = [(lab, Disk::of(labs)?), (first, Disk::of(first.folder)?)];
    lacking(asked).map_or(Ok(()), |why| Err(LabError::CannotRun(why)))
}

/// Says what the first disk lacks on which not everything fits that is needed there; `None` if there is none.
fn lacking<const N: usize>(asked: [(Needed<'_>, Disk); N]) -> Option<String> {
    asked.iter().find_map(|(needed, disk)| {
        let there = asked.iter().filter(|(_, other)| other.id == disk.id);
        let bytes = there.map(|(needed, _)| needed.bytes).sum();
        lacks(&Needed { bytes, ..*needed }, disk.available)
    })
}

/// The disk of a folder.
#[derive(Debug, Clone, Copy)]
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
            "the disk of {} has {:.1} GiB left, and {:.1} GiB are needed (`cargo clean` removes what builds left, `cargo xtask lab down --purge` all labs and base systems)",
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
    fn what_is_written_to_one_disk_must_fit_there_together() {
        let labs = Needed { folder: Path::new("/labs"), bytes: 5 << 30 };
        let cache = Needed { folder: Path::new("/cache"), bytes: 7 << 30 };
        let disk = |id| Disk { id, available: 8 << 30 };
        assert_eq!(lacking([(labs, disk(1)), (cache, disk(2))]), None);
        let said = lacking([(labs, disk(1)), (cache, disk(1))]).unwrap();
        assert!(said.contains("/labs has 8.0 GiB left, and 12.0 GiB are needed"), "{said}");
        let none = Needed { bytes: 0, ..cache };
        assert_eq!(lacking([(labs, disk(1)), (none, disk(1))]), None);
    }

    #[test]
    fn a_folder_that_does_not_exist_yet_is_looked_up_on_the_disk_where_it_will_be() {
        let missing = Path::new("/nowhere/at/all");
        let (missing, root) = (Disk::of(missing).unwrap(), Disk::of(Path::new("/")).unwrap());
        assert_eq!(missing.id, root.id);
        assert!(missing.available > 0);
    }
}
