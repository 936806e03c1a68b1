//! The serial numbers of certificates, whose order says which certificate of a holder
//! is the newest.
//!
//! The highest 48 bits are the epoch of the store, the next 16 count the certificates
//! of the holder, and the lowest 64 are random. The order therefore does not depend on
//! the clock of the machine, and a number that is made after a restore is higher than
//! every number that the restored store does not know.

use oml_daemon::env::{Random, RandomError};
use oml_daemon::tls::Serial;

const RANDOM_BITS: u32 = 64;
const COUNT_BITS: u32 = 16;
const EPOCH_MAX: u64 = (1 << (64 - COUNT_BITS)) - 1;

/// Makes a serial number of this epoch that is higher than `after`.
pub(super) fn next(
    epoch: u64,
    after: Option<Serial>,
    random: &Random,
) -> Result<Serial, RandomError> {
    let mut low = [0; 8];
    random.fill(&mut low)?;
    let after = after.unwrap_or(Serial(0));
    let first = first_of(epoch);
    let counted = (first.max(after.0) >> RANDOM_BITS).saturating_add(1);
    Ok(Serial((counted << RANDOM_BITS) | u128::from(u64::from_be_bytes(low))))
}

/// Returns the highest serial number of all earlier epochs. A restored store may not
/// know the certificates of earlier epochs; it has a record of each one of its own.
#[must_use]
pub fn highest_before(epoch: u64) -> Serial {
    Serial(first_of(epoch).saturating_sub(1))
}

/// Returns the lower bound of the serial numbers of an epoch.
fn first_of(epoch: u64) -> u128 {
    u128::from(epoch.min(EPOCH_MAX)) << (RANDOM_BITS + COUNT_BITS)
}

#[cfg(test)]
mod tests;
