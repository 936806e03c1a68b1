//! A stub of a host's agent: it joins like a real one, receives assignments, and
//! reports a scripted result for each version.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use oml_common::document;
use oml_common::document::assignment::{Assignment, Desired};
use oml_common::document::instance::Container;
use oml_common::document::operation::RunOrder;
use oml_common::document::report::{Failure, HostUsage, InstanceReport, Phase, Report, UpdateRun};
use oml_common::document::status::Health;
use oml_common::document::{Feature, Verbatim};
use oml_common::id::{ComponentName, RevisionNumber, RunId};
use oml_daemon::env::Clock;
use oml_daemon::proxy::Proxies;
use oml_daemon::tls::{Credentials, JoinToken, client_config, connect, enrollment_config};
use oml_proto::report::{generation_to_wire, to_wire};
use oml_proto::run::id_to_wire;
use oml_proto::v1;
use oml_proto::v1::agent_client::AgentClient;
use oml_proto::v1::enrollment_client::EnrollmentClient;
use rcgen::{CertificateParams, KeyPair};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Status, Streaming};

use crate::world::{World, now};

/// The updates that the agents of one test made, in order, each as node, component and
/// version.
pub(crate) type Log = Arc<Mutex<Vec<(String, String, String)>>>;

/// Makes a certificate request for a new key.
pub(crate) fn request() -> (Vec<u8>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key).unwrap();
    (request.der().to_vec(), key)
}

/// A host that has joined.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) node: String,
    pub(crate) credentials: Credentials,
}

pub(crate) async fn token(world: &World, tenant: &str, role: &str, node: &str) -> String {
    let request = v1::CreateTokenRequest {
        tenant: tenant.into(),
        roles: vec![role.into()],
        node: node.into(),
        valid_ms: 0,
        dry_run: false,
    };
    world.operator().await.create_token(request).await.unwrap().into_inner().token
}

pub(crate) async fn join(world: &World, token: &str, node: &str) -> Result<Host, Status> {
    let parsed: JoinToken = token.parse().unwrap();
    let config = Arc::new(enrollment_config(parsed.ca(), &Clock::system()));
    let address = world.running().enrollment_listen.to_string();
    let channel = connect(&address, config, &Proxies::default()).await.unwrap();
    let (csr, key) = request();
    let request = v1::EnrollRequest {
        token: token.into(),
        node: node.into(),
        csr,
        address: "10.0.0.9".into(),
    };
    let joined = EnrollmentClient::new(channel).enroll(request).await?.into_inner();
    let credentials = Credentials {
        ca_pem: joined.ca_pem,
        certificate_pem: joined.certificate_pem,
        key_pem: key.serialize_pem(),
    };
    Ok(Host { node: node.into(), credentials })
}

/// Joins a host with a new token.
pub(crate) async fn enroll(world: &World, tenant: &str, role: &str, node: &str) -> Host {
    let token = token(world, tenant, role, node).await;
    join(world, &token, node).await.unwrap()
}

/// Makes the first message of an agent.
pub(crate) fn hello(held: Option<v1::Generation>) -> v1::Hello {
    v1::Hello {
        agent_version: "test".into(),
        address: "10.0.0.9".into(),
        metrics_port: 9270,
        held,
        features: Feature::ALL.map(|feature| feature.as_str().to_owned()).to_vec(),
        ..Default::default()
    }
}

/// An open session whose messages a test sends and receives itself.
pub(crate) struct Session {
    pub(crate) up: mpsc::Sender<v1::AgentMessage>,
    pub(crate) down: Streaming<v1::ControllerMessage>,
    _channel: Channel,
}

impl Session {
    pub(crate) async fn open(world: &World, host: &Host) -> Result<Self, Status> {
        let channel = world.channel(&host.credentials).await;
        Self::over(channel, None).await
    }

    pub(crate) async fn over(
        channel: Channel,
        held: Option<v1::Generation>,
    ) -> Result<Self, Status> {
        Self::open_with_hello(channel, hello(held)).await
    }

