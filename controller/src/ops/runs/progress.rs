//! What hosts say of their runs: output is passed on, and what became of a run is recorded.

use oml_common::document::operation::{RunOutcome, RunResult};
use oml_common::id::RunId;
use oml_common::time::Timestamp;

use super::{RunRecord, Runs};
use crate::ops::Result;
use crate::ops::node_id::NodeId;
use crate::ops::retries::retry_conflicts;
use crate::records::{Batch, Entry, if_unchanged, keys};

/// What a host says of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunProgress {
    pub id: RunId,
    /// The number of lines that its program wrote before the first of these.
    pub first_line: u64,
    pub lines: Vec<String>,
    /// The result, once the run is over.
    pub result: Option<RunResult>,
}

impl Runs {
    /// Takes what a node says of a run: passes its output on, and records what became of it. What
    /// a node says of a run that is not its own is ignored.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read or written, or if the record of the run cannot
    /// be read ([`crate::ops::OpsError::unreadable_record`]).
    pub async fn progress(&self, node: &NodeId, progress: RunProgress) -> Result<()> {
        let RunProgress { id, first_line, lines, result } = progress;
        let recorded = retry_conflicts(|| self.try_record(node, id, result.as_ref())).await?;
        if !recorded {
            tracing::warn!(tenant = %node.tenant, node = %node.name, run = %id, "a node speaks of a run that is not its own");
            return Ok(());
        }
        let is_over = result.is_some();
        self.feeds.add(&node.tenant, id, first_line, lines);
        if is_over {
            self.feeds.close(&node.tenant, id);
        }
        Ok(())
    }

    /// Records what became of a run. Returns whether the node has such a run.
    async fn try_record(
        &self,
        node: &NodeId,
        id: RunId,
        result: Option<&RunResult>,
    ) -> Result<bool> {
        let key = keys::run(&node.tenant, id);
        let Some(run) = self.records.get(&key).await? else { return Ok(false) };
        if run.value.node != node.name {
            return Ok(false);
        }
        let Some(known) = with_report(&run, result, self.env.now()) else { return Ok(true) };
        let batch = Batch::default().put(&key, if_unchanged(Some(&run)), &known);
        self.records.commit(batch).await?;
        if let Some(result) = result {
            let (tenant, node) = (&node.tenant, &node.name);
            tracing::info!(%tenant, %node, run = %id, result = %result, "a run ended");
        }
        Ok(true)
    }
}

/// Returns the record of a run with what its host says, or `None` if that is known. The first
/// result counts, because a run ends once; in the place of one whose outcome only a later release
/// knows, the first that this one can read.
fn with_report(
    run: &Entry<RunRecord>,
    result: Option<&RunResult>,
    now: Timestamp,
) -> Option<RunRecord> {
    let known = &run.value;
    let before = known.result.as_ref();
    let is_read = |result: &&RunResult| result.outcome != RunOutcome::Unknown;
    let counts = before.filter(is_read).or(result.filter(is_read)).or(before).or(result);
    let is_changed = known.taken.is_none() || counts != before;
    is_changed.then(|| RunRecord {
        order: None,
        taken: known.taken.or(Some(now)),
        result: counts.cloned(),
        ..known.clone()
    })
}
