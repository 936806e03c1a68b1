//! Decides whether a program ends again and again. One or two ends a day are none; that it
//! answers between two ends does not make it healthy.

use crate::document::status::{LastExit, NotStarted, Status};
use crate::time::{Span, Timestamp};

/// The ends that a status keeps. A program that ends so often within [`WINDOW_MS`] is described by
/// the latest of them.
const ENDS_MAX: usize = 60;
/// So many ends within [`WINDOW_MS`] are a crash loop.
const TIMES_MIN: usize = 3;
/// The time before the last end in which ends count.
const WINDOW_MS: u64 = 3_600_000;
/// A program that has not ended for twice the usual time between its ends is out of its crash
/// loop, but not before this time and not later than after [`QUIET_MS_MAX`].
const QUIET_MS_MIN: u64 = 300_000;
const QUIET_MS_MAX: u64 = 1_800_000;
/// The age up to which the last end is reported.
const LAST_EXIT_MS_MAX: u64 = 900_000;

/// A program that ends again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashLoop<'a> {
    /// How often it ended or could not be started.
    pub times: usize,
    /// From the first of these times to the last.
    pub within: Span,
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

/// Adds a start that failed to those before it in a row. Only one that `counts` belongs to a crash
/// loop.
#[must_use]
pub fn note_refusal(
    before: Option<&NotStarted>,
    why: String,
    counts: bool,
    now: Timestamp,
) -> NotStarted {
    // One in the future was before the clock was set back.
    let in_a_row = before.filter(|it| it.times > 0 && it.since <= now && it.at <= now);
    let in_a_row = in_a_row.filter(|it| now.since_ms(it.at) <= WINDOW_MS);
    NotStarted {
        at: now,
        since: in_a_row.map_or(now, |it| it.since),
        why,
        times: in_a_row.map_or(0, |it| it.times).saturating_add(u32::from(counts)),
    }
}

/// Returns the crash loop that a program is in, by the ends in its status.
#[must_use]
pub fn find(status: &Status, now: Timestamp) -> Option<CrashLoop<'_>> {
    // An end in the future was before the clock was set back.
    let not_started = status.not_started.as_ref().filter(|it| it.at <= now && it.times > 0);
    let ends = || status.ends.iter().filter(|end| **end <= now);
    let last = ends().copied().chain(not_started.map(|it| it.at)).max()?;
    let refused = not_started.map_or(0, |it| usize::try_from(it.times).unwrap_or(usize::MAX));
    let recent = || ends().filter(|end| last.since_ms(**end) <= WINDOW_MS);
    let times = recent().count().saturating_add(refused);
    let first = recent().copied().chain(not_started.map(|it| it.since)).min().unwrap_or(last);
    let within_ms = last.since_ms(first);
    let gaps = u64::try_from(times.saturating_sub(1).max(1)).unwrap_or(u64::MAX);
    let quiet_ms = (within_ms.saturating_mul(2) / gaps).clamp(QUIET_MS_MIN, QUIET_MS_MAX);
    let over_at = last.plus_ms(quiet_ms);
    let (within, last) = (Span(within_ms), status.last_exit.as_ref());
    (times >= TIMES_MIN && now < over_at).then_some(CrashLoop { times, within, last, over_at })
}

/// Returns how the program ended last, if that was recently.
#[must_use]
pub fn recent_exit(status: &Status, now: Timestamp) -> Option<&LastExit> {
    status
        .last_exit
        .as_ref()
        .filter(|exit| exit.at <= now && now.since_ms(exit.at) <= LAST_EXIT_MS_MAX)
}

#[cfg(test)]
mod tests;
