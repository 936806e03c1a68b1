//! `step`: how far a rollout is, which node's pointer moves next, and what it
//! waits for.
//!
//! A rollout changes nothing but pointers from a node to a revision. Everything
//! it needs to go on after a restart is in its own record and the reports.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::decide::plan::Plan;
use crate::document::Document;
use crate::document::report::{Failure, Phase, Report};
use crate::id::{ComponentName, ContentHash, Generation, NodeName, RevisionNumber};
use crate::time::Timestamp;

/// Pointers that move in one step, so that they are recorded together.
const MOVES_MAX: usize = 50;

mod astray;
mod back;
mod end;
mod failures;
mod gate;

use end::complete;
use gate::Gate;

/// The way of a tenant's nodes from one revision to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// What went wrong on the way; of many, the first.
    pub failures: Vec<NodeFailure>,
    /// Nodes whose pointer it has moved.
    #[serde(default)]
    pub moved: BTreeSet<NodeName>,
    /// Nodes that came, or are to come, from neither of its two revisions:
    /// another rollout left them half-way, so everything on them is looked at.
    #[serde(default)]
    pub turned: BTreeSet<NodeName>,
}

/// What a rollout begins with.
#[derive(Debug, Clone, Copy)]
pub struct Begin<'a> {
    /// Plan of the last revision known to be good.
    pub from: Option<&'a Plan>,
    /// Plan of the revision wanted.
    pub to: &'a Plan,
    /// The rollout whose place it takes.
    pub overtaken: Option<&'a Rollout>,
    /// The tenant's nodes: one that is not among them cannot be waited for.
    pub enrolled: &'a BTreeSet<NodeName>,
    /// The controller's clock.
    pub now: Timestamp,
}

/// How far a rollout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
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
        /// On the way back: what it came from is wanted still.
        #[serde(default)]
        returning: bool,
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
    /// It has a session now, and has said in it how it is.
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

impl Document for Rollout {
    const KIND: &'static str = "a rollout";
    const VERSION: Option<u32> = Some(1);
}

impl Rollout {
    /// A rollout that begins: its waves are the nodes that differ, or that were
    /// left half-way, in the plan's order.
    #[must_use]
    pub fn begin(Begin { from, to, overtaken, enrolled, now }: Begin<'_>) -> Self {
        let turned = overtaken.map(Self::half_way).unwrap_or_default();
        let turned: BTreeSet<NodeName> = turned.intersection(enrolled).cloned().collect();
        let before = |node: &NodeName| from.and_then(|plan| plan.nodes.get(node));
        let changes = |node: &NodeName| turned.contains(node) || before(node) != to.nodes.get(node);
        let mut waves: Vec<Vec<NodeName>> = to
            .waves
            .iter()
            .map(|wave| wave.iter().filter(|node| changes(node)).cloned().collect())
            .collect();
        // Nodes that carry nothing any more come last.
        let known = from.iter().flat_map(|plan| plan.nodes.keys()).chain(&turned);
        let gone = known.filter(|n| !to.nodes.contains_key(*n) && enrolled.contains(*n));
        waves.push(gone.collect::<BTreeSet<_>>().into_iter().cloned().collect());
        waves.retain(|wave| !wave.is_empty());
        Self {
            from: from.map(|plan| plan.revision),
            to: to.revision,
            waves,
            state: State::Progressing { wave: 0 },
            since: now,
            failures: Vec::new(),
            moved: BTreeSet::new(),
            turned,
        }
    }

    /// Nodes that may be anywhere between two revisions, should it end now.
    #[must_use]
    pub fn half_way(&self) -> BTreeSet<NodeName> {
        match self.state {
            State::Completed | State::RolledBack { .. } => BTreeSet::new(),
            State::Progressing { .. }
            | State::Paused { .. }
            | State::RollingBack { .. }
            | State::Superseded => self.moved.union(&self.turned).cloned().collect(),
        }
    }

    /// Whether a node is told anew even when the same is wanted of it, so that
    /// it tries again and says so.
    #[must_use]
    pub fn force_reissue(&self, node: &NodeName) -> bool {
        self.turned.contains(node) && self.moved.contains(node)
    }

    /// The revision that is made true again: the next change is made on it, not
    /// on the one that failed.
    #[must_use]
    pub fn returns_to(&self) -> Option<RevisionNumber> {
        match self.state {
            State::RollingBack { .. } | State::Paused { returning: true, .. } => self.from,
            State::Progressing { .. }
            | State::Completed
            | State::Paused { returning: false, .. }
            | State::RolledBack { .. }
            | State::Superseded => None,
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
        let is_late = astray::is_after_the_waves(self);
        let turned = moves.keys().filter(|node| is_late || astray::is_astray(input, node));
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
    pub fn as_str(&self) -> &'static str {
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
            State::Paused { why, .. } | State::RollingBack { why } | State::RolledBack { why } => {
                why
            }
            State::Progressing { .. } | State::Completed | State::Superseded => "",
        }
    }
}

