//! One pass over a rollout that is under way.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::plan::OnFailure;
use crate::document::rollout::{FailureSummary, NodeFailure, PauseReason, Rollout, State};
use crate::id::{NodeName, RevisionNumber};

use super::led::waits_for_migration;
use super::no_way_back;
use super::reason::WaitsFor;
use super::row::{Direction, Row, Rows, pointer};
use super::{Input, Next, failures};

/// The pointers to move.
type Moves = BTreeMap<NodeName, Option<RevisionNumber>>;

/// The input of one step, with its rows.
pub(super) struct Pass<'a> {
    pub(super) input: Input<'a>,
    pub(super) rows: Rows<'a>,
    pub(super) moves_max: usize,
}

impl Pass<'_> {
    /// Moves nodes forward from this wave. Passed waves are followed by the next one at
    /// once, because a pass per wave would only add delay.
    pub(super) fn progress(&self, wave: usize) -> Next {
        let Input { rollout: Rollout { waves, .. }, now, .. } = self.input;
        let mut rollout = self.input.rollout.clone();
        for wave in wave.. {
            let (there, left): (Vec<&Row<'_>>, Vec<&Row<'_>>) = self
                .due(wave)
                .into_iter()
                .partition(|row| row.is_at_destination(Direction::Forward));
            let failures = failures_of(&there, Direction::Forward);
            if !failures.is_empty() {
                return self.fail(failures);
            }
            let waits_for = waits_of(&there, Direction::Forward);
            let off_target = self.off_target(Direction::Forward);
            let may_move = |row: &&Row<'_>| !waits_for_migration(self.input, &self.rows, row);
            let busy: Vec<&Row<'_>> =
                off_target.filter(|row| !row.is_idle()).filter(may_move).collect();
            let moves = self.next_moves(&busy, &left, waits_for.0.len(), Direction::Forward);
            if !(moves.is_empty() && waits_for.is_empty()) {
                let is_late = wave >= waves.len();
                return Next { rollout: self.moving(rollout, &moves, is_late), moves, waits_for };
            }
            if wave >= waves.len() {
                break;
            }
            rollout = rollout.entering(State::Progressing { wave: wave.saturating_add(1) }, now);
        }
        self.complete(rollout)
    }

    /// Moves every moved node back to the previous revision. A node that fails there too
    /// stops the rollout.
    pub(super) fn roll_back(&self, rollout: Rollout, why: &FailureSummary) -> Next {
        let now = self.input.now;
        let (back, left): (Vec<&Row<'_>>, Vec<&Row<'_>>) =
            self.due_back().into_iter().partition(|row| row.is_at_destination(Direction::Back));
        // A node that was never moved has nothing to roll back.
        let back: Vec<&Row<'_>> =
            back.into_iter().filter(|row| row.is_moved || row.is_inherited).collect();
        let failures = failures_of(&back, Direction::Back);
        if !failures.is_empty() {
            let rollback = FailureSummary::of(&failures);
            let why = PauseReason::RollbackFailed { change: why.clone(), rollback };
            let mut rollout = rollout.entering(State::Paused { why, returning: true }, now);
            rollout.failures.extend(failures::kept(failures));
            return Next::waiting(rollout, WaitsFor::default());
        }
        let waits_for = waits_of(&back, Direction::Back);
        // Nodes that were not moved do not count against max_parallel.
        let on_the_way = back
            .iter()
            .filter(|row| row.is_moved && row.gate(Direction::Back).waits_for().is_some());
        let busy: Vec<&Row<'_>> = left.iter().copied().filter(|row| !row.is_idle()).collect();
        let moves = self.next_moves(&busy, &left, on_the_way.count(), Direction::Back);
        if moves.is_empty() && waits_for.is_empty() {
            let ended = rollout.entering(State::RolledBack { why: why.clone() }, now);
            return self.end(rollout, ended, self.absent(Direction::Back).collect());
        }
        Next { rollout: self.moving(rollout, &moves, false), moves, waits_for }
    }

    fn fail(&self, failures: Vec<NodeFailure>) -> Next {
        let Input { rollout, now, .. } = self.input;
        let change = FailureSummary::of(&failures);
        let failures = failures::kept(failures).collect();
        let goes_back = self.input.to.strategy.on_failure == OnFailure::Rollback;
        let why = match self.rows.all().find_map(no_way_back::may_be_migrated) {
            _ if !goes_back || self.input.from.is_none() => PauseReason::Failed { change },
            Some((component, operation)) => {
                let (component, operation) = (component.clone(), operation.clone());
                PauseReason::NoWayBack { change, component, operation }
            }
            None => {
                let rollout = rollout.entering(State::RollingBack { why: change.clone() }, now);
                return self.roll_back(Rollout { failures, ..rollout }, &change);
            }
        };
        let rollout = rollout.entering(State::Paused { why, returning: false }, now);
        Next::waiting(Rollout { failures, ..rollout }, WaitsFor::default())
    }

    /// Completes the rollout: every node gets the pointer that it has when nothing is
    /// being changed. Nodes that did not differ get the new number without any work.
    fn complete(&self, rollout: Rollout) -> Next {
        let Input { to, targets, now, .. } = self.input;
        let kept = to.nodes.keys().map(|node| (node.clone(), Some(to.revision)));
        let kept = kept.filter(|(node, to)| targets.get(node).copied() != *to);
        let emptied = targets
            .iter()
            .filter(|(node, target)| **target == to.revision && pointer(to, node).is_none());
        let emptied = emptied.map(|(node, _)| (node.clone(), None));
        let moves = kept.chain(emptied).chain(self.absent(Direction::Forward)).collect();
        let ended = rollout.entering(State::Completed, now);
        self.end(rollout, ended, moves)
    }

    /// Ends the rollout with the last of these moves, if there are more than one step
    /// makes.
    fn end(&self, under_way: Rollout, ended: Rollout, mut moves: Moves) -> Next {
        let is_last = moves.len() <= self.moves_max;
        if let Some(first_left) = moves.keys().nth(self.moves_max).cloned() {
            moves.split_off(&first_left);
        }
        let rollout = if is_last { ended } else { under_way };
        Next { rollout, moves, waits_for: WaitsFor::default() }
    }

    /// Returns the moves of nodes that are no longer enrolled. The rollout does not wait
    /// for them, and a node that joins again is like the others.
    fn absent(
        &self,
        direction: Direction,
    ) -> impl Iterator<Item = (NodeName, Option<RevisionNumber>)> {
        let Input { to, from, targets, .. } = self.input;
        let plan = match direction {
            Direction::Forward => Some(to),
            Direction::Back => from,
        };
        let absent = targets.iter().filter(|(node, _)| self.rows.get(node).is_none());
        absent.filter_map(move |(node, present)| {
            let destination = plan.and_then(|plan| pointer(plan, node));
            (destination != Some(*present)).then(|| (node.clone(), destination))
        })
    }

    /// Returns the enrolled nodes that count in a wave: its own, and inherited ones that
    /// were moved already. After the last wave, these are the nodes that no wave names or
    /// that joined again after their wave.
    fn due(&self, wave: usize) -> Vec<&Row<'_>> {
        let Rollout { waves, inherited, .. } = self.input.rollout;
        let mut due: Vec<&Row<'_>> = match waves.get(wave) {
            Some(nodes) => self.rows.of(nodes).collect(),
            None => {
                let late = self.rows.of(waves.iter().flatten());
                let late = late.filter(|row| !row.is_at_destination(Direction::Forward));
                by_name(self.off_target(Direction::Forward).chain(late))
            }
        };
        let names: BTreeSet<&NodeName> = due.iter().map(|row| row.name).collect();
        let there = self.rows.of(inherited).filter(|row| row.is_at_destination(Direction::Forward));
        let there: Vec<_> = there.filter(|row| !names.contains(row.name)).collect();
        due.extend(there);
        due
    }

    /// Returns the enrolled nodes of a rollback. The last moved node is the first to be
    /// rolled back.
    fn due_back(&self) -> Vec<&Row<'_>> {
        let Rollout { waves, moved, inherited, .. } = self.input.rollout;
        let in_waves = waves.iter().rev().flat_map(|wave| wave.iter().rev());
        let mut due: Vec<&Row<'_>> = self.rows.of(in_waves).collect();
        let names: BTreeSet<&NodeName> = due.iter().map(|row| row.name).collect();
        let others = self.off_target(Direction::Back).chain(self.rows.of(moved.union(inherited)));
        due.extend(by_name(others.filter(|row| !names.contains(row.name))));
        due
    }

    /// Returns the nodes that another rollout left between revisions and that are not at
    /// their destination yet.
    fn off_target(&self, direction: Direction) -> impl Iterator<Item = &Row<'_>> {
        self.rows.all().filter(move |row| row.is_off_target && !row.is_at_destination(direction))
    }

    /// Returns the moves of this step. Nodes that are busy with something else are moved
    /// at once, because they use a place already. Of the others, as many are moved as
    /// places are left.
    fn next_moves(
        &self,
        busy: &[&Row<'_>],
        left: &[&Row<'_>],
        waiting: usize,
        direction: Direction,
    ) -> Moves {
        let places = self.input.to.strategy.max_parallel as usize;
        let free = places.saturating_sub(waiting + busy.len());
        let names: BTreeSet<&NodeName> = busy.iter().map(|row| row.name).collect();
        let idle = left.iter().filter(|row| !names.contains(row.name)).take(free);
        let moving = busy.iter().chain(idle).take(self.moves_max);
        moving.map(|row| (row.name.clone(), row.destination(direction))).collect()
    }

    /// Returns the rollout with these moves. Everything is checked on nodes that move
    /// after the waves, because they joined again since or were left elsewhere.
    fn moving(&self, mut rollout: Rollout, moves: &Moves, is_late: bool) -> Rollout {
        let rows = self.rows.of(moves.keys());
        let inherited = rows.filter(|row| is_late || row.is_off_target);
        rollout.inherited.extend(inherited.map(|row| row.name.clone()));
        rollout.moved.extend(moves.keys().cloned());
        rollout
    }
}

/// Returns each row once, in the order of their names.
fn by_name<'r, 'a: 'r>(rows: impl Iterator<Item = &'r Row<'a>>) -> Vec<&'r Row<'a>> {
    rows.map(|row| (row.name, row)).collect::<BTreeMap<_, _>>().into_values().collect()
}

fn failures_of(rows: &[&Row<'_>], direction: Direction) -> Vec<NodeFailure> {
    rows.iter().filter_map(|row| row.gate(direction).failures()).flatten().cloned().collect()
}

fn waits_of(rows: &[&Row<'_>], direction: Direction) -> WaitsFor {
    WaitsFor(rows.iter().filter_map(|row| row.gate(direction).waits_for()).cloned().collect())
}
