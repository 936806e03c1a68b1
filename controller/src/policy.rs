//! The policy: who may call which procedure. One table covers all procedures and is
//! checked before any handler runs. A procedure without a row is refused.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{Either, Ready, ready};
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::failpoint;
use oml_daemon::tls::{Identity, OperatorName, Peer};
use tonic::Status;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

use crate::ops::audit::RefusedCalls;
use crate::ops::node_id::NodeId;
use crate::pki::Revoked;
use crate::tls::ConnectionInfo;

/// The kind of caller that may call a procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A person or program with an operator's certificate.
    Operator,
    /// A host's agent with a node's certificate.
    Node,
    /// Any caller, including a host without a certificate.
    Anyone,
}

/// The table of all procedures, with the kind of caller of each.
pub const TABLE: &[(&str, Role)] = &[
    ("/oml.v1.Agent/Session", Role::Node),
    ("/oml.v1.Agent/Renew", Role::Node),
    ("/oml.v1.Fleet/WhoAmI", Role::Operator),
    ("/oml.v1.Fleet/Apply", Role::Operator),
    ("/oml.v1.Fleet/SetVersion", Role::Operator),
    ("/oml.v1.Fleet/Rollback", Role::Operator),
    ("/oml.v1.Fleet/SetRelease", Role::Operator),
    ("/oml.v1.Fleet/ListReleases", Role::Operator),
    ("/oml.v1.Fleet/GetStatus", Role::Operator),
    ("/oml.v1.Fleet/WatchStatus", Role::Operator),
    ("/oml.v1.Fleet/WatchChange", Role::Operator),
    ("/oml.v1.Fleet/ListRevisions", Role::Operator),
    ("/oml.v1.Fleet/GetSpec", Role::Operator),
    ("/oml.v1.Fleet/ListSettings", Role::Operator),
    ("/oml.v1.Fleet/CreateToken", Role::Operator),
    ("/oml.v1.Fleet/RemoveNode", Role::Operator),
    ("/oml.v1.Fleet/SetSecret", Role::Operator),
    ("/oml.v1.Fleet/RotateSecret", Role::Operator),
    ("/oml.v1.Fleet/ListSecrets", Role::Operator),
    ("/oml.v1.Fleet/RemoveSecret", Role::Operator),
    ("/oml.v1.Fleet/RunOperation", Role::Operator),
    ("/oml.v1.Fleet/ListRuns", Role::Operator),
    ("/oml.v1.Fleet/GetTls", Role::Operator),
    ("/oml.v1.Fleet/SetCertificate", Role::Operator),
    ("/oml.v1.Fleet/RenewCertificate", Role::Operator),
    ("/grpc.health.v1.Health/Check", Role::Operator),
    ("/grpc.health.v1.Health/Watch", Role::Operator),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Role::Operator),
    ("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Role::Operator),
    ("/oml.v1.Enrollment/Enroll", Role::Anyone),
    ("/oml.v1.Enrollment/Recover", Role::Anyone),
];

/// The operator that made a request which the policy admitted.
#[derive(Debug, Clone)]
pub struct OperatorCaller {
    pub name: OperatorName,
    /// When the certificate ends.
    pub expires: Timestamp,
}

/// The node that made a request which the policy admitted. Tenant and name come
/// only from its certificate.
#[derive(Debug, Clone)]
pub struct NodeCaller {
    pub id: NodeId,
    /// The facts of the node's certificate.
    pub peer: Arc<Peer>,
}

/// The check of every request against the table and the revoked certificates.
#[derive(Debug, Clone)]
pub struct Policy {
    env: Env,
    revoked: Arc<Revoked>,
    refused: RefusedCalls,
}

impl Policy {
    /// Makes a policy with the revoked certificates, which counts the calls that it refuses.
    #[must_use]
    pub fn new(env: Env, revoked: Arc<Revoked>, refused: RefusedCalls) -> Self {
        Self { env, revoked, refused }
    }

    /// Adds the caller to a request, or returns the reason of its refusal, which is counted.
    fn check<B>(&self, request: &mut Request<B>) -> Result<(), Status> {
        let admitted = self.admit(request);
        if let Err(status) = &admitted {
            let peer = request.extensions().get::<ConnectionInfo>().and_then(|i| i.peer.clone());
            let who = peer.map_or_else(
                || "a caller without certificate".to_owned(),
                |peer| peer.identity.to_string(),
            );
            self.refused.note(&who, request.uri().path(), status.message());
        }
        admitted
    }

    /// Adds the caller to a request, or returns the reason of its refusal.
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Status> {
        let path = request.uri().path();
        let row = TABLE.iter().find(|(procedure, _)| *procedure == path);
        let (_, role) =
            row.ok_or_else(|| Status::unimplemented("this procedure does not exist"))?;
        let peer = request.extensions().get::<ConnectionInfo>().and_then(|info| info.peer.clone());
        match (role, peer) {
            (Role::Anyone, _) => {}
            (Role::Operator | Role::Node, None) => {
                return Err(Status::unauthenticated("a client certificate is required"));
            }
            (Role::Operator | Role::Node, Some(peer)) => {
                self.identify(*role, peer, request)?;
            }
        }
        failpoint::reach("C1");
        Ok(())
    }

    fn identify<B>(
        &self,
        role: Role,
        peer: Arc<Peer>,
        request: &mut Request<B>,
    ) -> Result<(), Status> {
        if self.revoked.covers(&peer) {
            return Err(revoked());
        }
        if peer.expires <= self.env.now() {
            return Err(expired());
        }
        let extensions = request.extensions_mut();
        match (role, &peer.identity) {
            (Role::Operator, Identity::Operator(name)) => {
                extensions.insert(OperatorCaller { name: name.clone(), expires: peer.expires });
            }
            (Role::Node, Identity::Node { tenant, node }) => {
                let id = NodeId { tenant: tenant.clone(), name: node.clone() };
                extensions.insert(NodeCaller { id, peer });
            }
            (Role::Operator | Role::Node | Role::Anyone, identity) => {
                tracing::warn!(%identity, path = request.uri().path(), "call refused");
                return Err(Status::permission_denied(
                    "this certificate does not permit this call",
                ));
            }
        }
        Ok(())
    }
}

impl<S> Layer<S> for Policy {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, policy: self.clone() }
    }
}

/// A service whose requests are checked by the policy.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    inner: S,
    policy: Policy,
}

impl<S, A, B> Service<Request<A>> for Guarded<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        match self.policy.check(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}

/// Returns the operator that made a request.
///
/// # Errors
/// Returns an internal error if the request did not pass the policy.
pub fn operator<T>(request: &tonic::Request<T>) -> Result<OperatorCaller, Status> {
    request.extensions().get().cloned().ok_or_else(not_admitted)
}

/// Returns the node that made a request.
///
/// # Errors
/// Returns an internal error if the request did not pass the policy.
pub fn node<T>(request: &tonic::Request<T>) -> Result<NodeCaller, Status> {
    request.extensions().get().cloned().ok_or_else(not_admitted)
}

/// Returns the refusal of a caller whose certificate is revoked.
#[must_use]
pub fn revoked() -> Status {
    Status::unauthenticated("the certificate is revoked")
}

/// Returns the refusal of a caller whose certificate has expired.
#[must_use]
pub fn expired() -> Status {
    Status::unauthenticated("the certificate has expired")
}

fn not_admitted() -> Status {
    Status::internal("this request did not pass the policy")
}

#[cfg(test)]
mod tests;
