//! What a host says of a run that it does not begin, or whose end nobody wrote down.

use std::collections::BTreeMap;

use crate::decide::observed::ContainerState;
use crate::document::Verbatim;
use crate::document::operation::{RunOrder, RunOutcome, RunResult};
use crate::id::{ComponentName, RunId};
use crate::time::Timestamp;

/// A run of which a host has the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRun {
    /// The order, if it can be read.
    pub order: Option<Verbatim<RunOrder>>,
    /// The result; none if the run is not over, or its result cannot be read.
    pub result: Option<RunResult>,
}

/// Why a host does not begin a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunRefused {
    /// The host has had a later run, so it may have had this one before.
    #[error("this host has had run {0} already, and runs nothing that may have run before")]
    Late(RunId),
    /// Another run of the component is not over.
    #[error("run {0} of the component is not over on this host")]
    Another(RunId),
    /// A run that is not over may be one of the component.
    #[error(
        "run {0} is not over on this host, and its order cannot be read, so it may be of this component"
    )]
    Unreadable(RunId),
}

impl RunRefused {
    /// Says that a run that may go on keeps another one from beginning.
    #[must_use]
    pub fn beside(id: RunId, known: &BTreeMap<RunId, HostRun>) -> Self {
        match known.get(&id).and_then(|run| run.order.as_ref()) {
            Some(_) => Self::Another(id),
            None => Self::Unreadable(id),
        }
    }
}

/// Decides whether a host may not begin a run that is none of those that it knows.
#[must_use]
pub fn refusal(order: &RunOrder, known: &BTreeMap<RunId, HostRun>) -> Option<RunRefused> {
    let latest = known.keys().next_back().copied();
    if let Some(latest) = latest.filter(|latest| *latest > order.id) {
        return Some(RunRefused::Late(latest));
    }
    let another = may_go_on(&order.instance.component, known).next();
    another.map(|id| RunRefused::beside(id, known))
}

/// Returns the runs of a component that may go on, as far as the disk of their host says: it has no
/// result of them. Two of a component never run at the same time, because both may write to the same
/// database.
pub fn may_go_on<'a>(
    component: &'a ComponentName,
    known: &'a BTreeMap<RunId, HostRun>,
) -> impl Iterator<Item = RunId> + 'a {
    let may_go_on = known.iter().filter(move |(_, run)| {
        // One whose order cannot be read may be of any component.
        run.result.is_none()
            && run.order.as_ref().is_none_or(|order| &order.instance.component == component)
    });
    may_go_on.map(|(id, _)| *id)
}

/// Returns whether nothing of a run whose unit is gone goes on, from the state of its container; none if
/// it has no container any more. One that was created may be started yet.
#[must_use]
pub fn has_ended(container: Option<&ContainerState>) -> bool {
    match container {
        None | Some(ContainerState::Exited { .. }) => true,
        Some(ContainerState::Created | ContainerState::Running { .. }) => false,
    }
}

/// Returns the result of a run that is over although nobody wrote down how, from what is left of
/// its container.
#[must_use]
pub fn abandoned(
    container: Option<&ContainerState>,
    started: Option<Timestamp>,
    now: Timestamp,
) -> RunResult {
    let never = matches!(container, Some(ContainerState::Created));
    let (outcome, reason) = match (never, container) {
        (true, _) => (
            RunOutcome::NotStarted,
            "the host or its agent was restarted before, or systemd did not start its unit",
        ),
        (false, None) => (RunOutcome::Interrupted, "nothing of it is left on the host"),
        (false, Some(_)) => (
            RunOutcome::Interrupted,
            "the host was restarted, or the program that waited for its end was killed",
        ),
    };
    RunResult { outcome, started, ended: now, reason: reason.to_owned(), last_lines: Vec::new() }
}
