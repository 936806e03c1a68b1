//! `omlagent supervise COMPONENT` holds one container for one unit. It makes sure
//! that the container exists and runs, probes it, reports to systemd, and stops it
//! when systemd stops the unit. It knows no assignment and decides no version.
//!
//! It names the container by its id. While the engine is away it waits, and then
//! adopts the container again. When the supervisor itself is killed, the container
//! goes on running and the next supervisor adopts it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use oml_common::decide::adopt::likeliest;
use oml_common::decide::exit::ContainerExit;
use oml_common::document::ReadError;
use oml_common::document::instance::HeldInstance;
use oml_common::document::status::LastExit;
use oml_common::id::{ComponentName, ContentHash, UnitName};
use oml_common::text::error::chain;
use oml_common::time::{Span, Timestamp};
use tokio::time::Instant;

use crate::documents::{self, DocumentError};
use crate::files::FileError;
use crate::paths::Paths;
use crate::pause::RetryPause;
use crate::runtime::RuntimeError;
use crate::runtime::systemd::OTHER_UNIT_STATUS;

mod adopt;
mod detail;
mod engine_client;
mod health;
mod own_unit;
mod sd_notify;
mod surroundings;
mod time;
mod watch;

use detail::Detail;
use engine_client::EngineClient;
use health::Record;
use sd_notify::SystemdNotifier;
pub use surroundings::{
    Notice, Notify, ProcessSignals, SignalStream, Surroundings, SystemdSocket, tenant_of,
};
use watch::Watched;

/// The time that a stop may wait for the engine beyond the grace of the container.
const STOP_MARGIN: Duration = Duration::from_secs(15);

/// Why a supervisor ends with an error; systemd then starts the next one.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The container ended by itself or was ended by hand.
    #[error("{0}")]
    Ended(ContainerExit),
    /// The program did not answer before its start time-out.
    #[error("did not answer within {budget_ms} ms of its start: {detail}")]
    NotReady {
        /// The start time-out of the instance.
        budget_ms: u64,
        /// The result of the last probe.
        detail: String,
    },
    /// The program stayed unhealthy and was restarted.
    #[error("restarted after it was unhealthy for {unhealthy_for}: {detail}")]
    Unhealthy {
        /// The time since its probe began to fail.
        unhealthy_for: Span,
        /// The result of the last probe.
        detail: String,
    },
    /// Neither a document nor a container says what should run.
    #[error("no instance document and no container of {0} on this host")]
    Unknown(ComponentName),
    /// There is no document, and before the first start something has to run once.
    #[error("{0} was never started here; omlagent starts it after its preparations and migrations")]
    NotPrepared(ComponentName),
    /// The document is that of a packaged unit, which systemd runs without a supervisor.
    #[error("{0} is a packaged unit, which has no container to supervise")]
    PackagedUnit(ComponentName),
    /// Its container is gone, and a later release wrote what it has to be created from.
    #[error(
        "needs a newer agent: its container does not exist, and creating it takes more than this release knows"
    )]
    NeedsNewerAgent(#[source] ReadError),
    /// A later release wrote the label of the container.
    #[error(
        "needs a newer agent: the label of container {name} takes more than this release knows"
    )]
    NewerLabel {
        /// The container's name.
        name: String,
        source: ReadError,
    },
    /// Neither the document nor the label of the container can be understood.
    #[error("the label of container {name} says nothing that this release understands")]
    Label {
        /// The container's name.
        name: String,
        source: ReadError,
    },
    /// Its container is gone, and so is the image that it would be created from.
    #[error("No such image: {0}; omlagent pulls it")]
    NoImage(String),
    /// A document could not be used.
    #[error("could not use the instance document")]
    Document(#[from] DocumentError),
    /// A file could not be written.
    #[error("could not keep a record")]
    File(#[from] FileError),
    /// The engine refused to create or to start the container.
    #[error(transparent)]
    Start(RuntimeError),
    /// The engine refused.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The process was killed, but not by systemd, whose stop has a signal of its own. The
    /// container is left to the next supervisor.
    #[error("terminated, but not by systemd; leaving the container running")]
    Terminated,
    /// It runs in a copied unit, beside the supervisor of the real one.
    #[error(
        "{unit} is not the unit of {component}, which is {own}: it holds nothing and changes \
         nothing; remove it with: systemctl disable {unit}; rm /etc/systemd/system/{unit}; \
         systemctl daemon-reload"
    )]
    OtherUnit {
        /// The unit that this process runs in.
        unit: String,
        component: ComponentName,
        /// The component's unit.
        own: UnitName,
    },
    /// The process cannot listen for signals.
    #[error("could not listen for signals")]
    ProcessSignals(#[source] std::io::Error),
}

