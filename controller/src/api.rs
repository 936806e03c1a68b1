//! The operators' service: it reads requests, calls the operations and writes replies. It
//! decides nothing and never uses the store.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use futures_util::Stream;
use oml_common::decide::verdict::ChangeOutcome;
use oml_common::id::{ComponentName, ImageVersion, RevisionNumber, TenantId};
#[cfg(feature = "planted-bugs")]
use oml_common::planted::{Bug, is_planted};
use oml_common::text::problem::Problem;
use oml_common::time::Timestamp;
use oml_daemon::failpoint;
use oml_proto::v1;
use oml_proto::v1::fleet_server::Fleet;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::ops::change::{ChangeRequest, Changes};
use crate::ops::node_id::NodeId;
use crate::ops::nodes::Nodes;
use crate::ops::reader::StatusReader;
use crate::ops::runs::Runs;
use crate::ops::secrets::Secrets;
use crate::ops::status::StatusChanges;
use crate::ops::tokens::Tokens;
use crate::ops::{self, Ops, OpsError};
use crate::policy;
use crate::shutdown::ShutdownSignal;
use crate::wire;

pub mod enrollment;
mod fields;
pub mod health;
mod runs;
mod secrets;
mod tls;
mod tokens;
mod watch;

use self::fields::{RequestFields, field, optional, refusal};
use self::watch::{Message, Watch};

type Reply<T> = Result<Response<T>, Status>;
type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The operators' service.
#[derive(Debug, Clone)]
pub struct FleetApi {
    changes: Changes,
    nodes: Nodes,
    status: StatusReader,
    tokens: Tokens,
    secrets: Secrets,
    runs: Runs,
    shutdown: ShutdownSignal,
}

impl FleetApi {
    /// Makes the service. Its streams end when a shutdown is requested.
    #[must_use]
    pub fn new(ops: &Ops, shutdown: ShutdownSignal) -> Self {
        Self {
            changes: ops.changes.clone(),
            nodes: ops.nodes.clone(),
            status: ops.status.clone(),
            tokens: ops.tokens.clone(),
            secrets: ops.secrets.clone(),
            runs: ops.runs.clone(),
            shutdown,
        }
    }

    async fn change(
        &self,
        who: policy::OperatorCaller,
        request: &ChangeRequest,
        options: Option<v1::ChangeOptions>,
    ) -> Reply<v1::ChangeReply> {
        let context = wire::request_context(who.name, options.unwrap_or_default());
        let context = context.map_err(refusal)?;
        let changed = self.changes.make(request, &context).await;
        let changed = changed.map_err(|error| wire::status_of(&error))?;
        failpoint::reach("C5");
        Ok(Response::new(wire::changed(changed)))
    }
}

impl FleetApi {
    /// Starts a stream of what `read` returns, for a caller whose certificate expires then.
    fn watch<M, R>(
        &self,
        expires: Timestamp,
        changes: StatusChanges,
        read: impl Fn() -> R + Send + Sync + 'static,
    ) -> Replies<M>
    where
        M: Send + 'static,
        R: Future<Output = ops::Result<Message<M>>> + Send + 'static,
    {
        let life = Duration::from_millis(expires.since_ms(self.status.now()));
        let (messages, replies) = mpsc::channel(1);
        let watch = Watch { life, messages, shutdown: self.shutdown.clone() };
        tokio::spawn(watch.run(changes, read));
        Box::pin(ReceiverStream::new(replies))
    }
}

/// Runs work to its end even if the caller disconnects meanwhile, because a commit must
/// not be left without what follows from it.
pub(crate) async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T, OpsError>> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::spawn(work).await;
    let done = done.map_err(|_panic| Status::internal("the operation ended with a panic"))?;
    done.map_err(|error| wire::status_of(&error))
}

#[tonic::async_trait]
impl Fleet for FleetApi {
    async fn who_am_i(&self, request: Request<v1::WhoAmIRequest>) -> Reply<v1::WhoAmIReply> {
        let policy::OperatorCaller { name, .. } = policy::operator(&request)?;
        Ok(Response::new(v1::WhoAmIReply {
            operator: name.to_string(),
            controller_version: env!("CARGO_PKG_VERSION").to_owned(),
            now_ms: self.status.now().0,
        }))
    }

    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Reply<v1::ChangeReply> {
        let who = policy::operator(&request)?;
        let v1::ApplyRequest { spec_yaml, options } = request.into_inner();
        self.change(who, &ChangeRequest::Apply { spec_yaml }, options).await
    }

