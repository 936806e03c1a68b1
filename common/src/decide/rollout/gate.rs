//! Has a node done what its pointer asks? Only its own words count.

use crate::decide::plan::Plan;
use crate::decide::update::nothing;
use crate::document::Share;
use crate::document::assignment::Desired;
use crate::document::report::{InstanceReport, Phase, Report};
use crate::id::{ComponentName, ContentHash, NodeName};

use super::{Input, NodeFailure, NodeView, is_settled};

/// The state of one node's gate.
pub(super) enum Gate {
    /// Everything that differs runs as desired and is kept.
    Passed,
    /// Not yet, and for what.
    Waits(String),
    /// It cannot be passed any more.
    Failed(Vec<NodeFailure>),
}

impl Gate {
    pub(super) fn waits_for(&self) -> Option<&str> {
        match self {
            Gate::Waits(what) => Some(what),
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

/// Compares what the node says with what `wanted_plan` asks of it, for everything
/// that differs from `before`; on a node that was half-way to something else,
/// for everything.
pub(super) fn check(
    input: Input<'_>,
    node: &NodeName,
    before: Option<&Plan>,
    wanted_plan: Option<&Plan>,
) -> Gate {
    let nothing = Share::default();
    let share = |plan: Option<&'_ Plan>| plan.and_then(|plan| plan.nodes.get(node)).cloned();
    let wanted = share(wanted_plan).unwrap_or_else(|| nothing.clone());
    let turned = input.rollout.turned.contains(node);
    let revision = wanted_plan.map(|plan| plan.revision);
    let before = share(before).filter(|_| !turned).unwrap_or(nothing);
    let view = input.nodes.get(node);
    // It never had anything, so it is never given an assignment that would say so.
    if wanted.instances.is_empty() && view.is_some_and(|view| view.assigned.is_none()) {
        return Gate::Passed;
    }
    let report = match current_report(input, node, &wanted) {
        Ok(report) => report,
        Err(waits_for) => return Gate::Waits(waits_for),
    };
    // The same content may have been wanted, and given up, under another revision.
    let is_told_it = input.targets.get(node).copied() == revision;
    let anew = input.rollout.force_reissue(node) && is_told_it;
    if anew && Some(report.revision) != revision {
        return Gate::Waits(format!("{node}: has not taken its assignment yet"));
    }
    let failures: Vec<NodeFailure> = wanted
        .instances
        .iter()
        .filter_map(|(component, desired)| {
            failure_of(node, component, &desired.instance.workload_hash(), report)
        })
        .chain(removals_given_up(node, &wanted, report))
        .collect();
    if !failures.is_empty() {
        return Gate::Failed(failures);
    }
    let changed =
        wanted.instances.iter().filter(|(name, d)| before.instances.get(*name) != Some(d));
    for (component, desired) in changed {
        if let Some(waits_for) = unsettled(node, component, desired, report) {
            return Gate::Waits(waits_for);
        }
    }
    let leftover = report.instances.keys().find(|name| {
        !wanted.instances.contains_key(*name) && (turned || before.instances.contains_key(*name))
    });
    match leftover {
        Some(component) => {
            let InstanceReport { phase, reason, .. } = &report.instances[component];
            Gate::Waits(format!("{node}: {component} is {}: {reason}", phase.as_str()))
        }
        None => Gate::Passed,
    }
}

/// The node's report, once it speaks of the assignment that `wanted` became.
fn current_report<'a>(
    input: Input<'a>,
    node: &NodeName,
    wanted: &Share,
) -> Result<&'a Report, String> {
    let Some(NodeView { connected, assigned, report }) = input.nodes.get(node).copied() else {
        return Err(format!("{node} is not enrolled any more"));
    };
    let hash = wanted.hash();
    let Some((generation, _)) = assigned.filter(|(_, content)| **content == hash) else {
        return Err(format!("{node}: its assignment is being written"));
    };
    if !connected {
        return Err(format!("{node} is unreachable"));
    }
    report
        .filter(|report| report.applied >= Some(generation))
        .ok_or_else(|| format!("{node}: has not taken its assignment yet"))
}

fn failure_of(
    node: &NodeName,
    component: &ComponentName,
    desired_hash: &ContentHash,
    report: &Report,
) -> Option<NodeFailure> {
    let instance = report.instances.get(component)?;
    let gave_up = matches!(instance.phase, Phase::RolledBack | Phase::Failed);
    let failure = instance.failure.as_ref().filter(|_| gave_up)?;
    (&failure.hash == desired_hash).then(|| NodeFailure {
        node: node.clone(),
        component: component.clone(),
        failure: failure.clone(),
    })
}

/// Components that should have gone and were not let go.
fn removals_given_up(
    node: &NodeName,
    wanted: &Share,
    report: &Report,
) -> impl Iterator<Item = NodeFailure> {
    let leftover = report.instances.keys().filter(|name| !wanted.instances.contains_key(*name));
    leftover.filter_map(move |name| failure_of(node, name, &nothing(), report))
}

fn unsettled(
    node: &NodeName,
    component: &ComponentName,
    desired: &Desired,
    report: &Report,
) -> Option<String> {
    let Some(instance) = report.instances.get(component) else {
        return Some(format!("{node}: {component} has not been reported"));
    };
    let InstanceReport { phase, reason, hash, .. } = instance;
    let runs = hash.as_ref() == Some(&desired.instance.workload_hash());
    if runs && is_settled(*phase) {
        return None;
    }
    Some(format!("{node}: {component} is {}: {reason}", phase.as_str()))
}
