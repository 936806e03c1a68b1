//! Runs one probe once and returns its result. It keeps no state: the supervisor decides
//! when to probe again and what several results mean.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use oml_common::document::instance::Check;
use oml_common::text::printable::printable;
use oml_daemon::env::Random;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;

use crate::runtime::{ContainerCalls, RuntimeError};

mod active;
mod http;
#[cfg(any(test, feature = "sim"))]
mod model;
mod postgres;
mod redis;
mod sip;
mod tls;

pub use active::count;
#[cfg(any(test, feature = "sim"))]
pub use model::ModelProber;

/// To find out what became of the command before.
const COMMAND_MARGIN: Duration = Duration::from_secs(1);

/// The result of one probe. The text stays the same while the state does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Good(String),
    /// The program did not answer, or answered with an error.
    Bad(String),
    /// The probe could not run, so the health is unknown.
    Unknown(String),
}

/// The container that commands run in, and other inputs of a probe.
#[derive(Clone, Copy)]
pub struct ProbeTarget<'a> {
    pub calls: &'a dyn ContainerCalls,
    pub container: &'a str,
    /// Source of the identifiers that match an answer to its probe.
    pub random: &'a Random,
}

/// Probes the program in a container.
#[async_trait]
pub trait Prober: Send + Sync {
    /// Runs the probe once with a time limit.
    async fn ask(&self, check: &Check, timeout_ms: u64, target: ProbeTarget<'_>) -> Answer;
}

/// The prober of a host. It uses the network of the host, and runs commands inside containers.
#[derive(Debug, Clone, Copy)]
pub struct LocalProber;

#[async_trait]
impl Prober for LocalProber {
    async fn ask(&self, check: &Check, timeout_ms: u64, target: ProbeTarget<'_>) -> Answer {
        // An answer may repeat words of the program.
        match ask(check, timeout_ms, target).await {
            Answer::Good(text) => Answer::Good(printable(&text)),
            Answer::Bad(text) => Answer::Bad(printable(&text)),
            Answer::Unknown(text) => Answer::Unknown(printable(&text)),
        }
    }
}

async fn ask(check: &Check, timeout_ms: u64, target: ProbeTarget<'_>) -> Answer {
    let limit = Duration::from_millis(timeout_ms);
    let asking = async {
        match check {
            Check::Http { port, path, tls: false } => http::ask(connect(*port).await?, path).await,
            Check::Http { port, path, tls: true } => {
                http::ask(tls::wrap(connect(*port).await?).await?, path).await
            }
            Check::Tcp { port } => connect(*port).await.map(|_stream| "accepts connections".into()),
            Check::SipOptions { port } => sip::ask(*port, target.random).await,
            Check::Redis { port } => redis::ask(connect(*port).await?).await,
            Check::Postgres { port, user } => postgres::ask(connect(*port).await?, user).await,
            Check::Exec { command } => return Ok(run(command, limit, target).await),
            // The supervisor asks only while the container runs, and systemd
            // itself tells about packaged units.
            Check::UnitActive => Ok("runs".into()),
        }
        .map(Answer::Good)
    };
    // A command keeps the limit itself, and notes what it leaves behind.
    let patience = match check {
        Check::Exec { .. } => limit + COMMAND_MARGIN,
        Check::Http { .. }
        | Check::Tcp { .. }
        | Check::SipOptions { .. }
        | Check::Redis { .. }
        | Check::Postgres { .. }
        | Check::UnitActive => limit,
    };
    match tokio::time::timeout(patience, asking).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(Silence(why))) => Answer::Bad(why),
        Err(_) => Answer::Bad(format!("no answer within {timeout_ms} ms")),
    }
}

/// The reason why a probe failed.
#[derive(Debug)]
struct Silence(String);

impl From<std::io::Error> for Silence {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let kind = error.kind();
        Self(if kind == ErrorKind::ConnectionRefused {
            "connection refused".to_owned()
        } else if matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) {
            "connection reset".to_owned()
        } else if kind == ErrorKind::UnexpectedEof {
            "connection closed without an answer".to_owned()
        } else {
            error.to_string()
        })
    }
}

/// The host's own address: components listen in the host's network.
fn here(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

async fn connect(port: u16) -> Result<TcpStream, Silence> {
    Ok(TcpStream::connect(here(port)).await?)
}

/// The first line of an answer, at most 256 bytes of it.
async fn first_line(stream: &mut (impl AsyncRead + Unpin)) -> Result<String, Silence> {
    const BYTES_MAX: usize = 256;
    let mut line = Vec::with_capacity(BYTES_MAX);
    let mut piece = [0; BYTES_MAX];
    while line.len() < BYTES_MAX && !line.contains(&b'\n') {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            break;
        }
        line.extend_from_slice(&piece[..read]);
    }
    let text = String::from_utf8_lossy(&line);
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.trim_end().to_owned()),
        Some(_) | None => Err(Silence("connection closed without an answer".to_owned())),
    }
}

async fn run(command: &[String], limit: Duration, target: ProbeTarget<'_>) -> Answer {
    let program = command.first().map_or("", String::as_str);
    match target.calls.exec(target.container, command, limit).await {
        Ok(output) if output.exit_code == 0 => Answer::Good(format!("{program} succeeds")),
        Ok(output) => Answer::Bad(format!("{program} ended with exit code {}", output.exit_code)),
        Err(RuntimeError::Unavailable { .. }) => {
            Answer::Unknown("docker does not answer".to_owned())
        }
        Err(error) => Answer::Bad(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
