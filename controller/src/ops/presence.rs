//! Which nodes have a session, and what each last reported. This is kept in memory only;
//! [`super::reports`] records what must survive a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oml_common::document::report::{Report, Significance, significance};
use oml_common::id::{NodeName, TenantId};
use oml_common::time::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::node_id::NodeId;

mod processes;

pub use processes::Twins;

/// The least time between two records of one node's reports, and of its greetings.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// Which nodes are connected, and what each last reported.
#[derive(Debug, Default)]
pub struct Presence {
    tenants: Mutex<BTreeMap<TenantId, TenantEntry>>,
    /// Counts the changes on which a task may have to act.
    actionable: watch::Sender<u64>,
    all: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct TenantEntry {
    nodes: BTreeMap<NodeName, NodeEntry>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct NodeEntry {
    presence: NodePresence,
    session: Option<(SessionId, oneshot::Sender<()>)>,
    /// Whether the report differs in substance from the recorded one.
    is_unsaved: bool,
    saved_at: Option<Instant>,
    greeted_at: Option<Instant>,
    processes: processes::Processes,
}

/// The decision about recording a node's last report.
#[derive(Debug)]
pub enum Persist {
    /// The caller has to record it.
    Now(Arc<Report>, Timestamp),
    /// It has to be recorded at this time, because the previous record is too recent.
    At(Instant),
    /// Nothing has to be recorded.
    Nothing,
}

/// The presence of one node.
#[derive(Debug, Clone, Default)]
pub struct NodePresence {
    /// Whether the node has an open session now.
    pub connected: bool,
    /// Whether it has reported in that session. Earlier reports may be out of date.
    pub has_reported: bool,
    /// The time of its last message, by the controller's clock.
    pub last_seen: Option<Timestamp>,
    pub report: Option<Arc<Report>>,
    /// What another host did that claimed to be this node, with its time.
    pub duplicate: Option<(Arc<str>, Timestamp)>,
}

/// The identity of one session of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId(u64);

impl Presence {
    /// Begins a session of a node, which replaces an older one. The returned receiver
    /// wakes when a newer session replaces this one.
    pub fn connect(&self, node: &NodeId, now: Timestamp) -> (SessionId, oneshot::Receiver<()>) {
        let (replaced, wakes) = oneshot::channel();
        let mut number = 0;
        self.all.send_modify(|count| {
            *count += 1;
            number = *count;
        });
        let id = SessionId(number);
        self.update(node, |known| {
            known.presence.connected = true;
            known.presence.has_reported = false;
            known.presence.last_seen = Some(now);
            // Dropping the older sender wakes the older session.
            known.session = Some((id, replaced));
            true
        });
        (id, wakes)
    }

    /// Ends a session. The end of a session that was replaced changes nothing.
    pub fn disconnect(&self, node: &NodeId, id: SessionId) {
        self.update(node, |known| {
            let is_current = known.session.as_ref().is_some_and(|(current, _)| *current == id);
            if is_current {
                known.session = None;
                known.presence.connected = false;
                known.presence.has_reported = false;
            }
            is_current
        });
    }

    /// Records a report of a node. Returns whether it differs in substance from the
    /// previous one, or is the first in its session. A report of a session that was
    /// replaced is ignored.
    pub fn record_report(
        &self,
        node: &NodeId,
        id: SessionId,
        report: Report,
        now: Timestamp,
    ) -> bool {
        self.update(node, |known| {
            if known.session.as_ref().is_none_or(|(current, _)| *current != id) {
                return false;
            }
            let before = known.presence.report.as_deref();
            let differs = before
                .is_none_or(|before| significance(before, &report) == Significance::Actionable);
            let is_first = !known.presence.has_reported;
            known.presence.last_seen = Some(now);
            known.presence.report = Some(Arc::new(report));
            known.presence.has_reported = true;
            known.is_unsaved |= differs;
            differs || is_first
        })
    }

    /// Records the greeting of an agent's process at an address. Returns the hosts if two show
    /// the identity of the node and claim to be the same machine.
    pub fn greeted(
        &self,
        node: &NodeId,
        process: &str,
        address: &str,
        now: Timestamp,
    ) -> Option<Twins> {
        let mut tenants = self.lock();
        let nodes = &mut tenants.entry(node.tenant.clone()).or_default().nodes;
        let known = nodes.entry(node.name.clone()).or_default();
        known.processes.greet(process, address, known.presence.connected, now)
    }

    /// Records that another machine claimed to be the node and was refused.
    pub fn record_duplicate(&self, node: &NodeId, message: &str, now: Timestamp) {
        self.update(node, |known| {
            known.presence.duplicate = Some((message.into(), now));
            false
        });
    }

    /// Records that a host joined as the node, which ends the refusal of other machines.
    pub fn joined(&self, node: &NodeId) {
        self.update(node, |known| {
            known.presence.duplicate = None;
            known.greeted_at = None;
            known.processes = processes::Processes::default();
            false
        });
    }

    /// Decides whether a node's last report is to be recorded. The rate of one node's
    /// records is limited over all of its sessions.
    pub fn next_persist(&self, node: &NodeId, now: Instant) -> Persist {
        let mut tenants = self.lock();
        let known =
            tenants.get_mut(&node.tenant).and_then(|tenant| tenant.nodes.get_mut(&node.name));
        let Some(known) = known else { return Persist::Nothing };
        let NodePresence { report: Some(report), last_seen: Some(at), .. } = &known.presence else {
            return Persist::Nothing;
        };
        match known.saved_at.map(|saved| saved + SAVE_INTERVAL).filter(|earliest| *earliest > now) {
            Some(earliest) if known.is_unsaved => Persist::At(earliest),
            Some(_) => Persist::Nothing,
            None => {
                known.saved_at = Some(now);
                known.is_unsaved = false;
                Persist::Now(Arc::clone(report), *at)
            }
        }
    }

    /// Returns whether the greeting of a node may be recorded again.
    pub fn may_greet(&self, node: &NodeId, now: Instant) -> bool {
        let mut tenants = self.lock();
        let nodes = &mut tenants.entry(node.tenant.clone()).or_default().nodes;
        let greeted = &mut nodes.entry(node.name.clone()).or_default().greeted_at;
        let may = greeted.is_none_or(|greeted| greeted + SAVE_INTERVAL <= now);
        if may {
            *greeted = Some(now);
        }
        may
    }

    /// Restores a report that was recorded before the controller's start.
    pub fn restore(&self, node: &NodeId, report: Report, at: Timestamp) {
        self.update(node, |known| {
            known.presence.last_seen = Some(at);
            known.presence.report = Some(Arc::new(report));
            true
        });
    }

    /// Removes a node and ends its session.
    pub fn forget(&self, node: &NodeId) {
        self.update(node, |known| {
            *known = NodeEntry::default();
            true
        });
    }

    /// Returns the presence of a tenant's nodes.
    #[must_use]
    pub fn of_tenant(&self, tenant: &TenantId) -> BTreeMap<NodeName, NodePresence> {
        let tenants = self.lock();
        let nodes = tenants.get(tenant).map(|tenant| tenant.nodes.iter());
        nodes
            .into_iter()
            .flatten()
            .map(|(name, known)| (name.clone(), known.presence.clone()))
            .collect()
    }

    /// Returns the presence of one node.
    #[must_use]
    pub fn of_node(&self, node: &NodeId) -> NodePresence {
        let tenants = self.lock();
        let known = tenants.get(&node.tenant).and_then(|tenant| tenant.nodes.get(&node.name));
        known.map(|known| known.presence.clone()).unwrap_or_default()
    }

    /// Returns a receiver that wakes when a task may have to act.
    #[must_use]
    pub fn actionable(&self) -> watch::Receiver<u64> {
        self.actionable.subscribe()
    }

    /// Returns a receiver that wakes on every message of a tenant's nodes; of all tenants
    /// for `None`.
    #[must_use]
    pub fn changed(&self, tenant: Option<&TenantId>) -> watch::Receiver<u64> {
        match tenant {
            None => self.all.subscribe(),
            Some(tenant) => self.lock().entry(tenant.clone()).or_default().changed.subscribe(),
        }
    }

    /// Changes the presence of a node. The closure returns whether tasks may have to act
    /// on the change.
    fn update(&self, node: &NodeId, change: impl FnOnce(&mut NodeEntry) -> bool) -> bool {
        let mut tenants = self.lock();
        let of_tenant = tenants.entry(node.tenant.clone()).or_default();
        let is_actionable = change(of_tenant.nodes.entry(node.name.clone()).or_default());
        of_tenant.changed.send_modify(|count| *count += 1);
        drop(tenants);
        self.all.send_modify(|count| *count += 1);
        if is_actionable {
            self.actionable.send_modify(|count| *count += 1);
        }
        is_actionable
    }

    /// Locks the state, ignoring poison: no panic can leave it half-changed.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantId, TenantEntry>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
