//! Adds what a look and the signals say of the ends of a unit to those that are known.

use crate::decide::crash_loop::note_end;
use crate::time::Timestamp;

/// The ends that are counted as missed between two looks, at most.
const MISSED_MAX: u32 = 60;

/// What was found of the ends of a unit since the last look. Every time is one of an end by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEnds<'a> {
    /// The ends that are known, oldest first.
    pub known: &'a [Timestamp],
    /// The ends with another drop-in before, if there was one.
    pub with_other: Option<&'a [Timestamp]>,
    /// Those that signals showed.
    pub signalled: Vec<Timestamp>,
    /// The last one, as systemd still shows it.
    pub shown: Option<Timestamp>,
    /// The automatic restarts at the last look; none before the first one.
    pub restarts_before: Option<u32>,
    /// The automatic restarts by now.
    pub restarts: u32,
    /// When the unit was started last.
    pub started_at: Timestamp,
}

/// The recent ends of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentEnds {
    /// All of them, oldest first.
    pub all: Vec<Timestamp>,
    /// The last one, if it was not known before.
    pub new_last: Option<Timestamp>,
}

/// Returns the recent ends of a unit after another look.
#[must_use]
pub fn merge(found: FoundEnds<'_>) -> RecentEnds {
    let FoundEnds { known, with_other, mut signalled, shown, .. } = found;
    // Most of them are with the earlier drop-in; when they began is not known.
    signalled.retain(|_| with_other.is_none());
    let is_known = |at: &Timestamp| {
        known.contains(at) || with_other.is_some_and(|with_other| with_other.contains(at))
    };
    let mut new: Vec<Timestamp> =
        signalled.into_iter().chain(shown).filter(|at| !is_known(at)).collect();
    new.sort();
    new.dedup();
    let new_last = new.last().copied();
    // The time of an end of which no signal came is not known well.
    let missed = missed(found.restarts_before, found.restarts, new.len());
    new.extend((0..missed).map(|_| found.started_at));
    new.sort();
    let mut all = known.to_vec();
    for at in new {
        note_end(&mut all, at);
    }
    RecentEnds { all, new_last }
}

/// Returns how many ends were missed: each automatic restart follows an end. So many new ends are
/// known; the unit may have been restarted once after an end that was known before.
fn missed(before: Option<u32>, restarts: u32, new: usize) -> u32 {
    let restarted = before.map_or(0, |before| restarts.saturating_sub(before));
    let known = u32::try_from(new).unwrap_or(u32::MAX).saturating_add(1);
    restarted.saturating_sub(known).min(MISSED_MAX)
}

#[cfg(test)]
mod tests;
