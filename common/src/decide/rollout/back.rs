//! The way back: every node that was moved returns to the revision before, and
//! one that fails there too stops it.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::NodeName;

use super::end::absent;
use super::gate::{self, Gate};
use super::{Input, Next, NodeFailure, Rollout, State, astray, failures, next_moves};

pub(super) fn roll_back(input: Input<'_>, why: &str) -> Next {
    let back = |node: &NodeName| astray::home(input, node);
    let (returned, left): (Vec<_>, Vec<_>) = due_back(input)
        .into_iter()
        .partition(|node| input.targets.get(*node).copied() == back(node));
    // A node that was never moved has nothing to return from.
    let Rollout { moved, turned, .. } = input.rollout;
    let gates: Vec<(&NodeName, Gate)> = returned
        .into_iter()
        .filter(|node| moved.contains(*node) || turned.contains(*node))
        .map(|node| (node, gate::check(input, node, Some(input.to), input.from)))
        .collect();
    let failures: Vec<NodeFailure> =
        gates.iter().filter_map(|(_, gate)| gate.failures()).flatten().cloned().collect();
    if !failures.is_empty() {
        let why = format!("{why}; going back failed too: {}", failures::why(&failures));
        let mut rollout = input.rollout.entering(State::Paused { why, returning: true }, input.now);
        rollout.failures.extend(failures::kept(failures));
        return Next { rollout, moves: BTreeMap::new(), waits_for: String::new() };
    }
    let waiting: Vec<(&NodeName, &str)> =
        gates.iter().filter_map(|(node, gate)| Some((*node, gate.waits_for()?))).collect();
    // One that nobody moved was quiet all the time: it takes no place.
    let on_the_way = waiting.iter().filter(|(node, _)| moved.contains(*node)).count();
    let busy = left.iter().copied().filter(|node| !astray::is_quiet(input, node)).collect();
    let moves = next_moves(input, (busy, left), on_the_way, back);
    if moves.is_empty() && waiting.is_empty() {
        let rollout = input.rollout.entering(State::RolledBack { why: why.to_owned() }, input.now);
        let moves = absent(input, back).collect();
        return Next { rollout, moves, waits_for: String::new() };
    }
    let waits_for = waiting.iter().map(|(_, what)| *what).collect::<Vec<_>>().join("; ");
    Next { rollout: input.rollout.moving(&moves, input), moves, waits_for }
}

/// The enrolled nodes of a way back: the last moved comes back first.
fn due_back(input: Input<'_>) -> Vec<&NodeName> {
    let Rollout { waves, moved, turned, .. } = input.rollout;
    let mut nodes: Vec<&NodeName> = waves.iter().rev().flat_map(|wave| wave.iter().rev()).collect();
    let others = astray::nodes(input, |node| astray::home(input, node)).chain(moved).chain(turned);
    let others: BTreeSet<_> = others.filter(|node| !nodes.contains(node)).collect();
    nodes.extend(others);
    nodes.retain(|node| input.nodes.contains_key(*node));
    nodes
}
