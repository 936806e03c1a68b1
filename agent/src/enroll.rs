//! Joins this host to its tenant. The host makes a key, shows a one-time token, and gets a
//! certificate from the controller that the token names.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use oml_common::id::NodeName;
use oml_daemon::env::Clock;
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{self, ConnectError, InvalidToken, JoinToken};
use oml_proto::v1::enrollment_client::EnrollmentClient;
use oml_proto::v1::{Certificate, EnrollRequest};
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::config::{CONTROLLER_PORT, ENROLLMENT_PORT, endpoint};
use crate::files::{self, FileError};
use crate::identity::{HostIdentity, IdentityError, IdentityFiles, KeyRequest};
use crate::paths::Paths;
use crate::runs;

const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const TOKEN_BYTES_MAX: u64 = 4096;

/// The request of an operator to join a host.
#[derive(Debug, Clone)]
pub struct Enrollment {
    /// The controller's enrolment service, as `host` or `host:port`.
    pub controller: String,
    /// The controllers for sessions; if empty, the host of the enrolment service.
    pub sessions: Vec<String>,
    /// The file of the token; `-` is standard input.
    pub token_file: PathBuf,
    /// The name of the node; if none, the name of the host.
    pub name: Option<NodeName>,
    /// The address by which other hosts reach this one.
    pub address: Option<std::net::IpAddr>,
    /// Whether a host that has joined before joins again.
    pub replace: bool,
    /// The proxies through which the controller is reached.
    pub proxies: Proxies,
}

/// The reason why the host did not join.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The host has joined before.
    #[error(
        "this host is enrolled already, as {node} of {tenant}; to enrol it again use --replace"
    )]
    AlreadyEnrolled { node: String, tenant: String },
    /// The token cannot be read.
    #[error("cannot read the token from {place}")]
    TokenFile { place: String, source: io::Error },
    /// The text is no token.
    #[error("{place} holds no join token")]
    Token {
        place: String,
        /// The form of a token.
        source: InvalidToken,
    },
    /// The text is no address.
    #[error("{0:?} is not an address such as controller.example:7444")]
    Address(String),
    /// The name of the host is no node name.
    #[error("the host's name {0:?} cannot be a node's name; give one with --name")]
    HostName(String),
    /// The controller cannot be reached, or the token names another one.
    #[error("cannot reach the controller that the token names")]
    Connect(#[from] ConnectError),
    /// The controller does not answer.
    #[error("{0} did not answer in time")]
    Slow(String),
    /// The controller refuses the host.
    #[error("the controller refused: {}", .0.message())]
    Refused(Box<Status>),
    /// The identity cannot be written.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The settings cannot be written.
    #[error("cannot write the agent's settings")]
    Settings(#[from] FileError),
    /// The runs of operations of the owner before cannot be moved.
    #[error("cannot move the runs of the owner before aside")]
    FormerRuns(#[source] FileError),
}

impl EnrollError {
    /// Returns true if only another request can succeed, not another attempt.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        match self {
            EnrollError::AlreadyEnrolled { .. }
            | EnrollError::TokenFile { .. }
            | EnrollError::Token { .. }
            | EnrollError::Address(_)
            | EnrollError::HostName(_) => true,
            EnrollError::Refused(status) => matches!(
                status.code(),
                Code::InvalidArgument
                    | Code::NotFound
                    | Code::AlreadyExists
                    | Code::PermissionDenied
                    | Code::Unauthenticated
                    | Code::FailedPrecondition
            ),
            EnrollError::Connect(_)
            | EnrollError::Slow(_)
            | EnrollError::Identity(_)
            | EnrollError::Settings(_)
            | EnrollError::FormerRuns(_) => false,
        }
    }
}

