//! `step`: how far a rollout is, which node's pointer moves next, and what it
//! waits for.
//!
//! A rollout changes nothing but pointers from a node to a revision. Everything
//! it needs to go on after a restart is in its own record and the reports.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::id::{ComponentName, ContentHash, Generation, NodeName, RevisionNumber};
use crate::plan::{NodePlan, Plan};
use crate::report::{Failure, Phase, Report};
use crate::time::Timestamp;

/// Pointers that move in one step, so that they are recorded together.
const MOVES_MAX: usize = 50;

mod astray;
mod gate;

use gate::Gate;

/// The way of a tenant's nodes from one revision to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// The last revision known to be good; none for a tenant's first.
    pub from: Option<RevisionNumber>,
    /// The revision wanted.
    pub to: RevisionNumber,
    /// Nodes that change, wave by wave.
    pub waves: Vec<Vec<NodeName>>,
    /// How far it is.
    pub state: State,
    /// When it entered that state.
    pub since: Timestamp,
    /// What went wrong on the way.
    pub failures: Vec<NodeFailure>,
    /// Nodes whose pointer it has moved.
    #[serde(default)]
    pub moved: BTreeSet<NodeName>,
    /// Those of them that came from neither of its two revisions: another
    /// rollout had left them half-way, so everything on them is looked at.
    #[serde(default)]
    pub turned: BTreeSet<NodeName>,
}

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum State {
    /// Nodes of this wave are being moved.
    Progressing {
        /// Counted from 0.
        wave: usize,
    },
    /// Every node runs the wanted revision.
    Completed,
    /// An operator has to decide.
    Paused {
        /// Why.
        why: String,
    },
    /// Moved nodes are being moved back.
    RollingBack {
        /// Why.
        why: String,
    },
    /// Every node runs the revision before.
    RolledBack {
        /// Why.
        why: String,
    },
    /// A later change took its place before it was done.
    Superseded,
}

/// A failure of one component on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFailure {
    /// Where.
    pub node: NodeName,
    /// What.
    pub component: ComponentName,
    /// Why.
    pub failure: Failure,
}

/// What to do when a new version does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Moves every moved node back.
    Rollback,
    /// Stops and asks.
    Pause,
}

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeView<'a> {
    /// It has a session now.
    pub connected: bool,
    /// The assignment it has been given: number, and hash of its content.
    pub assigned: Option<(Generation, &'a ContentHash)>,
    /// The last thing it said.
    pub report: Option<&'a Report>,
}

/// Everything `step` looks at.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The rollout as it is.
    pub rollout: &'a Rollout,
    /// The pointers as they are.
    pub targets: &'a BTreeMap<NodeName, RevisionNumber>,
    /// Plan of the revision wanted.
    pub to: &'a Plan,
    /// Plan of the revision before.
    pub from: Option<&'a Plan>,
    /// The tenant's nodes.
    pub nodes: &'a BTreeMap<NodeName, NodeView<'a>>,
    /// The controller's clock.
    pub now: Timestamp,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The rollout as it should be recorded.
    pub rollout: Rollout,
    /// Pointers to move; none takes the pointer away.
    pub moves: BTreeMap<NodeName, Option<RevisionNumber>>,
    /// What it waits for, in one sentence; empty when it waits for nothing.
    pub waits_for: String,
}

impl Rollout {
    /// A rollout that begins: its waves are the nodes that differ, in the plan's order.
    #[must_use]
    pub fn begin(from: Option<&Plan>, to: &Plan, now: Timestamp) -> Self {
        let nothing = NodePlan::default();
        let before =
            |node: &NodeName| from.and_then(|plan| plan.nodes.get(node)).unwrap_or(&nothing);
        let differs = |node: &NodeName| before(node) != to.nodes.get(node).unwrap_or(&nothing);
        let mut waves: Vec<Vec<NodeName>> = to
            .waves
            .iter()
            .map(|wave| wave.iter().filter(|node| differs(node)).cloned().collect())
            .collect();
        // Nodes that carry nothing any more come last.
        let gone = from.iter().flat_map(|plan| plan.nodes.keys());
        waves.push(gone.filter(|n| !to.nodes.contains_key(*n) && differs(n)).cloned().collect());
        waves.retain(|wave| !wave.is_empty());
        Self {
            from: from.map(|plan| plan.revision),
            to: to.revision,
            waves,
            state: State::Progressing { wave: 0 },
            since: now,
            failures: Vec::new(),
            moved: BTreeSet::new(),
            turned: BTreeSet::new(),
        }
    }

