//! Decides about the start of another version: whether the old one may still be stopped,
//! and whether a failed start is the fault of the new version.

use std::fmt::{Display, Formatter};

use crate::decide::step::Step;
use crate::decide::update::Counted;
use crate::time::Span;

/// The kind of error of a start, which decides whether the version is blamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartErrorKind {
    /// The daemon refused or the start failed; the same may succeed later.
    Transient,
    /// The daemon refused or the start failed, and it will again.
    Refused,
    /// The daemon does not answer.
    DaemonAway,
    /// Something in the way does not carry our mark.
    Foreign,
}

/// The facts about a failed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedStart<'a> {
    pub took_ms: u64,
    /// The instance's own limit.
    pub start_timeout_ms: u64,
    pub is_container: bool,
    /// The exit code of the program, if it ended.
    pub exit_code: Option<i64>,
    /// What systemd or the engine said.
    pub error: &'a str,
}

/// The reason why a version did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartFailure {
    /// Its program ended before it answered.
    Ended { status: i64 },
    /// Its program ran and never answered, so it was stopped.
    NoAnswer { limit: Span },
    /// Its program was never seen to run.
    NotStarted { error: String },
}

/// Returns true if calls must be counted again before the stop, which is so only if the
/// step was allowed because there were none.
#[must_use]
pub fn needs_recount(step: &Step) -> bool {
    matches!(step, Step::Switch { recount: true, .. } | Step::Remove { recount: true })
}

/// Decides if the old version may be stopped after that count. A count that cannot be read
/// counts as calls that are active.
#[must_use]
pub fn may_stop(recounted: &Counted) -> bool {
    *recounted == Ok(0)
}

/// Returns true if the error is the fault of the started version. After any other error
/// the start is tried again.
#[must_use]
pub fn blames_version(error: StartErrorKind) -> bool {
    match error {
        StartErrorKind::Refused => true,
        StartErrorKind::Transient | StartErrorKind::DaemonAway | StartErrorKind::Foreign => false,
    }
}

/// Returns the reason why a version did not start, and the exit code to report. The exit
/// code of a program that was stopped because it did not answer is not reported.
#[must_use]
pub fn classify_failure(failed: FailedStart<'_>) -> (StartFailure, Option<i64>) {
    let in_time = failed.took_ms < failed.start_timeout_ms;
    let failure = match failed.exit_code {
        Some(status) if in_time => StartFailure::Ended { status },
        Some(_) if failed.is_container => {
            StartFailure::NoAnswer { limit: Span(failed.start_timeout_ms) }
        }
        Some(_) | None => StartFailure::NotStarted { error: failed.error.to_owned() },
    };
    (failure, failed.exit_code.filter(|_| in_time))
}

impl Display for StartFailure {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ended { status } => write!(f, "ended with exit code {status} before it answered"),
            Self::NoAnswer { limit } => write!(f, "did not answer within {limit}"),
            Self::NotStarted { error } => write!(f, "did not start: {error}"),
        }
    }
}

#[cfg(test)]
mod tests;
