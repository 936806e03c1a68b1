//! The service for hosts that have no certificate, on a port of its own.

use std::net::SocketAddr;

use oml_common::id::Address;
use oml_common::text::printable::printable;
use oml_daemon::tls::JoinToken;
use oml_proto::v1;
use oml_proto::v1::enrollment_server::Enrollment;
use rustls::pki_types::CertificateDer;
use tonic::{Request, Response, Status};

use super::{field, run_to_completion};
use crate::ops::audit::RefusedCalls;
use crate::ops::nodes::Nodes;
use crate::ops::tokens::{JoinRequest, Tokens};
use crate::tls::ConnectionInfo;
use crate::wire;

/// The service for hosts that have no certificate.
#[derive(Debug, Clone)]
pub struct EnrollmentApi {
    nodes: Nodes,
    tokens: Tokens,
    refused: RefusedCalls,
}

impl EnrollmentApi {
    /// Makes the enrolment service.
    #[must_use]
    pub fn new(nodes: Nodes, tokens: Tokens, refused: RefusedCalls) -> Self {
        Self { nodes, tokens, refused }
    }

    /// Counts a refused host for the audit trail.
    fn count(&self, from: Option<SocketAddr>, call: &str, status: &Status) {
        let who = from.map_or_else(
            || "a host without certificate".to_owned(),
            |from| format!("a host without certificate at {}", from.ip().to_canonical()),
        );
        self.refused.note(&who, call, status.message());
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
            self.count(from, "/oml.v1.Enrollment/Enroll", status);
        })?;
        Ok(Response::new(wire::certificate(joined)))
    }

    async fn recover(
        &self,
        request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::Certificate>, Status> {
        let from = request.extensions().get::<ConnectionInfo>().map(|info| info.address);
        let v1::RecoverRequest { certificate, csr } = request.into_inner();
        let recovered = self.nodes.recover(&CertificateDer::from(certificate), &csr).await;
        let recovered = recovered.map_err(|error| wire::status_of(&error));
        let recovered = recovered
            .inspect_err(|status| self.count(from, "/oml.v1.Enrollment/Recover", status))?;
        Ok(Response::new(wire::certificate(recovered)))
    }
}
