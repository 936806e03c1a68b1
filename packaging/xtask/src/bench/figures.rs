//! Median, nine tenths and maximum of some durations. Pure.

use std::time::Duration;

/// What a row of the table shows of many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    /// As many are faster as are slower.
    pub(crate) median: Duration,
    /// Nine of ten are not slower (nearest rank).
    pub(crate) p90: Duration,
    pub(crate) max: Duration,
}

impl Figures {
    /// None of no runs.
    pub(crate) fn of(runs: impl IntoIterator<Item = Duration>) -> Option<Self> {
        let mut sorted: Vec<Duration> = runs.into_iter().collect();
        sorted.sort_unstable();
        let (lower, upper) =
            (*sorted.get(sorted.len().checked_sub(1)? / 2)?, *sorted.get(sorted.len() / 2)?);
        Some(Self {
            median: (lower + upper) / 2,
            p90: *sorted.get((sorted.len() * 9).div_ceil(10).checked_sub(1)?)?,
            max: *sorted.last()?,
        })
    }
}

#[cfg(test)]
mod tests;
