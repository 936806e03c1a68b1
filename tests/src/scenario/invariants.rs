//! What must never happen, looked at after every single change of a host and
//! after every move of a pointer.

use std::collections::BTreeMap;

use oml_common::document::assignment::{Assignment, OnDeadline};
use oml_common::document::report::{Phase, Report};
use oml_common::id::{ComponentName, ContentHash, Generation, NodeName};
use oml_common::time::Timestamp;

use super::ScenarioError;
use super::agent::Agent;
use super::flight::{Effect, Flight};
use super::host::Place;

/// What the checks have to remember.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    /// Nodes that were given something new and have not come to its end.
    on_the_way: BTreeMap<NodeName, Generation>,
    /// When a component's calls were first asked for, and for which change.
    drains: BTreeMap<(NodeName, ComponentName), (Option<ContentHash>, Timestamp)>,
}

/// One effect of an agent, before and after.
pub(super) struct Deed<'a> {
    pub(super) node: &'a NodeName,
    pub(super) flight: &'a Flight,
    pub(super) effect: Effect,
    pub(super) before: &'a Place,
    pub(super) after: &'a Place,
    pub(super) assignment: Option<&'a Assignment>,
    pub(super) now: Timestamp,
}

fn broken(what: String) -> ScenarioError {
    ScenarioError::Broken(what)
}

/// Two of one component never run at once, whoever caused it.
pub(super) fn check_place(
    node: &NodeName,
    component: &ComponentName,
    place: &Place,
) -> Result<(), ScenarioError> {
    let running = place.containers.iter().filter(|container| container.is_running()).count();
    if running > 1 {
        return Err(broken(format!("{running} containers of {component} run on {node}")));
    }
    Ok(())
}

impl Watch {
    /// Checks one effect of an agent.
    pub(super) fn check_deed(&mut self, deed: &Deed<'_>) -> Result<(), ScenarioError> {
        check_foreign(deed)?;
        check_startable(deed)?;
        self.check_calls(deed)
    }

    /// Calls are cut only after the deadline, and only if the operator chose so.
    fn check_calls(&mut self, deed: &Deed<'_>) -> Result<(), ScenarioError> {
        let component = &deed.flight.component;
        let key = (deed.node.clone(), component.clone());
        let desired_hash = deed.flight.desired.as_ref().map(|instance| instance.workload_hash());
        if deed.effect == Effect::Count {
            let drain = self.drains.entry(key).or_insert((desired_hash.clone(), deed.now));
            if drain.0 != desired_hash {
                *drain = (desired_hash, deed.now);
            }
            return Ok(());
        }
        let stops = matches!(deed.effect, Effect::Restart | Effect::Stop);
        let Some(running) = deed.before.running().filter(|_| stops) else { return Ok(()) };
        // What runs is no good, or is what is wanted: its stop is no change of version.
        if !deed.before.answered.contains(&running.hash)
            || Some(&running.hash) == desired_hash.as_ref()
        {
            return Ok(());
        }
        let counts = deed.before.labels.get(&running.hash).is_some_and(|i| i.active.is_some());
        if !counts || deed.before.calls.count() == Some(0) || returns(deed.flight) {
            return Ok(());
        }
        let policy = deed.assignment.and_then(|a| a.content.share.instances.get(component));
        let may_cut = policy.is_some_and(|desired| {
            let since = self.drains.get(&key).filter(|(drained, _)| *drained == desired_hash);
            let deadline = since.map(|(_, at)| at.plus_ms(desired.policy.drain_deadline_ms));
            desired.policy.on_deadline == OnDeadline::Cut
                && deadline.is_some_and(|deadline| deed.now >= deadline)
        });
        if may_cut {
            return Ok(());
        }
        let calls = deed.before.calls;
        Err(broken(format!("{component} on {} is stopped while calls are {calls:?}", deed.node)))
    }

    /// A node was given something new.
    pub(super) fn note_assigned(&mut self, node: &NodeName, generation: Generation) {
        self.on_the_way.insert(node.clone(), generation);
    }

    /// A node is not the controller's any more.
    pub(super) fn forget(&mut self, node: &NodeName) {
        self.on_the_way.remove(node);
    }

    /// Never more nodes on the way than allowed.
    pub(super) fn check_parallel(
        &mut self,
        agents: &BTreeMap<NodeName, Agent>,
        max_parallel: u32,
    ) -> Result<(), ScenarioError> {
        self.on_the_way.retain(|node, generation| {
            let report = agents.get(node).and_then(|agent| agent.report.as_ref());
            !report.is_some_and(|report| has_come_to_an_end(report, *generation))
        });
        if self.on_the_way.len() > max_parallel as usize {
            let nodes: Vec<&str> = self.on_the_way.keys().map(AsRef::as_ref).collect();
            let nodes = nodes.join(" and ");
            return Err(broken(format!(
                "{nodes} change at the same time; allowed: {max_parallel}"
            )));
        }
        Ok(())
    }
}

/// The step goes back from a version that failed.
fn returns(flight: &Flight) -> bool {
    matches!(flight.step, oml_common::decide::reconcile::Step::RollBack { .. })
}

/// Nothing that bears no mark of ours is touched.
fn check_foreign(deed: &Deed<'_>) -> Result<(), ScenarioError> {
    let harmless = matches!(deed.effect, Effect::Pull | Effect::Record);
    match &deed.before.foreign {
        Some(foreign) if !harmless => {
            let words = deed.effect.words();
            Err(broken(format!("{foreign} is not ours, yet: {words}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// A version that ever answered is always there to be started, until the
/// component itself goes.
fn check_startable(deed: &Deed<'_>) -> Result<(), ScenarioError> {
    let startable =
        |place: &Place| place.containers.iter().any(|c| place.answered.contains(&c.hash));
    let goes = deed.flight.desired.is_none();
    if !goes && startable(deed.before) && !startable(deed.after) {
        let (component, words) = (&deed.flight.component, deed.effect.words());
        return Err(broken(format!(
            "no startable version of {component} is left on {} after {words}",
            deed.node
        )));
    }
    Ok(())
}

/// Everything that the agent was given is kept, given up or out of its hands.
fn has_come_to_an_end(report: &Report, generation: Generation) -> bool {
    report.applied >= Some(generation)
        && report.instances.values().all(|instance| match instance.phase {
            Phase::Ready
            | Phase::StoppedByHand { .. }
            | Phase::RolledBack
            | Phase::Failed
            | Phase::Unhealthy => true,
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
