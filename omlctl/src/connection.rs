//! The connection to the controller. Every call has a deadline, and every failure has a
//! message.

use std::error::Error as _;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use oml_common::text::problem::Problem;
use oml_daemon::env::Env;
use oml_daemon::tls::{Peer, certificate, client_config};
use oml_proto::problem::{from_status, refusal};
use oml_proto::v1::fleet_client::FleetClient;
use oml_proto::v1::{
    ChangeProgress, Refusal, RunEvent, RunOperationRequest, StatusReply, StatusRequest,
    WatchChangeRequest,
};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::clock::age;
use crate::config::{self, Context};
use crate::error::CommandError;

mod dial;
mod reason;

use dial::dial;
use reason::reason;

/// The timeout for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The timeout for an answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two attempts to reconnect.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// The addresses of a controller and the operator's credentials for it.
#[derive(Debug)]
pub(crate) struct Target {
    addresses: Vec<String>,
    tls: Arc<rustls::ClientConfig>,
    /// The time at which the operator's certificate expires.
    ends_ms: Option<u64>,
    env: Env,
}

/// A connection to one controller.
#[derive(Debug)]
pub(crate) struct Controller {
    fleet: FleetClient<Channel>,
    address: String,
}

/// The error of a call.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The controller answered with an error.
    Answered(CommandError),
    /// The controller answered with an error that may pass, so nothing was done.
    Passing(CommandError),
    /// The connection was lost, the timeout passed, or the controller does not know the
    /// result itself: the outcome of the request is unknown.
    Lost(String),
    /// The controller does not accept this operator, so nothing was done.
    Unauthenticated(String),
}

impl Target {
    /// Makes a target of the endpoints of a context, or of another endpoint with the same
    /// certificate authority.
    pub(crate) fn new(
        context: &Context,
        endpoint: Option<&str>,
        env: Env,
    ) -> Result<Self, CommandError> {
        let unusable =
            |source| CommandError::Credentials { context: context.name.to_string(), source };
        let tls = client_config(&context.credentials, env.clock()).map_err(unusable)?;
        let own = certificate(&context.credentials.certificate_pem, "certificate");
        let ends_ms = Peer::from_certificate(&own.map_err(unusable)?).ok().map(|p| p.expires.0);
        let addresses = match endpoint {
            Some(endpoint) => vec![config::address(endpoint).to_owned()],
            None => context.endpoints.clone(),
        };
        let field = match endpoint {
            Some(_) => "--endpoint".to_owned(),
            None => {
                format!("{}: contexts.{}.endpoints", context.listed_in.display(), context.name)
            }
        };
        if addresses.is_empty() {
            let hint = "write endpoints = [\"controller.example.com:7443\"]";
            let problem = Problem::new(field, "no controller is listed").hint(hint);
            return Err(CommandError::usage(&problem));
        }
        if let Some(wrong) = addresses.iter().find(|address| !dial::is_address(address)) {
            let problem = Problem::new(field, format!("{wrong:?} is not an address"));
            return Err(CommandError::usage(&problem.hint(config::ADDRESS_HINT)));
        }
        Ok(Self { addresses, tls: Arc::new(tls), ends_ms, env })
    }

    /// Returns a new unique id for an operation.
    pub(crate) fn new_op_id(&self) -> Result<String, CommandError> {
        Ok(self.env.uuid().map_err(CommandError::Random)?.to_string())
    }

    /// Connects to the first controller that answers.
    pub(crate) async fn connect(&self) -> Result<Controller, CommandError> {
        let mut reasons = Vec::with_capacity(self.addresses.len());
        for address in &self.addresses {
            match timeout(CONNECT_TIMEOUT, dial(address, Arc::clone(&self.tls))).await {
                Ok(Ok(channel)) => {
                    let fleet = FleetClient::new(channel)
                        .max_decoding_message_size(oml_proto::STATUS_BYTES_MAX)
                        .max_encoding_message_size(oml_proto::MESSAGE_BYTES_MAX);
                    let address = address.clone();
                    return Ok(Controller { fleet, address });
                }
                Ok(Err(error)) => reasons.push(without(address, &reason(&error))),
                Err(_elapsed) => {
                    let why = format!("no connection within {} s", CONNECT_TIMEOUT.as_secs());
                    reasons.push(without(address, &why));
                }
            }
        }
        let now_ms = self.env.now().0;
        if let Some(ends_ms) = self.ends_ms.filter(|ends_ms| *ends_ms <= now_ms) {
            reasons
                .push(format!("the certificate of this operator expired {}", age(now_ms, ends_ms)));
        }
        Err(CommandError::Unreachable(reasons.join("; ")))
    }
}

impl Controller {
    /// Makes a call, with an error that distinguishes a refusal from a lost answer. Where
    /// the distinction does not matter, `?` drops it.
    pub(crate) async fn call<'c, M, R, F>(
        &'c mut self,
        call: fn(&'c mut FleetClient<Channel>, Request<M>) -> F,
        message: M,
    ) -> Result<R, Failed>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        let address = self.address.clone();
        let mut request = Request::new(message);
        request.set_timeout(CALL_TIMEOUT);
        // The timeout of the request starts when it is sent; this one includes the time before.
        match timeout(CALL_TIMEOUT, call(&mut self.fleet, request)).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(failed(&address, &status)),
            Err(_elapsed) => Err(Failed::Lost(no_answer(&address))),
        }
    }

    /// Streams the status: the current one, then one after every change.
    pub(crate) async fn watch_status(
        &mut self,
        tenant: &str,
    ) -> Result<Watch<StatusReply>, Failed> {
        let request = Request::new(StatusRequest { tenant: tenant.to_owned() });
        let address = self.address.clone();
        let opened = timeout(CALL_TIMEOUT, self.fleet.watch_status(request)).await;
        Watch::opened(opened, address)
    }

    /// Streams the progress of a change after every step. The last message has the verdict.
    pub(crate) async fn watch_change(
        &mut self,
        Watched { tenant, revision }: &Watched,
    ) -> Result<Watch<ChangeProgress>, Failed> {
        let request = WatchChangeRequest { tenant: tenant.clone(), revision: *revision };
        let address = self.address.clone();
        let opened = timeout(CALL_TIMEOUT, self.fleet.watch_change(Request::new(request))).await;
        Watch::opened(opened, address)
    }
}

