//! A lab's disk is one sparse file with a file system in it, so that taking a lab down removes one file instead of the
//! hundred thousand files that its images unpack to. Data that a host has synced survives the end of any process and of
//! any host, which is what the tests need. It need not survive a crash of this machine. What is removed in it is given
//! back to this machine's disk at once (`discard`), because many labs share that.

use std::fs::{self, File};
use std::path::Path;

use crate::error::{LabError, Result};
use crate::progress::log;
use crate::run::Run;

/// The size of the disk. The file is sparse, so it only takes the space that is used.
const SIZE_BYTES: u64 = 64 << 30;
/// Without a journal, and without tables of inodes that are written before they are used: for 64 GiB, those are 1 GiB.
const FEATURES: &str = "^has_journal,^metadata_csum,uninit_bg";

/// Makes the disk and mounts it at `folder/disk`. If the kernel has no loop devices, `folder/disk` is a plain folder.
pub(crate) fn create(folder: &Path) -> Result<()> {
    let at = folder.join("disk");
    fs::create_dir_all(&at).map_err(LabError::io("make the folder", &at))?;
    let image = folder.join("disk.img");
    if let Err(error) = mount(&image, &at) {
        log(&format!(
            "the lab's own disk cannot be mounted, so the hosts use the disk of this machine: {error}"
        ));
        crate::cache::discard_file(&image)?;
    }
    Ok(())
}

fn mount(image: &Path, at: &Path) -> Result<()> {
    let file = File::create(image).map_err(LabError::io("make the file", image))?;
    file.set_len(SIZE_BYTES).map_err(LabError::io("make room in", image))?;
    Run::new("mkfs.ext4")
        .args(["-q", "-F", "-m", "0", "-O", FEATURES, "-E", "lazy_itable_init=1,nodiscard"])
        .args([image])
        .ok()?;
    Run::new("mount")
        .args(["-o", "loop,noatime,nobarrier,discard,noinit_itable"])
        .args([image, at])
        .ok()
        .map(drop)
}
