//! One session, from the agent's first message to its end.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::{Stream, TryStreamExt as _};
use oml_common::id::{Address, Generation, RunId};
use oml_common::text::error::chain;
use oml_daemon::failpoint;
use oml_proto::host_policy;
use oml_proto::report::{from_wire, generation_from_wire};
use oml_proto::v1;
use oml_proto::v1::agent_message::Kind;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::Status;

use super::rate_limit::RateLimit;
use super::unreadable::UnreadableRecords;
use crate::ops::node_id::NodeId;
use crate::ops::nodes::{AgentRecord, Greeting, Nodes};
use crate::ops::presence::SessionId;
use crate::ops::runs::Runs;
use crate::ops::secrets::Secrets;
use crate::pki::record_of;
use crate::policy;
use crate::shutdown::ShutdownSignal;
use crate::wire;

/// The time limit for the agent's first message.
const HELLO_LIMIT: Duration = Duration::from_secs(5);
/// The time limit for sending the last message to the agent.
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);
/// The delay between a report that differs in substance and its record. The decision that
/// follows from the report comes first.
const PERSIST_DELAY: Duration = Duration::from_millis(200);
/// The longest name of an agent's process.
const PROCESS_CHARS_MAX: usize = 64;

/// The messages of an agent, from a connection or from a test.
pub(super) trait Incoming:
    Stream<Item = Result<v1::AgentMessage, Status>> + Unpin + Send
{
}

impl<S: Stream<Item = Result<v1::AgentMessage, Status>> + Unpin + Send> Incoming for S {}

type Outgoing = mpsc::Sender<Result<v1::ControllerMessage, Status>>;

/// One session with the agent of a node.
pub(super) struct AgentStream {
    pub(super) nodes: Nodes,
    pub(super) secrets: Secrets,
    pub(super) runs: Runs,
    pub(super) node: policy::NodeCaller,
    pub(super) from: Option<IpAddr>,
    pub(super) shutdown: ShutdownSignal,
}

/// The progress of a session.
pub(super) struct Progress {
    id: SessionId,
    /// The assignment that the agent holds or was sent.
    pub(super) held: Option<Generation>,
    /// The newest assignment this session has seen.
    pub(super) newest: Option<Generation>,
    /// Whether the record of the newest one could be read.
    pub(super) is_newest_known: bool,
    /// The runs whose orders were sent.
    ordered: BTreeSet<RunId>,
    pub(super) unreadable: UnreadableRecords,
    /// The time at which the last report is due to be recorded.
    persist_at: Option<Instant>,
    /// Whether the log has the warning about messages of a newer agent.
    has_warned: bool,
    /// Whether the secrets that the agent has may be others than its assignment names.
    secrets_due: bool,
}

impl AgentStream {
    /// Runs the session until either side ends it.
    pub(super) async fn run(self, mut incoming: impl Incoming, outgoing: Outgoing) {
        let ended = match self.begin(&mut incoming).await {
            Ok(progress) => self.serve(incoming, &outgoing, progress).await,
            Err(status) => Err(status),
        };
        let NodeId { tenant, name: node } = &self.node.id;
        if let Err(status) = ended {
            tracing::info!(%tenant, %node, reason = status.message(), "session failed");
            // The agent may be gone, and then the reason is not needed.
            let _gone = timeout(GOODBYE_LIMIT, outgoing.send(Err(status))).await;
        } else {
            tracing::info!(%tenant, %node, "session closed");
        }
    }

    /// Handles the greeting and returns the generation of the assignment that the agent
    /// holds.
    async fn begin(&self, incoming: &mut impl Incoming) -> Result<Option<Generation>, Status> {
        let first = timeout(HELLO_LIMIT, incoming.try_next()).await;
        let first = first.map_err(|_late| Status::deadline_exceeded("no hello in time"))??;
        let Some(Kind::Hello(hello)) = first.and_then(|message| message.kind) else {
            return Err(Status::invalid_argument("a session begins with a hello"));
        };
        let address = self.address(&hello.address)?;
        let metrics_port = self.metrics_port(hello.metrics_port);
        let shown = record_of(&self.node.peer);
        // If the host's file is missing or invalid, the machine is unknown.
        let machine = hello.machine_id.parse().ok();
        let policy = hello.policy.map(host_policy::from_wire);
        let agent = AgentRecord::new(&hello.agent_version, hello.features).with_policy(policy);
        // An agent of an earlier release names its boot only.
        let process = if hello.process_id.is_empty() { hello.boot_id } else { hello.process_id };
        let process = process.chars().take(PROCESS_CHARS_MAX).collect();
        let greeting = Greeting { shown, address, metrics_port, machine, agent, process };
        let greeted = self.nodes.greet(&self.node.id, &greeting).await;
        greeted.map_err(|error| wire::status_of(&error))?;
        Ok(hello.held.map(generation_from_wire))
    }