    async fn set_version(&self, request: Request<v1::SetVersionRequest>) -> Reply<v1::ChangeReply> {
        let who = policy::operator(&request)?;
        let v1::SetVersionRequest { tenant, versions, options } = request.into_inner();
        let mut fields = RequestFields::default();
        let tenant = fields.read("tenant", &tenant);
        if versions.is_empty() {
            let problem = Problem::new("versions", "no component is named");
            fields.push(problem.hint("for example asterisk=230204.01"));
        }
        let mut wanted = BTreeMap::new();
        for (component, version) in versions {
            let name: Option<ComponentName> = fields.read("component", &component);
            let version: Option<ImageVersion> = fields.read(&component, &version);
            wanted.extend(name.zip(version));
        }
        let tenant = fields.finish(tenant)?;
        self.change(who, &ChangeRequest::SetVersion { tenant, versions: wanted }, options).await
    }

    async fn rollback(&self, request: Request<v1::RollbackRequest>) -> Reply<v1::ChangeReply> {
        let who = policy::operator(&request)?;
        let v1::RollbackRequest { tenant, to, options } = request.into_inner();
        let (tenant, to) = (field("tenant", &tenant)?, RevisionNumber(to));
        self.change(who, &ChangeRequest::Rollback { tenant, to }, options).await
    }

    async fn set_release(&self, request: Request<v1::SetReleaseRequest>) -> Reply<v1::ChangeReply> {
        let who = policy::operator(&request)?;
        let v1::SetReleaseRequest { tenant, release, options } = request.into_inner();
        let mut fields = RequestFields::default();
        let (tenant, release) = (fields.read("tenant", &tenant), fields.read("release", &release));
        let (tenant, release) = fields.finish(tenant.zip(release))?;
        self.change(who, &ChangeRequest::SetRelease { tenant, release }, options).await
    }

    async fn list_releases(
        &self,
        request: Request<v1::ListReleasesRequest>,
    ) -> Reply<v1::ListReleasesReply> {
        let tenant: TenantId = field("tenant", &request.get_ref().tenant)?;
        let releases = self.changes.releases(&tenant).await;
        let releases = releases.map_err(|error| wire::status_of(&error))?;
        Ok(Response::new(wire::releases(releases)))
    }

    async fn get_status(&self, request: Request<v1::StatusRequest>) -> Reply<v1::StatusReply> {
        let tenant: Option<TenantId> = optional("tenant", &request.get_ref().tenant)?;
        let status = self.status.read(tenant.as_ref()).await;
        let status = status.map_err(|error| wire::status_of(&error))?;
        Ok(Response::new(wire::status(status, self.status.now())))
    }

    type WatchStatusStream = Replies<v1::StatusReply>;

    async fn watch_status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Reply<Self::WatchStatusStream> {
        let policy::OperatorCaller { expires, .. } = policy::operator(&request)?;
        let tenant: Option<TenantId> = optional("tenant", &request.get_ref().tenant)?;
        let (status, changes) = (self.status.clone(), self.status.changes(tenant.as_ref()));
        let read = move || {
            let (status, tenant) = (status.clone(), tenant.clone());
            async move {
                let read = status.read(tenant.as_ref()).await?;
                Ok(Message::Continue(wire::status(read, status.now())))
            }
        };
        Ok(Response::new(self.watch(expires, changes, read)))
    }

    type WatchChangeStream = Replies<v1::ChangeProgress>;

    async fn watch_change(
        &self,
        request: Request<v1::WatchChangeRequest>,
    ) -> Reply<Self::WatchChangeStream> {
        let policy::OperatorCaller { expires, .. } = policy::operator(&request)?;
        let v1::WatchChangeRequest { tenant, revision } = request.into_inner();
        let tenant = field("tenant", &tenant)?;
        let revision = RevisionNumber(revision);
        let (status, changes) = (self.status.clone(), self.status.changes(Some(&tenant)));
        let read = move || {
            let (status, tenant) = (status.clone(), tenant.clone());
            async move {
                let progress = status.change_progress(&tenant, revision).await?;
                let is_waiting = progress.verdict.outcome() == ChangeOutcome::Waiting;
                #[cfg(feature = "planted-bugs")]
                let is_waiting = is_waiting || is_planted(Bug::ChangeWatch);
                let message = wire::change_progress(progress, status.now());
                Ok(if is_waiting { Message::Continue(message) } else { Message::Break(message) })
            }
        };
        Ok(Response::new(self.watch(expires, changes, read)))
    }

    async fn list_revisions(
        &self,
        request: Request<v1::ListRevisionsRequest>,
    ) -> Reply<v1::ListRevisionsReply> {
        let tenant: TenantId = field("tenant", &request.get_ref().tenant)?;
        let history = self.status.history(&tenant).await;
        let history = history.map_err(|error| wire::status_of(&error))?;
        let revisions = history.iter().map(wire::revision).collect();
        Ok(Response::new(v1::ListRevisionsReply { revisions }))
    }

