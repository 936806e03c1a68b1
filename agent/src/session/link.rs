//! One connection to one controller, from hello to its end.

use std::time::Duration;

use oml_common::decide::plan::feature_of_platform;
use oml_common::document::Feature;
use oml_common::document::assignment::AssignmentDocument;
use oml_common::text::error::chain;
use oml_common::text::printable::printable;
use oml_daemon::failpoint;
use oml_proto::v1::agent_client::AgentClient;
use oml_proto::v1::{AgentMessage, Hello, agent_message, controller_message};
use oml_proto::{MESSAGE_BYTES_MAX, host_policy, report, v1};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tracing::{info, warn};

use super::error::{CALL_TIMEOUT, SessionError, refused};
use super::reason::NotInForce;
use super::renewal::CurrentIdentity;
use super::{Next, Session, secrets};
use crate::file_rights;
use crate::identity::HostIdentity;
use crate::kept_secrets::SentSecret;

/// The pause between two attempts to write an assignment to a full disk.
const KEEP_AGAIN: Duration = Duration::from_secs(2);
/// The interval between reports when nothing changes, so that the ages in them stay fresh.
const REFRESH: Duration = Duration::from_secs(15);

/// What the controller sent.
enum Received {
    Assignment(AssignmentDocument),
    Secrets(Vec<SentSecret>),
}

/// What was received and could not be written yet.
#[derive(Default)]
struct Unkept {
    assignment: Option<AssignmentDocument>,
    secrets: Option<Vec<SentSecret>>,
}

impl Unkept {
    fn is_any(&self) -> bool {
        self.assignment.is_some() || self.secrets.is_some()
    }
}

/// A session's connection.
struct Line {
    client: AgentClient<Channel>,
    inbound: tonic::Streaming<v1::ControllerMessage>,
    outbound: mpsc::Sender<AgentMessage>,
}

impl Session {
    /// Talks with a controller until the connection ends.
    pub(super) async fn link(
        &mut self,
        endpoint: &str,
        current: &mut CurrentIdentity,
        renew_after: Instant,
    ) -> Result<Next, SessionError> {
        let credentials = current.identity.credentials.clone();
        let channel = (self.dial)(endpoint.to_owned(), credentials).await?;
        let mut client = AgentClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        // One place: a report that waits is replaced by the next, never queued.
        let (outbound, messages) = mpsc::channel(1);
        let hello = agent_message::Kind::Hello(self.hello(endpoint).await);
        if outbound.try_send(AgentMessage { kind: Some(hello) }).is_err() {
            return Err(SessionError::Ended);
        }
        let opened = timeout(CALL_TIMEOUT, client.session(ReceiverStream::new(messages))).await;
        let inbound = opened.map_err(|_elapsed| SessionError::Slow)?;
        let inbound = inbound.map_err(refused)?.into_inner();
        info!(endpoint, "session started");
        self.state.send_modify(|state| {
            state.connected_to = Some(endpoint.to_owned());
            state.sessions += 1;
            state.certificate_expires = Some(current.identity.peer.expires);
        });
        self.exchange(Line { client, inbound, outbound }, current, renew_after).await
    }

    async fn exchange(
        &mut self,
        line: Line,
        current: &mut CurrentIdentity,
        renew_after: Instant,
    ) -> Result<Next, SessionError> {
        let Line { mut client, mut inbound, outbound } = line;
        let mut refresh = interval(REFRESH);
        let mut renewal = Box::pin(sleep_until(self.renewal(current, renew_after)));
        let (mut pending, mut runs_pending) = (true, true);
        let mut keep_again = interval(KEEP_AGAIN);
        keep_again.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut unkept = Unkept::default();
        let mut runs_changed = self.runs.board.changes();
        // What the last session sent may be lost.
        self.runs.board.report_all_again();
        loop {
            // Reading a message, a mark, a permit and the timers can each be
            // dropped and taken up again without losing anything.
            tokio::select! {
                // Every arm is rare, so none starves another; a fixed order repeats in tests.
                biased;
                message = inbound.message() => match message.map_err(SessionError::Lost)? {
                    Some(message) => {
                        if let Some(received) = self.receive(message, &current.identity) {
                            self.keep_received(received, &mut unkept);
                        }
                    }
                    None => return Err(SessionError::Ended),
                },
                Ok(()) = self.reports.changed() => pending = true,
                Ok(()) = self.policy.changed() => return Ok(Next::Policy),
                Ok(()) = runs_changed.changed() => runs_pending = true,
                _ = refresh.tick() => pending = true,
                _ = keep_again.tick(), if unkept.is_any() => self.try_again(&mut unkept),
                permit = outbound.reserve(), if pending || runs_pending => {
                    let Ok(permit) = permit else { return Err(SessionError::Ended) };
                    let message = match std::mem::take(&mut pending) {
                        true => Some(self.latest_report()),
                        false => self.next_run_message(),
                    };
                    match message {
                        Some(message) => permit.send(message),
                        None => runs_pending = false,
                    }
                }
                () = &mut renewal => match self.renew(&mut client).await {
                    Ok(renewed) => {
                        current.take(renewed, self.env.clock());
                        return Ok(Next::Renewed);
                    }
                    Err(error) => {
                        let pause = self.after_failed_renewal(current, &error);
                        renewal = Box::pin(sleep_until(Instant::now() + pause));
                    }
                },
            }
        }
    }