    /// Returns the address at which other hosts reach the node. It is the address of the
    /// connection if the agent names none, or one in a form that only later releases know.
    fn address(&self, named: &str) -> Result<Address, Status> {
        match (named.parse(), self.from) {
            (Ok(address), _) => Ok(address),
            (Err(error), None) => {
                Err(Status::invalid_argument(format!("the node's address is {error}")))
            }
            (Err(_), Some(from)) => {
                let address = Address::from(from);
                if !named.is_empty() {
                    let NodeId { tenant, name: node } = &self.node.id;
                    tracing::warn!(%tenant, %node, %address, "the agent names an address that this controller cannot read; using the address of its connection");
                }
                Ok(address)
            }
        }
    }

    /// Returns the port of the agent's metrics; 0 if it names none, or one that does not exist.
    fn metrics_port(&self, named: u32) -> u16 {
        u16::try_from(named).unwrap_or_else(|_too_large| {
            let NodeId { tenant, name: node } = &self.node.id;
            tracing::warn!(%tenant, %node, port = named, "the agent names a metrics port that does not exist; its metrics are not listed");
            0
        })
    }

    async fn serve(
        &self,
        incoming: impl Incoming,
        outgoing: &Outgoing,
        held: Option<Generation>,
    ) -> Result<(), Status> {
        let NodeId { tenant, name: node } = &self.node.id;
        let (id, replaced) = self.nodes.presence().connect(&self.node.id, self.nodes.now());
        let mut progress = Progress {
            id,
            held,
            newest: None,
            is_newest_known: true,
            ordered: BTreeSet::new(),
            unreadable: UnreadableRecords::default(),
            persist_at: None,
            has_warned: false,
            // The agent may have lost its secrets, or the controller may have found its key.
            secrets_due: true,
        };
        tracing::info!(%tenant, %node, "session opened");
        let ended = self.handle_events(incoming, outgoing, &mut progress, replaced).await;
        self.close(id).await;
        ended
    }

    async fn handle_events(
        &self,
        mut incoming: impl Incoming,
        outgoing: &Outgoing,
        progress: &mut Progress,
        mut replaced: oneshot::Receiver<()>,
    ) -> Result<(), Status> {
        let mut assigned = self.nodes.assignment_changes(&self.node.id);
        let mut ordered = self.runs.changes(&self.node.id.tenant);
        let mut revoked = self.nodes.revoked().subscribe();
        // A revocation between the greeting and the subscription sends no notice.
        self.check_certificate()?;
        let mut shutdown = self.shutdown.clone();
        let certificate_ends = Instant::now() + self.certificate_life();
        let mut look = true;
        let mut limit = RateLimit::new(Instant::now());
        loop {
            let paused_until = limit.paused_until();
            // Every arm is safe to cancel: messages, nudges and reserved places that are
            // not returned now are returned in the next round, and the other arms only
            // observe. The arms that end the session come first, and reports come last
            // because they may never stop.
            tokio::select! {
                biased;
                _gone = &mut replaced => {
                    self.check_certificate()?;
                    return Err(Status::aborted("a newer session of this node took its place"));
                }
                _changed = revoked.changed() => self.check_certificate()?,
                () = sleep_until(certificate_ends) => {
                    return Err(policy::expired());
                }
                () = shutdown.requested() => {
                    return Err(Status::unavailable("the controller is stopping"));
                }
                () = due(progress.persist_at) => progress.persist_at = self.persist().await,
                place = outgoing.reserve(), if look || progress.secrets_due => {
                    let Ok(place) = place else { return Ok(()) };
                    look = self.send_pending(place, progress).await?;
                }
                () = assigned.next() => look = true,
                () = ordered.next() => look = true,
                message = next_message(&mut incoming, paused_until) => {
                    let Some(message) = message? else { return Ok(()) };
                    limit.note(Instant::now());
                    self.handle_message(message, progress).await?;
                }
            }
        }
    }

