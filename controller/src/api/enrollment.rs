//! The service for hosts that have no certificate, on a port of its own.

use oml_common::text::printable::printable;
use oml_daemon::tls::JoinToken;
use oml_proto::v1;
use oml_proto::v1::enrollment_server::Enrollment;
use rustls::pki_types::CertificateDer;
use tonic::{Request, Response, Status};

use super::{field, run_to_completion};
use crate::ops::nodes::{Address, Nodes};
use crate::ops::tokens::{JoinRequest, Tokens};
use crate::tls::ConnectionInfo;
use crate::wire;

/// The service for hosts that have no certificate.
#[derive(Debug, Clone)]
pub struct EnrollmentApi {
    nodes: Nodes,
    tokens: Tokens,
}

impl EnrollmentApi {
    /// Makes the enrolment service.
    #[must_use]
    pub fn new(nodes: Nodes, tokens: Tokens) -> Self {
        Self { nodes, tokens }
    }
}

#[tonic::async_trait]
impl Enrollment for EnrollmentApi {
    async fn enroll(
        &self,
        request: Request<v1::EnrollRequest>,
    ) -> Result<Response<v1::Certificate>, Status> {
        let from = request.extensions().get::<ConnectionInfo>().map(|info| info.address);
        let v1::EnrollRequest { token, node, csr, address } = request.into_inner();
        let token: JoinToken = field("token", &token)?;
        let address = match (address.as_str(), from) {
            ("", Some(from)) => Address::from(from.ip()),
            (text, _) => field("address", text)?,
        };
        let joining = JoinRequest { token, node: field("node", &node)?, csr, address };
        let tokens = self.tokens.clone();
        let joined = run_to_completion(async move { tokens.enroll(&joining).await }).await;
        let joined = joined.inspect_err(|status| {
            let (node, reason) = (printable(&node), status.message());
            tracing::warn!(node, ?from, reason, "enrolment refused");
        })?;
        Ok(Response::new(wire::certificate(joined)))
    }

    async fn recover(
        &self,
        request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::Certificate>, Status> {
        let v1::RecoverRequest { certificate, csr } = request.into_inner();
        let recovered = self.nodes.recover(&CertificateDer::from(certificate), &csr).await;
        let recovered = recovered.map_err(|error| wire::status_of(&error))?;
        Ok(Response::new(wire::certificate(recovered)))
    }
}
