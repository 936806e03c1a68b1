//! The end: whatever no wave names gets the pointer it has when nothing is
//! being changed.

use crate::id::{NodeName, RevisionNumber};

use super::{Input, Next, State};

pub(super) fn complete(input: Input<'_>) -> Next {
    let revision = input.to.revision;
    let at_rest = |node: &NodeName| input.to.nodes.get(node).map(|_| revision);
    // Nodes that did not differ take the new number without anything being done on them.
    let kept = input.to.nodes.keys().map(|node| (node.clone(), Some(revision)));
    let kept = kept.filter(|(node, to)| input.targets.get(node).copied() != *to);
    let emptied =
        input.targets.iter().filter(|(node, to)| **to == revision && at_rest(node).is_none());
    let emptied = emptied.map(|(node, _)| (node.clone(), None));
    let moves = kept.chain(emptied).chain(absent(input, at_rest)).collect();
    let rollout = input.rollout.entering(State::Completed, input.now);
    Next { rollout, moves, waits_for: String::new() }
}

/// Pointers of nodes that are not enrolled any more: nothing of them is waited
/// for, and should one join again, it is like the others.
pub(super) fn absent(
    input: Input<'_>,
    target: impl Fn(&NodeName) -> Option<RevisionNumber>,
) -> impl Iterator<Item = (NodeName, Option<RevisionNumber>)> {
    let absent = input.targets.iter().filter(move |(node, _)| !input.nodes.contains_key(*node));
    let moves = absent.map(move |(node, present)| (node, Some(*present), target(node)));
    moves.filter(|(_, present, to)| present != to).map(|(node, _, to)| (node.clone(), to))
}
