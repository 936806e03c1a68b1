//! Shows progress as plain lines: one for every transition, not for every report.

use std::collections::BTreeMap;

use oml_common::text::printable::printable;
use oml_proto::v1::{InstanceReport, NodeState, NodeStatus, Phase, RolloutState, TenantStatus};

use super::Labels;
use crate::describe;

/// The states that were printed last.
#[derive(Debug)]
pub(crate) struct Transitions {
    labels: Labels,
    rollout: Option<String>,
    connections: BTreeMap<String, NodeState>,
    instances: BTreeMap<(String, String), Shown>,
    is_first: bool,
}

/// The state of an instance in the last status.
#[derive(Debug)]
struct Shown {
    state: State,
    phase: String,
}

/// What makes two states of an instance different; counts and times in its reason do not. The
/// key of a reason is empty if the agent or the controller is of release 0.1.0. Only its phases
/// are shown then.
#[derive(Debug, PartialEq, Eq)]
struct State {
    phase: i32,
    version: String,
    reason_key: String,
}

impl State {
    fn of(instance: &InstanceReport) -> Self {
        let Phase { name: phase, .. } = instance.phase.unwrap_or_default();
        let (version, reason_key) = (instance.version.clone(), instance.reason_key.clone());
        Self { phase, version, reason_key }
    }
}

impl Transitions {
    pub(super) fn new(labels: Labels) -> Self {
        Self {
            labels,
            rollout: None,
            connections: BTreeMap::new(),
            instances: BTreeMap::new(),
            is_first: true,
        }
    }

    /// Returns the lines for what a status changes.
    pub(super) fn update(&mut self, now_ms: u64, tenant: &TenantStatus) -> Vec<String> {
        let mut lines: Vec<String> = self.rollout_line(tenant).into_iter().collect();
        for node in &tenant.nodes {
            lines.extend(self.connection_line(now_ms, node));
            let report = node.report.clone().unwrap_or_default();
            for (component, instance) in &report.instances {
                lines.extend(self.instance_line(tenant, node, component, instance));
            }
        }
        self.is_first = false;
        let time = self.labels.clock.time(now_ms);
        lines.into_iter().map(|line| format!("{time} {line}")).collect()
    }

    fn rollout_line(&mut self, tenant: &TenantStatus) -> Option<String> {
        let rollout = tenant.rollout.as_ref()?;
        let state = describe::rollout_state(rollout);
        let way = describe::rollout_way(rollout);
        let line = format!("{way}: {state}");
        if self.rollout.replace(line.clone()).as_ref() == Some(&line) {
            return None;
        }
        // While a rollout progresses, its reason repeats the lines of the nodes.
        match rollout.reason.as_str() {
            reason if !reason.is_empty() && rollout.state() != RolloutState::Progressing => {
                Some(printable(&format!("{line}: {reason}")))
            }
            _ => Some(line),
        }
    }

    fn connection_line(&mut self, now_ms: u64, node: &NodeStatus) -> Option<String> {
        let before = self.connections.insert(node.node.clone(), node.state());
        let is_new = before != Some(node.state());
        let is_expected = before.is_none() && describe::is_connected(node);
        (is_new && !is_expected)
            .then(|| format!("{}: {}", node.node, describe::connection(node, now_ms)))
    }

    fn instance_line(
        &mut self,
        tenant: &TenantStatus,
        node: &NodeStatus,
        component: &str,
        instance: &InstanceReport,
    ) -> Option<String> {
        let phase = self.labels.phase(node, instance);
        let key = (node.node.clone(), component.to_owned());
        let shown = Shown { state: State::of(instance), phase: phase.clone() };
        let before = self.instances.insert(key, shown);
        let is_changed = self.labels.change(&node.node, component).is_some();
        let is_well = describe::is_ready_and_healthy(instance);
        let is_new = match before {
            Some(before) => before.state != State::of(instance) && before.phase != phase,
            // The first status is printed only for instances that this change concerns.
            None => !is_well && (is_changed || !self.is_first),
        };
        let label = self.labels.instance(tenant, node, component);
        is_new.then(|| format!("{} {label}: {phase}", node.node))
    }
}

#[cfg(test)]
mod tests;
