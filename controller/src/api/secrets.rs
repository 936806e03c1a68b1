//! The calls about secrets. No reply has a value.

use oml_common::id::{SecretName, TenantId};
use oml_proto::v1;
use tonic::{Request, Response, Status};

use super::fields::RequestFields;
use super::{FleetApi, Reply, field, run_to_completion};
use crate::ops::change::ChangeRequest;
use crate::policy;
use crate::wire;

fn tenant_and_name(tenant: &str, name: &str) -> Result<(TenantId, SecretName), Status> {
    let mut fields = RequestFields::default();
    let (tenant, name) = (fields.read("tenant", tenant), fields.read("name", name));
    fields.finish(tenant.zip(name))
}

impl FleetApi {
    pub(super) async fn give_secret(
        &self,
        request: Request<v1::SetSecretRequest>,
    ) -> Reply<v1::SetSecretReply> {
        let policy::OperatorCaller { name: who, .. } = policy::operator(&request)?;
        let v1::SetSecretRequest { tenant, name, value } = request.into_inner();
        let (tenant, name) = tenant_and_name(&tenant, &name)?;
        let (secrets, value) = (self.secrets.clone(), wire::new_secret(value));
        let given = async move { secrets.set(&who, &tenant, &name, &value).await };
        let version = run_to_completion(given).await?;
        Ok(Response::new(v1::SetSecretReply { version }))
    }

    pub(super) async fn give_secret_again(
        &self,
        request: Request<v1::RotateSecretRequest>,
    ) -> Reply<v1::ChangeReply> {
        let who = policy::operator(&request)?;
        let v1::RotateSecretRequest { tenant, name, value, options } = request.into_inner();
        let (tenant, name) = tenant_and_name(&tenant, &name)?;
        let value = wire::new_secret(value);
        self.change(who, &ChangeRequest::RotateSecret { tenant, name, value }, options).await
    }

    pub(super) async fn known_secrets(
        &self,
        request: v1::ListSecretsRequest,
    ) -> Reply<v1::ListSecretsReply> {
        let tenant: TenantId = field("tenant", &request.tenant)?;
        let listed = self.secrets.list(&tenant).await;
        let listed = listed.map_err(|error| wire::status_of(&error))?;
        let secrets = listed.into_iter().map(wire::secret).collect();
        let problem = self.secrets.problem().await;
        let problem = problem.map_err(|error| wire::status_of(&error))?.unwrap_or_default();
        Ok(Response::new(v1::ListSecretsReply { secrets, problem }))
    }

    pub(super) async fn drop_secret(
        &self,
        request: Request<v1::RemoveSecretRequest>,
    ) -> Reply<v1::RemoveSecretReply> {
        let policy::OperatorCaller { name: who, .. } = policy::operator(&request)?;
        let v1::RemoveSecretRequest { tenant, name } = request.into_inner();
        let (tenant, name) = tenant_and_name(&tenant, &name)?;
        let secrets = self.secrets.clone();
        run_to_completion(async move { secrets.remove(&who, &tenant, &name).await }).await?;
        Ok(Response::new(v1::RemoveSecretReply {}))
    }
}