impl Controller {
    /// Starts a run of an operation and streams what becomes of it. The last message has the
    /// result.
    pub(crate) async fn run_operation(
        &mut self,
        request: RunOperationRequest,
    ) -> Result<Watch<RunEvent>, Failed> {
        let address = self.address.clone();
        let opened = timeout(CALL_TIMEOUT, self.fleet.run_operation(Request::new(request))).await;
        Watch::opened(opened, address)
    }
}

/// The change whose progress is followed.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) tenant: String,
    pub(crate) revision: u64,
}

/// A stream of messages. The keep-alive of the connection detects a dead controller.
#[derive(Debug)]
pub(crate) struct Watch<M> {
    stream: Streaming<M>,
    address: String,
}

impl<M> Watch<M> {
    fn opened(
        opened: Result<Result<Response<Streaming<M>>, Status>, Elapsed>,
        address: String,
    ) -> Result<Self, Failed> {
        match opened {
            Ok(Ok(response)) => Ok(Self { stream: response.into_inner(), address }),
            Ok(Err(status)) => Err(failed(&address, &status)),
            Err(_elapsed) => Err(Failed::Lost(no_answer(&address))),
        }
    }

    /// Waits for the next message. This is cancel-safe: no message is lost if the future is
    /// dropped.
    pub(crate) async fn next(&mut self) -> Result<M, Failed> {
        match self.stream.message().await {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => Err(Failed::Lost(format!("{} closed the stream", self.address))),
            Err(status) => Err(failed(&self.address, &status)),
        }
    }
}

impl Failed {
    /// Returns the reason of a failure after which a stream is opened again, or else the
    /// error that ends the command.
    pub(crate) fn reconnect_reason(self) -> Result<String, CommandError> {
        match self {
            Failed::Lost(why) => Ok(why),
            Failed::Passing(error) => Ok(error.to_string()),
            failed @ (Failed::Answered(_) | Failed::Unauthenticated(_)) => Err(failed.into()),
        }
    }
}

impl From<Failed> for CommandError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Answered(error) | Failed::Passing(error) => error,
            Failed::Lost(why) | Failed::Unauthenticated(why) => CommandError::Unreachable(why),
        }
    }
}

fn failed(address: &str, status: &Status) -> Failed {
    // Only an error on this side of the connection has a source.
    match status.source() {
        Some(source) => Failed::Lost(format!("{address}: {}", reason(source))),
        None => answered(address, status),
    }
}

/// Maps every gRPC code of the controller to an error.
fn answered(address: &str, status: &Status) -> Failed {
    let said = oml_common::text::printable::printable(status.message());
    let said = if said.is_empty() { status.code().to_string() } else { said };
    let error = match status.code() {
        Code::InvalidArgument => match from_status(status) {
            Some(problems) => match refusal(status) {
                Refusal::ChangedMeanwhile => CommandError::ChangedMeanwhile(problems),
                Refusal::Removes => CommandError::Removes(problems),
                Refusal::OneWay => CommandError::OneWay(problems),
                Refusal::Unspecified => CommandError::Problems(problems),
            },
            None => CommandError::Usage(said),
        },
        Code::NotFound | Code::OutOfRange => CommandError::Usage(said),
        Code::PermissionDenied => CommandError::Refused(format!("not allowed: {said}")),
        Code::Unimplemented if is_of_enrolment(address) => {
            let why = "this is the enrolment port (operators use port 7443)";
            return Failed::Unauthenticated(format!("{address}: {why}"));
        }
        Code::Unimplemented => CommandError::Refused(
            "the controller does not know this command; it may be older than omlctl (compare them with omlctl version --controller)".to_owned(),
        ),
        Code::Unauthenticated => return Failed::Unauthenticated(format!("{address}: {said}")),
        Code::Cancelled | Code::DeadlineExceeded => return Failed::Lost(no_answer(address)),
        // The controller is starting or stopping, or does not know whether a change was stored.
        Code::Unavailable | Code::Unknown => return Failed::Lost(format!("{address}: {said}")),
        Code::ResourceExhausted | Code::Aborted | Code::Internal => {
            return Failed::Passing(CommandError::Refused(said));
        }
        Code::Ok | Code::AlreadyExists | Code::FailedPrecondition | Code::DataLoss => {
            CommandError::Refused(said)
        }
    };
    Failed::Answered(error)
}

/// Formats why there is no connection to an address.
fn without(address: &str, why: &str) -> String {
    let hint = if is_of_enrolment(address) { " (operators use port 7443)" } else { "" };
    format!("{address}: {why}{hint}")
}

/// Whether an address has the default enrolment port, which is easily confused with the
/// port for operators.
fn is_of_enrolment(address: &str) -> bool {
    address.ends_with(":7444")
}

fn no_answer(address: &str) -> String {
    format!("{address}: no answer within {} s", CALL_TIMEOUT.as_secs())
}

#[cfg(test)]
mod tests;
