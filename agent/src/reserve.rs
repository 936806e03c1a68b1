//! Room on the disk for the writes that must not fail: a file that says nothing
//! and is given up when the disk is full, so that what was running can come back.

use std::io::ErrorKind;

use tracing::warn;

use crate::files::{self, FileError};
use crate::paths::Paths;
use crate::preflight::room;

const SIZE_BYTES: usize = 1 << 20;
/// Zeros might take no room.
const FILLING: u8 = 0xA5;

/// Writes; on a full disk once more, without the reserve.
///
/// # Errors
/// What the write says in the end.
pub(crate) fn release_and_retry<T>(
    paths: &Paths,
    write: impl Fn() -> Result<T, FileError>,
) -> Result<T, FileError> {
    match write() {
        Err(error) if is_full(&error) => {
            if !files::remove_durably(&paths.reserve())? {
                return Err(error);
            }
            warn!("the disk is full; the reserve of {} was given up", paths.reserve().display());
            write()
        }
        done => done,
    }
}

/// Makes the reserve, unless it is there or its disk has less room than that:
/// what is left there belongs to those who need it now.
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
