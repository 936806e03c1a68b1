//! The state of a run, from its record.

use std::fmt;

use crate::document::operation::{RunOutcome, RunRecord, RunResult};
use crate::text::plural::counted;
use crate::time::{Span, Timestamp};

/// The time for which a run that no host has taken is handed out. Its operator waits for it.
const HAND_OUT_MS: u64 = 30_000;
/// The time beyond its deadline after which a run that nobody reports is given up.
const OVERDUE_MS: u64 = 600_000;
/// The most runs of a tenant that are kept.
const KEPT_MAX: usize = 200;

/// What to do about an outcome that cannot be read, whichever program is the older one.
const UPGRADE: &str = "upgrade the controller, then the agent of its node";

/// What is known of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// The host has not said that it has the order.
    Waiting,
    Running,
    /// The host never said that it has the order. It may still report the run.
    Unanswered,
    /// The host took the order, and has not said what became of it long after its deadline.
    Lost,
    Ended(RunResult),
}

impl RunState {
    /// Returns the state of a run at that time.
    #[must_use]
    pub fn of(run: &RunRecord, now: Timestamp) -> Self {
        if let Some(result) = &run.result {
            return Self::Ended(result.clone());
        }
        match run.taken {
            None if now.since_ms(run.asked) > HAND_OUT_MS => Self::Unanswered,
            None => Self::Waiting,
            Some(taken) if now.since_ms(taken) > run.deadline_ms.saturating_add(OVERDUE_MS) => {
                Self::Lost
            }
            Some(_) => Self::Running,
        }
    }

    /// Returns after how many milliseconds the state becomes another one although nothing is recorded;
    /// none if it never does.
    #[must_use]
    pub fn changes_in_ms(run: &RunRecord, now: Timestamp) -> Option<u64> {
        if run.result.is_some() {
            return None;
        }
        let (since, limit_ms) = match run.taken {
            None => (run.asked, HAND_OUT_MS),
            Some(taken) => (taken, run.deadline_ms.saturating_add(OVERDUE_MS)),
        };
        let left_ms = limit_ms.checked_sub(now.since_ms(since))?;
        Some(left_ms.saturating_add(1))
    }

    /// Returns whether another run of the component has to wait for this one.
    #[must_use]
    pub fn blocks(&self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }

    /// Returns whether the order of the run is still given to its host.
    #[must_use]
    pub fn is_handed_out(&self) -> bool {
        *self == Self::Waiting
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waits for its host"),
            Self::Running => f.write_str("is running"),
            Self::Unanswered => f.write_str(
                "was not begun as far as is known: its host has not answered; what it did is \
                 reported when the host connects again",
            ),
            Self::Lost => f.write_str(
                "has an unknown outcome: its host has not reported it, and it is not repeated",
            ),
            Self::Ended(result) => result.fmt(f),
        }
    }
}

impl fmt::Display for RunResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcome, started, ended, reason, last_lines: _ } = self;
        match outcome {
            RunOutcome::Exited { status: 0 } => f.write_str("succeeded")?,
            RunOutcome::Exited { status } => {
                write!(f, "failed: its program ended with status {status}")?;
                if let Some(signal) = signal_of(*status) {
                    write!(f, " (signal {signal})")?;
                }
            }
            RunOutcome::DeadlineExceeded if reason.is_empty() => {
                f.write_str("was stopped at its deadline")?;
            }
            RunOutcome::DeadlineExceeded => f.write_str("was not over at its deadline")?,
            RunOutcome::Interrupted => f.write_str(
                "was interrupted; how far it came is not known, and it is not repeated by itself",
            )?,
            RunOutcome::NotStarted => f.write_str("was not started")?,
            RunOutcome::Unknown => f.write_str("ended in a way that only a later release knows")?,
        }
        if let Some(started) = started {
            write!(f, " after {}", Span(ended.since_ms(*started)))?;
        }
        if !reason.is_empty() {
            write!(f, ": {reason}")?;
        }
        if *outcome == RunOutcome::Unknown { write!(f, "; {UPGRADE}") } else { Ok(()) }
    }
}

/// Returns the signal that ended a program with this status, as engines show it.
fn signal_of(status: i64) -> Option<i64> {
    (129..=192).contains(&status).then_some(status - 128)
}

/// Returns how many of a tenant's runs, oldest first, make room for another one. One that is not
/// ended is kept.
#[must_use]
pub fn surplus(runs: &[RunRecord], now: Timestamp) -> Vec<&RunRecord> {
    let excess = (runs.len() + 1).saturating_sub(KEPT_MAX);
    let ended = runs.iter().filter(|run| !RunState::of(run, now).blocks());
    ended.take(excess).collect()
}

/// Returns the words for lines that were left out of the output of a run.
#[must_use]
pub fn left_out(lines: u64) -> String {
    format!("[{} left out]", counted(lines, "lines"))
}