/// The rollout's next state and the pointers that move.
#[must_use]
pub fn step(input: Input<'_>) -> Next {
    match &input.rollout.state {
        State::Progressing { wave } => progress(input, *wave),
        State::RollingBack { why } => back::roll_back(input, why),
        State::Completed | State::Paused { .. } | State::RolledBack { .. } | State::Superseded => {
            stay(input, String::new())
        }
    }
}

fn progress(input: Input<'_>, wave: usize) -> Next {
    let wanted = |node: &NodeName| astray::wanted(input, node);
    let (there, left): (Vec<_>, Vec<_>) = due(input, wave, wanted)
        .into_iter()
        .partition(|node| input.targets.get(*node).copied() == wanted(node));
    let gates: Vec<Gate> = there
        .into_iter()
        .map(|node| gate::check(input, node, input.from, Some(input.to)))
        .collect();
    let failures: Vec<NodeFailure> =
        gates.iter().filter_map(Gate::failures).flatten().cloned().collect();
    if !failures.is_empty() {
        return fail(input, failures);
    }
    let waiting: Vec<&str> = gates.iter().filter_map(Gate::waits_for).collect();
    let busy = astray::nodes(input, wanted).filter(|node| !astray::is_quiet(input, node));
    let moves = next_moves(input, (busy.collect(), left), waiting.len(), wanted);
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

/// The enrolled nodes that count in a wave: its own, or after the last one
/// whatever no wave names or joined again when its wave had passed; and those
/// that turned round already.
fn due<'a>(
    input: Input<'a>,
    wave: usize,
    wanted: impl Fn(&NodeName) -> Option<RevisionNumber>,
) -> Vec<&'a NodeName> {
    let is_there = |node: &&NodeName| input.targets.get(*node).copied() == wanted(node);
    let mut nodes: Vec<&NodeName> = match input.rollout.waves.get(wave) {
        Some(nodes) => nodes.iter().collect(),
        None => {
            let late = input.rollout.waves.iter().flatten().filter(|node| !is_there(node));
            astray::nodes(input, &wanted).chain(late).collect::<BTreeSet<_>>().into_iter().collect()
        }
    };
    let turned = input.rollout.turned.iter().filter(is_there);
    let turned: Vec<_> = turned.filter(|node| !nodes.contains(node)).collect();
    nodes.extend(turned);
    nodes.retain(|node| input.nodes.contains_key(*node));
    nodes
}

/// Those that move now: nodes still busy with something else turn round at
/// once, for they hold a place already; of the others as many as there are
/// places left.
fn next_moves(
    input: Input<'_>,
    (mut busy, left): (Vec<&NodeName>, Vec<&NodeName>),
    waiting: usize,
    target: impl Fn(&NodeName) -> Option<RevisionNumber>,
) -> BTreeMap<NodeName, Option<RevisionNumber>> {
    busy.truncate(MOVES_MAX);
    let free = (input.to.strategy.max_parallel as usize).saturating_sub(waiting + busy.len());
    let quiet = left.into_iter().filter(|node| !busy.contains(node)).take(free);
    let moving = busy.iter().copied().chain(quiet).take(MOVES_MAX);
    moving.map(|node| (node.clone(), target(node))).collect()
}

fn fail(input: Input<'_>, failures: Vec<NodeFailure>) -> Next {
    let why = failures::why(&failures);
    let state = match (input.to.strategy.on_failure, input.from) {
        (OnFailure::Rollback, Some(_)) => State::RollingBack { why },
        (OnFailure::Rollback, None) | (OnFailure::Pause, _) => {
            State::Paused { why, returning: false }
        }
    };
    let mut rollout = input.rollout.entering(state, input.now);
    rollout.failures = failures::kept(failures).collect();
    step(Input { rollout: &rollout, ..input })
}

fn stay(input: Input<'_>, waits_for: String) -> Next {
    Next { rollout: input.rollout.clone(), moves: BTreeMap::new(), waits_for }
}

/// Whether a phase means that the instance runs as desired and is kept.
fn is_settled(phase: Phase) -> bool {
    match phase {
        Phase::Ready | Phase::StoppedByHand { .. } => true,
        Phase::Pending
        | Phase::Pulling { .. }
        | Phase::Preparing
        | Phase::Draining { .. }
        | Phase::Starting
        | Phase::Soaking { .. }
        | Phase::Unhealthy
        | Phase::RolledBack
        | Phase::Failed
        | Phase::Blocked
        | Phase::Removing
        | Phase::Unknown => false,
    }
}

#[cfg(test)]
mod tests;