    pub(crate) async fn open_with_hello(
        channel: Channel,
        hello: v1::Hello,
    ) -> Result<Self, Status> {
        let (up, messages) = mpsc::channel(16);
        let kind = Some(v1::agent_message::Kind::Hello(hello));
        up.send(v1::AgentMessage { kind }).await.unwrap();
        let mut client = AgentClient::new(channel.clone());
        let down = client.session(ReceiverStream::new(messages)).await?.into_inner();
        Ok(Self { up, down, _channel: channel })
    }

    pub(crate) async fn assignment(&mut self) -> Result<Option<Assignment>, Status> {
        loop {
            let Some(message) = self.down.message().await? else { return Ok(None) };
            match message.kind {
                Some(v1::controller_message::Kind::Assignment(document)) => {
                    let text = String::from_utf8(document.document).unwrap();
                    return Ok(Some(document::read::<Assignment>(&text).unwrap()));
                }
                // This stub creates no container.
                Some(v1::controller_message::Kind::Secrets(_)) => {}
                Some(v1::controller_message::Kind::Run(order)) => self.run(&order.document).await,
                None => panic!("an empty message"),
            }
        }
    }

    /// Returns the next secrets. Assignments before them are passed over.
    pub(crate) async fn secrets(&mut self) -> Vec<v1::SecretValue> {
        loop {
            let message = self.down.message().await.unwrap().expect("the session ended");
            if let Some(v1::controller_message::Kind::Secrets(secrets)) = message.kind {
                return secrets.values;
            }
        }
    }

    /// Runs an operation at once: it writes two lines, then its arguments, and ends with status 0,
    /// or 3 for the user `nobody`.
    async fn run(&self, order: &[u8]) {
        let order: RunOrder = document::read(std::str::from_utf8(order).unwrap()).unwrap();
        let id = Some(id_to_wire(order.id));
        let fails = order.run.command.iter().any(|word| word == "nobody");
        let result = v1::RunResult {
            outcome: v1::RunOutcome::Exited.into(),
            status: Some(if fails { 3 } else { 0 }),
            ended_at_ms: now().0,
            ..Default::default()
        };
        let taken = v1::RunProgress { id, ..Default::default() };
        let command = order.run.command.join(" ");
        let wrote = ["one", "two\u{1b}[2J", command.as_str()];
        let lines = wrote.map(str::to_owned).to_vec();
        let ended = v1::RunProgress { id, first_line: 4, lines, result: Some(result) };
        for progress in [taken, ended] {
            let kind = Some(v1::agent_message::Kind::Run(progress));
            self.up.send(v1::AgentMessage { kind }).await.unwrap();
        }
    }

    pub(crate) async fn report(&self, report: &Report) {
        self.try_report(report).await.unwrap();
    }

    /// Sends a report, which fails if the connection has ended.
    async fn try_report(&self, report: &Report) -> Result<(), SendError<v1::AgentMessage>> {
        let kind = Some(v1::agent_message::Kind::Report(to_wire(report)));
        self.up.send(v1::AgentMessage { kind }).await
    }
}

