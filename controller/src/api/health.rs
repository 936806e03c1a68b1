//! The standard health service (`grpc.health.v1`), for load balancers and gRPC tools.

use std::pin::Pin;
use std::time::Duration;

use oml_proto::v1::agent_server::SERVICE_NAME as AGENT;
use oml_proto::v1::fleet_server::SERVICE_NAME as FLEET;
use tokio::time::sleep;
use tokio_stream::{Stream, StreamExt as _, once};
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::ops::reader::StatusReader;
use crate::policy;
use crate::shutdown::ShutdownSignal;

/// Tells whether the controller serves: it does while its store can be read.
#[derive(Debug)]
pub struct HealthApi {
    status: StatusReader,
    shutdown: ShutdownSignal,
}

impl HealthApi {
    /// Makes the service, which says that it no longer serves once a shutdown is requested.
    #[must_use]
    pub fn new(status: StatusReader, shutdown: ShutdownSignal) -> Self {
        Self { status, shutdown }
    }

    /// Returns the state of a service; the empty name stands for all of them.
    async fn of(&self, service: &str) -> ServingStatus {
        if !["", AGENT, FLEET].contains(&service) {
            return ServingStatus::ServiceUnknown;
        }
        match self.status.check_store().await {
            Ok(()) => ServingStatus::Serving,
            Err(_unreadable) => ServingStatus::NotServing,
        }
    }
}

fn reply(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for HealthApi {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let state = self.of(&request.get_ref().service).await;
        if state == ServingStatus::ServiceUnknown {
            return Err(Status::not_found("there is no such service"));
        }
        Ok(Response::new(reply(state)))
    }

    type WatchStream =
        Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send + 'static>>;

    /// Sends the present state, and another one when the controller stops.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let policy::OperatorCaller { expires, .. } = policy::operator(&request)?;
        let life = Duration::from_millis(expires.since_ms(self.status.now()));
        let present = self.of(&request.get_ref().service).await;
        let mut shutdown = self.shutdown.clone();
        let last = async move {
            // Both only observe.
            tokio::select! {
                biased;
                () = sleep(life) => Err(policy::expired()),
                () = shutdown.requested() => Ok(reply(ServingStatus::NotServing)),
            }
        };
        let last = futures_util::stream::once(last);
        Ok(Response::new(Box::pin(once(Ok(reply(present))).chain(last))))
    }
}
