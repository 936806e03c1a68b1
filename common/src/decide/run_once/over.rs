//! What a run that is over does to the update that waited for it.

use crate::document::instance::Instance;
use crate::document::operation::{RunOutcome, RunResult};

/// What an update does after a run that it waited for is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterRun {
    /// It goes on: the run succeeded, or was one of another image than the one that is desired now.
    GoOn,
    /// It forgets the run, of which nothing ran, so that it may be begun again.
    Forget,
    /// It gives up the version.
    Fail {
        /// The status with which the program of the run ended, if it did.
        exit_code: Option<i64>,
    },
}

/// Returns what a run means for an update, from the instance that it ran for, the one that is
/// desired now and its result.
#[must_use]
pub fn after_run(ran_for: &Instance, desired: &Instance, result: &RunResult) -> AfterRun {
    let digest = |instance: &Instance| instance.container().map(|it| it.digest.clone());
    if result.is_success() || digest(ran_for) != digest(desired) {
        return AfterRun::GoOn;
    }
    match result.outcome {
        RunOutcome::NotStarted => AfterRun::Forget,
        RunOutcome::Exited { status } => AfterRun::Fail { exit_code: Some(status) },
        RunOutcome::DeadlineExceeded | RunOutcome::Interrupted | RunOutcome::Unknown => {
            AfterRun::Fail { exit_code: None }
        }
    }
}
