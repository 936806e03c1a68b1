//! Who may call what. One table for all procedures, asked before any handler
//! runs; what has no row is refused.

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

use crate::ops::node_id::NodeId;
use crate::pki::Revoked;
use crate::tls::ConnectionInfo;

/// Who may call a procedure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A person or program that operates the controller.
    Operator,
    /// A host's agent.
    Node,
    /// A host that has no certificate yet.
    Anyone,
}

/// Every procedure and who may call it.
pub const TABLE: &[(&str, Role)] = &[
    ("/oml.v1.Agent/Session", Role::Node),
    ("/oml.v1.Agent/Renew", Role::Node),
    ("/oml.v1.Fleet/WhoAmI", Role::Operator),
    ("/oml.v1.Fleet/Apply", Role::Operator),
    ("/oml.v1.Fleet/SetVersion", Role::Operator),
    ("/oml.v1.Fleet/Rollback", Role::Operator),
    ("/oml.v1.Fleet/GetStatus", Role::Operator),
    ("/oml.v1.Fleet/WatchStatus", Role::Operator),
    ("/oml.v1.Fleet/WatchChange", Role::Operator),
    ("/oml.v1.Fleet/ListRevisions", Role::Operator),
    ("/oml.v1.Fleet/GetSpec", Role::Operator),
    ("/oml.v1.Fleet/CreateToken", Role::Operator),
    ("/oml.v1.Fleet/RemoveNode", Role::Operator),
    ("/oml.v1.Enrollment/Enroll", Role::Anyone),
    ("/oml.v1.Enrollment/Recover", Role::Anyone),
];

/// The operator of a request that the table let through.
#[derive(Debug, Clone)]
pub struct OperatorCaller {
    pub name: OperatorName,
    /// When the certificate ends.
    pub expires: Timestamp,
}

/// The node of a request that the table let through: tenant and name come from
/// its certificate and from nowhere else.
#[derive(Debug, Clone)]
pub struct NodeCaller {
    pub id: NodeId,
    /// All that the certificate says.
    pub peer: Arc<Peer>,
}

/// Asks the table about every request.
#[derive(Debug, Clone)]
pub struct Policy {
    env: Env,
    revoked: Arc<Revoked>,
}

impl Policy {
    /// The table, and the certificates that no longer count.
    #[must_use]
    pub fn new(env: Env, revoked: Arc<Revoked>) -> Self {
        Self { env, revoked }
    }

    /// Adds to a request who makes it, or says why it is refused.
    fn admit<B>(&self, request: &mut Request<B>) -> Result<(), Status> {
        let path = request.uri().path();
        let row = TABLE.iter().find(|(procedure, _)| *procedure == path);
        let (_, role) = row.ok_or_else(|| Status::unimplemented("there is no such procedure"))?;
        let peer = request.extensions().get::<ConnectionInfo>().and_then(|info| info.peer.clone());
        match (role, peer) {
            (Role::Anyone, _) => {}
            (Role::Operator | Role::Node, None) => {
                return Err(Status::unauthenticated("a certificate is needed"));
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
            return Err(Status::unauthenticated("the certificate no longer counts"));
        }
        if peer.expires <= self.env.now() {
            return Err(Status::unauthenticated("the certificate has ended"));
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
                tracing::warn!(%identity, path = request.uri().path(), "a call was refused");
                return Err(Status::permission_denied("this certificate does not allow that call"));
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

/// Procedures behind the table.
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
        match self.policy.admit(&mut request) {
            Ok(()) => Either::Left(self.inner.call(request)),
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}

/// The operator that the table found.
///
/// # Errors
/// The handler is not behind the table.
pub fn operator<T>(request: &tonic::Request<T>) -> Result<OperatorCaller, Status> {
    request.extensions().get().cloned().ok_or_else(outside)
}

/// The node that the table found.
///
/// # Errors
/// The handler is not behind the table.
pub fn node<T>(request: &tonic::Request<T>) -> Result<NodeCaller, Status> {
    request.extensions().get().cloned().ok_or_else(outside)
}

fn outside() -> Status {
    Status::internal("the procedure is not behind the policy table")
}

#[cfg(test)]
mod tests;
