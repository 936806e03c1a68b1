//! Converts what a host says of the runs of operations to and from the protocol.

use oml_common::decide::operation::RunState;
use oml_common::document::operation::{RunOutcome, RunRecord, RunResult};
use oml_common::document::report::UpdateRun;
use oml_common::id::{ComponentName, NodeName, RunId};
use oml_common::text::printable::printable;
use oml_common::time::Timestamp;

use crate::v1;

/// The most lines of one message.
pub const LINES_MAX: usize = 50;

/// Converts the number of a run for the wire.
#[must_use]
pub fn id_to_wire(RunId { epoch, number }: RunId) -> v1::RunId {
    v1::RunId { epoch, number }
}

/// Reads the number of a run from the wire.
#[must_use]
pub fn id_from_wire(v1::RunId { epoch, number }: v1::RunId) -> RunId {
    RunId { epoch, number }
}

/// Converts a result for the wire.
#[must_use]
pub fn result_to_wire(result: &RunResult) -> v1::RunResult {
    let status = match result.outcome {
        RunOutcome::Exited { status } => Some(status),
        RunOutcome::DeadlineExceeded
        | RunOutcome::Interrupted
        | RunOutcome::NotStarted
        | RunOutcome::Unknown => None,
    };
    v1::RunResult {
        outcome: v1::RunOutcome::from(result.outcome).into(),
        status,
        started_at_ms: result.started.unwrap_or_default().0,
        ended_at_ms: result.ended.0,
        reason: result.reason.clone(),
        last_lines: result.last_lines.clone(),
    }
}

/// Reads a result from the wire, with bounded and printable texts. The outcome is unknown if only a
/// later release can read it ([`is_readable`]).
#[must_use]
pub fn result_from_wire(wire: v1::RunResult) -> RunResult {
    RunResult {
        outcome: outcome_from_wire(&wire).unwrap_or(RunOutcome::Unknown),
        started: Some(Timestamp(wire.started_at_ms)).filter(|at| *at != Timestamp(0)),
        ended: Timestamp(wire.ended_at_ms),
        reason: printable(&wire.reason),
        last_lines: lines_from_wire(wire.last_lines, RunResult::LINES_MAX),
    }
}

/// Returns false for a result whose outcome only a later release knows.
#[must_use]
pub fn is_readable(wire: &v1::RunResult) -> bool {
    outcome_from_wire(wire).is_some()
}

/// Reads an outcome; `None` if this release does not know it, or if it says nothing.
fn outcome_from_wire(wire: &v1::RunResult) -> Option<RunOutcome> {
    match v1::RunOutcome::try_from(wire.outcome).ok()? {
        v1::RunOutcome::Exited => wire.status.map(|status| RunOutcome::Exited { status }),
        v1::RunOutcome::DeadlineExceeded => Some(RunOutcome::DeadlineExceeded),
        v1::RunOutcome::Interrupted => Some(RunOutcome::Interrupted),
        v1::RunOutcome::NotStarted => Some(RunOutcome::NotStarted),
        v1::RunOutcome::Unknown => Some(RunOutcome::Unknown),
        v1::RunOutcome::Unspecified => None,
    }
}

/// Reads lines from the wire: at most so many, each of them safe for a terminal and cut.
#[must_use]
pub fn lines_from_wire(lines: Vec<String>, lines_max: usize) -> Vec<String> {
    lines.iter().take(lines_max).map(|line| printable(line)).collect()
}

/// Converts a run for operators.
#[must_use]
pub fn to_wire(run: &RunRecord, now: Timestamp) -> v1::Run {
    let state = RunState::of(run, now);
    let values = run.values.iter();
    v1::Run {
        id: Some(id_to_wire(run.id)),
        component: run.component.to_string(),
        operation: run.operation.to_string(),
        node: run.node.to_string(),
        version: run.version.as_ref().map(ToString::to_string).unwrap_or_default(),
        who: run.who.clone(),
        asked_at_ms: run.asked.0,
        values: values.map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        sentence: state.to_string(),
        result: run.result.as_ref().map(result_to_wire),
        state: v1::RunState::from(&state).into(),
    }
}

