//! The calls about the certificate of a tenant. No reply has its key.

use oml_common::id::TenantId;
use oml_proto::v1;
use tonic::{Request, Response};

use super::{FleetApi, Reply, field};
use crate::ops::change::ChangeRequest;
use crate::policy;
use crate::wire;

impl FleetApi {
    pub(super) async fn show_tls(&self, request: v1::GetTlsRequest) -> Reply<v1::GetTlsReply> {
        let tenant: TenantId = field("tenant", &request.tenant)?;
        let view = self.secrets.tls(&tenant).await.map_err(|error| wire::status_of(&error))?;
        let read = self.status.read(Some(&tenant)).await;
        let read = read.map_err(|error| wire::status_of(&error))?;
        let in_use = read.tenants.into_iter().find_map(|status| status.certificate);
        let now = self.status.now();
        Ok(Response::new(wire::tls(&tenant, view, in_use.as_ref(), now)))
    }

    pub(super) async fn give_certificate(
        &self,
        request: Request<v1::SetCertificateRequest>,
    ) -> Reply<v1::ChangeReply> {
        let who = policy::operator(&request)?;
        let v1::SetCertificateRequest { tenant, certificate, key, options } = request.into_inner();
        let pem = wire::given_pem(certificate, key);
        let tenant = field("tenant", &tenant)?;
        self.change(who, &ChangeRequest::SetCertificate { tenant, pem }, options).await
    }

    pub(super) async fn issue_again(
        &self,
        request: Request<v1::RenewCertificateRequest>,
    ) -> Reply<v1::ChangeReply> {
        let who = policy::operator(&request)?;
        let v1::RenewCertificateRequest { tenant, new_authority, options } = request.into_inner();
        let tenant = field("tenant", &tenant)?;
        let request = ChangeRequest::RenewCertificate { tenant, new_authority };
        self.change(who, &request, options).await
    }
}
