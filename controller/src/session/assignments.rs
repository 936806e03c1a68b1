//! The assignment of a node goes to its agent.

use oml_proto::v1;
use tonic::Status;

use super::agent_stream::{AgentStream, Progress};

impl AgentStream {
    /// Returns the newest assignment if the agent does not have it.
    pub(super) async fn pending_assignment(
        &self,
        progress: &mut Progress,
    ) -> Result<Option<v1::ControllerMessage>, Status> {
        let Some(document) = self.newest(progress).await? else { return Ok(None) };
        if progress.held >= progress.newest {
            return Ok(None);
        }
        progress.held = progress.newest;
        let kind = v1::controller_message::Kind::Assignment(document);
        Ok(Some(v1::ControllerMessage { kind: Some(kind) }))
    }

    /// Looks which assignment is the newest.
    pub(super) async fn refresh_newest(&self, progress: &mut Progress) -> Result<(), Status> {
        self.newest(progress).await.map(|_assigned| ())
    }

    /// Returns the newest assignment. If its record cannot be read, the agent keeps what it has.
    async fn newest(
        &self,
        progress: &mut Progress,
    ) -> Result<Option<v1::AssignmentDocument>, Status> {
        let found = match self.nodes.assignment(&self.node.id).await {
            Ok(found) => found,
            Err(error) => {
                progress.unreadable.pass_over(&self.node.id, &error)?;
                progress.is_newest_known = false;
                return Ok(None);
            }
        };
        progress.is_newest_known = true;
        let Some(found) = found else { return Ok(None) };
        let assignment = &found.assignment;
        progress.newest = Some(assignment.generation);
        let document = assignment.text().as_bytes().to_vec();
        Ok(Some(v1::AssignmentDocument { document }))
    }
}
