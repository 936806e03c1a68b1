//! What nodes say: taken in, and kept when it differs in substance. Ages, use
//! of the host and counts of calls change all the time and are never a reason
//! to write.

use oml_common::report::{HostUsage, InstanceReport, Phase, Report};
use oml_common::time::Timestamp;
use tokio::time::Instant;

use super::Result;
use super::node_id::NodeId;
use super::nodes::Nodes;
use super::presence::Persist;
use crate::records::values::LastReport;
use crate::records::{Batch, keys};
use crate::store::Expect;

impl Nodes {
    /// Takes in what was kept before the start.
    pub(super) async fn load_reports(&self) -> Result<()> {
        for (rest, seen) in self.records.list_lossy(&keys::all_last_reports()).await?.entries {
            if let Some(node) = NodeId::of_key(&rest) {
                let LastReport { at, report } = seen.value;
                self.presence.restore(&node, report, at);
            }
        }
        Ok(())
    }

    /// Keeps what a node last said. Returns when to try again, if the last
    /// record of it is too young.
    pub async fn persist_report(&self, node: &NodeId) -> Result<Option<Instant>> {
        let (report, at) = match self.presence.next_persist(node, Instant::now()) {
            Persist::Now(report, at) => (report, at),
            Persist::At(later) => return Ok(Some(later)),
            Persist::Nothing => return Ok(None),
        };
        let seen = LastReport { at, report: (*report).clone() };
        // The node's one session writes it, so nobody else can be first.
        let batch =
            Batch::default().put(&keys::last_report(&node.tenant, &node.name), Expect::Any, &seen);
        self.records.commit(batch).await?;
        Ok(None)
    }
}

/// Whether two reports differ in nothing that anybody acts on.
#[must_use]
pub fn same_substance(a: &Report, b: &Report) -> bool {
    substance(a) == substance(b)
}

fn substance(report: &Report) -> Report {
    let instances = report.instances.iter();
    Report {
        at: Timestamp::default(),
        host: HostUsage::default(),
        instances: instances.map(|(name, i)| (name.clone(), of_instance(i))).collect(),
        ..report.clone()
    }
}

fn of_instance(instance: &InstanceReport) -> InstanceReport {
    let phase = match instance.phase {
        Phase::Pulling { .. } => Phase::Pulling { bytes_done: 0, bytes_total: 0 },
        other @ (Phase::Pending
        | Phase::Preparing
        | Phase::Draining { .. }
        | Phase::Starting
        | Phase::Soaking { .. }
        | Phase::Ready
        | Phase::Unhealthy
        | Phase::Held { .. }
        | Phase::Returned
        | Phase::Failed
        | Phase::Blocked
        | Phase::Removing) => other,
    };
    // The reason counts along: "waits for 3 calls".
    let reason = String::new();
    InstanceReport { phase, reason, checked_at: None, active: None, ..instance.clone() }
}

#[cfg(test)]
mod tests;
