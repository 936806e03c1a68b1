//! The standard health service (`grpc.health.v1`), for load balancers and gRPC tools.

use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::unfold;
use oml_proto::v1::agent_server::SERVICE_NAME as AGENT;
use oml_proto::v1::fleet_server::SERVICE_NAME as FLEET;
use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::ops::reader::StatusReader;
use crate::policy;
use crate::shutdown::ShutdownSignal;

/// The interval at which the store is looked at for those who watch.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

type HealthReply = Result<HealthCheckResponse, Status>;

/// Reports whether the controller serves: it does while its store can be read.
#[derive(Debug, Clone)]
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

/// What a caller watches.
struct Watched {
    health: HealthApi,
    service: String,
    /// The state that was sent last.
    reported: Option<ServingStatus>,
    /// The end of the caller's certificate.
    end: Pin<Box<Sleep>>,
}

/// Waits until there is another state to send; the stream ends after an error and after a shutdown.
async fn next_state(watched: Option<Watched>) -> Option<(HealthReply, Option<Watched>)> {
    let mut watched = watched?;
    let mut shutdown = watched.health.shutdown.clone();
    loop {
        let state = watched.health.of(&watched.service).await;
        if watched.reported != Some(state) {
            watched.reported = Some(state);
            return Some((Ok(reply(state)), Some(watched)));
        }
        // All of them only observe.
        tokio::select! {
            biased;
            () = &mut watched.end => return Some((Err(policy::expired()), None)),
            () = shutdown.requested() => return Some((Ok(reply(ServingStatus::NotServing)), None)),
            () = sleep(LOOK_AGAIN) => {}
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

    type WatchStream = Pin<Box<dyn Stream<Item = HealthReply> + Send + 'static>>;

    /// Sends the present state, and another one whenever it has changed and when the controller stops.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let policy::OperatorCaller { expires, .. } = policy::operator(&request)?;
        let life = Duration::from_millis(expires.since_ms(self.status.now()));
        let watched = Watched {
            health: self.clone(),
            service: request.into_inner().service,
            reported: None,
            end: Box::pin(sleep(life)),
        };
        Ok(Response::new(Box::pin(unfold(Some(watched), next_state))))
    }
}
