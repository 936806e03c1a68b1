//! Checks what must never happen, each time the world is looked at.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::document::report::{Phase, Report};
use oml_common::id::{Generation, NodeName};
use oml_common::time::Timestamp;
use oml_sim::EventAction;
use omlcontroller::ops::snapshot::TenantSnapshot;

use super::ScenarioError;
use super::node::Node;
use super::stage::component_of;

mod cut;
pub(super) mod planted;
mod strangers;

use cut::{Cuts, Stop};
use strangers::Strangers;

/// The facts that the checks remember.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// The generation of each node's last assignment.
    given: BTreeMap<NodeName, Generation>,
    /// The nodes that have not finished their last assignment.
    on_the_way: BTreeMap<NodeName, Generation>,
    /// The containers of each component that answered at least once.
    answered: BTreeMap<(NodeName, String), BTreeSet<String>>,
    cuts: Cuts,
    /// The containers and units of each host that are not ours.
    strangers: BTreeMap<NodeName, Strangers>,
}

fn broken(what: String) -> ScenarioError {
    ScenarioError::Broken(what)
}

impl Watch {
    pub(super) fn check(
        &mut self,
        nodes: &BTreeMap<NodeName, Node>,
        now: Timestamp,
    ) -> Result<(), ScenarioError> {
        for node in nodes.values() {
            if let Some(call) = node.host.stuck() {
                let name = &node.name;
                return Err(broken(format!("calls to {name} without end at one moment: {call:?}")));
            }
            check_one_runs(node)?;
            // The other check forgets the containers of a removed component.
            self.check_calls(node, now)?;
            self.check_startable(node)?;
            let before = self.strangers.entry(node.name.clone()).or_default();
            let after = Strangers::of(node);
            strangers::check(before, &after)
                .map_err(|what| broken(format!("{what} on {}", node.name)))?;
            before.add(after);
        }
        Ok(())
    }

    /// Checks that every call that a stop cut was allowed to be cut.
    fn check_calls(&mut self, node: &Node, now: Timestamp) -> Result<(), ScenarioError> {
        let containers = node.host.containers();
        for (id, calls) in node.stage.up() {
            let found = containers.iter().find(|container| container.id == id);
            if found.is_some_and(oml_sim::Container::is_running) {
                continue;
            }
            // Calls end with their container.
            node.stage.end_calls(&id);
            let events = node.host.history(&id);
            let Some(stopped) = events.iter().rev().find(|e| e.action == EventAction::Stop) else {
                continue;
            };
            let component = match found {
                Some(container) => component_of(container).to_owned(),
                None => self.component_of_removed(&node.name, &id),
            };
            let at = Timestamp(stopped.at_ms).min(now);
            let stop = Stop { node: node.name.clone(), component, container: id, calls, at };
            self.cuts.check(&stop).map_err(broken)?;
        }
        Ok(())
    }

    /// Returns the component of a container that is gone.
    fn component_of_removed(&self, node: &NodeName, id: &str) -> String {
        let of = |((of, _), ids): &(&(NodeName, String), &BTreeSet<String>)| {
            of == node && ids.contains(id)
        };
        self.answered
            .iter()
            .find(of)
            .map(|((_, component), _)| component.clone())
            .unwrap_or_default()
    }

    /// Records the report of an agent.
    pub(super) fn see_report(&mut self, node: &NodeName, report: &Report, at: Timestamp) {
        self.cuts.see_report(node, report, at);
    }

    /// Records that somebody on the host ends a container.
    pub(super) fn ended_by_hand(&mut self, node: &NodeName, container: &str) {
        self.cuts.excuse(node, container);
    }

    /// Records that somebody on the host changed what is not ours.
    pub(super) fn strangers_changed(&mut self, node: &Node) {
        self.strangers.insert(node.name.clone(), Strangers::of(node));
    }

    /// Records that a host was powered off and on, so that its agent did not end anything.
    pub(super) fn rebooted(&mut self, node: &Node) {
        for (id, _) in node.stage.up() {
            node.stage.end_calls(&id);
        }
        self.strangers_changed(node);
    }

    /// Records that somebody removes a component's container by hand.
    pub(super) fn removed_by_hand(&mut self, node: &NodeName, component: &str) {
        self.answered.remove(&(node.clone(), component.to_owned()));
    }

    /// Records that a node was removed from the controller.
    pub(super) fn forget(&mut self, node: &NodeName) {
        self.on_the_way.remove(node);
    }

    /// Checks that a version that has answered can be started, until the component itself is
    /// removed.
    fn check_startable(&mut self, node: &Node) -> Result<(), ScenarioError> {
        let containers = node.host.containers();
        for container in containers.iter().filter(|c| node.host.answers(&c.id)) {
            let key = (node.name.clone(), component_of(container).to_owned());
            self.answered.entry(key).or_default().insert(container.id.clone());
        }
        let report = node.report.as_ref();
        for ((_, component), answered) in
            self.answered.iter_mut().filter(|((name, _), _)| *name == node.name)
        {
            let is_left = containers.iter().any(|c| answered.contains(&c.id));
            let goes = report.is_none_or(|report| {
                let instance = report.instances.iter().find(|(name, _)| name.as_str() == component);
                instance.is_none_or(|(_, instance)| instance.phase == Phase::Removing)
            });
            if goes && !is_left {
                answered.clear();
            }
            if !answered.is_empty() && !is_left {
                let name = &node.name;
                return Err(broken(format!(
                    "no startable version of {component} is left on {name}"
                )));
            }
        }
        Ok(())
    }

    /// Checks that no more nodes change at the same time than allowed.
    pub(super) fn check_parallel(
        &mut self,
        nodes: &BTreeMap<NodeName, Node>,
        snapshot: &TenantSnapshot,
    ) -> Result<(), ScenarioError> {
        for (name, node) in &snapshot.nodes {
            let Some(assigned) = &node.assigned else { continue };
            let generation = assigned.assignment.generation;
            self.cuts.see_content(name, &assigned.assignment.content);
            if self.given.insert(name.clone(), generation) != Some(generation) {
                self.on_the_way.insert(name.clone(), generation);
            }
        }
        self.on_the_way.retain(|node, generation| {
            let report = nodes.get(node).and_then(|node| node.report.as_ref());
            !report.is_some_and(|report| has_come_to_an_end(report, *generation))
        });
        let max_parallel = snapshot.to.strategy.max_parallel;
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

/// Checks that no two containers of one component run at the same time.
fn check_one_runs(node: &Node) -> Result<(), ScenarioError> {
    let mut running: BTreeMap<String, usize> = BTreeMap::new();
    for container in node.host.containers().iter().filter(|container| container.is_running()) {
        *running.entry(component_of(container).to_owned()).or_default() += 1;
    }
    match running.iter().find(|(component, count)| **count > 1 && !component.is_empty()) {
        Some((component, count)) => {
            Err(broken(format!("{count} containers of {component} run on {}", node.name)))
        }
        None => Ok(()),
    }
}

/// Returns true if the agent has nothing left to do about the assignment.
fn has_come_to_an_end(report: &Report, generation: Generation) -> bool {
    report.applied >= Some(generation)
        && report.instances.values().all(|instance| instance.phase.is_idle())
}
