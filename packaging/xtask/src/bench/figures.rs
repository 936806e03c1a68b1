//! Computes the median, the 90th percentile and the maximum of durations. This module is pure.

use std::time::Duration;

/// The statistics of several runs that a row of the table shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) median: Duration,
    /// The 90th percentile (nearest-rank method).
    pub(crate) p90: Duration,
    pub(crate) max: Duration,
}

impl Figures {
    /// Computes the figures, or returns `None` if there are no runs.
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