/// Converts a run of an update for the report of its host.
#[must_use]
pub fn of_update_to_wire(run: &UpdateRun) -> v1::UpdateRun {
    v1::UpdateRun {
        id: Some(id_to_wire(run.id)),
        operation: run.operation.to_string(),
        version: run.version.as_ref().map(ToString::to_string).unwrap_or_default(),
        result: run.result.as_ref().map(result_to_wire),
    }
}

/// Converts a run of an update, as the host of that name reported it, for operators.
#[must_use]
pub fn reported_to_wire(node: &NodeName, component: &ComponentName, run: &UpdateRun) -> v1::Run {
    let v1::UpdateRun { id, operation, version, result } = of_update_to_wire(run);
    let state = run.result.clone().map_or(RunState::Running, RunState::Ended);
    let started = |result: &RunResult| result.started.unwrap_or(result.ended).0;
    v1::Run {
        id,
        component: component.to_string(),
        operation,
        node: node.to_string(),
        version,
        who: String::new(),
        asked_at_ms: run.result.as_ref().map(started).unwrap_or_default(),
        values: Default::default(),
        sentence: state.to_string(),
        result,
        state: v1::RunState::from(&state).into(),
    }
}

impl From<RunOutcome> for v1::RunOutcome {
    fn from(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Exited { .. } => Self::Exited,
            RunOutcome::DeadlineExceeded => Self::DeadlineExceeded,
            RunOutcome::Interrupted => Self::Interrupted,
            RunOutcome::NotStarted => Self::NotStarted,
            RunOutcome::Unknown => Self::Unknown,
        }
    }
}

impl From<&RunState> for v1::RunState {
    fn from(state: &RunState) -> Self {
        match state {
            RunState::Waiting => Self::Waiting,
            RunState::Running => Self::Running,
            RunState::Unanswered => Self::Unanswered,
            RunState::Lost => Self::Lost,
            RunState::Ended(_) => Self::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUCCESS: RunOutcome = RunOutcome::Exited { status: 0 };

    fn result(outcome: RunOutcome) -> RunResult {
        RunResult {
            outcome,
            started: Some(Timestamp(5)),
            ended: Timestamp(9),
            reason: "because".to_owned(),
            last_lines: vec!["done".to_owned()],
        }
    }

    #[test]
    fn a_result_is_the_same_on_the_other_side() {
        for outcome in [
            SUCCESS,
            RunOutcome::Exited { status: 137 },
            RunOutcome::DeadlineExceeded,
            RunOutcome::Interrupted,
            RunOutcome::NotStarted,
            RunOutcome::Unknown,
        ] {
            let result = result(outcome);
            assert!(is_readable(&result_to_wire(&result)));
            assert_eq!(result_from_wire(result_to_wire(&result)), result);
        }
    }

    #[test]
    fn an_outcome_of_a_later_release_is_unknown_and_no_success() {
        let exited: i32 = v1::RunOutcome::Exited.into();
        for (outcome, status) in [(99, Some(0)), (exited, None), (0, Some(0))] {
            let wire = v1::RunResult { outcome, status, ..result_to_wire(&result(SUCCESS)) };
            assert!(!is_readable(&wire));
            let read = result_from_wire(wire);
            assert_eq!(read, result(RunOutcome::Unknown), "what the host says of it is kept");
            assert!(!read.is_success());
        }
    }

    #[test]
    fn what_a_host_says_is_bounded_and_does_not_reach_a_terminal_as_it_is() {
        let lines = ["\u{1b}[2Jx".to_owned(), "long".repeat(1000)].to_vec();
        let many = lines.iter().cycle().take(2_000).cloned().collect();
        let read = lines_from_wire(many, LINES_MAX);
        assert_eq!(read.len(), LINES_MAX);
        assert!(!read[0].contains('\u{1b}'), "{:?}", read[0]);
        assert!(read[1].chars().count() <= 401, "{}", read[1].len());
    }
}