    async fn get_spec(&self, request: Request<v1::GetSpecRequest>) -> Reply<v1::GetSpecReply> {
        let v1::GetSpecRequest { tenant, revision } = request.into_inner();
        let tenant: TenantId = field("tenant", &tenant)?;
        let found = self.status.specification(&tenant, RevisionNumber(revision)).await;
        let found = found.map_err(|error| wire::status_of(&error))?;
        let (revision, spec_yaml) = (found.number.0, found.spec_yaml.clone());
        Ok(Response::new(v1::GetSpecReply { revision, spec_yaml }))
    }

    async fn list_settings(
        &self,
        request: Request<v1::ListSettingsRequest>,
    ) -> Reply<v1::ListSettingsReply> {
        let v1::ListSettingsRequest { tenant, catalog } = request.into_inner();
        let found = match (optional("tenant", &tenant)?, optional("catalog", &catalog)?) {
            (Some(tenant), None) => self.status.settings_of_tenant(&tenant).await,
            (None, Some(catalog)) => self.status.settings_of_catalog(&catalog),
            (None, None) | (Some(_), Some(_)) => {
                let problem = Problem::new("tenant", "name a tenant or a catalog, and not both");
                return Err(refusal(problem));
            }
        };
        let found = found.map_err(|error| wire::status_of(&error))?;
        Ok(Response::new(wire::settings(found)))
    }

    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Reply<v1::CreateTokenReply> {
        self.make_token(request).await
    }

    async fn remove_node(
        &self,
        request: Request<v1::RemoveNodeRequest>,
    ) -> Reply<v1::RemoveNodeReply> {
        let policy::OperatorCaller { name: who, .. } = policy::operator(&request)?;
        let v1::RemoveNodeRequest { tenant, node } = request.into_inner();
        let mut fields = RequestFields::default();
        let (tenant, node) = (fields.read("tenant", &tenant), fields.read("node", &node));
        let (tenant, name) = fields.finish(tenant.zip(node))?;
        let id = NodeId { tenant, name };
        let nodes = self.nodes.clone();
        run_to_completion(async move { nodes.remove(&who, &id).await }).await?;
        Ok(Response::new(v1::RemoveNodeReply {}))
    }

    async fn set_secret(
        &self,
        request: Request<v1::SetSecretRequest>,
    ) -> Reply<v1::SetSecretReply> {
        self.give_secret(request).await
    }

    async fn rotate_secret(
        &self,
        request: Request<v1::RotateSecretRequest>,
    ) -> Reply<v1::ChangeReply> {
        self.give_secret_again(request).await
    }

    async fn list_secrets(
        &self,
        request: Request<v1::ListSecretsRequest>,
    ) -> Reply<v1::ListSecretsReply> {
        self.known_secrets(request.into_inner()).await
    }

    async fn remove_secret(
        &self,
        request: Request<v1::RemoveSecretRequest>,
    ) -> Reply<v1::RemoveSecretReply> {
        self.drop_secret(request).await
    }

    async fn get_tls(&self, request: Request<v1::GetTlsRequest>) -> Reply<v1::GetTlsReply> {
        self.show_tls(request.into_inner()).await
    }

    async fn set_certificate(
        &self,
        request: Request<v1::SetCertificateRequest>,
    ) -> Reply<v1::ChangeReply> {
        self.give_certificate(request).await
    }

    async fn renew_certificate(
        &self,
        request: Request<v1::RenewCertificateRequest>,
    ) -> Reply<v1::ChangeReply> {
        self.issue_again(request).await
    }

    type RunOperationStream = Replies<v1::RunEvent>;

    async fn run_operation(
        &self,
        request: Request<v1::RunOperationRequest>,
    ) -> Reply<Self::RunOperationStream> {
        let who = policy::operator(&request)?;
        self.start_run(who, request.into_inner()).await
    }

    async fn list_runs(&self, request: Request<v1::ListRunsRequest>) -> Reply<v1::ListRunsReply> {
        let v1::ListRunsRequest { tenant, component } = request.into_inner();
        let mut fields = RequestFields::default();
        let tenant: Option<TenantId> = fields.read("tenant", &tenant);
        let component = fields.read_optional::<ComponentName>("component", &component);
        let (tenant, component) = fields.finish(tenant.zip(component))?;
        let found = self.runs.history(&tenant, component.as_ref()).await;
        let found = found.map_err(|error| wire::status_of(&error))?;
        let now = self.runs.now();
        let runs = runs::to_wire(&found, now);
        let unreadable = u32::try_from(found.unreadable).unwrap_or(u32::MAX);
        Ok(Response::new(v1::ListRunsReply { runs, unreadable }))
    }
}
