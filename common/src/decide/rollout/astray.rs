//! Nodes that another rollout left on a revision that is neither good nor wanted.

use crate::document::Share;
use crate::document::report::Phase;
use crate::id::{ContentHash, NodeName, RevisionNumber};

use super::{Input, Rollout, State};

/// The pointer a node is moved to. One that carries nothing any more needs none,
/// unless nothing is known to be good: then nothing was decided of it yet, and
/// it has to be told which revision says that it is empty.
pub(super) fn wanted(input: Input<'_>, node: &NodeName) -> Option<RevisionNumber> {
    let is_undecided =
        || input.from.is_none() && input.rollout.waves.iter().flatten().any(|named| named == node);
    (input.to.nodes.contains_key(node) || is_undecided()).then_some(input.to.revision)
}

/// Whether all waves have passed: what is moved now joined again since, or was
/// left somewhere else.
pub(super) fn is_after_the_waves(rollout: &Rollout) -> bool {
    matches!(rollout.state, State::Progressing { wave } if wave >= rollout.waves.len())
}

/// The pointer a node has when nothing is being changed.
pub(super) fn home(input: Input<'_>, node: &NodeName) -> Option<RevisionNumber> {
    input.from.filter(|plan| plan.nodes.contains_key(node)).map(|plan| plan.revision)
}

/// Whether the node is half-way to something else: its pointer names neither
/// of the rollout's two revisions, or the rollout before was still at it.
pub(super) fn is_astray(input: Input<'_>, node: &NodeName) -> bool {
    let wanted = wanted(input, node);
    let target = input.targets.get(node).copied();
    let elsewhere = target.is_some() && target != wanted && target != home(input, node);
    elsewhere || input.rollout.turned.contains(node)
}

/// All such nodes that are still enrolled and not yet where they should be.
pub(super) fn nodes<'a>(
    input: Input<'a>,
    target: impl Fn(&NodeName) -> Option<RevisionNumber>,
) -> impl Iterator<Item = &'a NodeName> {
    let astray = input.nodes.keys().filter(move |node| is_astray(input, node));
    astray.filter(move |node| input.targets.get(*node).copied() != target(node))
}

/// Whether that is what a revision asks of a node, as far as its plan is at hand.
fn is_share(
    input: Input<'_>,
    node: &NodeName,
    revision: RevisionNumber,
    content: &ContentHash,
) -> bool {
    let mut plans = [Some(input.to), input.from].into_iter().flatten();
    plans.find(|plan| plan.revision == revision).is_none_or(|plan| match plan.nodes.get(node) {
        Some(share) => share.hash() == *content,
        None => Share::default().hash() == *content,
    })
}

/// Whether nothing goes on on a node, as far as it said: away or not, it does
/// nothing but what it was given.
pub(super) fn is_quiet(input: Input<'_>, node: &NodeName) -> bool {
    // Before anything is good, a node without a pointer was given nothing to do.
    if input.from.is_none() && !input.targets.contains_key(node) {
        return true;
    }
    let view = input.nodes.get(node);
    let Some((report, (generation, given))) = view.and_then(|v| v.report.zip(v.assigned)) else {
        return false;
    };
    let has_what_it_points_to = match input.targets.get(node) {
        // One that was told to be empty in between may name that revision still.
        Some(target) => report.revision == *target && is_share(input, node, *target, given),
        None => report.instances.is_empty(),
    };
    has_what_it_points_to
        && report.applied >= Some(generation)
        && report.instances.values().all(|instance| match instance.phase {
            Phase::Ready
            | Phase::StoppedByHand { .. }
            | Phase::Unhealthy
            | Phase::RolledBack
            | Phase::Failed => true,
            Phase::Pending
            | Phase::Pulling { .. }
            | Phase::Preparing
            | Phase::Draining { .. }
            | Phase::Starting
            | Phase::Soaking { .. }
            | Phase::Blocked
            | Phase::Removing
            | Phase::Unknown => false,
        })
}
