//! A host in memory for tests: an engine and a systemd that belong together,
//! so that starting a unit starts its container, as the supervisor does.
//!
//! Passes the same contract as the real ones. What goes wrong and when is up to
//! the test: [`FakeHost::fail`], [`FakeHost::hold`], [`Behaviour`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oml_common::decide::observed::{ActiveState, ContainerState, ObservedContainer};
use oml_common::document::instance::InstanceDocument;
use oml_common::document::status::{Drift, Health, Status};
use oml_common::id::{ComponentName, ContentHash, Digest, TenantId, UnitName};
use oml_common::time::Timestamp;
use oml_daemon::env::Clock;
use tokio::sync::watch;

use super::RuntimeError;
use crate::documents;
use crate::paths::{Paths, Slot};

mod docker;
mod host;
mod systemd;

pub(crate) use docker::FakeDocker;
pub(crate) use systemd::FakeSystemd;

/// What a runtime can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    List,
    Fetch,
    Put,
    Start,
    Stop,
    Promote,
    Remove,
    ExitReport,
    Exec,
}

/// One of the two daemons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Daemon {
    Docker,
    Systemd,
}

/// How a program of an image behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers at once and runs until stopped.
    Good,
    /// Ends before it answers.
    Exits { code: i64, log: Vec<String> },
    /// Runs and never answers.
    Hangs,
}

/// A call that was made, failed ones too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) daemon: Daemon,
    pub(crate) verb: Verb,
    pub(crate) component: Option<ComponentName>,
}

/// The host; clones are the same host.
#[derive(Clone)]
pub(crate) struct FakeHost {
    shared: Arc<Shared>,
}

struct Shared {
    paths: Paths,
    clock: Clock,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    gates: Mutex<BTreeMap<(Daemon, Verb), watch::Sender<bool>>>,
}

#[derive(Default)]
struct State {
    serial: u64,
    images: BTreeSet<Digest>,
    /// What the registry says of an image; an unknown one is not there.
    registry: BTreeMap<Digest, Result<(), (String, bool)>>,
    behaviours: BTreeMap<Digest, Behaviour>,
    containers: Vec<FakeContainer>,
    units: BTreeMap<UnitName, FakeUnit>,
    failures: BTreeMap<(Daemon, Verb), VecDeque<RuntimeError>>,
    away: BTreeSet<Daemon>,
    exec: BTreeMap<Vec<String>, (i64, String)>,
    exec_next: Option<(i64, String)>,
    calls: Vec<Call>,
}

#[derive(Clone)]
struct FakeContainer {
    name: String,
    id: String,
    /// None for one that is not ours.
    ours: Option<Ours>,
    created: Timestamp,
    state: ContainerState,
    log: Vec<String>,
}

#[derive(Clone)]
struct Ours {
    instance: InstanceDocument,
    hash: ContentHash,
}

#[derive(Clone)]
struct FakeUnit {
    /// None for one that is not ours.
    owner: Option<(TenantId, ComponentName)>,
    /// The instance that its file was written for, as far as it is about the unit.
    text: Option<String>,
    /// A package of the distribution brought it.
    packaged: bool,
    masked: bool,
    active: ActiveState,
    result: &'static str,
    stopped_by_hand: bool,
    since: Timestamp,
    restarts: u32,
}

impl FakeHost {
    /// A host on which nothing runs.
    pub(crate) fn new(paths: Paths, clock: Clock) -> Self {
        let (changes, _) = watch::channel(0);
        let (state, gates) = Default::default();
        Self { shared: Arc::new(Shared { paths, clock, state, changes, gates }) }
    }

    /// Its engine.
    pub(crate) fn docker(&self) -> FakeDocker {
        FakeDocker(self.clone())
    }

