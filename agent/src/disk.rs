//! Free space on the disks of this host.

use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use tracing::warn;

/// Below these many free inodes a disk is as good as full.
const INODES_MIN: u64 = 1024;

/// Free space is reported in steps of this size.
const STEP_MIB: u64 = 100;

/// Space that must stay free when something is pulled or created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinFree {
    /// On the disk of the engine's images and containers.
    pub engine_bytes: u64,
    /// On the disk of the agent's own state.
    pub state_bytes: u64,
}

impl Default for MinFree {
    fn default() -> Self {
        Self { engine_bytes: 512 << 20, state_bytes: 64 << 20 }
    }
}

/// A disk that has less free space than it must have.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskFull {
    /// The numbers are rounded, so that the message of the next try is the same.
    #[error("less than {below_mib} MiB are free at {place} (minimum {min_mib} MiB)")]
    Bytes { place: String, below_mib: u64, min_mib: u64 },
    #[error("less than {INODES_MIN} inodes are free at {place}")]
    Inodes { place: String },
}

impl DiskFull {
    /// Says what is missing, and not how much of it.
    pub(crate) fn without_numbers(&self) -> String {
        match self {
            Self::Bytes { place, .. } => format!("too few bytes are free at {place}"),
            Self::Inodes { place } => format!("too few inodes are free at {place}"),
        }
    }

    /// Rounds up a minimum that is another at every try.
    pub(crate) fn rounded(self) -> Self {
        match self {
            Self::Bytes { place, below_mib, min_mib } => {
                let up = |mib: u64| mib.div_ceil(STEP_MIB).saturating_mul(STEP_MIB);
                Self::Bytes { place, below_mib: up(below_mib), min_mib: up(min_mib) }
            }
            inodes @ Self::Inodes { .. } => inodes,
        }
    }
}

/// The free space of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) bytes: u64,
    /// None where the file system has no fixed number of them.
    inodes: Option<u64>,
}

/// Whether so many bytes are free. If free space cannot be read, they count as free.
pub(crate) fn has_room(place: &Path, min_bytes: u64) -> Result<(), DiskFull> {
    match room(place) {
        Ok(room) => is_enough(&place.display().to_string(), room, min_bytes),
        Err(error) => {
            warn!(place = %place.display(), %error, "cannot read free space");
            Ok(())
        }
    }
}

fn is_enough(place: &str, room: Room, min_bytes: u64) -> Result<(), DiskFull> {
    let place = place.to_owned();
    if room.bytes < min_bytes {
        let min_mib = min_bytes >> 20;
        let below_mib = ((room.bytes >> 20) / STEP_MIB + 1).saturating_mul(STEP_MIB).min(min_mib);
        return Err(DiskFull::Bytes { place, below_mib, min_mib });
    }
    match room.inodes {
        Some(free) if min_bytes > 0 && free < INODES_MIN => Err(DiskFull::Inodes { place }),
        Some(_) | None => Ok(()),
    }
}

/// Reads the free space of the disk that holds a path.
pub(crate) fn room(place: &Path) -> io::Result<Room> {
    let stat = statvfs(place)?;
    Ok(Room {
        bytes: stat.blocks_available().saturating_mul(stat.fragment_size()),
        inodes: (stat.files() > 0).then(|| stat.files_available()),
    })
}

#[cfg(test)]
mod tests;
