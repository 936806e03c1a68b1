//! Controller, agents and hosts together, and the time that passes between
//! them. Every change that people would see becomes one line.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::decide::plan::NodeFacts;
use oml_common::decide::rollout::State;
use oml_common::document::catalog::Catalog;
use oml_common::document::report::{InstanceReport, Phase};
use oml_common::id::{ComponentName, NodeName, RevisionNumber};
use oml_common::time::Timestamp;

use super::ScenarioError;
use super::agent::Agent;
use super::behaviour::Surroundings;
use super::controller::{Controller, Passed};
use super::flight::{Effect, Scene};
use super::host::{Host, Moment};
use super::invariants::{self, Deed, Watch};

/// Passes at one moment; more would never end.
const PASSES_MAX: usize = 2_000;
/// Where the clock of every script begins.
pub(super) const BEGIN: Timestamp = Timestamp(1_000_000_000_000);

/// Everything a script plays with.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) now: Timestamp,
    /// The specification that the next `apply` sends.
    pub(super) spec: String,
    pub(super) around: Surroundings,
    pub(super) controller: Controller,
    pub(super) agents: BTreeMap<NodeName, Agent>,
    pub(super) hosts: BTreeMap<NodeName, Host>,
    /// Nodes that were removed.
    removed: BTreeMap<NodeName, NodeFacts>,
    watch: Watch,
    /// What was last printed of each instance.
    shown: BTreeMap<(NodeName, ComponentName), Shown>,
    /// Lines printed since the last command.
    pub(super) lines: Vec<String>,
    /// Effects of each node's agent so far.
    pub(super) effects: BTreeMap<NodeName, Vec<(ComponentName, Effect)>>,
    /// Somebody did something that everybody has to look at.
    pub(super) stirred: bool,
    /// Before this node's effect of this number, time stands still.
    pub(super) halt_before: Option<(NodeName, usize)>,
}

/// What people see of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shown {
    phase: String,
    reason: String,
    drift: Option<String>,
}

impl World {
    pub(super) fn new(catalog: Catalog) -> Self {
        Self {
            now: BEGIN,
            spec: String::new(),
            around: Surroundings::default(),
            controller: Controller::new(catalog),
            agents: BTreeMap::new(),
            hosts: BTreeMap::new(),
            removed: BTreeMap::new(),
            watch: Watch::default(),
            shown: BTreeMap::new(),
            lines: Vec::new(),
            effects: BTreeMap::new(),
            stirred: true,
            halt_before: None,
        }
    }

    pub(super) fn add_node(&mut self, node: NodeName) {
        self.agents.insert(node.clone(), Agent::new());
        self.hosts.insert(node, Host::default());
    }

    /// A node is removed; its host knows nothing of it, and is not heard any more.
    pub(super) fn remove_node(&mut self, node: &NodeName) -> Result<(), ScenarioError> {
        let facts = self.controller.remove(node);
        let (Some(agent), Some(facts)) = (self.agents.get_mut(node), facts) else {
            return Err(no_node(node));
        };
        agent.reachable = false;
        self.removed.insert(node.clone(), facts);
        self.watch.forget(node);
        Ok(())
    }

    /// Its host joins again under its name, with all that is on it.
    pub(super) fn join_again(&mut self, node: &NodeName) -> Result<(), ScenarioError> {
        let facts = self.removed.remove(node);
        let (Some(agent), Some(facts)) = (self.agents.get_mut(node), facts) else {
            return Err(no_node(node));
        };
        agent.reachable = true;
        self.controller.join(node, facts);
        Ok(())
    }

    /// Lets time pass up to `until`.
    pub(super) fn advance(&mut self, until: Timestamp) -> Result<(), ScenarioError> {
        self.settle()?;
        while let Some(next) = self.next_at().filter(|next| *next <= until && !self.halted()) {
            self.now = next.max(self.now);
            self.settle()?;
        }
        if !self.halted() {
            self.now = until.max(self.now);
            self.settle()?;
        }
        Ok(())
    }

