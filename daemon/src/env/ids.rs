//! Makes unique ids: UUIDs of version 7 (RFC 9562, section 5.7, with the counter of
//! section 6.2, method 1).

use std::sync::{Mutex, PoisonError};

use oml_common::time::Timestamp;
use uuid::Uuid;

use super::random::{Random, RandomError};

/// The greatest time, which has 48 bits.
const MS_MAX: u64 = (1 << 48) - 1;
/// The greatest value of the counter, which has 12 bits.
const COUNTER_MAX: u16 = (1 << 12) - 1;
/// A counter begins below this value, so that there is room to count.
const COUNTER_BEGIN_MAX: u16 = (1 << 10) - 1;

/// Makes ids, each of which is higher than the one before.
#[derive(Debug, Default)]
pub(super) struct Ids {
    last: Mutex<Option<(u64, u16)>>,
}

impl Ids {
    /// Returns the next id. If the clock was set back, or a millisecond has more ids than
    /// the counter can count, the time in the id runs ahead of the clock.
    pub(super) fn next(&self, now: Timestamp, random: &Random) -> Result<Uuid, RandomError> {
        let random = u128::from_le_bytes(random.bytes()?);
        let (ms, counter) = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = low_bits(random) & COUNTER_BEGIN_MAX;
            let next = follow(*last, now.0.min(MS_MAX), begin);
            *last = Some(next);
            next
        };
        let tail = (random >> 16) & ((1 << 62) - 1);
        let (version, variant) = (7 << 76, 0b10 << 62);
        let head = (u128::from(ms) << 80) | version | (u128::from(counter) << 64);
        Ok(Uuid::from_u128(head | variant | tail))
    }
}

/// Returns the time and counter after `last` at the time `ms`. A new counter begins at
/// `begin`.
fn follow(last: Option<(u64, u16)>, ms: u64, begin: u16) -> (u64, u16) {
    match last {
        Some((last_ms, counter)) if ms <= last_ms => {
            if counter < COUNTER_MAX {
                (last_ms, counter + 1)
            } else {
                ((last_ms + 1).min(MS_MAX), begin)
            }
        }
        Some(_) | None => (ms, begin),
    }
}

/// Returns the lowest 16 bits.
fn low_bits(number: u128) -> u16 {
    let [low, high, ..] = number.to_le_bytes();
    u16::from_le_bytes([low, high])
}

#[cfg(test)]
mod tests;
