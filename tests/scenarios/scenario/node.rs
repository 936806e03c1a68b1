//! One host of a script: the model of its engine and its systemd, the real
//! agent, and the real supervisors as the main processes of its units.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use oml_common::document::report::{HostUsage, Report};
use oml_common::id::{ContentHash, NodeName};
use oml_daemon::env::Simulated;
use oml_daemon::failpoint::{Crashes, Question, simulate};
use oml_daemon::proxy::Proxies;
use oml_proto::v1;
use oml_sim::{HostModel, HostSettings, NewContainer, Process, Registry};
use omlagent::assembly::{Assembly, Daemons, Parts, assemble};
use omlagent::config::Settings;
use omlagent::disk::MinFree;
use omlagent::identity::IdentityFiles;
use omlagent::paths::Paths;
use omlagent::runtime::docker::Docker;
use omlagent::runtime::systemd::Systemd;
use omlagent::session::{Dial, HostFacts};
use omlagent::sim::{SupervisorSettings, run_supervisor};
use omlagent::statuses::{StatusFeed, Statuses};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::seen::{Seen, Sight};
use super::sockets::Sockets;
use super::stage::{Behaviours, Stage};

/// The time from power-off to the start of the agent.
const BOOT: Duration = Duration::from_secs(10);
/// The secrets that the catalogs of the stories name.
const SECRETS: [&str; 2] = ["postgres_password", "ami_password"];

// Every host has these before it becomes a node, and they are never touched.
const STRANGER_CONTAINER: &str = "customer-database";
const STRANGER_UNIT: &str = "customer-database.service";
const STRANGER_FILE: &str = "[Service]\nExecStart=/usr/bin/docker start -a customer-database\n";

/// A host and the agent on it.
pub(super) struct Node {
    pub(super) name: NodeName,
    pub(super) host: HostModel,
    pub(super) stage: Arc<Stage>,
    pub(super) sockets: Arc<Sockets>,
    pub(super) reachable: watch::Sender<bool>,
    pub(super) failpoints: Arc<Failpoints>,
    /// The last report of its agent; none before the first.
    pub(super) report: Option<Arc<Report>>,
    pub(super) paths: Paths,
    address: String,
    statuses: watch::Receiver<Statuses>,
    simulated: Simulated,
    /// The number of starts of its agent.
    starts: u32,
    agent: Option<Running>,
}

/// An agent that runs.
struct Running {
    parts: Vec<AbortHandle>,
}

/// Counts the places that an agent reaches, and ends it at one of them.
#[derive(Debug, Default)]
pub(super) struct Failpoints(Mutex<Reached>);

#[derive(Debug, Default)]
struct Reached {
    count: usize,
    at: Option<usize>,
    hit: Option<(String, String)>,
    agent: Vec<AbortHandle>,
}

impl Failpoints {
    fn with<T>(&self, act: impl FnOnce(&mut Reached) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Arranges that the agent ends at the failpoint of this number, counted from now.
    pub(super) fn arm(&self, number: usize) {
        self.with(|reached| {
            let agent = std::mem::take(&mut reached.agent);
            *reached = Reached { at: Some(number), agent, ..Reached::default() };
        });
    }

    /// Lets the agent pass every failpoint from now on.
    pub(super) fn disarm(&self) {
        self.with(|reached| (reached.at, reached.hit) = (None, None));
    }

    /// Returns where the agent ended: the failpoint, and the component it was about.
    pub(super) fn hit(&self) -> Option<(String, String)> {
        self.with(|reached| reached.hit.clone())
    }

    fn ends(&self, question: Question, place: &str, component: &str) -> bool {
        self.with(|reached| {
            let is_here = reached.at == Some(reached.count) && reached.hit.is_none();
            if question == Question::IsNext {
                return is_here;
            }
            reached.count += 1;
            if !is_here {
                return false;
            }
            reached.at = None;
            reached.hit = Some((place.to_owned(), component.to_owned()));
            reached.agent.drain(..).for_each(|part| part.abort());
            true
        })
    }
}

/// The parts that all hosts of a script share.
pub(super) struct Around {
    pub(super) registry: Registry,
    pub(super) behaviours: Arc<Behaviours>,
    /// The world's clock and randomness.
    pub(super) simulated: Simulated,
    pub(super) begin: Instant,
}

impl Node {
    /// Makes a host on which only the strangers run.
    pub(super) fn new(name: NodeName, address: String, folder: &Path, around: &Around) -> Self {
        let paths = Paths::below(folder);
        for folder in [&paths.units, &paths.state, &paths.run, &paths.config.join("secrets")] {
            std::fs::create_dir_all(folder).expect("a folder of the test");
        }
        for secret in SECRETS {
            let path = paths.config.join("secrets").join(secret);
            std::fs::write(path, "secret").expect("a file of the test");
        }
        std::fs::write(paths.units.join(STRANGER_UNIT), STRANGER_FILE).expect("a file of the test");
        let stage = Arc::new(Stage::new(around.behaviours.clone()));
        let (launched, processes) = mpsc::unbounded_channel();
        let seed = ContentHash::of(name.as_str().as_bytes());
        let simulated = around.simulated.another(seed_of(&seed));
        let host_clock = simulated.clone();
        let host = HostModel::new(HostSettings {
            registry: around.registry.clone(),
            programs: stage.clone(),
            unit_files: paths.units.clone(),
            storage: None,
            now_ms: Arc::new(move || host_clock.now().0),
            // At the end of a script no receiver is left to run the last process.
            launch: Arc::new(move |process| drop(launched.send(process))),
        });
        host.run_by_hand(NewContainer {
            name: STRANGER_CONTAINER.to_owned(),
            ..NewContainer::default()
        });
        let (feed, statuses) = StatusFeed::new(&paths);
        let process_env = simulated.clone();
        let settings = SupervisorSettings {
            paths: paths.clone(),
            feed,
            env: Arc::new(move || process_env.env()),
        };
        tokio::task::spawn_local(run_processes(settings, processes));
        let sockets = Sockets::keep(&paths, &host);
        Self {
            name,
            host,
            stage,
            sockets,
            reachable: watch::channel(true).0,
            failpoints: Arc::default(),
            report: None,
            paths,
            address,
            statuses,
            simulated,
            starts: 0,
            agent: None,
        }
    }