impl SuperviseError {
    /// Returns the exit status of the process that ends with this error, by which systemd knows
    /// whether to start the next one.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        if matches!(self, Self::OtherUnit { .. }) { OTHER_UNIT_STATUS } else { 1 }
    }
}

/// Holds the component's container until it ends (an error) or systemd asks to
/// stop it (fine).
///
/// # Errors
/// See [`SuperviseError`].
pub async fn supervise(
    surroundings: Surroundings,
    component: ComponentName,
) -> Result<(), SuperviseError> {
    let Surroundings { paths, unit, engine, prober, notify, signals, env, status_written } =
        surroundings;
    let ProcessSignals { mut stop, mut terminate, mut hangup } = signals;
    let client =
        Arc::new(EngineClient { engine, prober, systemd: SystemdNotifier::new(notify), env });
    let mut supervisor = Supervisor {
        paths,
        component,
        client: client.clone(),
        status_written,
        adopted: None,
        record: None,
    };
    let life = async {
        // Before any signal is heard: in another unit, a stop is not one of the component.
        own_unit::check(&supervisor.paths, &supervisor.component, unit.as_deref())?;
        tokio::select! {
            biased;
            () = stop.recv() => {}
            () = terminate.recv() => return Err(SuperviseError::Terminated),
            ended = supervisor.live(&mut hangup) => return ended.map(|never| match never {}),
        }
        supervisor.stop().await;
        Ok(())
    };
    let ended = tokio::select! {
        ended = life => ended,
        never = client.systemd.keep_watchdog() => match never {},
    };
    if let Err(error) = &ended {
        client.systemd.status(&chain(error));
    }
    ended
}

/// The container that this supervisor holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AdoptedContainer {
    id: String,
    grace_ms: u64,
    /// The time of its start or its adoption.
    since: Timestamp,
    /// It ran before its adoption, and its program had answered.
    was_ready: bool,
}

struct Supervisor {
    paths: Paths,
    component: ComponentName,
    client: Arc<EngineClient>,
    status_written: Box<dyn Fn(&ComponentName) + Send + Sync>,
    /// None before the adoption.
    adopted: Option<AdoptedContainer>,
    record: Option<Record>,
}

impl Supervisor {
    /// Adopts the container of the document and watches it until its end.
    async fn live(&mut self, hangup: &mut SignalStream) -> Result<Infallible, SuperviseError> {
        let instance = self.document().await?;
        if let Err(error) = self.adopt(&instance).await {
            self.record_not_started(&instance, &error);
            return Err(error);
        }
        let workload = instance.workload.hash.clone();
        let watched = self.watch(instance, hangup).await?;
        let is_last_good = self.is_last_good(&workload);
        match watched {
            Watched::Ended { exit, code } => {
                let log_tail = self.last_lines().await;
                let counts = !exit.cause.is_drift() && is_last_good;
                self.write_down(|record, now| {
                    record.exited(LastExit { at: now, exit_code: code, log_tail }, counts);
                    record.ended(exit.to_string(), exit.drift(now), now);
                });
                Err(SuperviseError::Ended(exit))
            }
            Watched::NotReady { budget_ms, detail } => {
                let error = SuperviseError::NotReady { budget_ms, detail };
                self.stop_because(&error.to_string()).await?;
                self.write_down(|record, now| record.ended(error.to_string(), None, now));
                Err(error)
            }
            Watched::Unhealthy { unhealthy_for, detail } => {
                let error = SuperviseError::Unhealthy { unhealthy_for, detail };
                let words = error.to_string();
                // Recorded before the stop: one that fails is not tried again at once either.
                self.write_down(|record, now| record.restarted(words.clone(), now));
                self.stop_because(&words).await?;
                Err(error)
            }
        }
    }

    /// Writes down why the program was not started, which its exit code does not say.
    fn record_not_started(&mut self, instance: &HeldInstance, error: &SuperviseError) {
        let hash = &instance.workload.hash;
        let counts = matches!(error, SuperviseError::Start(_)) && self.is_last_good(hash);
        let why = chain(error);
        if self.record.is_none() {
            let before = self.status_before().filter(|status| &status.hash == hash);
            self.record = Some(match before {
                Some(status) => Record::of(instance, status),
                None => Record::starting(instance, "", None, self.client.env.now()),
            });
        }
        self.write_down(|record, now| record.not_started(why, counts, now));
    }

