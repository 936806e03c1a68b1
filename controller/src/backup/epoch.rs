//! The epoch of a restored controller.
//!
//! The highest bits are a time in seconds, so that a later restore has the higher epoch,
//! also of one and the same backup. The lowest 16 bits are random. They keep two restores of
//! one backup apart where the time cannot, because the clock was set back between them.

use oml_common::time::Timestamp;
use oml_daemon::env::{Random, RandomError};

const RANDOM_BITS: u32 = 16;

/// Makes an epoch that is higher than `before`, which is that of the backup.
pub(super) fn after(before: u64, now: Timestamp, random: &Random) -> Result<u64, RandomError> {
    let seconds = (now.0 / 1000).max(before >> RANDOM_BITS).saturating_add(1);
    let low = u64::from(u16::from_be_bytes(random.bytes()?));
    Ok((seconds << RANDOM_BITS) | low)
}

#[cfg(test)]
mod tests;
