//! `step` decides on a rollout: how far it is, which node's pointer moves next, and what
//! it waits for.
//!
//! A rollout changes only the pointers from nodes to revisions. Everything that it needs
//! to continue after a restart is in its own record and in the reports.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::Share;
use crate::document::plan::Plan;
use crate::document::report::Report;
use crate::document::rollout::{PauseReason, Rollout, State};
use crate::id::{ContentHash, Generation, NodeName, RevisionNumber};
use crate::time::Timestamp;

/// The number of pointers that one step moves. They are recorded in one commit, which
/// takes 64 writes, together with the rollout, the head, the outcome and an audit record.
pub const MOVES_MAX: usize = 60;

mod failures;
mod gate;
mod led;
mod no_way_back;
mod pass;
mod reason;
mod row;
mod share;

pub use reason::{NodeWait, Wait, WaitsFor};

use pass::Pass;
use row::Rows;

/// The input of a rollout's beginning.
#[derive(Debug, Clone, Copy)]
pub struct Begin<'a> {
    /// The plan of the last revision known to be good.
    pub from: Option<&'a Plan>,
    /// The plan of the wanted revision.
    pub to: &'a Plan,
    /// The rollout that it supersedes.
    pub superseded: Option<&'a Rollout>,
    /// The tenant's nodes. A rollout cannot wait for any other node.
    pub enrolled: &'a BTreeSet<NodeName>,
    /// The time by the controller's clock.
    pub now: Timestamp,
}

/// The facts about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeView<'a> {
    /// Whether it has a session now and has reported in it.
    pub connected: bool,
    /// Its assignment: the generation, and the hash of the content.
    pub assigned: Option<(Generation, &'a ContentHash)>,
    /// Its last report.
    pub report: Option<&'a Report>,
}

/// The input of `step`.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    pub rollout: &'a Rollout,
    /// The current pointers.
    pub targets: &'a BTreeMap<NodeName, RevisionNumber>,
    /// The plan of the wanted revision.
    pub to: &'a Plan,
    /// The plan of the previous revision.
    pub from: Option<&'a Plan>,
    /// The tenant's nodes.
    pub nodes: &'a BTreeMap<NodeName, NodeView<'a>>,
    /// The time by the controller's clock.
    pub now: Timestamp,
}

/// The next step of a rollout: the record to write and the pointers to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The rollout as it should be recorded.
    pub rollout: Rollout,
    /// The pointers to move; `None` removes the pointer.
    pub moves: BTreeMap<NodeName, Option<RevisionNumber>>,
    pub waits_for: WaitsFor,
}

impl Next {
    fn waiting(rollout: Rollout, waits_for: WaitsFor) -> Self {
        Self { rollout, moves: BTreeMap::new(), waits_for }
    }
}

impl Rollout {
    /// Begins a rollout. Its waves are the nodes that differ, or that another rollout
    /// left between revisions, in the order of the plan.
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
        // Nodes that no longer carry anything come last.
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

    /// Returns the nodes that would be left between two revisions if the rollout ended
    /// now.
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

    /// Returns whether a node gets a new assignment even if its content is the same, so
    /// that it tries again and reports it.
    #[must_use]
    pub fn force_reissue(&self, node: &NodeName) -> bool {
        self.inherited.contains(node) && self.moved.contains(node)
    }

    /// Returns the revision that is restored. The next change is made on it, not on the
    /// one that failed.
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

    /// Returns whether the rollout does nothing more by itself.
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

    /// Returns the rollout of a restored tenant. It waits for an operator, and the next
    /// change checks everything on the nodes in `carrying`, which carried something.
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
    /// Returns the name of the state, as people see it.
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

    /// Returns why the rollout was paused or rolled back, or an empty text.
    #[must_use]
    pub fn why(&self) -> String {
        match self {
            State::Paused { why, .. } => why.to_string(),
            State::RollingBack { why } | State::RolledBack { why } => why.to_string(),
            State::Progressing { .. } | State::Completed | State::Superseded => String::new(),
        }
    }
}

/// Decides the rollout's next state and the pointers to move, of which there are no more
/// than [`MOVES_MAX`].
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
