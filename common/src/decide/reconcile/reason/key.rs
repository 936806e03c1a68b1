//! What a reason is about, without what only counts along in it.

use super::{
    CallCount, Ends, HeldUp, InUse, InactiveUnit, Meanwhile, Reason, RestartOfUnhealthy, SoakState,
};
use crate::id::ContentHash;
use crate::time::Span;

impl Reason {
    /// Returns a key that stays the same while only counts and times of the reason change. People
    /// who follow a change are shown a line for every key, not for every call that ends.
    #[must_use]
    pub fn key(&self) -> String {
        ContentHash::of(self.steady().to_string().as_bytes()).short().to_owned()
    }

    /// Returns the reason with every count and time that changes by itself at zero, and without
    /// what the program printed.
    pub(in crate::decide) fn steady(&self) -> Self {
        match self {
            Self::NeedsNewerAgent { why, meanwhile } => {
                let meanwhile = meanwhile.as_ref().map(Meanwhile::steady);
                Self::NeedsNewerAgent { why: why.clone(), meanwhile }
            }
            Self::Retrying { message, about, pulled_bytes: _ } => {
                let message = about.as_ref().unwrap_or(message).clone();
                Self::Retrying { message, about: None, pulled_bytes: 0 }
            }
            Self::Draining { noun, count, is_overdue } => {
                let (noun, is_overdue) = (noun.clone(), *is_overdue);
                Self::Draining { noun, count: count.steady(), is_overdue }
            }
            Self::CutAtDeadline { calls } => Self::CutAtDeadline { calls: calls.map(|_| 0) },
            Self::NotBegun { calls } => Self::NotBegun { calls: Box::new(calls.steady()) },
            Self::Soak(state) => Self::Soak(state.steady()),
            Self::Unit(inactive) => Self::Unit(inactive.steady()),
            Self::Beside { change, version, state } => {
                let (change, version) = (Box::new(change.steady()), version.clone());
                Self::Beside { change, version, state: state.steady() }
            }
            Self::Starting { activity, detail, printed: _ } => starting(activity, detail),
            Self::Unhealthy { probe, remedy } => {
                Self::Unhealthy { probe: Box::new(probe.steady()), remedy: remedy.steady() }
            }
            Self::CrashLoop { ends, now } => crash_loop(ends, now),
            Self::WaitsForJob(held_up) => Self::WaitsForJob(Box::new(held_up.steady())),
            other @ (Self::Foreign { .. }
            | Self::NotAllowed(_)
            | Self::DaemonAway { .. }
            | Self::Unseen { .. }
            | Self::Refused { .. }
            | Self::NotDesired
            | Self::RemovedFor { .. }
            | Self::RemovalFailed { .. }
            | Self::Doing(_)
            | Self::Lacks(_)
            | Self::WaitsFor { .. }
            | Self::WaitsForSecrets(_)
            | Self::FirstStart
            | Self::Changed
            | Self::Interrupted(_)
            | Self::DidNotStart { .. }
            | Self::LastGoodMeanwhile
            | Self::Failed { .. }
            | Self::RolledBack { .. }
            | Self::HealthyAfterAll
            | Self::StoppedByHand(_)
            | Self::StoppedBeforeSoaked(_)
            | Self::WaitsForUnmask
            | Self::StopsLeftover
            | Self::Probe { .. }
            | Self::ProbeChanged
            | Self::OldSupervisor
            | Self::ReloadFailed { .. }
            | Self::Unobserved(_)) => other.clone(),
        }
    }
}

impl Meanwhile {
    fn steady(&self) -> Self {
        match self {
            Self::Retrying(reason) => Self::Retrying(Box::new(reason.steady())),
            other @ (Self::NeverStopped | Self::LastGood | Self::StartAgain) => other.clone(),
        }
    }
}

impl HeldUp {
    fn steady(&self) -> Self {
        Self { change: self.change.as_ref().map(Reason::steady), job: self.job.clone() }
    }
}

impl SoakState {
    fn steady(&self) -> Self {
        match self {
            Self::GoesOn { left: _ } => Self::GoesOn { left: Span(0) },
            other @ (Self::Begins
            | Self::BeginsLate
            | Self::LastProbeFailed
            | Self::NotObservedYet
            | Self::Passed
            | Self::Restarted
            | Self::Restarting
            | Self::UnitLost
            | Self::Ended
            | Self::Unhealthy { .. }
            | Self::NeverObserved) => other.clone(),
        }
    }
}

impl CallCount {
    fn steady(&self) -> Self {
        match self {
            Self::Up(_) => Self::Up(0),
            other @ (Self::Asked | Self::Unreadable(_)) => other.clone(),
        }
    }
}

impl InactiveUnit {
    fn steady(&self) -> Self {
        match self {
            Self::Restarting { times: _, not_started } => {
                Self::Restarting { times: 0, not_started: not_started.clone() }
            }
            Self::SupervisorKeepsEnding { times: _ } => Self::SupervisorKeepsEnding { times: 0 },
            Self::KeepsEnding { times: _, last } => {
                Self::KeepsEnding { times: 0, last: last.clone() }
            }
            other @ (Self::NotRunning
            | Self::Starting
            | Self::Stopping
            | Self::NotStarted { .. }
            | Self::WaitsForJob(_)
            | Self::Failed { .. }) => other.clone(),
        }
    }
}

impl InUse {
    fn steady(&self) -> Self {
        match self {
            Self::DoesNotRun(inactive) => Self::DoesNotRun(inactive.steady()),
            Self::Starts(start) => Self::Starts(Box::new(start.steady())),
            Self::RunsAlone(inactive) => Self::RunsAlone(Box::new(inactive.steady())),
            Self::EndsAgain(ends) => Self::EndsAgain(Box::new(ends.steady())),
        }
    }
}

impl RestartOfUnhealthy {
    fn steady(self) -> Self {
        match self {
            Self::After { pause: _, times: _ } => Self::After { pause: Span(0), times: 0 },
            other @ (Self::NeverAnswered | Self::CallsUp) => other,
        }
    }
}

impl Ends {
    fn steady(&self) -> Self {
        let (not_started, exit_code) = (self.not_started.clone(), self.exit_code);
        Self { times: 0, within: Span(0), not_started, exit_code, printed: Vec::new() }
    }
}

fn crash_loop(ends: &Ends, now: &Reason) -> Reason {
    Reason::CrashLoop { ends: Box::new(ends.steady()), now: Box::new(now.steady()) }
}

fn starting(activity: &Reason, detail: &str) -> Reason {
    let (activity, detail) = (Box::new(activity.steady()), detail.to_owned());
    Reason::Starting { activity, detail, printed: Vec::new() }
}

#[cfg(test)]
mod tests;