    fn keep_received(&self, received: Received, unkept: &mut Unkept) {
        match received {
            Received::Assignment(assignment) => unkept.assignment = self.keep(assignment),
            // They belong to the assignment before them.
            Received::Secrets(sent) if unkept.assignment.is_some() => unkept.secrets = Some(sent),
            Received::Secrets(sent) => unkept.secrets = self.keep_secrets(sent),
        }
    }

    fn try_again(&self, unkept: &mut Unkept) {
        unkept.assignment = unkept.assignment.take().and_then(|it| self.keep(it));
        if unkept.assignment.is_none() {
            unkept.secrets = unkept.secrets.take().and_then(|sent| self.keep_secrets(sent));
        }
    }

    fn latest_report(&mut self) -> AgentMessage {
        let report = report::to_wire(&self.reports.borrow_and_update());
        AgentMessage { kind: Some(agent_message::Kind::Report(report)) }
    }

    async fn hello(&mut self, endpoint: &str) -> Hello {
        let policy = host_policy::to_wire(&self.policy.borrow_and_update());
        let current = self.assignments.borrow().as_ref().map(|a| a.generation);
        let address = match self.settings.address {
            Some(address) => Some(address),
            None => (self.facts.own_address)(endpoint.to_owned())
                .await
                .inspect_err(
                    |error| warn!(endpoint, %error, "cannot find out the host's own address"),
                )
                .ok(),
        };
        Hello {
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.env.clock().mark().boot,
            machine_id: self.facts.machine_id.clone(),
            address: address.map(|address| address.to_string()).unwrap_or_default(),
            metrics_port: self.settings.metrics_port().map_or(0, u32::from),
            held: current.map(report::generation_to_wire),
            features: features(),
            process_id: self.process.clone(),
            policy: Some(policy),
        }
    }

    /// Returns what a message holds, if it may be taken.
    fn receive(&self, message: v1::ControllerMessage, identity: &HostIdentity) -> Option<Received> {
        match message.kind {
            Some(controller_message::Kind::Assignment(document)) => {
                self.take(&document.document, identity).map(Received::Assignment)
            }
            Some(controller_message::Kind::Secrets(secrets)) => {
                Some(Received::Secrets(secrets::of_message(secrets)))
            }
            Some(controller_message::Kind::Run(order)) => {
                self.take_order(&order.document, identity);
                None
            }
            None => {
                warn!("unknown message from the controller; upgrade the agent");
                None
            }
        }
    }

    /// Reads an assignment; none if it may not follow the present one.
    fn take(&self, document: &[u8], identity: &HostIdentity) -> Option<AssignmentDocument> {
        let text = std::str::from_utf8(document)
            .map_err(|error| NotInForce::Unreadable(error.to_string()));
        let read = text.and_then(|text| Ok(AssignmentDocument::read(text)?));
        let assignment = match read {
            Ok(assignment) => assignment,
            Err(why) => {
                self.refuse(&why);
                return None;
            }
        };
        let current = self.assignments.borrow().clone();
        let accepted =
            assignment.accept_after(current.as_deref(), &identity.tenant, &identity.node);
        if let Err(refusal) = accepted {
            self.refuse(&NotInForce::Refused(refusal));
            return None;
        }
        Some(assignment)
    }

    /// Writes an assignment to disk and hands it to the loop. Returns it if it cannot be
    /// written: the session goes on, so that the controller learns why.
    fn keep(&self, assignment: AssignmentDocument) -> Option<AssignmentDocument> {
        let is_current = self.assignments.borrow().as_deref() == Some(&assignment);
        if !is_current && let Err(error) = self.cache.save_assignment(&assignment) {
            let (generation, error) = (assignment.generation, chain(&error));
            self.refuse(&NotInForce::NotSaved { generation, error });
            return Some(assignment);
        }
        self.error.send_if_modified(|error| error.take().is_some());
        if !is_current {
            self.assignments.send_replace(Some(assignment));
        }
        None
    }

    /// Reports why an assignment is not in force. The same reason is logged once.
    fn refuse(&self, why: &NotInForce) {
        // It may repeat words of the assignment.
        let why = printable(&why.to_string());
        self.error.send_if_modified(|error| {
            let is_new = error.as_ref() != Some(&why);
            if is_new {
                warn!(reason = why, "assignment not in force");
                *error = Some(why);
            }
            is_new
        });
    }
}

/// Returns the names of the features with which this agent greets the controller.
fn features() -> Vec<String> {
    let names = Feature::ALL.into_iter().map(|feature| feature.as_str().to_owned());
    let platforms = platforms(std::env::consts::ARCH).iter();
    let platforms = platforms.map(|platform| feature_of_platform(platform));
    // Its unit may be of an earlier release.
    let is_lacking = |name: &String| {
        name.as_str() == Feature::FileOwners.as_str() && !file_rights::may_give_files()
    };
    let names = names.filter(|name| !is_lacking(name));
    names.chain(platforms).filter(|name| !failpoint::is_without(name)).collect()
}

/// Returns the platforms whose images an engine pulls on a processor, by Docker's names. Without
/// a name, any image may be for it.
fn platforms(processor: &str) -> &'static [&'static str] {
    match processor {
        "x86_64" => &["linux/amd64", "linux/386"],
        "aarch64" => &["linux/arm64", "linux/arm"],
        _ => &[],
    }
}
