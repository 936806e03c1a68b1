//! The records that a session cannot read. Its agent would say the same in the next session, so this one
//! goes on without them.

use std::collections::BTreeSet;

use oml_common::text::error::chain;
use tonic::Status;

use crate::ops::OpsError;
use crate::ops::node_id::NodeId;
use crate::wire;

/// The records that a session could not read, which are as many at most as the store has of its tenant.
#[derive(Debug, Default)]
pub(super) struct UnreadableRecords {
    /// The keys of those that were logged.
    logged: BTreeSet<String>,
}

impl UnreadableRecords {
    /// Passes over a record that cannot be read. It is logged once in a session, not for every message.
    ///
    /// # Errors
    /// Returns the status with which any other error ends the session.
    pub(super) fn pass_over(&mut self, id: &NodeId, error: &OpsError) -> Result<(), Status> {
        let Some(key) = error.unreadable_record() else { return Err(wire::status_of(error)) };
        if self.logged.insert(key.to_owned()) {
            let NodeId { tenant, name: node } = id;
            let error = chain(error);
            tracing::error!(%tenant, %node, error, "cannot read a record of a node; its session goes on without it");
        }
        Ok(())
    }
}
