//! The agents' service: one session per connected node, and the renewal of certificates.
//! The identity of a node comes only from its certificate.

use std::pin::Pin;

use futures_util::Stream;
use oml_proto::v1;
use oml_proto::v1::agent_server::Agent;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::ops::nodes::Nodes;
use crate::ops::runs::Runs;
use crate::ops::secrets::Secrets;
use crate::ops::{Ops, OpsError};
use crate::pki::{CertificateRequest, record_of};
use crate::policy;
use crate::shutdown::ShutdownSignal;
use crate::tls::ConnectionInfo;
use crate::wire;

mod agent_stream;
mod assignments;
mod rate_limit;
mod runs;
mod secrets;
mod unreadable;

use self::agent_stream::AgentStream;

/// The number of messages that may wait for a slow agent, which only needs the newest
/// assignment.
const OUTGOING_LEN_MAX: usize = 1;

/// The agents' service.
#[derive(Debug, Clone)]
pub struct Sessions {
    nodes: Nodes,
    secrets: Secrets,
    runs: Runs,
    shutdown: ShutdownSignal,
}

impl Sessions {
    /// Makes the service. Its sessions end when a shutdown is requested.
    #[must_use]
    pub fn new(ops: &Ops, shutdown: ShutdownSignal) -> Self {
        let (nodes, secrets, runs) = (ops.nodes.clone(), ops.secrets.clone(), ops.runs.clone());
        Self { nodes, secrets, runs, shutdown }
    }
}

#[tonic::async_trait]
impl Agent for Sessions {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<v1::ControllerMessage, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let node = policy::node(&request)?;
        let from = request.extensions().get::<ConnectionInfo>().map(|info| info.address.ip());
        let (outgoing, messages) = mpsc::channel(OUTGOING_LEN_MAX);
        let Self { nodes, secrets, runs, shutdown } = self.clone();
        let stream = AgentStream { nodes, secrets, runs, node, from, shutdown };
        let incoming = request.into_inner();
        tokio::spawn(stream.run(incoming, outgoing));
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::Certificate>, Status> {
        let policy::NodeCaller { id, peer } = policy::node(&request)?;
        let csr = CertificateRequest::from_der(&request.get_ref().csr);
        let csr = csr.map_err(|error| wire::status_of(&OpsError::Request(error)))?;
        let renewed = self.nodes.renew(&id, record_of(&peer), &csr).await;
        let renewed = renewed.map_err(|error| wire::status_of(&error))?;
        Ok(Response::new(wire::certificate(renewed)))
    }
}
