//! The operators' service: reads requests, asks the operations, writes replies.
//! Decides nothing and never sees the store.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::str::FromStr;

use futures_util::Stream;
use oml_common::id::{RevisionNumber, TenantId};
use oml_common::text::problem::{Problem, Problems};
use oml_daemon::failpoint;
use oml_proto::v1;
use oml_proto::v1::fleet_server::Fleet;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::ops::change::{ChangeRequest, Changes, RequestContext};
use crate::ops::node_id::NodeId;
use crate::ops::nodes::Nodes;
use crate::ops::tokens::{TokenRequest, Tokens};
use crate::ops::{Ops, OpsError, status};
use crate::policy;
use crate::shutdown::ShutdownSignal;
use crate::wire;

pub mod enrollment;
mod watch_change;
mod watch_status;

type Reply<T> = Result<Response<T>, Status>;

/// The operators' service.
#[derive(Debug, Clone)]
pub struct FleetApi {
    changes: Changes,
    nodes: Nodes,
    status: status::Status,
    tokens: Tokens,
    shutdown: ShutdownSignal,
}

impl FleetApi {
    /// The service; its streams end when `shutdown` says so.
    #[must_use]
    pub fn new(ops: &Ops, shutdown: ShutdownSignal) -> Self {
        Self {
            changes: ops.changes.clone(),
            nodes: ops.nodes.clone(),
            status: ops.status.clone(),
            tokens: ops.tokens.clone(),
            shutdown,
        }
    }

    async fn change(
        &self,
        who: policy::OperatorCaller,
        request: &ChangeRequest,
        options: Option<v1::ChangeOptions>,
    ) -> Reply<v1::ChangeReply> {
        let v1::ChangeOptions { op_id, dry_run, why } = options.unwrap_or_default();
        let op_id = (!op_id.is_empty()).then(|| op_id.parse()).transpose();
        let op_id = op_id.map_err(|problem: Problem| refusal(problem))?;
        let context = RequestContext { who: who.name, op_id, dry_run, why };
        let changed = self.changes.make(request, &context).await;
        let changed = changed.map_err(|error| wire::status_of(&error))?;
        failpoint::reach("C5");
        Ok(Response::new(wire::changed(changed)))
    }
}

/// Finishes what was begun, also when the caller goes away meanwhile: a commit
/// must not be left without what follows from it.
pub(crate) async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T, OpsError>> + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::spawn(work).await;
    let done = done.map_err(|_panic| Status::internal("the operation ended with a panic"))?;
    done.map_err(|error| wire::status_of(&error))
}

/// A name or word of a request.
pub(crate) fn field<T>(name: &str, text: &str) -> Result<T, Status>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| refusal(Problem::new(name, error.to_string())))
}

pub(crate) fn refusal(problem: Problem) -> Status {
    wire::status_of(&OpsError::Problems(Problems::from(problem)))
}

fn optional<T>(name: &str, text: &str) -> Result<Option<T>, Status>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    if text.is_empty() { Ok(None) } else { field(name, text).map(Some) }
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
        let tenant = field("tenant", &tenant)?;
        let mut wanted = BTreeMap::new();
        for (component, version) in versions {
            wanted.insert(field("component", &component)?, field(&component, &version)?);
        }
        if wanted.is_empty() {
            let problem = Problem::new("versions", "no component is named");
            return Err(refusal(problem.hint("for example asterisk=230204.01")));
        }
        self.change(who, &ChangeRequest::SetVersion { tenant, versions: wanted }, options).await
    }

    async fn rollback(&self, request: Request<v1::RollbackRequest>) -> Reply<v1::ChangeReply> {
        let who = policy::operator(&request)?;
        let v1::RollbackRequest { tenant, to, options } = request.into_inner();
        let (tenant, to) = (field("tenant", &tenant)?, RevisionNumber(to));
        self.change(who, &ChangeRequest::Rollback { tenant, to }, options).await
    }

    async fn get_status(&self, request: Request<v1::StatusRequest>) -> Reply<v1::StatusReply> {
        let tenant: Option<TenantId> = optional("tenant", &request.get_ref().tenant)?;
        let status = self.status.read(tenant.as_ref()).await;
        let status = status.map_err(|error| wire::status_of(&error))?;
        Ok(Response::new(wire::status(status, self.status.now())))
    }

    type WatchStatusStream = Pin<Box<dyn Stream<Item = Result<v1::StatusReply, Status>> + Send>>;

    async fn watch_status(
        &self,
        request: Request<v1::StatusRequest>,
    ) -> Reply<Self::WatchStatusStream> {
        let policy::OperatorCaller { expires, .. } = policy::operator(&request)?;
        let tenant: Option<TenantId> = optional("tenant", &request.get_ref().tenant)?;
        let (replies, messages) = mpsc::channel(1);
        let watching = watch_status::watch(
            self.status.clone(),
            tenant,
            expires,
            replies,
            self.shutdown.clone(),
        );
        tokio::spawn(watching);
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }

    type WatchChangeStream = Pin<Box<dyn Stream<Item = Result<v1::ChangeProgress, Status>> + Send>>;

    async fn watch_change(
        &self,
        request: Request<v1::WatchChangeRequest>,
    ) -> Reply<Self::WatchChangeStream> {
        let policy::OperatorCaller { expires, .. } = policy::operator(&request)?;
        let v1::WatchChangeRequest { tenant, revision } = request.into_inner();
        let tenant = field("tenant", &tenant)?;
        let watched = watch_change::Watched { tenant, revision: RevisionNumber(revision) };
        let (replies, messages) = mpsc::channel(1);
        let (status, shutdown) = (self.status.clone(), self.shutdown.clone());
        tokio::spawn(watch_change::watch(status, watched, expires, replies, shutdown));
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
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

    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Reply<v1::CreateTokenReply> {
        let policy::OperatorCaller { name: who, .. } = policy::operator(&request)?;
        let v1::CreateTokenRequest { tenant, roles, node, valid_ms } = request.into_inner();
        let roles = roles.iter().map(|role| field("role", role)).collect::<Result<_, _>>()?;
        let wanted = TokenRequest {
            tenant: field("tenant", &tenant)?,
            roles,
            node: optional("node", &node)?,
            valid_ms: (valid_ms > 0).then_some(valid_ms),
        };
        let made = self.tokens.create(&who, wanted).await;
        let made = made.map_err(|error| wire::status_of(&error))?;
        Ok(Response::new(v1::CreateTokenReply {
            token: made.token.reveal(),
            expires_ms: made.expires.0,
            enrollment_endpoint: made.enrollment_endpoint,
        }))
    }

    async fn remove_node(
        &self,
        request: Request<v1::RemoveNodeRequest>,
    ) -> Reply<v1::RemoveNodeReply> {
        let policy::OperatorCaller { name: who, .. } = policy::operator(&request)?;
        let v1::RemoveNodeRequest { tenant, node } = request.into_inner();
        let id = NodeId { tenant: field("tenant", &tenant)?, name: field("node", &node)? };
        let nodes = self.nodes.clone();
        run_to_completion(async move { nodes.remove(&who, &id).await }).await?;
        Ok(Response::new(v1::RemoveNodeReply {}))
    }
}
