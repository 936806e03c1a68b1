//! The facts about each node that a decision needs, which are computed once per step.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::document::Share;
use crate::document::plan::Plan;
use crate::id::{ContentHash, NodeName, RevisionNumber};

use super::gate::{Gate, Mover};
use super::share::NodeShare;
use super::{Input, NodeView};

/// The direction in which a rollout moves nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the wanted revision.
    Forward,
    /// To the previous revision.
    Back,
}

/// One enrolled node.
pub(super) struct Row<'a> {
    pub(super) name: &'a NodeName,
    pub(super) view: NodeView<'a>,
    /// The revision that its pointer names now.
    pub(super) target: Option<RevisionNumber>,
    /// The revision to which it is moved.
    wanted: Option<RevisionNumber>,
    /// The revision that its pointer names when nothing is being changed.
    stable_target: Option<RevisionNumber>,
    /// Whether its pointer names neither of the rollout's two revisions, or the rollout
    /// before had not finished with it.
    pub(super) is_off_target: bool,
    /// Whether this rollout moved its pointer.
    pub(super) is_moved: bool,
    /// Whether it comes from neither of the rollout's two revisions.
    pub(super) is_inherited: bool,
    pub(super) to: NodeShare<'a>,
    pub(super) from: NodeShare<'a>,
    /// Whether no revision of this tenant is known to be good.
    is_first: bool,
    idle: OnceCell<bool>,
    gates: [OnceCell<Gate>; 2],
}

/// The rows of a tenant's enrolled nodes.
pub(super) struct Rows<'a>(BTreeMap<&'a NodeName, Row<'a>>);

impl<'a> Rows<'a> {
    /// Makes the rows. `nothing` is the share of a node that carries nothing.
    pub(super) fn new(input: Input<'a>, nothing: &'a Share) -> Self {
        let row = |(name, view)| (name, Row::new(input, name, view, nothing));
        Self(input.nodes.iter().map(row).collect())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Row<'a>> {
        self.0.values()
    }

    /// Returns the rows of these nodes in their order. Nodes that are not enrolled have
    /// none.
    pub(super) fn of<'n>(
        &self,
        names: impl IntoIterator<Item = &'n NodeName>,
    ) -> impl Iterator<Item = &Row<'a>> {
        names.into_iter().filter_map(|name| self.get(name))
    }

    pub(super) fn get(&self, name: &NodeName) -> Option<&Row<'a>> {
        self.0.get(name)
    }
}

impl<'a> Row<'a> {
    fn new(input: Input<'a>, name: &'a NodeName, view: &NodeView<'a>, nothing: &'a Share) -> Self {
        let rollout = input.rollout;
        let target = input.targets.get(name).copied();
        // A node that no longer carries anything needs no pointer, unless nothing is
        // known to be good: then it must learn which revision says that it is empty.
        let is_undecided =
            || input.from.is_none() && rollout.waves.iter().flatten().any(|named| named == name);
        let is_wanted = input.to.nodes.contains_key(name) || is_undecided();
        let wanted = is_wanted.then_some(input.to.revision);
        let stable_target = input.from.and_then(|plan| pointer(plan, name));
        let is_inherited = rollout.inherited.contains(name);
        let is_elsewhere = target.is_some() && target != wanted && target != stable_target;
        Self {
            name,
            view: *view,
            target,
            wanted,
            stable_target,
            is_off_target: is_elsewhere || is_inherited,
            is_moved: rollout.moved.contains(name),
            is_inherited,
            to: NodeShare::of(Some(input.to), name, nothing),
            from: NodeShare::of(input.from, name, nothing),
            is_first: input.from.is_none(),
            idle: OnceCell::new(),
            gates: [OnceCell::new(), OnceCell::new()],
        }
    }

    /// Returns the pointer that it should have.
    pub(super) fn destination(&self, direction: Direction) -> Option<RevisionNumber> {
        match direction {
            Direction::Forward => self.wanted,
            Direction::Back => self.stable_target,
        }
    }

    pub(super) fn is_at_destination(&self, direction: Direction) -> bool {
        self.target == self.destination(direction)
    }

    /// Returns the state of its gate: whether it has done what its pointer asks.
    pub(super) fn gate(&self, direction: Direction) -> &Gate {
        let [forward, back] = &self.gates;
        match direction {
            Direction::Forward => {
                forward.get_or_init(|| Gate::check(self.mover(), &self.from, &self.to))
            }
            Direction::Back => back.get_or_init(|| Gate::check(self.mover(), &self.to, &self.from)),
        }
    }

    fn mover(&self) -> Mover<'a> {
        let &Self { name, view, target, is_moved, is_inherited, .. } = self;
        Mover { name, view, target, is_moved, is_inherited }
    }

    /// Returns whether the node is idle by its last report. This also holds for an
    /// unreachable node, because it only does what it was assigned.
    pub(super) fn is_idle(&self) -> bool {
        *self.idle.get_or_init(|| self.finds_idle())
    }

    fn finds_idle(&self) -> bool {
        // Before anything is good, a node without a pointer has no work.
        if self.is_first && self.target.is_none() {
            return true;
        }
        let NodeView { report, assigned, .. } = self.view;
        let Some((report, (generation, given))) = report.zip(assigned) else { return false };
        let has_what_it_points_to = match self.target {
            // A node that was emptied in between may still report that revision.
            Some(target) if self.was_renumbered(target) => true,
            Some(target) => report.revision == target && self.is_share(target, given),
            None => report.instances.is_empty(),
        };
        has_what_it_points_to
            && report.applied >= Some(generation)
            && report.instances.values().all(|instance| instance.phase.is_idle())
    }

    /// Returns whether a superseded rollout gave the node a new number without any work.
    /// This rollout knows all nodes to which that one gave work.
    fn was_renumbered(&self, target: RevisionNumber) -> bool {
        let is_known = [&self.to, &self.from].iter().any(|share| share.revision == Some(target));
        !is_known && !self.is_inherited && !self.is_moved
    }

    /// Returns whether this content is the node's share of a revision, as far as its plan
    /// is known.
    fn is_share(&self, revision: RevisionNumber, content: &ContentHash) -> bool {
        let mut shares = [&self.to, &self.from].into_iter();
        let share = shares.find(|share| share.revision == Some(revision));
        share.is_none_or(|share| share.hash() == content)
    }
}

/// Returns the pointer to a plan that a node has when nothing is being changed.
pub(super) fn pointer(plan: &Plan, node: &NodeName) -> Option<RevisionNumber> {
    plan.nodes.contains_key(node).then_some(plan.revision)
}
