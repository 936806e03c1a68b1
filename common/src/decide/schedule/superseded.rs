//! What becomes of the steps that are being done when another workload is desired.

use crate::decide::reload::check;
use crate::decide::step::Step;
use crate::decide::update::Outcome;
use crate::document::instance::Instance;
use crate::id::ContentHash;

/// A step that is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningStep<'a> {
    /// The step; none if it is not known.
    pub step: Option<&'a Step>,
    /// The workload that it is a step towards.
    pub towards: &'a ContentHash,
    /// Whether it is the start of the version in use beside another step.
    pub is_beside: bool,
}

/// What becomes of a step when another workload is desired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyEnd {
    /// It is done to its end.
    None,
    /// It is ended where it is, which leaves nothing on the host that another step would mind.
    Abort,
    /// It is asked to end, and removes what it has begun.
    Request,
}

/// Returns what becomes of a step now that this workload is desired, as the instance says unless the
/// component is removed. Pulls and checks for another workload, and checks of other files than those of
/// the instance, end, because they delay the next ones.
#[must_use]
pub fn early_end(
    running: RunningStep<'_>,
    desired: &ContentHash,
    instance: Option<&Instance>,
) -> EarlyEnd {
    if running.is_beside {
        return EarlyEnd::None;
    }
    if running.step.is_some_and(|step| check::is_superseded(step, instance)) {
        return EarlyEnd::Request;
    }
    if running.towards == desired {
        return EarlyEnd::None;
    }
    match running.step {
        Some(Step::Pull) => EarlyEnd::Abort,
        // Its checks may take long; it leaves no container of one.
        Some(Step::Create | Step::Reload { .. }) => EarlyEnd::Request,
        Some(
            Step::Remove { .. }
            | Step::RunOnce { .. }
            | Step::CountActive
            | Step::Switch { .. }
            | Step::Soak
            | Step::Fail { .. }
            | Step::RevertDocument { .. }
            | Step::RollBack { .. }
            | Step::Commit { .. }
            | Step::Start
            | Step::RewriteConfig
            | Step::Repair { .. }
            | Step::ReplaceSupervisor
            | Step::StopContainer
            | Step::Promote,
        )
        | None => EarlyEnd::None,
    }
}

/// Returns whether a step has ended early because it was asked to, so that its outcome is no error.
#[must_use]
pub fn has_ended_early(was_asked: bool, outcome: &Outcome) -> bool {
    was_asked && matches!(outcome, Outcome::Retry(_))
}

#[cfg(test)]
mod tests {
    //! Tests of which steps end when another workload is desired.

    use super::*;
    use crate::decide::update::NotDone;

    fn end_of(step: Option<&Step>, is_beside: bool, desired: &str) -> EarlyEnd {
        let towards = &ContentHash::of(b"new");
        let running = RunningStep { step, towards, is_beside };
        early_end(running, &ContentHash::of(desired.as_bytes()), None)
    }

    #[test]
    fn only_pulls_and_checks_of_a_superseded_workload_end_early() {
        let newer = |step: &Step| end_of(Some(step), false, "newer");
        assert_eq!(newer(&Step::Pull), EarlyEnd::Abort);
        assert_eq!(newer(&Step::Create), EarlyEnd::Request);
        let switch = Step::Switch { previous: None, calls_cut: Some(0), recount: false };
        for step in [switch, Step::Start, Step::CountActive, Step::Remove { recount: false }] {
            assert_eq!(newer(&step), EarlyEnd::None, "{step:?}");
        }
        assert_eq!(end_of(None, false, "newer"), EarlyEnd::None);
    }

    #[test]
    fn a_reload_of_files_that_are_not_desired_any_more_ends_early() {
        let content = ContentHash::of(b"files");
        let reload = Step::Reload { content, runs: true, was_healthy: true };
        let seen = ["new", "newer"].map(|desired| end_of(Some(&reload), false, desired));
        assert_eq!(seen, [EarlyEnd::Request, EarlyEnd::Request]);
        assert_eq!(end_of(Some(&reload), true, "newer"), EarlyEnd::None);
    }

    #[test]
    fn no_step_of_the_desired_workload_or_of_the_version_in_use_ends_early() {
        for step in [Step::Pull, Step::Create] {
            assert_eq!(end_of(Some(&step), false, "new"), EarlyEnd::None, "{step:?}");
            assert_eq!(end_of(Some(&step), true, "newer"), EarlyEnd::None, "{step:?}");
        }
    }

    #[test]
    fn only_a_step_that_was_asked_to_end_and_gave_up_has_ended_early() {
        let gave_up = Outcome::Retry(NotDone::HostError("another version is desired".to_owned()));
        assert!(has_ended_early(true, &gave_up));
        assert!(!has_ended_early(false, &gave_up));
        assert!(!has_ended_early(true, &Outcome::Done));
        let refused = Outcome::Refused(NotDone::HostError("no such image".to_owned()));
        assert!(!has_ended_early(true, &refused));
    }
}