    /// Stores the certificate and key that make the host a node.
    pub(super) fn enroll(&self, certificate: &v1::Certificate, key_pem: &str) {
        IdentityFiles::new(&self.paths).keep(certificate, key_pem).expect("a file of the test");
    }

    pub(super) fn is_running(&self) -> bool {
        self.agent.is_some()
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Starts the agent's process. Its reports are added to `seen`.
    pub(super) fn start(&mut self, dial: Dial, seen: Seen) {
        self.kill();
        self.starts += 1;
        let (host, paths) = (self.host.clone(), self.paths.clone());
        let Assembly { agent, operations, session, reports, .. } = assemble(Parts {
            env: self.simulated.env(),
            settings: Arc::new(settings(&self.address)),
            paths: self.paths.clone(),
            daemons: Box::new(move |tenant| Daemons {
                docker: Arc::new(Docker::of_model(host.clone(), paths.clone(), tenant.clone())),
                systemd: Arc::new(Systemd::of_model(host, paths, tenant)),
            }),
            statuses: self.statuses.clone(),
            process: format!("{}-{}", self.name, self.starts),
            facts: facts(&self.name),
            dial,
            usage: Box::new(HostUsage::default),
            alive: Box::new(|_report| {}),
        });
        let (failpoints, crashed) = (self.failpoints.clone(), seen.clone());
        let crashes: Crashes = Arc::new(move |question, place, component| {
            let ends = failpoints.ends(question, place, component);
            if ends && question == Question::Reached {
                crashed.add(Sight::Crash);
            }
            ends
        });
        let operations = simulate(Arc::clone(&crashes), operations.run());
        let operations = tokio::spawn(operations).abort_handle();
        let agent = tokio::spawn(simulate(crashes, agent.run())).abort_handle();
        let session = tokio::spawn(session.run()).abort_handle();
        let mut received = reports;
        let name = self.name.clone();
        let ear = tokio::spawn(async move {
            while received.changed().await.is_ok() {
                let report = received.borrow_and_update().clone();
                seen.add(Sight::Report(name.clone(), report));
            }
        });
        let parts = vec![agent, operations, session, ear.abort_handle()];
        self.failpoints.with(|reached| reached.agent.clone_from(&parts));
        self.agent = Some(Running { parts });
    }

    /// Kills the agent's process. Its files stay.
    pub(super) fn kill(&mut self) {
        if let Some(running) = self.agent.take() {
            running.parts.iter().for_each(AbortHandle::abort);
        }
    }

    /// Kills the agent's process and removes its state folder, except its identity.
    pub(super) fn forget(&mut self) {
        self.kill();
        self.report = None;
        let entries = std::fs::read_dir(&self.paths.state).expect("a folder of the test");
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() && !path.ends_with("identity") {
                std::fs::remove_dir_all(path).expect("a folder of the test");
            } else if path.is_file() {
                std::fs::remove_file(path).expect("a file of the test");
            }
        }
    }

    /// Powers the host off and on again. Returns the time until its agent starts.
    pub(super) fn reboot(&mut self) -> Duration {
        self.kill();
        self.simulated.reboot();
        let statuses = self.paths.statuses();
        if statuses.exists() {
            std::fs::remove_dir_all(statuses).expect("a folder of the test");
        }
        self.host.reboot();
        BOOT
    }
}

/// Returns the seed of a host's randomness, which follows from its name.
fn seed_of(hash: &ContentHash) -> u64 {
    u64::from_str_radix(hash.short(), 16).unwrap_or_default()
}

/// Returns the facts of a host, with a machine id of its own.
fn facts(name: &NodeName) -> HostFacts {
    let hash = ContentHash::of(name.as_str().as_bytes());
    HostFacts::simulated(&hash.as_str()[..32], Ipv4Addr::LOCALHOST.into())
}

fn settings(address: &str) -> Settings {
    Settings {
        controllers: vec!["controller:7443".to_owned()],
        enrollment: vec!["controller:7444".to_owned()],
        address: address.parse().ok(),
        metrics_listen: None,
        log: String::new(),
        min_free: MinFree { engine_bytes: 0, state_bytes: 0 },
        registries: std::collections::BTreeMap::new(),
        proxies: Proxies::default(),
        left_out: oml_common::text::problem::Problems::default(),
    }
}

/// Runs the main processes of a host's units.
async fn run_processes(
    settings: SupervisorSettings,
    mut processes: mpsc::UnboundedReceiver<Process>,
) {
    while let Some(process) = processes.recv().await {
        tokio::task::spawn_local(run_supervisor(settings.clone(), process));
    }
}
