//! Space on the disk for the writes that must not fail: a file without meaning that
//! is removed when the disk is full, so that what was running can come back.

use std::io::ErrorKind;

use tracing::warn;

use crate::disk::room;
use crate::files::{self, FileError};
use crate::paths::Paths;

const SIZE_BYTES: usize = 1 << 20;
/// The byte that the reserve is filled with; zeros might take no space.
const FILLING: u8 = 0xA5;

/// Writes; on a full disk removes the reserve and writes once more.
///
/// # Errors
/// The error of the last write.
pub(crate) fn release_and_retry<T>(
    paths: &Paths,
    write: impl Fn() -> Result<T, FileError>,
) -> Result<T, FileError> {
    match write() {
        Err(error) if is_full(&error) => {
            if !files::remove_durably(&paths.reserve())? {
                return Err(error);
            }
            warn!(file = %paths.reserve().display(), "disk full; disk reserve released");
            write()
        }
        done => done,
    }
}

/// Makes the reserve, unless it is there or its disk has less free space than that:
/// who needs the rest now goes first.
///
/// # Errors
/// What the file system says.
pub(crate) fn allocate(paths: &Paths, free_bytes_min: u64) -> Result<(), FileError> {
    let path = paths.reserve();
    let has_room = room(&paths.state).map_or(true, |room| room.bytes >= free_bytes_min);
    if path.exists() || !has_room {
        return Ok(());
    }
    files::write_volatile(&path, &vec![FILLING; SIZE_BYTES], 0o600)
}

fn is_full(error: &FileError) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests;
