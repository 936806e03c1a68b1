//! Sends a node the secrets that its own instances name, after its assignment and apart from it.

use std::collections::BTreeSet;

use oml_common::text::error::chain;
use oml_proto::v1;
use tonic::Status;

use super::agent_stream::AgentStream;
use crate::ops::OpsError;
use crate::ops::node_id::NodeId;
use crate::wire;

impl AgentStream {
    /// Returns the secrets that the node's assignment names; none if it names none. One that cannot
    /// be opened is left out and logged: its instance waits and says so.
    pub(super) async fn pending_secrets(&self) -> Result<Option<v1::ControllerMessage>, Status> {
        let failed = |error: OpsError| wire::status_of(&error);
        let found = self.nodes.assignment(&self.node.id).await.map_err(failed)?;
        let Some(found) = found else { return Ok(None) };
        let secrets = self.secrets.of_assignment(&found.assignment).await.map_err(failed)?;
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
