//! Decides whether a program ends again and again. One or two ends a day are none; that it
//! answers between two ends does not make it healthy.

use crate::document::status::{LastExit, Status};
use crate::time::Timestamp;

/// The ends that a status keeps. systemd starts no unit of ours more often within [`WINDOW_MS`].
const ENDS_MAX: usize = 60;
/// So many ends within [`WINDOW_MS`] are a crash loop.
const TIMES_MIN: usize = 3;
/// The time before the last end in which ends count.
pub const WINDOW_MS: u64 = 600_000;
/// A program that has not ended for so long is out of its crash loop.
const QUIET_MS: u64 = 300_000;
/// The age up to which the last end is told.
const TOLD_MS_MAX: u64 = 900_000;

/// A program that ends again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashLoop<'a> {
    /// How often it ended within [`WINDOW_MS`].
    pub times: usize,
    pub last: Option<&'a LastExit>,
    /// When the crash loop is over if the program does not end again.
    pub over_at: Timestamp,
}

/// Adds an end to the recent ones.
pub fn note_end(ends: &mut Vec<Timestamp>, at: Timestamp) {
    ends.push(at);
    let surplus = ends.len().saturating_sub(ENDS_MAX);
    ends.drain(..surplus);
}

/// Returns the crash loop that a program is in, by the ends in its status.
#[must_use]
pub fn find(status: &Status, now: Timestamp) -> Option<CrashLoop<'_>> {
    // An end in the future was before the clock was set back.
    let ends = || status.ends.iter().filter(|end| **end <= now);
    let last = *ends().max()?;
    let times = ends().filter(|end| last.since_ms(**end) <= WINDOW_MS).count();
    let over_at = last.plus_ms(QUIET_MS);
    let last = status.last_exit.as_ref();
    (times >= TIMES_MIN && now < over_at).then_some(CrashLoop { times, last, over_at })
}

/// Returns how the program ended last, if that was of late.
#[must_use]
pub fn recent_exit(status: &Status, now: Timestamp) -> Option<&LastExit> {
    status.last_exit.as_ref().filter(|exit| exit.at <= now && now.since_ms(exit.at) <= TOLD_MS_MAX)
}

#[cfg(test)]
mod tests;