    /// Its systemd.
    pub(crate) fn systemd(&self) -> FakeSystemd {
        FakeSystemd(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn nudge(&self) {
        self.shared.changes.send_modify(|count| *count += 1);
    }

    /// Records a call, waits while it is held, and fails if it should.
    async fn enter(
        &self,
        daemon: Daemon,
        verb: Verb,
        component: Option<&ComponentName>,
    ) -> Result<(), RuntimeError> {
        self.state().calls.push(Call { daemon, verb, component: component.cloned() });
        let gate = self.gate(daemon, verb).subscribe();
        let mut gate = gate;
        // The sender lives as long as the host.
        let _open = gate.wait_for(|held| !held).await.is_ok();
        let mut state = self.state();
        if state.away.contains(&daemon) {
            let daemon = match daemon {
                Daemon::Docker => "docker",
                Daemon::Systemd => "systemd",
            };
            return Err(RuntimeError::Unavailable {
                daemon,
                detail: "it was taken away".to_owned(),
            });
        }
        let failure = state.failures.get_mut(&(daemon, verb)).and_then(VecDeque::pop_front);
        failure.map_or(Ok(()), Err)
    }

    fn gate(&self, daemon: Daemon, verb: Verb) -> watch::Sender<bool> {
        let mut gates = self.shared.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry((daemon, verb)).or_insert_with(|| watch::channel(false).0).clone()
    }

    /// What the supervisor does: makes the instance of the current document, or
    /// of the label of the container in use, the one that runs.
    fn supervise(&self, component: &ComponentName) -> Result<(), String> {
        let current = documents::read(&self.shared.paths, component, Slot::Current);
        let labelled = || self.state().likeliest(component);
        let instance = current.ok().flatten().or_else(labelled);
        let Some(instance) = instance else { return Err("nothing says what to run".to_owned()) };
        let hash = instance.workload_hash();
        let now = self.now();
        let mut state = self.state();
        state.stop_all(component, Some(&hash), now);
        let found = state.containers.iter().position(|c| c.is(component, &hash));
        let index = match found {
            Some(index) => index,
            None => state.restore(&instance, now)?,
        };
        let behaviour = state.behaviour(&instance);
        let container = &mut state.containers[index];
        container.run(&behaviour, now);
        let id = container.id.clone();
        drop(state);
        let (health, outcome) = match behaviour {
            Behaviour::Good => (Health::Healthy, Ok(())),
            Behaviour::Exits { code, .. } => {
                (Health::Unhealthy, Err(format!("its process ended with exit code {code}")))
            }
            Behaviour::Hangs => {
                (Health::Unhealthy, Err("it did not become ready in time".to_owned()))
            }
        };
        self.say(component, hash, id, health);
        outcome
    }

    /// What the supervisor writes into its status file.
    fn say(&self, component: &ComponentName, hash: ContentHash, container: String, health: Health) {
        let now = self.now();
        let before = documents::read_status(&self.shared.paths, component).ok().flatten();
        let drift = before.filter(|status| status.hash == hash).and_then(|status| status.drift);
        let status = Status {
            hash,
            container,
            health,
            probe: None,
            checked_at: now,
            since: now,
            detail: "the fake says so".to_owned(),
            failures: 0,
            active: None,
            drift,
        };
        documents::write_status(&self.shared.paths, component, &status)
            .expect("a test's folder can be written");
    }

    fn note_drift(&self, component: &ComponentName, found: String) {
        let said = documents::read_status(&self.shared.paths, component).ok().flatten();
        let Some(mut status) = said else { return };
        status.drift = Some(Drift { at: self.now(), found });
        documents::write_status(&self.shared.paths, component, &status)
            .expect("a test's folder can be written");
    }
}

impl State {
    /// Containers of a component, oldest first.
    fn of(&self, component: &ComponentName) -> impl Iterator<Item = (&FakeContainer, &Ours)> {
        let ours = self.containers.iter().filter_map(|c| Some((c, c.ours.as_ref()?)));
        ours.filter(move |(_, ours)| &ours.instance.component == component)
    }

    /// What the container in use was made from: the one of the component's own
    /// name, or else the newest.
    fn likeliest(&self, component: &ComponentName) -> Option<InstanceDocument> {
        let own = self.of(component).find(|(container, ours)| {
            let own = ours.instance.container().map(|c| c.name.as_str());
            own == Some(container.name.as_str())
        });
        own.or_else(|| self.of(component).last()).map(|(_, ours)| ours.instance.clone())
    }

    fn create(&mut self, instance: &InstanceDocument, now: Timestamp) -> Result<usize, String> {
        let Some(wanted) = instance.container() else {
            return Err("a packaged unit has no container".to_owned());
        };
        if !self.images.contains(&wanted.digest) {
            return Err(format!("No such image: {}@{}", wanted.repository, wanted.digest));
        }
        self.serial += 1;
        let hash = instance.workload_hash();
        let name = format!("{}-next-{}", wanted.name, hash.short());
        self.containers.push(FakeContainer {
            id: format!("{:064x}", self.serial),
            name,
            ours: Some(Ours { instance: instance.clone(), hash }),
            created: now,
            state: ContainerState::Created,
            log: Vec::new(),
        });
        Ok(self.containers.len() - 1)
    }

    /// Makes a container again; under its own name if that is free.
    fn restore(&mut self, instance: &InstanceDocument, now: Timestamp) -> Result<usize, String> {
        let index = self.create(instance, now)?;
        let own = instance.container().map(|container| container.name.to_string());
        if let Some(own) = own.filter(|own| self.containers.iter().all(|c| &c.name != own)) {
            self.containers[index].name = own;
        }
        Ok(index)
    }

    fn stop_all(&mut self, component: &ComponentName, but: Option<&ContentHash>, now: Timestamp) {
        for container in &mut self.containers {
            let Some(ours) = &container.ours else { continue };
            if &ours.instance.component == component && Some(&ours.hash) != but {
                container.end(0, now);
            }
        }
    }

    fn behaviour(&self, instance: &InstanceDocument) -> Behaviour {
        let digest = instance.container().map(|container| &container.digest);
        let known = digest.and_then(|digest| self.behaviours.get(digest));
        known.cloned().unwrap_or(Behaviour::Good)
    }
}

impl FakeContainer {
    fn is(&self, component: &ComponentName, hash: &ContentHash) -> bool {
        let ours = self.ours.as_ref();
        ours.is_some_and(|ours| &ours.instance.component == component && &ours.hash == hash)
    }

    fn is_running(&self) -> bool {
        matches!(self.state, ContainerState::Running { .. })
    }

    fn run(&mut self, behaviour: &Behaviour, now: Timestamp) {
        match behaviour {
            Behaviour::Good if self.is_running() => {}
            Behaviour::Good => self.state = ContainerState::Running { since: now },
            Behaviour::Exits { code, log } => {
                self.log.clone_from(log);
                let (code, out_of_memory) = (*code, false);
                self.state = ContainerState::Exited { code, at: now, out_of_memory };
            }
            Behaviour::Hangs => {
                self.state = ContainerState::Exited { code: 137, at: now, out_of_memory: false };
            }
        }
    }

    fn end(&mut self, code: i64, now: Timestamp) {
        if self.is_running() {
            self.state = ContainerState::Exited { code, at: now, out_of_memory: false };
        }
    }

    fn observe(&self) -> Option<(ComponentName, ObservedContainer)> {
        let ours = self.ours.as_ref()?;
        let container = ours.instance.container()?;
        let observed = ObservedContainer {
            id: self.id.clone(),
            name: self.name.clone(),
            hash: ours.hash.clone(),
            version: container.version.clone(),
            digest: container.digest.clone(),
            created: self.created,
            state: self.state.clone(),
        };
        Some((ours.instance.component.clone(), observed))
    }
}
