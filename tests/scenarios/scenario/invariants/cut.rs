//! Checks that a stop cuts calls only after the drain deadline, and only if the operator
//! chose to cut them then.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::document::assignment::{ChangePolicy, Content, OnDeadline};
use oml_common::document::report::{Phase, Report};
use oml_common::id::{ComponentName, NodeName};
use oml_common::time::Timestamp;

/// The longest time from an event to the report about it.
const REPORT_DELAY_MS: u64 = 1_000;
/// The longest time from the end of a drain to the stop that belongs to it.
const STOP_DELAY_MS: u64 = 10_000;

/// A container that the engine was asked to stop while it carried calls.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) node: NodeName,
    pub(super) component: String,
    pub(super) container: String,
    pub(super) calls: u64,
    pub(super) at: Timestamp,
}

/// The facts about stops: the operator's choices, drains, and acts by hand.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    policies: BTreeMap<(NodeName, String), ChangePolicy>,
    /// The choices for the instances that a node should no longer run.
    removals: BTreeMap<NodeName, ChangePolicy>,
    drains: BTreeMap<(NodeName, String), Drain>,
    /// Containers that somebody on the host ended.
    excused: BTreeSet<(NodeName, String)>,
}

/// The last time that an instance drained.
#[derive(Debug)]
struct Drain {
    since: Timestamp,
    until: Option<Timestamp>,
}

impl Cuts {
    /// Records what a node was given.
    pub(super) fn see_content(&mut self, node: &NodeName, content: &Content) {
        self.policies.retain(|(of, _), _| of != node);
        for (component, desired) in content.share.instances.iter() {
            self.see_policy(node, component, desired.policy.clone());
        }
        self.removals.remove(node);
        if let Some(policy) = content.policy.as_ref().and_then(|policy| policy.value()) {
            self.removals.insert(node.clone(), policy.clone());
        }
    }

    /// Records the operator's choices for one instance.
    pub(super) fn see_policy(
        &mut self,
        node: &NodeName,
        component: &ComponentName,
        policy: ChangePolicy,
    ) {
        self.policies.insert((node.clone(), component.to_string()), policy);
    }

    /// Records the report of an agent.
    pub(super) fn see_report(&mut self, node: &NodeName, report: &Report, at: Timestamp) {
        for (component, instance) in &report.instances {
            self.see_phase(node, component, instance.phase, at);
        }
    }

    /// Records the phase that an agent reports of one instance.
    pub(super) fn see_phase(
        &mut self,
        node: &NodeName,
        component: &ComponentName,
        phase: Phase,
        at: Timestamp,
    ) {
        let key = (node.clone(), component.to_string());
        if matches!(phase, Phase::Draining { .. }) {
            let begun = Drain { since: at, until: None };
            let is_over = self.drains.get(&key).is_none_or(|drain| drain.until.is_some());
            if is_over {
                self.drains.insert(key, begun);
            }
        } else if let Some(drain) = self.drains.get_mut(&key) {
            drain.until.get_or_insert(at);
        }
    }

    /// Records that somebody on the host ends a container.
    pub(super) fn excuse(&mut self, node: &NodeName, container: &str) {
        self.excused.insert((node.clone(), container.to_owned()));
    }

    /// Returns the reason if the stop was not allowed.
    pub(super) fn check(&self, stop: &Stop) -> Result<(), String> {
        let Stop { node, component, container, calls, at } = stop;
        if self.excused.contains(&(node.clone(), container.clone())) {
            return Ok(());
        }
        let cut = |why: &str| Err(format!("{calls} calls of {component} on {node} were cut {why}"));
        let key = (node.clone(), component.clone());
        let policy = self.policies.get(&key).or_else(|| self.removals.get(node));
        let Some(policy) = policy.filter(|policy| policy.on_deadline == OnDeadline::Cut) else {
            return cut("although nobody chose to cut any");
        };
        let drain = self.drains.get(&key);
        let drain = drain
            .filter(|drain| drain.until.is_none_or(|until| *at <= until.plus_ms(STOP_DELAY_MS)));
        let Some(drain) = drain else { return cut("without a drain") };
        let drained_ms = at.since_ms(drain.since);
        if drained_ms.saturating_add(REPORT_DELAY_MS) < policy.drain_deadline_ms {
            let deadline_ms = policy.drain_deadline_ms;
            return cut(&format!("after {drained_ms} of {deadline_ms} ms of drain"));
        }
        Ok(())
    }
}
