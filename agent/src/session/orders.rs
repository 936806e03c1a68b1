//! Orders to run operations come down, and what became of runs goes up.

use oml_common::document::Verbatim;
use oml_common::document::operation::RunOrder;
use oml_common::text::error::chain;
use oml_common::text::printable::printable;
use oml_proto::v1::{AgentMessage, agent_message};
use oml_proto::{run, v1};
use tracing::warn;

use super::Session;
use crate::identity::HostIdentity;
use crate::operations::RunMessage;

impl Session {
    /// Hands an order on. One that cannot be read is not answered, so that the controller says
    /// that its host did not take it.
    pub(super) fn take_order(&self, document: &[u8], identity: &HostIdentity) {
        let text = String::from_utf8_lossy(document);
        let order = match Verbatim::<RunOrder>::read(&text) {
            Ok(order) => order,
            Err(error) => {
                let error = printable(&chain(&error));
                return warn!(error, "cannot read an order to run an operation");
            }
        };
        if order.instance.tenant != identity.tenant {
            return warn!(run = %order.id, "an order to run an operation is for another tenant");
        }
        let run = order.id;
        if self.runs.orders.try_send(order).is_err() {
            warn!(%run, "too many orders to run operations wait");
        }
    }

    /// Returns the next message about runs; none if all was reported.
    pub(super) fn next_run_message(&self) -> Option<AgentMessage> {
        let RunMessage { id, first_line, lines, result } = self.runs.board.next(run::LINES_MAX)?;
        let progress = v1::RunProgress {
            id: Some(run::id_to_wire(id)),
            first_line,
            lines,
            result: result.as_ref().map(run::result_to_wire),
        };
        Some(AgentMessage { kind: Some(agent_message::Kind::Run(progress)) })
    }
}