    /// Nothing more happens by itself.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        match self.state {
            State::Progressing { .. } | State::RollingBack { .. } => false,
            State::Completed
            | State::Paused { .. }
            | State::RolledBack { .. }
            | State::Superseded => true,
        }
    }

    fn moving(&self, moves: &BTreeMap<NodeName, Option<RevisionNumber>>, input: Input<'_>) -> Self {
        let mut rollout = self.clone();
        let turned = moves.keys().filter(|node| astray::is_astray(input, node));
        rollout.turned.extend(turned.cloned());
        rollout.moved.extend(moves.keys().cloned());
        rollout
    }

    fn entering(&self, state: State, now: Timestamp) -> Self {
        Self { state, since: now, ..self.clone() }
    }
}

impl State {
    /// The word people see.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            State::Progressing { .. } => "progressing",
            State::Completed => "completed",
            State::Paused { .. } => "paused",
            State::RollingBack { .. } => "rolling-back",
            State::RolledBack { .. } => "rolled-back",
            State::Superseded => "superseded",
        }
    }

    /// Why it is paused or went back; empty otherwise.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            State::Paused { why } | State::RollingBack { why } | State::RolledBack { why } => why,
            State::Progressing { .. } | State::Completed | State::Superseded => "",
        }
    }
}

/// The rollout's next state and the pointers that move.
#[must_use]
pub fn step(input: Input<'_>) -> Next {
    match &input.rollout.state {
        State::Progressing { wave } => progress(input, *wave),
        State::RollingBack { why } => roll_back(input, why),
        State::Completed | State::Paused { .. } | State::RolledBack { .. } | State::Superseded => {
            stay(input, String::new())
        }
    }
}

fn progress(input: Input<'_>, wave: usize) -> Next {
    let wanted = |node: &NodeName| input.to.nodes.get(node).map(|_| input.to.revision);
    let moved = |node: &&NodeName| input.targets.get(*node).copied() == wanted(node);
    let mut nodes: Vec<&NodeName> = match input.rollout.waves.get(wave) {
        Some(nodes) => nodes.iter().collect(),
        // After the last wave, whatever no wave names.
        None => astray::nodes(input).collect(),
    };
    let turned: Vec<_> = input.rollout.turned.iter().filter(|n| !nodes.contains(n)).collect();
    nodes.extend(turned);
    let gates: Vec<(&NodeName, Gate)> = nodes
        .iter()
        .copied()
        .filter(moved)
        .map(|node| (node, gate::check(input, node, input.from, Some(input.to))))
        .collect();
    let failures: Vec<NodeFailure> =
        gates.iter().filter_map(|(_, gate)| gate.failures()).flatten().cloned().collect();
    if !failures.is_empty() {
        return fail(input, failures);
    }
    let waiting: Vec<&str> = gates.iter().filter_map(|(_, gate)| gate.waits_for()).collect();
    let left = nodes.into_iter().filter(|node| !moved(node)).collect();
    let moves = next_moves(input, left, waiting.len(), wanted);
    if moves.is_empty() && waiting.is_empty() {
        if wave >= input.rollout.waves.len() {
            return complete(input);
        }
        let next = input.rollout.entering(State::Progressing { wave: wave + 1 }, input.now);
        // A wave that is passed is followed at once: a pass per wave would only add delay.
        return step(Input { rollout: &next, ..input });
    }
    let waits_for = waiting.join("; ");
    Next { rollout: input.rollout.moving(&moves, input), moves, waits_for }
}

