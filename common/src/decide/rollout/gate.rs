//! The gates of a rollout: whether a node has done what its pointer asks, by its own
//! report.

use crate::decide::update::nothing;
use crate::document::Share;
use crate::document::assignment::Desired;
use crate::document::report::{InstanceReport, Report};
use crate::document::rollout::NodeFailure;
use crate::id::{ComponentName, ContentHash, NodeName, RevisionNumber};

use super::NodeView;
use super::reason::{NodeWait, Wait};
use super::share::NodeShare;

/// A node that a rollout moves, as far as its gate looks at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mover<'a> {
    pub(super) name: &'a NodeName,
    pub(super) view: NodeView<'a>,
    /// The revision that its pointer names now.
    pub(super) target: Option<RevisionNumber>,
    /// Whether this rollout moved its pointer.
    pub(super) is_moved: bool,
    /// Whether it comes from neither of the rollout's two revisions.
    pub(super) is_inherited: bool,
}

/// The state of one node's gate.
#[derive(Debug)]
pub(super) enum Gate {
    /// Everything that differs runs as desired and is committed.
    Passed,
    /// It waits for this event.
    Waits(NodeWait),
    /// It cannot be passed because of these failures.
    Failed(Vec<NodeFailure>),
}

impl Gate {
    /// Compares the node's report with its share `wanted`: everything that differs from
    /// its share `before`, or everything on a node that another rollout left between
    /// revisions.
    pub(super) fn check(node: Mover<'_>, before: &NodeShare<'_>, wanted: &NodeShare<'_>) -> Self {
        let waits = |wait| Gate::Waits(NodeWait { node: node.name.clone(), wait });
        // A node that never had anything gets no assignment that would say so.
        if wanted.plan.is_empty() && node.view.assigned.is_none() {
            return Gate::Passed;
        }
        let report = match current_report(node, wanted) {
            Ok(report) => report,
            Err(wait) => return waits(wait),
        };
        let failures = failures(node.name, wanted.plan, report);
        if !failures.is_empty() {
            return Gate::Failed(failures);
        }
        // What only a later release can read is never taken for done.
        if let Some(component) = wanted.plan.unreadable.keys().next() {
            return waits(Wait::Unreadable { component: component.clone() });
        }
        // What an inherited node runs is unknown, so nothing on it counts as unchanged.
        let known = |component: &ComponentName| {
            before.plan.instances.get(component).filter(|_| !node.is_inherited)
        };
        let mut changed =
            wanted.plan.instances.iter().filter(|(name, desired)| known(name) != Some(*desired));
        if let Some(wait) = changed.find_map(|(name, desired)| unconverged(name, desired, report)) {
            return waits(wait);
        }
        let mut leftover = report.instances.iter().filter(|(name, _)| {
            let is_gone = !wanted.plan.contains(name);
            is_gone && (node.is_inherited || before.plan.contains(name))
        });
        leftover
            .next()
            .map_or(Gate::Passed, |(name, instance)| waits(instance_wait(name, instance)))
    }

    pub(super) fn waits_for(&self) -> Option<&NodeWait> {
        match self {
            Gate::Waits(wait) => Some(wait),
            Gate::Passed | Gate::Failed(_) => None,
        }
    }

    pub(super) fn failures(&self) -> Option<&[NodeFailure]> {
        match self {
            Gate::Failed(failures) => Some(failures),
            Gate::Passed | Gate::Waits(_) => None,
        }
    }
}

/// Returns the node's report, if it is about the assignment that `wanted` became.
fn current_report<'a>(node: Mover<'a>, wanted: &NodeShare<'_>) -> Result<&'a Report, Wait> {
    let assigned = node.view.assigned.filter(|(_, content)| *content == wanted.hash());
    let Some((generation, _)) = assigned else { return Err(Wait::AssignmentUnwritten) };
    if !node.view.connected {
        return Err(Wait::Unreachable);
    }
    let report = node.view.report.filter(|report| report.applied >= Some(generation));
    let report = report.ok_or(Wait::AssignmentNotTaken)?;
    // The same content may have been wanted, and have failed, under another revision.
    let is_reissued = node.is_inherited && node.is_moved && node.target == wanted.revision;
    if is_reissued && Some(report.revision) != wanted.revision {
        return Err(Wait::AssignmentNotTaken);
    }
    Ok(report)
}

/// Returns the failures on the node: components that did not start, and components that
/// should be removed and could not be.
fn failures(node: &NodeName, wanted: &Share, report: &Report) -> Vec<NodeFailure> {
    let started = wanted.instances.iter().filter_map(|(name, desired)| {
        failure_of(node, name, || desired.instance.workload_hash(), report)
    });
    let leftover = report.instances.keys().filter(|name| !wanted.contains(name));
    started.chain(leftover.filter_map(|name| failure_of(node, name, nothing, report))).collect()
}

fn failure_of(
    node: &NodeName,
    component: &ComponentName,
    desired_hash: impl Fn() -> ContentHash,
    report: &Report,
) -> Option<NodeFailure> {
    let instance = report.instances.get(component)?;
    let failure = instance.failure.as_ref().filter(|_| instance.phase.has_given_up())?;
    (failure.hash == desired_hash()).then(|| NodeFailure {
        node: node.clone(),
        component: component.clone(),
        failure: failure.clone(),
    })
}

fn unconverged(component: &ComponentName, desired: &Desired, report: &Report) -> Option<Wait> {
    let Some(instance) = report.instances.get(component) else {
        return Some(Wait::NotReported { component: component.clone() });
    };
    let is_converged = instance.phase.is_converged()
        && instance.hash.as_ref() == Some(&desired.instance.workload_hash());
    (!is_converged).then(|| instance_wait(component, instance))
}

fn instance_wait(component: &ComponentName, instance: &InstanceReport) -> Wait {
    let InstanceReport { phase, reason, .. } = instance;
    Wait::Instance { component: component.clone(), phase: *phase, reason: reason.clone() }
}