/// A stub agent that runs in the background.
pub(crate) struct Agent {
    task: JoinHandle<()>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Agent {
    /// Starts an agent. Versions with "bad" in them fail, and all others succeed.
    pub(crate) async fn start(world: &World, host: Host, log: Log) -> Self {
        let address = world.running().listen.to_string();
        let task = tokio::spawn(async move {
            let mut held = None;
            let mut runs = BTreeMap::new();
            loop {
                // The controller may be unavailable; the agent then connects again.
                let _ended = work(&address, &host, &log, &mut held, &mut runs).await;
                pause_before_reconnecting().await;
            }
        });
        Self { task }
    }
}

type Runs = BTreeMap<ComponentName, Verbatim<Desired>>;

async fn work(
    address: &str,
    host: &Host,
    log: &Log,
    held: &mut Option<Assignment>,
    runs: &mut Runs,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let config = client_config(&host.credentials, &Clock::system())?;
    let channel = connect(address, Arc::new(config), &Proxies::default()).await?;
    let generation = held.as_ref().map(|held| generation_to_wire(held.generation));
    let mut session = Session::over(channel, generation).await?;
    if let Some(held) = held {
        session.try_report(&report(held, runs, &BTreeMap::new())).await?;
    }
    while let Some(assignment) = session.assignment().await? {
        let tenant = assignment.tenant.clone();
        assignment.accept_after(held.as_ref(), &tenant, &host.node.parse()?)?;
        if assignment.content.revision.0 > 0 {
            runs.retain(|name, _| assignment.content.share.instances.contains_key(name));
        }
        let mut failures = BTreeMap::new();
        for (name, desired) in &assignment.content.share.instances {
            if runs.get(name) == Some(desired) {
                continue;
            }
            let version = desired.instance.version().map(ToString::to_string).unwrap_or_default();
            log.lock().unwrap().push((host.node.clone(), name.to_string(), version.clone()));
            if version.contains("bad") {
                failures.insert(name.clone(), failure(desired));
            } else {
                runs.insert(name.clone(), desired.clone());
            }
        }
        *held = Some(assignment.clone());
        session.try_report(&report(&assignment, runs, &failures)).await?;
    }
    Ok(())
}

pub(crate) fn failure(desired: &Desired) -> Failure {
    Failure {
        hash: desired.instance.workload_hash(),
        version: desired.instance.version().cloned(),
        at: now(),
        message: "exited with 7".into(),
        exit_code: Some(7),
        log_tail: vec!["cannot go on".into()],
    }
}

/// The run of a version whose name says that it was migrated to.
fn update_runs(container: Option<&Container>) -> Vec<UpdateRun> {
    let version = container.map(|container| container.version.clone());
    let version = version.filter(|version| version.as_str().starts_with("migrated"));
    let run = |version| UpdateRun {
        id: RunId { epoch: RunId::OF_HOST, number: 5 },
        operation: "migrate".parse().unwrap(),
        version: Some(version),
        result: None,
    };
    version.map(run).into_iter().collect()
}

/// Makes the report of an agent that runs these instances and had these failures.
pub(crate) fn report(
    assignment: &Assignment,
    runs: &Runs,
    failures: &BTreeMap<ComponentName, Failure>,
) -> Report {
    let instances = assignment.content.share.instances.keys().map(|name| {
        let (running, failure) = (runs.get(name), failures.get(name));
        let phase = match (running, failure) {
            (_, None) => Phase::Ready,
            (Some(_), Some(_)) => Phase::RolledBack,
            (None, Some(_)) => Phase::Failed,
        };
        let container = running.and_then(|desired| desired.instance.container());
        let instance = InstanceReport {
            phase,
            reason: "as the script says".into(),
            reason_key: String::new(),
            version: container.map(|container| container.version.clone()),
            digest: container.map(|container| container.digest.clone()),
            hash: running.map(|desired| desired.instance.workload_hash()),
            health: Health::Healthy,
            checked_at: Some(now()),
            started_at: Some(now()),
            restarts: 0,
            active: Some(3),
            calls_cut: Some(0),
            failure: failure.cloned(),
            drift: None,
            last_exit: None,
            update_runs: update_runs(container),
        };
        (name.clone(), instance)
    });
    Report {
        applied: Some(assignment.generation),
        revision: RevisionNumber(assignment.content.revision.0),
        at: now(),
        agent_version: "test".into(),
        errors: Vec::new(),
        instances: instances.collect(),
        host: HostUsage {
            cpu_permille: 250,
            memory_used_bytes: 100,
            memory_total_bytes: 200,
            disk_used_bytes: 1000,
            disk_total_bytes: 4000,
            cpu_unknown: false,
        },
    }
}

/// Waits before the next attempt to connect.
async fn pause_before_reconnecting() {
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
}