    /// The next moment at which anything happens by itself.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        let hosts = self.hosts.values().filter_map(Host::next_at);
        let agents = self.agents.values().filter(|agent| agent.running);
        hosts.chain(agents.filter_map(Agent::next_at)).min()
    }

    /// Everything that follows at this moment.
    pub(super) fn settle(&mut self) -> Result<(), ScenarioError> {
        for _pass in 0..PASSES_MAX {
            let all = std::mem::take(&mut self.stirred);
            let mut moved = false;
            let nodes: Vec<NodeName> = self.hosts.keys().cloned().collect();
            for node in &nodes {
                if self.halted() {
                    self.stirred = true;
                    return Ok(());
                }
                moved |= self.drive(node, all)?;
            }
            if !(moved || all) {
                return Ok(());
            }
            // What the controller does may concern everybody.
            self.stirred = self.control()?;
        }
        let tail = self.lines.split_off(self.lines.len().saturating_sub(8));
        let what = format!("the same moment goes on for ever:\n{}", tail.join("\n"));
        Err(ScenarioError::Broken(what))
    }

    /// Whether the effect before which time stands still is next.
    pub(super) fn halted(&self) -> bool {
        let Some((node, number)) = &self.halt_before else { return false };
        self.effects.get(node).map_or(0, Vec::len) >= *number && self.due_effect(node).is_some()
    }

    /// What the node's agent does next, if that is due.
    pub(super) fn due_effect(&self, node: &NodeName) -> Option<(ComponentName, Effect)> {
        let (agent, host) = (self.agents.get(node)?, self.hosts.get(node)?);
        let flights = agent.flights.values();
        let due = |flight: &super::flight::Flight| {
            Some((flight.component.clone(), flight.due(host, self.now)?))
        };
        flights.filter_map(due).next().filter(|_| agent.running)
    }

    /// One host: what is due there, then a look of its agent.
    fn drive(&mut self, node: &NodeName, mut look: bool) -> Result<bool, ScenarioError> {
        let mut moved = self.happen(node)?;
        while let Some((component, effect)) = self.due_effect(node) {
            if self.halted() {
                return Ok(true);
            }
            self.take_effect(node, &component, effect)?;
            self.happen(node)?;
            moved = true;
        }
        let (Some(agent), Some(host)) = (self.agents.get_mut(node), self.hosts.get_mut(node))
        else {
            return Ok(moved);
        };
        look |= moved || agent.next_at().is_some_and(|at| at <= self.now);
        if !agent.running || !look {
            return Ok(moved);
        }
        if agent.reachable
            && let Some(offered) = self.controller.assignments.get(node)
        {
            moved |= agent.take(offered, self.now);
        }
        moved |= agent.pass(host, self.now);
        if agent.reachable
            && let Some(report) = &agent.report
        {
            self.controller.hear(node, report);
        }
        self.show(node);
        Ok(moved)
    }

    /// What the host does by itself.
    fn happen(&mut self, node: &NodeName) -> Result<bool, ScenarioError> {
        let mut moved = false;
        let Some(host) = self.hosts.get_mut(node) else { return Ok(false) };
        while let Some(component) = host.due(self.now) {
            let moment = Moment { now: self.now, around: &self.around };
            if let Some(place) = host.places.get_mut(&component) {
                place.happen(moment);
                invariants::check_place(node, &component, place)?;
            }
            moved = true;
        }
        Ok(moved)
    }

    fn take_effect(
        &mut self,
        node: &NodeName,
        component: &ComponentName,
        effect: Effect,
    ) -> Result<(), ScenarioError> {
        let (Some(agent), Some(host)) = (self.agents.get_mut(node), self.hosts.get_mut(node))
        else {
            return Ok(());
        };
        let Some(flight) = agent.flights.get(component).cloned() else { return Ok(()) };
        let before = host.places.get(component).cloned().unwrap_or_default();
        let moment = Moment { now: self.now, around: &self.around };
        agent.advance(component, Scene { host, moment });
        let after = host.places.entry(component.clone()).or_default();
        invariants::check_place(node, component, after)?;
        self.watch.check_deed(&Deed {
            node,
            flight: &flight,
            effect,
            before: &before,
            after,
            assignment: agent.assignment.as_ref(),
            now: self.now,
        })?;
        self.effects.entry(node.clone()).or_default().push((component.clone(), effect));
        Ok(())
    }

    /// One look of the controller.
    fn control(&mut self) -> Result<bool, ScenarioError> {
        let passed = self.controller.pass(&self.agents, self.now);
        for node in &passed.assigned {
            if let Some(assignment) = self.controller.assignments.get(node) {
                self.watch.note_assigned(node, assignment.generation);
            }
        }
        self.show_passed(&passed);
        let current = self.controller.rollout.as_ref().map(|rollout| rollout.to);
        let plan = current.and_then(|to| self.controller.revision(to)).map(|r| &r.plan);
        if let Some(max_parallel) = plan.map(|plan| plan.strategy.max_parallel) {
            self.watch.check_parallel(&self.agents, max_parallel)?;
        }
        Ok(!passed.is_idle())
    }

    fn show_passed(&mut self, passed: &Passed) {
        let name = |number: Option<RevisionNumber>| {
            number.map_or_else(|| "nothing".to_owned(), |number| format!("revision {number}"))
        };
        for (node, from, to) in &passed.moves {
            let move_ = format!("{} -> {}", name(*from), name(*to));
            self.line(node.as_str(), "pointer", &move_, "");
        }
        if let Some(state) = &passed.entered {
            let detail = match state {
                State::Progressing { wave } => format!("wave {}", wave + 1),
                State::Completed
                | State::Paused { .. }
                | State::RollingBack { .. }
                | State::RolledBack { .. }
                | State::Superseded => state.why().to_owned(),
            };
            self.line("rollout", "", state.as_str(), &detail);
        }
    }

    /// Prints what is new of a node's instances.
    fn show(&mut self, node: &NodeName) {
        let report = self.agents.get(node).and_then(|agent| agent.report.as_ref());
        let Some(instances) = report.map(|report| report.instances.clone()) else { return };
        for (component, instance) in &instances {
            let shown = Shown::of(instance);
            let key = (node.clone(), component.clone());
            let before = self.shown.insert(key, shown.clone()).unwrap_or_default();
            if let Some(drift) = shown.drift.as_ref().filter(|_| shown.drift != before.drift) {
                self.line(node.as_str(), component.as_str(), "drift", drift);
            }
            if (&shown.phase, &shown.reason) != (&before.phase, &before.reason) {
                let version = instance.version.as_ref().map(|v| format!("{v} runs; "));
                let version = version.filter(|_| instance.phase == Phase::RolledBack);
                let reason = if tells_more(instance) { instance.reason.as_str() } else { "" };
                let reason = format!("{}{reason}", version.unwrap_or_default());
                self.line(node.as_str(), component.as_str(), &shown.phase, &reason);
            }
        }
        let gone: BTreeSet<_> = self
            .shown
            .keys()
            .filter(|(shown, component)| shown == node && !instances.contains_key(component))
            .cloned()
            .collect();
        for key in gone {
            self.shown.remove(&key);
            self.line(node.as_str(), key.1.as_str(), "gone", "");
        }
    }

    fn line(&mut self, place: &str, what: &str, state: &str, detail: &str) {
        let at = clock(self.now.since_ms(BEGIN));
        let line = format!("{at}  {place:<11} {what:<13} {state:<11} {detail}");
        self.lines.push(line.trim_end().to_owned());
    }
}