    /// Stops the container for this reason, which is reported even if the stop fails.
    async fn stop_because(&mut self, words: &str) -> Result<(), RuntimeError> {
        let stopped = self.stop_adopted().await;
        if let Err(error) = &stopped {
            let (because, error) = (words.to_owned(), chain(error));
            let detail = Detail::NotStopped { because, error };
            self.write_down(|record, _now| record.not_stopped(detail));
        }
        stopped
    }

    /// Returns true if the agent recorded this workload as the last good one. A record that only a
    /// later release can read does not tell.
    fn is_last_good(&self, workload: &ContentHash) -> bool {
        let noted = documents::read_last_good(&self.paths, &self.component);
        noted.is_ok_and(|noted| noted.as_ref() == Some(workload))
    }

    /// Reads the last lines that the program printed in this life. They are only shown, so an
    /// engine that does not give them is no error.
    async fn last_lines(&self) -> Vec<String> {
        let Some(adopted) = &self.adopted else { return Vec::new() };
        let lines = self.client.engine.calls().last_lines(&adopted.id, adopted.since).await;
        lines.inspect_err(|error| eprintln!("{}", chain(error))).unwrap_or_default()
    }

    /// Reads what should run: the document or, where it is lost, a container's label,
    /// which is then written back as the document.
    async fn document(&self) -> Result<HeldInstance, SuperviseError> {
        let unusable = match documents::read_held(&self.paths, &self.component) {
            Ok(Some(instance)) => return Ok(instance),
            Ok(None) => None,
            Err(DocumentError::File(error)) if !error.is_about_content() => {
                return Err(error.into());
            }
            Err(error) => {
                eprintln!("{}; reading the label", chain(&error));
                Some(error)
            }
        };
        let found =
            self.client.insist(|| self.client.engine.containers_of(&self.component)).await?;
        let Some(container) = likeliest(&found) else {
            let unknown = || SuperviseError::Unknown(self.component.clone());
            return Err(unusable.map_or_else(unknown, SuperviseError::Document));
        };
        let unlabelled = |source: ReadError| {
            let name = container.name.clone();
            if source.is_of_later_release() {
                SuperviseError::NewerLabel { name, source }
            } else {
                SuperviseError::Label { name, source }
            }
        };
        let instance = container.held().map_err(unlabelled)?;
        // At the boot of a host its unit starts although the agent has not begun to switch to it.
        if container.is_new && container.instance().is_some_and(|it| it.has_steps_before_start()) {
            return Err(SuperviseError::NotPrepared(self.component.clone()));
        }
        eprintln!("the instance document was lost; restored it from a container's label");
        documents::write_held(&self.paths, &instance)?;
        Ok(instance)
    }

    /// Stops the container because systemd stops the unit. It ends with success even if the engine
    /// could not stop the container: after a failure the unit would be started again, against the
    /// stop. The agent stops a container that a stopped unit left running.
    async fn stop(&mut self) {
        self.client.systemd.stopping();
        let stopped = self.stop_adopted().await;
        self.write_down(Record::stopped);
        if let Err(error) = stopped {
            let detail = Detail::UnitStoppedAlone { error: chain(&error) };
            eprintln!("{detail}");
            self.write_down(|record, _now| record.not_stopped(detail));
        }
    }

    /// Stops the adopted container or, before the adoption, every container of the
    /// component: when a unit is stopped, nothing of its component runs.
    async fn stop_adopted(&self) -> Result<(), RuntimeError> {
        let grace_ms = self.adopted.as_ref().map_or(0, |adopted| adopted.grace_ms);
        let deadline = Instant::now() + Duration::from_millis(grace_ms) + STOP_MARGIN;
        let mut backoff = RetryPause::new();
        loop {
            let stopped = match &self.adopted {
                Some(adopted) => {
                    self.client.engine.calls().stop(&adopted.id, adopted.grace_ms).await
                }
                None => self.client.engine.stop(&self.component).await,
            };
            match stopped {
                Err(RuntimeError::Unavailable { .. }) if Instant::now() < deadline => {
                    backoff.pause().await;
                }
                done => return done,
            }
        }
    }

    /// Changes the record, writes the status file and sends the line to systemd. A
    /// status file that cannot be written grows old, and readers see its age.
    fn write_down(&mut self, change: impl FnOnce(&mut Record, Timestamp)) {
        let Some(record) = &mut self.record else { return };
        change(record, self.client.env.now());
        if let Err(error) = documents::write_status(&self.paths, &self.component, record.status()) {
            eprintln!("{}", chain(&error));
        }
        (self.status_written)(&self.component);
        self.client.systemd.status(&record.line());
    }
}
