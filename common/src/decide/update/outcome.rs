//! The outcome of a step, and why one could not be done.

use std::fmt::{Display, Formatter, Result};

use crate::decide::reconcile::reason::Reason;
use crate::decide::step::Step;
use crate::document::report::Failure;

/// A count of active calls, or why the number cannot be read.
pub type Counted = std::result::Result<u64, String>;

/// The outcome of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Calls were counted. For a step that stops a program this means that it was not
    /// stopped, because calls are active or may be.
    Counted(Counted),
    /// It could not be done now and changed nothing.
    Retry(NotDone),
    /// It was refused and changed nothing; another try will be refused too unless somebody
    /// changes something.
    Refused(NotDone),
    /// The workload itself failed.
    Failed(Failure),
}

/// The reason why a step could not be done. The words of an error are those of the engine, of
/// systemd or of the file system, as the agent reports them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotDone {
    /// It met this error on the host.
    HostError(String),
    /// A disk of the host has no room for it. The numbers in the error are others at every try, and
    /// `about` is the error without them.
    DiskFull { error: String, about: String },
    /// It was not begun, because its update cannot be recorded.
    Unrecorded(String),
    /// The agent failed while it did the step.
    AgentFailed(String),
    /// It was done and changed nothing, so it is decided again for this reason.
    Ineffective { step: Step, reason: Box<Reason> },
}

impl NotDone {
    /// Returns what its text is about where numbers in the text are others at every try.
    #[must_use]
    pub fn about(&self) -> Option<String> {
        match self {
            Self::DiskFull { error: _, about } => Some(about.clone()),
            Self::Ineffective { step, reason } => {
                let reason = Box::new(reason.steady());
                Some(Self::Ineffective { step: step.clone(), reason }.to_string())
            }
            Self::HostError(_) | Self::Unrecorded(_) | Self::AgentFailed(_) => None,
        }
    }
}

impl Display for NotDone {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::HostError(error) | Self::DiskFull { error, .. } | Self::Unrecorded(error) => {
                f.write_str(error)
            }
            Self::AgentFailed(error) => write!(f, "the agent failed: {error}"),
            Self::Ineffective { step, reason } => {
                let step = step.as_str();
                write!(f, "{reason}; the step {step} was done and changed nothing")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! Tests of the words.

    use super::*;
    use crate::decide::reconcile::Lack;

    #[test]
    fn what_a_step_that_changed_nothing_is_about_stays_the_same_while_calls_end() {
        let about = |calls| {
            let reason = Box::new(Reason::CutAtDeadline { calls: Some(calls) });
            NotDone::Ineffective { step: Step::Start, reason }.about()
        };
        assert!(about(3).is_some());
        assert_eq!(about(3), about(2));
    }

    #[test]
    fn every_reason_has_its_words() {
        let why = || "docker does not answer".to_owned();
        let (step, reason) = (Step::Start, Box::new(Reason::Lacks(Lack::Unit)));
        for (reason, words) in [
            (NotDone::HostError(why()), "docker does not answer"),
            (NotDone::DiskFull { error: why(), about: "/".to_owned() }, "docker does not answer"),
            (NotDone::Unrecorded(why()), "docker does not answer"),
            (NotDone::AgentFailed(why()), "the agent failed: docker does not answer"),
            (
                NotDone::Ineffective { step, reason },
                "its unit is missing; the step start was done and changed nothing",
            ),
        ] {
            assert_eq!(reason.to_string(), words);
        }
    }
}
