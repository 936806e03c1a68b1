//! The disk reserve: a file without content of its own that is removed when the disk is
//! full, so that the writes for a restart or a rollback succeed.

use std::io::ErrorKind;

use tracing::warn;

use crate::disk::room;
use crate::files::{self, FileError};
use crate::paths::Paths;

const SIZE_BYTES: usize = 1 << 20;
/// The byte that fills the reserve; a file of zeros might be stored without blocks.
const FILLING: u8 = 0xA5;

/// Runs `write`. If the disk is full, it removes the reserve and runs `write` again.
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

/// Creates the reserve, unless it exists or its disk has less than `free_bytes_min` free.
///
/// # Errors
/// An error of the file system.
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
