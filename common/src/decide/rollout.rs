//! `step`: how far a rollout is, which node's pointer moves next, and what it
//! waits for.
//!
//! A rollout changes nothing but pointers from a node to a revision. Everything
//! it needs to go on after a restart is in its own record and the reports.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::Share;
use crate::document::plan::Plan;
use crate::document::report::Report;
use crate::document::rollout::{PauseReason, Rollout, State};
use crate::id::{ContentHash, Generation, NodeName, RevisionNumber};
use crate::time::Timestamp;

/// Pointers that one step moves. They are recorded in one commit, which takes 64
/// writes, together with the rollout, the head, the outcome and an audit record.
pub const MOVES_MAX: usize = 60;

mod failures;
mod gate;
mod pass;
mod reason;
mod row;

pub use reason::{NodeWait, Wait, WaitsFor};

use pass::Pass;
use row::Rows;

/// What a rollout begins with.
#[derive(Debug, Clone, Copy)]
pub struct Begin<'a> {
    /// Plan of the last revision known to be good.
    pub from: Option<&'a Plan>,
    /// Plan of the revision wanted.
    pub to: &'a Plan,
    /// The rollout whose place it takes.
    pub superseded: Option<&'a Rollout>,
    /// The tenant's nodes: one that is not among them cannot be waited for.
    pub enrolled: &'a BTreeSet<NodeName>,
    /// The controller's clock.
    pub now: Timestamp,
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

/// What a rollout does next: the record to write and the pointers to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The rollout as it should be recorded.
    pub rollout: Rollout,
    /// Pointers to move; none takes the pointer away.
    pub moves: BTreeMap<NodeName, Option<RevisionNumber>>,
    pub waits_for: WaitsFor,
}

impl Next {
    fn waiting(rollout: Rollout, waits_for: WaitsFor) -> Self {
        Self { rollout, moves: BTreeMap::new(), waits_for }
    }
}

impl Rollout {
    /// A rollout that begins: its waves are the nodes that differ, or that were
    /// left half-way, in the plan's order.
    #[must_use]
    pub fn begin(Begin { from, to, superseded, enrolled, now }: Begin<'_>) -> Self {
        let inherited = superseded.map(Self::in_flight).unwrap_or_default();
        let inherited: BTreeSet<NodeName> = inherited.intersection(enrolled).cloned().collect();
        let before = |node: &NodeName| from.and_then(|plan| plan.nodes.get(node));
        let changes =
            |node: &NodeName| inherited.contains(node) || before(node) != to.nodes.get(node);
        let mut waves: Vec<Vec<NodeName>> = to
            .waves
            .iter()
            .map(|wave| wave.iter().filter(|node| changes(node)).cloned().collect())
            .collect();
        // Nodes that carry nothing any more come last.
        let known = from.iter().flat_map(|plan| plan.nodes.keys()).chain(&inherited);
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
            inherited,
        }
    }

    /// Nodes that may be anywhere between two revisions, should it end now.
    #[must_use]
    pub fn in_flight(&self) -> BTreeSet<NodeName> {
        match self.state {
            State::Completed | State::RolledBack { .. } => BTreeSet::new(),
            State::Progressing { .. }
            | State::Paused { .. }
            | State::RollingBack { .. }
            | State::Superseded => self.moved.union(&self.inherited).cloned().collect(),
        }
    }

    /// Whether a node is told anew even when the same is wanted of it, so that
    /// it tries again and says so.
    #[must_use]
    pub fn force_reissue(&self, node: &NodeName) -> bool {
        self.inherited.contains(node) && self.moved.contains(node)
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

    /// The rollout of a restored tenant: it waits for an operator, and the next
    /// change looks at everything on the nodes in `carrying`, which carried something.
    #[must_use]
    pub fn quiesced(self, carrying: BTreeSet<NodeName>, now: Timestamp) -> Self {
        Self {
            from: None,
            state: State::Paused { why: PauseReason::Restored, returning: false },
            since: now,
            moved: BTreeSet::new(),
            inherited: carrying,
            ..self
        }
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
    pub fn why(&self) -> String {
        match self {
            State::Paused { why, .. } => why.to_string(),
            State::RollingBack { why } | State::RolledBack { why } => why.to_string(),
            State::Progressing { .. } | State::Completed | State::Superseded => String::new(),
        }
    }
}

/// The rollout's next state and the pointers that move: no more than [`MOVES_MAX`].
#[must_use]
pub fn step(input: Input<'_>) -> Next {
    step_within(input, MOVES_MAX)
}

fn step_within(input: Input<'_>, moves_max: usize) -> Next {
    let nothing = Share::default();
    let pass = || Pass { input, rows: Rows::new(input, &nothing), moves_max };
    match &input.rollout.state {
        State::Progressing { wave } => pass().progress(*wave),
        State::RollingBack { why } => pass().roll_back(input.rollout.clone(), why),
        State::Completed | State::Paused { .. } | State::RolledBack { .. } | State::Superseded => {
            Next::waiting(input.rollout.clone(), WaitsFor::default())
        }
    }
}

#[cfg(test)]
mod tests;
