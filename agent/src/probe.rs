//! Runs one probe once and returns its result. It only remembers whose sockets are whose: the
//! supervisor decides when to probe again and what several results mean.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use oml_common::decide::own_sockets::OwnSockets;
use oml_common::document::instance::{Check, Port, Probe};
use oml_common::text::printable::printable;
use oml_daemon::env::Random;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use crate::runtime::{ContainerCalls, RuntimeError};

mod active;
mod address;
mod ask;
mod gearman;
mod http;
#[cfg(any(test, feature = "sim"))]
mod model;
mod postgres;
mod rabbitmq;
mod redis;
mod rtpengine;
mod silence;
mod sip;
mod tls;

pub use active::{NEEDS_NEWER_AGENT, count_of};
use ask::ask_at;
#[cfg(any(test, feature = "sim"))]
pub use model::ModelProber;
use silence::Silence;

/// A command keeps its own limit; its answer may take so long beyond it.
const COMMAND_MARGIN: Duration = Duration::from_secs(1);
const NO_DOCKER: &str = "docker does not answer";

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
    async fn ask(&self, probe: &Probe, target: ProbeTarget<'_>) -> Answer;

    /// Notes that the program is about to be started, so that what listens already is of others.
    /// Returns the inodes of their sockets.
    async fn note_start(&self, _probe: &Probe) -> BTreeSet<u64> {
        BTreeSet::new()
    }

    /// Remembers what an earlier prober noted at the start of a program that runs.
    fn remember(&self, _others: BTreeSet<u64>) {}
}

/// The prober of a host. It uses the network of the host, and runs commands inside containers.
#[derive(Debug)]
pub struct LocalProber {
    /// The folder of the kernel's tables, `/proc`.
    proc: PathBuf,
    sockets: Mutex<OwnSockets>,
}

#[async_trait]
impl Prober for LocalProber {
    async fn ask(&self, probe: &Probe, target: ProbeTarget<'_>) -> Answer {
        // An answer may repeat words of the program.
        match self.ask_once(probe, target).await {
            Answer::Good(text) => Answer::Good(printable(&text)),
            Answer::Bad(text) => Answer::Bad(printable(&text)),
            Answer::Unknown(text) => Answer::Unknown(printable(&text)),
        }
    }

    async fn note_start(&self, probe: &Probe) -> BTreeSet<u64> {
        let (Some(port), None) = (probe.check.port(), &probe.address) else {
            return BTreeSet::new();
        };
        let others: BTreeSet<u64> = address::waiting(port, &self.proc).await.into_keys().collect();
        self.remember(others.clone());
        others
    }

    fn remember(&self, others: BTreeSet<u64>) {
        *self.sockets() = OwnSockets::beside(others);
    }
}

impl LocalProber {
    /// Returns a prober that reads the kernel's tables in `proc`.
    #[must_use]
    pub fn new(proc: PathBuf) -> Self {
        Self { proc, sockets: Mutex::default() }
    }

