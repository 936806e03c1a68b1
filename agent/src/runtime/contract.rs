//! What every runtime has to keep: a suite for each of the two traits, and one for what they keep
//! together. The model of a host always passes them, and the real Docker and systemd where
//! `OML_CONTRACT=real` says that this host is theirs.
//!
//! The real suite needs an installed agent program, root, and images that are
//! named by `OML_CONTRACT_REPOSITORY` and the digests `OML_CONTRACT_V1`,
//! `OML_CONTRACT_V2`, `OML_CONTRACT_EXITS`, `OML_CONTRACT_HANGS` and `OML_CONTRACT_FOREIGN`;
//! `OML_CONTRACT_USER` and `OML_CONTRACT_PASSWORD_FILE` if the registry wants a login.
#![expect(
    clippy::disallowed_methods,
    reason = "real daemons, by real time, where the environment names them"
)]

use std::sync::Arc;
use std::time::Duration;

use oml_common::decide::difference::Difference;
use oml_common::decide::observed::{ContainerState, ObservedContainer, ObservedUnit};
use oml_common::document::Verbatim;
use oml_common::document::instance::{
    Check, Container, Instance, InstanceDocument, PackagedUnit, Probe, Timing, Workload,
};
use oml_common::document::status::Status;
use oml_common::id::{ComponentName, Digest};
use oml_common::time::Timestamp;
use oml_sim::Behaviour;
use tokio::sync::watch;

use super::docker::{Docker, PullLogin};
use super::systemd::Systemd;
use super::{
    ContainerEngine, ContainerInstance, ContainerListing, PullProgress, RuntimeError, UnitListing,
    UnitManager,
};
use crate::documents;
use crate::fixtures::{self, ModelHost};
use crate::paths::{Paths, Slot};

/// Runs clauses one after the other and prints how long each took.
macro_rules! in_order {
    ($host:expr, $($clause:ident),+ $(,)?) => {
        $(
            let begun = std::time::Instant::now();
            $clause($host).await;
            eprintln!("{:>6} ms  {}", begun.elapsed().as_millis(), stringify!($clause));
        )+
    };
}

mod bus;
mod engine;
mod manual_actions;
mod options;
mod runs;
mod skipped;
mod supervised;
mod units;

use manual_actions::ManualActions;

/// Longest wait for anything that happens by itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host on which the contract is tried.
struct ContractHost {
    docker: Arc<dyn ContainerEngine>,
    systemd: Arc<dyn UnitManager>,
    paths: Paths,
    manual: ManualActions,
    repository: String,
    images: Images,
}

/// Images that behave in a known way.
struct Images {
    first: Digest,
    second: Digest,
    /// Ends at once, with status 1 and a line of log.
    exits: Digest,
    /// Runs and never answers.
    hangs: Digest,
    /// Is for another processor.
    foreign: Digest,
}

