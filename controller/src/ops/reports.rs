//! Records the last report of each node when it differs in substance.

use tokio::time::Instant;

use super::Result;
use super::node_id::NodeId;
use super::nodes::Nodes;
use super::presence::Persist;
use crate::records::values::LastReport;
use crate::records::{Batch, keys};
use crate::store::Expect;

impl Nodes {
    /// Reads the reports that were recorded before the start.
    pub(super) async fn load_reports(&self) -> Result<()> {
        for (rest, seen) in self.records.list_lossy(&keys::all_last_reports()).await?.entries {
            if let Some(node) = NodeId::of_key(&rest) {
                let LastReport { at, report } = seen.value;
                self.presence.restore(&node, report, at);
            }
        }
        Ok(())
    }

    /// Records the last report of a node. Returns the time of the next attempt if the
    /// previous record is too recent.
    pub async fn persist_report(&self, node: &NodeId) -> Result<Option<Instant>> {
        let (report, at) = match self.presence.next_persist(node, Instant::now()) {
            Persist::Now(report, at) => (report, at),
            Persist::At(later) => return Ok(Some(later)),
            Persist::Nothing => return Ok(None),
        };
        let seen = LastReport { at, report: (*report).clone() };
        // Only the node's session writes this record, so no conflict is possible.
        let batch =
            Batch::default().put(&keys::last_report(&node.tenant, &node.name), Expect::Any, &seen);
        self.records.commit(batch).await?;
        Ok(None)
    }
}
