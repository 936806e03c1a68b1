//! What is known of the nodes at this moment: who has a session, and what each
//! last said. In memory only; [`super::reports`] keeps what must outlive it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oml_common::document::report::{Report, Significance, significance};
use oml_common::id::{NodeName, TenantId};
use oml_common::time::Timestamp;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::node_id::NodeId;

/// Least time between two records of one node's reports, and of its greetings.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// Which nodes are connected, and what each last reported.
#[derive(Debug, Default)]
pub struct Presence {
    tenants: Mutex<BTreeMap<TenantId, TenantEntry>>,
    /// Counts what a task may have to act on.
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
    /// The report differs in substance from the one that is kept.
    is_unsaved: bool,
    saved_at: Option<Instant>,
    greeted_at: Option<Instant>,
}

/// What is to be done about a node's last report.
#[derive(Debug)]
pub enum Persist {
    /// To keep it; the caller does.
    Now(Arc<Report>, Timestamp),
    /// To keep it then: the last one was kept a moment ago.
    At(Instant),
    /// Nothing: what is kept differs in nothing but a moment.
    Nothing,
}

/// What is known of one node.
#[derive(Debug, Clone, Default)]
pub struct NodePresence {
    /// It has a session.
    pub connected: bool,
    /// It has said how it is in that session: what it said before may have changed since.
    pub has_reported: bool,
    /// When it last said something, by the controller's clock.
    pub last_seen: Option<Timestamp>,
    pub report: Option<Arc<Report>>,
    /// What was told to another machine that claimed to be it, and when.
    pub duplicate: Option<(Arc<str>, Timestamp)>,
}

/// Tells one session of a node from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId(u64);

impl Presence {
    /// A node begins a session, which takes the place of an older one. The
    /// receiver is woken when a newer one takes its place.
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

    /// A session ended. The end of one that was replaced changes nothing.
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

    /// A node said something. Returns whether it differs in substance from
    /// what it said before, or is the first it says in its session. What is
    /// left over of a session that was replaced says nothing.
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

    /// Another machine claimed to be the node, and was told so.
    pub fn record_duplicate(&self, node: &NodeId, message: &str, now: Timestamp) {
        self.update(node, |known| {
            known.presence.duplicate = Some((message.into(), now));
            false
        });
    }

    /// A host joined as the node: what other machines did in its name is over.
    pub fn joined(&self, node: &NodeId) {
        self.update(node, |known| {
            known.presence.duplicate = None;
            known.greeted_at = None;
            false
        });
    }

    /// Whether a node's last report is to be kept. However many sessions it
    /// has, it does not write more often than it may.
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

    /// Whether what a node says of itself may be recorded again.
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

    /// What was kept from before the controller's start.
    pub fn restore(&self, node: &NodeId, report: Report, at: Timestamp) {
        self.update(node, |known| {
            known.presence.last_seen = Some(at);
            known.presence.report = Some(Arc::new(report));
            true
        });
    }

    /// Forgets a node, and ends its session.
    pub fn forget(&self, node: &NodeId) {
        self.update(node, |known| {
            *known = NodeEntry::default();
            true
        });
    }

    /// What is known of a tenant's nodes.
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

    /// What is known of one node.
    #[must_use]
    pub fn of_node(&self, node: &NodeId) -> NodePresence {
        let tenants = self.lock();
        let known = tenants.get(&node.tenant).and_then(|tenant| tenant.nodes.get(&node.name));
        known.map(|known| known.presence.clone()).unwrap_or_default()
    }

    /// Wakes when a task may have to act.
    #[must_use]
    pub fn actionable(&self) -> watch::Receiver<u64> {
        self.actionable.subscribe()
    }

    /// Wakes on everything that a tenant's nodes say; all tenants' for none.
    #[must_use]
    pub fn changed(&self, tenant: Option<&TenantId>) -> watch::Receiver<u64> {
        match tenant {
            None => self.all.subscribe(),
            Some(tenant) => self.lock().entry(tenant.clone()).or_default().changed.subscribe(),
        }
    }

    /// Changes what is known of a node; the change says whether it is one that tasks act on.
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

    /// A change is made in steps that cannot panic, so a poisoned lock guards a whole state.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantId, TenantEntry>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