/// Those that move now: nodes still busy with what is wanted no longer turn
/// round at once, for they hold a place already; of the others as many as
/// there are places left.
fn next_moves(
    input: Input<'_>,
    left: Vec<&NodeName>,
    waiting: usize,
    target: impl Fn(&NodeName) -> Option<RevisionNumber>,
) -> BTreeMap<NodeName, Option<RevisionNumber>> {
    let busy: Vec<&NodeName> = astray::busy(input).take(MOVES_MAX).collect();
    let free = (input.to.strategy.max_parallel as usize).saturating_sub(waiting + busy.len());
    let quiet = left.into_iter().filter(|node| !busy.contains(node)).take(free);
    let moving = busy.iter().copied().chain(quiet).take(MOVES_MAX);
    moving.map(|node| (node.clone(), target(node))).collect()
}

fn complete(input: Input<'_>) -> Next {
    // Nodes that did not differ take the new number without anything being done on them.
    let moves = input
        .to
        .nodes
        .keys()
        .filter(|node| input.targets.get(*node) != Some(&input.to.revision))
        .map(|node| (node.clone(), Some(input.to.revision)))
        .collect();
    let rollout = input.rollout.entering(State::Completed, input.now);
    Next { rollout, moves, waits_for: String::new() }
}

fn fail(input: Input<'_>, failures: Vec<NodeFailure>) -> Next {
    let why = failures
        .iter()
        .map(|f| format!("{} on {}: {}", f.component, f.node, f.failure.message))
        .collect::<Vec<_>>()
        .join("; ");
    let state = match (input.to.strategy.on_failure, input.from) {
        (OnFailure::Rollback, Some(_)) => State::RollingBack { why },
        (OnFailure::Rollback, None) | (OnFailure::Pause, _) => State::Paused { why },
    };
    let mut rollout = input.rollout.entering(state, input.now);
    rollout.failures = failures;
    step(Input { rollout: &rollout, ..input })
}

fn roll_back(input: Input<'_>, why: &str) -> Next {
    let back = |node: &NodeName| astray::home(input, node);
    // The last moved comes back first.
    let of_waves = input.rollout.waves.iter().rev().flat_map(|wave| wave.iter().rev());
    let mut nodes: Vec<&NodeName> = of_waves.collect();
    let others: Vec<_> =
        astray::nodes(input).chain(&input.rollout.moved).filter(|n| !nodes.contains(n)).collect();
    nodes.extend(others);
    let (returned, left): (Vec<_>, Vec<_>) =
        nodes.into_iter().partition(|node| input.targets.get(*node).copied() == back(node));
    // A node that was never moved has nothing to return from.
    let gates: Vec<Gate> = returned
        .iter()
        .filter(|node| input.rollout.moved.contains(**node))
        .map(|node| gate::check(input, node, Some(input.to), input.from))
        .collect();
    let failures: Vec<NodeFailure> =
        gates.iter().filter_map(Gate::failures).flatten().cloned().collect();
    if let Some(first) = failures.first() {
        let why = format!(
            "{why}; going back failed too: {} on {}: {}",
            first.component, first.node, first.failure.message
        );
        let mut rollout = input.rollout.entering(State::Paused { why }, input.now);
        rollout.failures.extend(failures);
        return Next { rollout, moves: BTreeMap::new(), waits_for: String::new() };
    }
    let waiting: Vec<&str> = gates.iter().filter_map(Gate::waits_for).collect();
    let moves = next_moves(input, left, waiting.len(), back);
    if moves.is_empty() && waiting.is_empty() {
        let rollout = input.rollout.entering(State::RolledBack { why: why.to_owned() }, input.now);
        return Next { rollout, moves, waits_for: String::new() };
    }
    let waits_for = waiting.join("; ");
    Next { rollout: input.rollout.moving(&moves, input), moves, waits_for }
}

fn stay(input: Input<'_>, waits_for: String) -> Next {
    Next { rollout: input.rollout.clone(), moves: BTreeMap::new(), waits_for }
}

/// Whether a phase means that the instance runs as desired and is kept.
fn is_settled(phase: Phase) -> bool {
    match phase {
        Phase::Ready | Phase::Held { .. } => true,
        Phase::Pending
        | Phase::Pulling { .. }
        | Phase::Preparing
        | Phase::Draining { .. }
        | Phase::Starting
        | Phase::Soaking { .. }
        | Phase::Unhealthy
        | Phase::Returned
        | Phase::Failed
        | Phase::Blocked
        | Phase::Removing => false,
    }
}

#[cfg(test)]
mod tests;