#[tokio::test(start_paused = true)]
async fn the_model_of_an_engine_keeps_its_contract() {
    engine::all(&model()).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_of_an_engine_keeps_its_contract_about_options() {
    options::all(&model()).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_of_systemd_keeps_its_contract() {
    units::all(&model()).await;
}

#[tokio::test(start_paused = true)]
async fn the_model_of_systemd_keeps_its_contract_about_starts_that_are_skipped() {
    skipped::all(&model()).await;
}

#[tokio::test(start_paused = true)]
async fn both_models_keep_together_what_a_supervised_unit_promises() {
    supervised::all(&model()).await;
}

#[tokio::test(start_paused = true)]
async fn both_models_keep_together_what_a_run_promises() {
    runs::all(&model()).await;
}

/// A model of a host on which nothing runs.
fn model() -> ContractHost {
    let model = ModelHost::new();
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64)).parse::<Digest>().unwrap();
    let images = Images {
        first: digest("1"),
        second: digest("2"),
        exits: digest("3"),
        hangs: digest("4"),
        foreign: digest("5"),
    };
    let log = vec!["configuration error: this version exits at once".to_owned()];
    model.offer(&images.first, Behaviour::Good);
    model.offer(&images.second, Behaviour::Good);
    model.offer(&images.exits, Behaviour::ExitsAtOnce { code: 1, log });
    model.offer(&images.hangs, Behaviour::Hangs);
    model.refuse(&images.foreign, "no matching manifest for linux/amd64", false);
    model.answer_exec(&["echo", "three"], 0, "three\n");
    model.answer_exec(&["false"], 1, "");
    ContractHost {
        docker: Arc::new(model.docker()),
        systemd: Arc::new(model.systemd()),
        paths: model.paths.clone(),
        manual: ManualActions::Model(Box::new(model)),
        repository: "registry.lab:5000/omnileads/small".to_owned(),
        images,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_real_daemons_keep_the_contract() {
    if std::env::var("OML_CONTRACT").as_deref() != Ok("real") {
        eprintln!("skipped: OML_CONTRACT=real is not set, so this host is left alone");
        return;
    }
    let value = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let repository = value("OML_CONTRACT_REPOSITORY");
    let registry = repository.split('/').next().unwrap_or_default().to_owned();
    let login = std::env::var("OML_CONTRACT_USER").ok().map(|user| PullLogin {
        registry,
        user,
        password_file: value("OML_CONTRACT_PASSWORD_FILE").into(),
    });
    let paths = Paths::system();
    let host = ContractHost {
        docker: Arc::new(Docker::new(
            paths.clone(),
            login.into_iter().collect(),
            Some("acme".parse().unwrap()),
        )),
        systemd: Arc::new(Systemd::new(paths.clone(), Some("acme".parse().unwrap()))),
        paths,
        manual: ManualActions::Real,
        repository,
        images: Images {
            first: value("OML_CONTRACT_V1").parse().unwrap(),
            second: value("OML_CONTRACT_V2").parse().unwrap(),
            exits: value("OML_CONTRACT_EXITS").parse().unwrap(),
            hangs: value("OML_CONTRACT_HANGS").parse().unwrap(),
            foreign: value("OML_CONTRACT_FOREIGN").parse().unwrap(),
        },
    };
    engine::all(&host).await;
    options::all(&host).await;
    units::all(&host).await;
    units::of_real_daemons(&host).await;
    bus::of_real_daemons(&host).await;
    skipped::all(&host).await;
    supervised::all(&host).await;
    supervised::of_real_daemons(&host).await;
    runs::all(&host).await;
}

impl ContractHost {
    /// A component that serves its version on a port.
    fn instance(
        &self,
        component: &str,
        version: &str,
        digest: &Digest,
        port: u16,
    ) -> InstanceDocument {
        let container = Container {
            name: format!("oml-{component}-server").parse().unwrap(),
            repository: self.repository.parse().unwrap(),
            digest: digest.clone(),
            env: [("PORT".parse().unwrap(), port.to_string())].into(),
            ..fixtures::container(component, version)
        };
        Verbatim::seal(Instance {
            workload: Verbatim::seal(Workload::Container(container)),
            probe: Probe {
                check: Check::Http { port, path: "/".to_owned(), tls: false },
                address: None,
                interval_ms: 500,
                timeout_ms: 500,
                failures_max: 2,
            },
            timing: Timing { start_timeout_ms: 10_000, stop_grace_ms: 3_000 },
            pull_from: None,
            pull_login: None,
            restart_unhealthy: Default::default(),
            checks: Vec::new(),
            preparations: Vec::new(),
            migrations: Vec::new(),
            reload: None,
            ..fixtures::instance(component, version)
        })
    }

    /// A unit that a package brought.
    fn packaged(&self, component: &str, unit: &str) -> InstanceDocument {
        let workload = PackagedUnit { drop_in: "Environment=OML=yes".to_owned() };
        Verbatim::seal(Instance {
            unit: unit.parse().unwrap(),
            workload: Verbatim::seal(Workload::Unit(workload)),
            probe: Probe {
                check: Check::UnitActive,
                address: None,
                interval_ms: 500,
                timeout_ms: 500,
                failures_max: 2,
            },
            ..(*self.instance(component, "none", &self.images.first, 1)).clone()
        })
    }

    async fn pull(&self, instance: &InstanceDocument) -> Result<PullProgress, RuntimeError> {
        let (sender, progress) = watch::channel(PullProgress::default());
        self.docker.pull(in_container(instance), &sender).await?;
        let seen = *progress.borrow();
        Ok(seen)
    }

    /// Everything up to the moment before the old version is stopped.
    async fn prepare(&self, instance: &InstanceDocument) {
        self.pull(instance).await.unwrap();
        self.docker.create(in_container(instance)).await.unwrap();
        self.systemd.list(std::slice::from_ref(instance)).await.unwrap();
        documents::write(&self.paths, instance, Slot::Next).unwrap();
        self.systemd.write(instance).await.unwrap();
    }

    /// The moment itself.
    async fn switch(&self, instance: &InstanceDocument) -> Result<(), RuntimeError> {
        documents::advance(&self.paths, &instance.component).unwrap();
        self.systemd.start(instance).await
    }

    async fn install(&self, instance: &InstanceDocument) {
        self.prepare(instance).await;
        self.switch(instance).await.unwrap();
        self.docker.promote(in_container(instance)).await.unwrap();
    }

    /// Takes a component away whole.
    async fn clear(&self, instance: &InstanceDocument) {
        let component = &instance.component;
        self.systemd.stop(component).await.unwrap();
        self.systemd.remove(component).await.unwrap();
        self.docker.stop(component).await.unwrap();
        self.docker.remove(component, &[]).await.unwrap();
        documents::remove(&self.paths, component).unwrap();
        assert!(self.containers(component).await.is_empty());
        assert_eq!(self.unit(instance).await.map(|unit| unit.hash), None);
    }

    async fn containers(&self, component: &ComponentName) -> Vec<ObservedContainer> {
        let listing = self.docker.list(&[]).await.unwrap();
        let of_component = listing.containers.into_iter().filter(|(name, _)| name == component);
        of_component.map(|(_, container)| container).collect()
    }

    async fn container(&self, instance: &InstanceDocument) -> Option<ObservedContainer> {
        let hash = instance.workload_hash();
        self.containers(&instance.component).await.into_iter().find(|c| c.hash == hash)
    }

    async fn runs(&self, instance: &InstanceDocument) -> bool {
        self.container(instance).await.is_some_and(|container| container.is_running())
    }

    async fn listing(&self, instance: &InstanceDocument) -> (ContainerListing, UnitListing) {
        let desired = std::slice::from_ref(instance);
        (self.docker.list(desired).await.unwrap(), self.systemd.list(desired).await.unwrap())
    }

    async fn unit(&self, instance: &InstanceDocument) -> Option<ObservedUnit> {
        let (_, listing) = self.listing(instance).await;
        let mut units = listing.units.into_iter();
        units.find(|(name, _)| name == &instance.component).map(|(_, unit)| unit)
    }

    /// What differs on the host from what was installed.
    async fn differs(&self, instance: &InstanceDocument) -> Vec<Difference> {
        let (engine, systemd) = self.listing(instance).await;
        engine.differs.into_iter().chain(systemd.differs).map(|(_, differs)| differs).collect()
    }

    fn status(&self, instance: &InstanceDocument) -> Status {
        documents::read_status(&self.paths, &instance.component).unwrap().unwrap()
    }

    async fn started(&self, instance: &InstanceDocument) -> Timestamp {
        self.started_if_running(instance).await.unwrap()
    }

    async fn started_if_running(&self, instance: &InstanceDocument) -> Option<Timestamp> {
        match self.container(instance).await?.state {
            ContainerState::Running { since } => Some(since),
            ContainerState::Created | ContainerState::Exited { .. } => None,
        }
    }

    /// Waits until a condition holds.
    async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(outcome.is_ok(), "not within {PATIENCE:?}: {what}");
    }
}

fn in_container(instance: &InstanceDocument) -> ContainerInstance<'_> {
    ContainerInstance::of(instance).unwrap()
}

/// Whether a container ended, with which status.
fn exit_code(container: &ObservedContainer) -> Option<i64> {
    match container.state {
        ContainerState::Exited { code, .. } => Some(code),
        ContainerState::Created | ContainerState::Running { .. } => None,
    }
}
