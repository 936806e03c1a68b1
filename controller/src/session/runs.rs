//! Orders to run operations go to the agent, and it says what became of runs.

use std::collections::BTreeSet;

use oml_common::document::Verbatim;
use oml_common::document::operation::RunOrder;
use oml_common::id::RunId;
use oml_proto::{run, v1};
use tonic::Status;

use super::agent_stream::AgentStream;
use super::unreadable::UnreadableRecords;
use crate::ops::runs::{RunProgress, log_unread};

impl AgentStream {
    /// Returns the next order that was not sent in this session, and notes that it is.
    pub(super) async fn pending_order(
        &self,
        sent: &mut BTreeSet<RunId>,
    ) -> Option<v1::ControllerMessage> {
        let pending = match self.runs.pending(&self.node.id).await {
            Ok(pending) => pending,
            Err(error) => {
                log_unread(&self.node.id, &error);
                return None;
            }
        };
        // Those that were taken are not asked about again.
        sent.retain(|id| pending.iter().any(|order| order.id == *id));
        let next: Verbatim<RunOrder> =
            pending.into_iter().find(|order| !sent.contains(&order.id))?;
        sent.insert(next.id);
        let document = next.text().as_bytes().to_vec();
        let kind = v1::controller_message::Kind::Run(v1::RunOrderDocument { document });
        Some(v1::ControllerMessage { kind: Some(kind) })
    }

    /// Takes what the agent says of a run. It says so again in every session, so a record that cannot be
    /// read ends none.
    pub(super) async fn handle_run(
        &self,
        progress: v1::RunProgress,
        unreadable: &mut UnreadableRecords,
    ) -> Result<(), Status> {
        let v1::RunProgress { id, first_line, lines, result } = progress;
        let id = id.ok_or_else(|| Status::invalid_argument("the run has no number"))?;
        let progress = RunProgress {
            id: run::id_from_wire(id),
            first_line,
            lines: run::lines_from_wire(lines, run::LINES_MAX),
            result: result.map(run::result_from_wire),
        };
        let taken = self.runs.progress(&self.node.id, progress).await;
        taken.or_else(|error| unreadable.pass_over(&self.node.id, &error))
    }
}