    /// Sends the next message that the agent needs: its assignment, then the secrets that this names,
    /// then orders. Returns whether there may be another one.
    async fn send_pending(
        &self,
        place: mpsc::Permit<'_, Result<v1::ControllerMessage, Status>>,
        progress: &mut Progress,
    ) -> Result<bool, Status> {
        let mut message = self.pending_assignment(progress).await?;
        if message.is_some() {
            progress.secrets_due = true;
        } else if std::mem::take(&mut progress.secrets_due) {
            message = self.pending_secrets(&mut progress.unreadable).await?;
        }
        if message.is_none() {
            message = self.pending_order(&mut progress.ordered).await;
        }
        let Some(message) = message else { return Ok(false) };
        place.send(Ok(message));
        failpoint::reach("C6");
        Ok(true)
    }

    fn certificate_life(&self) -> Duration {
        Duration::from_millis(self.node.peer.expires.since_ms(self.nodes.now()))
    }

    fn check_certificate(&self) -> Result<(), Status> {
        if self.nodes.revoked().covers(&self.node.peer) {
            return Err(policy::revoked());
        }
        Ok(())
    }

    async fn handle_message(
        &self,
        message: v1::AgentMessage,
        progress: &mut Progress,
    ) -> Result<(), Status> {
        match message.kind {
            Some(Kind::Report(report)) => self.handle_report(report, progress).await,
            Some(Kind::Run(run)) => self.handle_run(run, &mut progress.unreadable).await,
            Some(Kind::Hello(_)) => Err(Status::invalid_argument("a session has one hello")),
            None => {
                self.ignore_unknown_message(progress);
                Ok(())
            }
        }
    }

    /// Ignores a message of a kind that only later releases know. Its agent does without an
    /// answer to it.
    fn ignore_unknown_message(&self, progress: &mut Progress) {
        if std::mem::replace(&mut progress.has_warned, true) {
            return;
        }
        let NodeId { tenant, name: node } = &self.node.id;
        tracing::warn!(%tenant, %node, "the agent sent a message that this controller does not know; upgrade the controller");
    }

    async fn handle_report(
        &self,
        report: v1::Report,
        progress: &mut Progress,
    ) -> Result<(), Status> {
        let report = from_wire(report).map_err(|error| Status::invalid_argument(chain(&error)))?;
        let NodeId { tenant, name: node } = &self.node.id;
        if report.applied > progress.newest {
            self.refresh_newest(progress).await?;
        }
        // Without the record of its assignment, nobody knows what the node was given.
        if report.applied > progress.newest && progress.is_newest_known {
            tracing::warn!(%tenant, %node, "a report claims an assignment that was never given; it is ignored");
            return Ok(());
        }
        progress.held = progress.held.max(report.applied);
        let differs = self.nodes.presence().record_report(
            &self.node.id,
            progress.id,
            report,
            self.nodes.now(),
        );
        failpoint::reach("C7");
        if differs && progress.persist_at.is_none() {
            progress.persist_at = Some(Instant::now() + PERSIST_DELAY);
        }
        Ok(())
    }

    /// Records the last report of the node, or returns the time at which that is allowed.
    async fn persist(&self) -> Option<Instant> {
        let NodeId { tenant, name: node } = &self.node.id;
        match self.nodes.persist_report(&self.node.id).await {
            Ok(later) => later,
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(%tenant, %node, %error, "a report was not recorded");
                None
            }
        }
    }

    /// Ends the session: the node is now unreachable, and its last report is recorded.
    async fn close(&self, id: SessionId) {
        self.nodes.presence().disconnect(&self.node.id, id);
        if self.nodes.revoked().covers(&self.node.peer) {
            return;
        }
        if let Some(later) = self.persist().await {
            sleep_until(later).await;
            // If a newer session exists, it records the report instead.
            let _later = self.persist().await;
        }
    }
}

/// Reads the agent's next message, but not before `paused_until`.
async fn next_message(
    incoming: &mut impl Incoming,
    paused_until: Option<Instant>,
) -> Result<Option<v1::AgentMessage>, Status> {
    if let Some(paused_until) = paused_until {
        sleep_until(paused_until).await;
    }
    incoming.try_next().await
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