    fn sockets(&self) -> MutexGuard<'_, OwnSockets> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask_once(&self, probe: &Probe, target: ProbeTarget<'_>) -> Answer {
        let limit = Duration::from_millis(probe.timeout_ms);
        let last_address = LastAddress::default();
        // A command keeps the limit itself, and notes what it leaves behind.
        if let Check::Exec { command } = &probe.check {
            let ended = timeout(limit + COMMAND_MARGIN, run(command, limit, target)).await;
            // Only an engine that hangs goes beyond it.
            return ended.unwrap_or_else(|_elapsed| Answer::Unknown(NO_DOCKER.to_owned()));
        }
        // The supervisor asks only while the container runs, and systemd itself reports on
        // packaged units.
        let Some(port) = probe.check.port() else { return Answer::Good("runs".to_owned()) };
        let host = probe.address.as_deref();
        let asking = async {
            match host {
                Some(host) => {
                    let addresses = address::of_host(host, port).await?;
                    ask_in_turn(&probe.check, &addresses, target, &last_address).await
                }
                None => self.ask_where_bound(&probe.check, port, target, &last_address).await,
            }
        };
        let silence = match timeout(limit, asking).await {
            Ok(Ok(text)) => return Answer::Good(text),
            Ok(Err(silence)) => silence,
            Err(_elapsed) => Silence::Late { timeout_ms: probe.timeout_ms },
        };
        Answer::Bad(match (last_address.get(), host) {
            (Some(address), Some(host)) if host.parse::<IpAddr>().is_err() => {
                format!("{silence} (asked {host} at {address})")
            }
            (Some(address), _) => format!("{silence} (asked {address})"),
            (None, Some(host)) if !matches!(silence, Silence::NotFound { .. }) => {
                format!("{silence} (looking up {host})")
            }
            (None, _) => silence.to_string(),
        })
    }

    /// Asks where the program itself is bound. This is looked up once after its start, and again
    /// when nothing listens there any more.
    async fn ask_where_bound(
        &self,
        check: &Check,
        port: Port,
        target: ProbeTarget<'_>,
        last_address: &LastAddress,
    ) -> Result<String, Silence> {
        let known = self.sockets().asked(port);
        if let Some(known) = known {
            last_address.set(known);
            match ask_at(check, known, target).await {
                Err(silence) if silence.is_elsewhere() => self.sockets().note(None),
                answered => {
                    self.sockets().note(Some(known));
                    return answered;
                }
            }
        }
        let waiting = address::waiting(port, &self.proc).await;
        let addresses = self.sockets().addresses(waiting, port);
        let addresses = addresses.ok_or(Silence::OtherProgram { port })?;
        let answered = ask_in_turn(check, &addresses, target, last_address).await;
        let is_elsewhere = answered.as_ref().is_err_and(Silence::is_elsewhere);
        // The address that answered goes first from here on, and no other is asked.
        self.sockets().note(last_address.get().filter(|_| !is_elsewhere));
        answered
    }
}

/// The address that was asked last.
#[derive(Debug, Default)]
struct LastAddress(Mutex<Option<SocketAddr>>);

impl LastAddress {
    fn set(&self, address: SocketAddr) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(address);
    }

    fn get(&self) -> Option<SocketAddr> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks at each address until something listens there.
async fn ask_in_turn(
    check: &Check,
    addresses: &[SocketAddr],
    target: ProbeTarget<'_>,
    last_address: &LastAddress,
) -> Result<String, Silence> {
    let mut refused = Silence::Refused;
    for address in addresses {
        last_address.set(*address);
        match ask_at(check, *address, target).await {
            Err(silence) if silence.is_elsewhere() => refused = silence,
            answered => return answered,
        }
    }
    Err(refused)
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
        Some(_) | None => Err(Silence::Closed),
    }
}

async fn run(command: &[String], limit: Duration, target: ProbeTarget<'_>) -> Answer {
    let program = command.first().map_or("", String::as_str);
    match target.calls.exec(target.container, command, limit).await {
        Ok(output) if output.exit_code == 0 => Answer::Good(format!("{program} succeeds")),
        Ok(output) => Answer::Bad(format!("{program} ended with exit code {}", output.exit_code)),
        Err(error) => not_run(&error),
    }
}

/// Returns what a command says of the health that the engine did not run to its end. Only one
/// that the engine will refuse again, or that hangs, counts against the program.
fn not_run(error: &RuntimeError) -> Answer {
    match error {
        RuntimeError::Unavailable { .. } => Answer::Unknown(NO_DOCKER.to_owned()),
        RuntimeError::Refused { transient: true, .. } => Answer::Unknown(error.to_string()),
        RuntimeError::Refused { transient: false, .. } | RuntimeError::Foreign(_) => {
            Answer::Bad(error.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