impl Shown {
    fn of(instance: &InstanceReport) -> Self {
        let changes_by_itself = match instance.phase {
            Phase::Ready
            | Phase::Soaking { .. }
            | Phase::Pulling { .. }
            | Phase::Preparing
            | Phase::Starting
            | Phase::Removing => true,
            Phase::Pending
            | Phase::Draining { .. }
            | Phase::Unhealthy
            | Phase::StoppedByHand { .. }
            | Phase::RolledBack
            | Phase::Failed
            | Phase::Unknown
            | Phase::Blocked => false,
        };
        let reason = if changes_by_itself { String::new() } else { instance.reason.clone() };
        let drift = instance.drift.as_ref().map(|drift| drift.found.clone());
        Self { phase: instance.phase.as_str().to_owned(), reason, drift }
    }
}

fn no_node(node: &NodeName) -> ScenarioError {
    ScenarioError::Mistake { line: 0, message: format!("there is no node {node}") }
}

/// Whether the reason says more than the phase does.
fn tells_more(instance: &InstanceReport) -> bool {
    !matches!(instance.phase, Phase::Pulling { .. } | Phase::Preparing)
        && instance.reason != instance.phase.as_str()
}

/// Time since the script began: `01:05.2`, or `2:01:05.2`.
pub(super) fn clock(ms: u64) -> String {
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let (seconds, tenths) = (ms / 1_000 % 60, ms / 100 % 10);
    let short = format!("{minutes:02}:{seconds:02}.{tenths}");
    if hours == 0 { short } else { format!("{hours}:{short}") }
}
