//! The call that makes a join token.

use oml_common::id::RoleName;
use oml_proto::v1;
use tonic::{Request, Response};

use super::fields::RequestFields;
use super::{FleetApi, Reply};
use crate::ops::tokens::{NewTenant, TokenRequest};
use crate::policy;
use crate::wire;

impl FleetApi {
    pub(super) async fn make_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Reply<v1::CreateTokenReply> {
        let policy::OperatorCaller { name: who, .. } = policy::operator(&request)?;
        let request = request.into_inner();
        let v1::CreateTokenRequest { tenant, roles, node, valid_ms, dry_run } = request;
        let mut fields = RequestFields::default();
        let roles: Vec<RoleName> =
            roles.iter().filter_map(|role| fields.read("role", role)).collect();
        let tenant = fields.read("tenant", &tenant);
        let node = fields.read_optional("node", &node);
        let (tenant, node) = fields.finish(tenant.zip(node))?;
        let valid_ms = (valid_ms > 0).then_some(valid_ms);
        let wanted = TokenRequest { tenant, roles, node, valid_ms };
        let new_tenant = self.tokens.check(&wanted).await;
        let new_tenant = new_tenant.map_err(|error| wire::status_of(&error))?;
        let new_tenant = new_tenant.map(|NewTenant { nearest, is_first }| v1::NewTenant {
            nearest: nearest.map(String::from).unwrap_or_default(),
            is_first,
        });
        if dry_run {
            return Ok(Response::new(v1::CreateTokenReply { new_tenant, ..Default::default() }));
        }
        let made = self.tokens.create(&who, wanted).await;
        let made = made.map_err(|error| wire::status_of(&error))?;
        Ok(Response::new(v1::CreateTokenReply {
            new_tenant,
            token: made.token.reveal(),
            expires_ms: made.expires.0,
            enrollment_endpoint: made.enrollment_endpoint,
        }))
    }
}