/// Joins the host. Nothing is kept unless all of it succeeds.
///
/// # Errors
/// The first failure, as a sentence for the operator.
pub async fn enroll(
    paths: &Paths,
    clock: &Clock,
    wish: &Enrollment,
) -> Result<HostIdentity, EnrollError> {
    let identity_files = IdentityFiles::new(paths);
    let former = identity_files.load();
    if let (Ok(Some(identity)), false) = (&former, wish.replace) {
        let (node, tenant) = (identity.node.to_string(), identity.tenant.to_string());
        return Err(EnrollError::AlreadyEnrolled { node, tenant });
    }
    let invalid = || EnrollError::Address(wish.controller.clone());
    let address = endpoint(&wish.controller, ENROLLMENT_PORT).ok_or_else(invalid)?;
    let sessions = sessions(wish, &address)?;
    let token = read_token(&wish.token_file)?;
    let node = match &wish.name {
        Some(name) => name.clone(),
        None => own_name()?,
    };
    let request = KeyRequest::new()?;
    let config = Arc::new(tls::enrollment_config(token.ca(), clock));
    let channel = tls::connect(&address, config, &wish.proxies).await?;
    let asked = timeout(CALL_TIMEOUT, ask(channel, &token, wish, &node, &request)).await;
    let certificate = asked.map_err(|_elapsed| EnrollError::Slow(address.clone()))??;
    let identity = HostIdentity::of(&certificate, &request.key_pem)?;
    // Another owner counts its runs from 1 too, and must not get the results of these.
    if !former.is_ok_and(|former| former.is_some_and(|it| it.has_owner_of(&identity))) {
        runs::set_aside(paths).map_err(EnrollError::FormerRuns)?;
    }
    let identity = identity_files.keep(&certificate, &request.key_pem)?;
    write_settings(paths, wish, &address, &sessions)?;
    Ok(identity)
}

async fn ask(
    channel: Channel,
    token: &JoinToken,
    wish: &Enrollment,
    node: &NodeName,
    request: &KeyRequest,
) -> Result<Certificate, EnrollError> {
    let message = EnrollRequest {
        token: token.reveal(),
        node: node.to_string(),
        csr: request.csr.clone(),
        address: wish.address.map(|address| address.to_string()).unwrap_or_default(),
    };
    let mut client = EnrollmentClient::new(channel);
    let answered = client.enroll(message).await;
    let response = answered.map_err(|status| EnrollError::Refused(Box::new(status)))?;
    Ok(response.into_inner())
}

/// Returns the controllers for sessions: those of the request, or the host of the enrolment
/// service at its other port.
fn sessions(wish: &Enrollment, address: &str) -> Result<Vec<String>, EnrollError> {
    if wish.sessions.is_empty() {
        let host = address.rsplit_once(':').map_or(address, |(host, _port)| host);
        return Ok(vec![format!("{host}:{CONTROLLER_PORT}")]);
    }
    let read = |text: &String| {
        endpoint(text, CONTROLLER_PORT).ok_or_else(|| EnrollError::Address(text.clone()))
    };
    wish.sessions.iter().map(read).collect()
}

fn read_token(file: &Path) -> Result<JoinToken, EnrollError> {
    let place =
        if file == Path::new("-") { "standard input".into() } else { file.display().to_string() };
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().take(TOKEN_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file)
            .and_then(|opened| opened.take(TOKEN_BYTES_MAX).read_to_string(&mut text))
    };
    match read {
        Ok(_bytes) => text.trim().parse().map_err(|source| EnrollError::Token { place, source }),
        Err(source) => Err(EnrollError::TokenFile { place, source }),
    }
}

/// Returns the first label of the host's name.
fn own_name() -> Result<NodeName, EnrollError> {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy().to_lowercase();
    let label = name.split('.').next().unwrap_or_default();
    label.parse().map_err(|_invalid| EnrollError::HostName(label.to_owned()))
}

fn write_settings(
    paths: &Paths,
    wish: &Enrollment,
    enrollment: &str,
    controllers: &[String],
) -> Result<(), FileError> {
    // `endpoint` has checked the addresses, so none contains a quote.
    let quoted: Vec<String> = controllers.iter().map(|c| format!("\"{c}\"")).collect();
    let mut text = format!(
        "# Written by `omlagent enroll`.\ncontrollers = [{}]\nenrollment = [\"{enrollment}\"]\n",
        quoted.join(", ")
    );
    if let Some(address) = wish.address {
        text.push_str(&format!("address = \"{address}\"\n"));
    }
    let path = paths.config.join("conf.d").join("50-enrolled.toml");
    files::write_durably(&path, text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests;
