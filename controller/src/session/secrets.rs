//! Sends a node the secrets that its own instances name, after its assignment and apart from it.

use std::collections::BTreeSet;

use oml_common::text::error::chain;
use oml_proto::v1;
use tonic::Status;

use super::agent_stream::AgentStream;
use super::unreadable::UnreadableRecords;
use crate::ops::node_id::NodeId;
use crate::wire;

impl AgentStream {
    /// Returns the secrets that the node's assignment names; none if it names none or cannot be read.
    /// A secret that cannot be opened is left out and logged: its instance waits and says so.
    pub(super) async fn pending_secrets(
        &self,
        unreadable: &mut UnreadableRecords,
    ) -> Result<Option<v1::ControllerMessage>, Status> {
        let found = match self.nodes.assignment(&self.node.id).await {
            Ok(found) => found,
            Err(error) => return unreadable.pass_over(&self.node.id, &error).map(|()| None),
        };
        let Some(found) = found else { return Ok(None) };
        let secrets = self.secrets.of_assignment(&found.assignment).await;
        let secrets = secrets.map_err(|error| wire::status_of(&error))?;
        if secrets.is_empty() {
            return Ok(None);
        }
        let NodeId { tenant, name: node } = &self.node.id;
        let (mut opened, mut errors) = (Vec::new(), BTreeSet::new());
        for secret in secrets {
            match secret {
                Ok(secret) => opened.push(secret),
                Err(error) => {
                    errors.insert(chain(&error));
                }
            }
        }
        for error in errors {
            tracing::error!(%tenant, %node, %error, "a secret cannot be sent to a node");
        }
        Ok(Some(wire::secret_values(opened)))
    }
}
