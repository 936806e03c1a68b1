//! `omlagent operate RUN` runs the container of one operation once, for one transient unit: it
//! starts the container, waits for its end or its deadline, and writes the result to the disk.
//!
//! It never starts a container that was started before. When it is killed, the agent finds a run
//! without a result, which counts as interrupted.

use std::sync::Arc;
use std::time::Duration;

use oml_common::decide::observed::ContainerState;
use oml_common::document::operation::{RunOrder, RunOutcome, RunResult};
use oml_common::id::RunId;
use oml_common::text::error::chain;
use oml_common::text::printable::printable;
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

use crate::paths::Paths;
use crate::pause::RetryPause;
use crate::runs::{self, RunFileError};
use crate::runtime::docker::Docker;
use crate::runtime::{ContainerEngine, RuntimeError, Waited};
use crate::supervise::{Notice, Notify, SignalStream, SystemdSocket};

/// Why a run cannot be carried out by this process. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum OperateError {
    /// There is no order of that number.
    #[error("this host has no order of run {0}")]
    Unknown(RunId),
    /// It was carried out, or began, before.
    #[error("run {0} began before; it is not repeated")]
    Repeated(RunId),
    /// Its container does not exist.
    #[error("the container of run {0} does not exist")]
    NoContainer(RunId),
    /// A file of the run could not be used.
    #[error(transparent)]
    File(#[from] RunFileError),
    /// The engine gave no answer.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The process cannot listen for signals.
    #[error("could not listen for signals")]
    ProcessSignals(#[source] std::io::Error),
}

/// The inputs of the process that carries out a run.
pub struct OperateSurroundings {
    pub paths: Paths,
    pub engine: Arc<dyn ContainerEngine>,
    /// The socket to systemd.
    pub notify: Box<dyn Notify>,
    /// SIGTERM: systemd stops the unit.
    pub terminate: SignalStream,
    /// The host's clock.
    pub env: Env,
}

impl OperateSurroundings {
    /// Creates the inputs of a process of this host.
    ///
    /// # Errors
    /// A failure to listen for signals.
    pub fn of_process(paths: Paths, env: Env) -> Result<Self, OperateError> {
        let terminate = signal(SignalKind::terminate()).map_err(OperateError::ProcessSignals)?;
        Ok(Self {
            engine: Arc::new(Docker::new(paths.clone(), Vec::new(), None)),
            notify: Box::new(SystemdSocket),
            terminate: SignalStream::Process(terminate),
            env,
            paths,
        })
    }
}

/// Carries out a run and writes its result.
///
/// # Errors
/// See [`OperateError`].
pub async fn operate(
    mut surroundings: OperateSurroundings,
    id: RunId,
) -> Result<RunResult, OperateError> {
    let OperateSurroundings { paths, engine, .. } = &surroundings;
    let order = runs::read_order(paths, id)?.ok_or(OperateError::Unknown(id))?;
    if runs::read_result(paths, id)?.is_some() {
        return Err(OperateError::Repeated(id));
    }
    let container = engine.run_container(id).await?.ok_or(OperateError::NoContainer(id))?;
    let found = engine.calls().inspect(&container).await?.ok_or(OperateError::NoContainer(id))?;
    if found.state != ContainerState::Created {
        return Err(OperateError::Repeated(id));
    }
    let result = surroundings.carry_out(&order, &container).await;
    // The host may have got another owner meanwhile, whose run of this number it is not.
    if runs::read_order(&surroundings.paths, id)?.as_ref() != Some(&order) {
        return Err(OperateError::Unknown(id));
    }
    runs::write_result(&surroundings.paths, id, &result)?;
    surroundings.notify.say(Notice::Status(&result.to_string()));
    Ok(result)
}

impl OperateSurroundings {
    /// Starts the container and waits for its end.
    async fn carry_out(&mut self, order: &RunOrder, container: &str) -> RunResult {
        let started = self.env.now();
        let engine = Arc::clone(&self.engine);
        let begun = engine.calls().start(container).await;
        self.notify.say(Notice::Ready);
        if let Err(error) = begun {
            // Without an answer it may have been started.
            let outcome = match error {
                RuntimeError::Unavailable { .. } => RunOutcome::Interrupted,
                RuntimeError::Refused { .. } | RuntimeError::Foreign(_) => RunOutcome::NotStarted,
            };
            return self.ended(outcome, None, printable(&chain(&error)));
        }
        let deadline = tokio::time::sleep(Duration::from_millis(order.run.deadline_ms));
        let grace_ms = order.instance.timing.stop_grace_ms;
        let (outcome, reason) = tokio::select! {
            biased;
            (outcome, reason) = until_end(&*engine, container) => (outcome, reason),
            () = self.terminate.recv() => {
                let why = "its unit was stopped on the host";
                (RunOutcome::Interrupted, stop(&*engine, container, grace_ms, why).await)
            }
            () = deadline => {
                (RunOutcome::DeadlineExceeded, stop(&*engine, container, grace_ms, "").await)
            }
        };
        let mut result = self.ended(outcome, Some(started), reason);
        let lines = engine.calls().last_lines(container, Timestamp(0)).await;
        result.last_lines = lines.unwrap_or_else(|error| {
            warn!(error = chain(&error), "cannot read the last lines of a run");
            Vec::new()
        });
        result
    }

    fn ended(&self, outcome: RunOutcome, started: Option<Timestamp>, reason: String) -> RunResult {
        RunResult { outcome, started, ended: self.env.now(), reason, last_lines: Vec::new() }
    }
}

/// Waits for the end of a container, also while the engine is away.
async fn until_end(engine: &dyn ContainerEngine, container: &str) -> (RunOutcome, String) {
    let mut pause = RetryPause::new();
    loop {
        match engine.calls().wait(container).await {
            Ok(Waited::Ended(status)) => {
                return (RunOutcome::Exited { status }, memory(engine, container).await);
            }
            Ok(Waited::Lost) | Err(RuntimeError::Unavailable { .. }) => {}
            Err(error @ (RuntimeError::Refused { .. } | RuntimeError::Foreign(_))) => {
                return (RunOutcome::Interrupted, printable(&chain(&error)));
            }
        }
        pause.pause().await;
    }
}

/// Returns what there is to say of a program that the kernel killed for its memory.
async fn memory(engine: &dyn ContainerEngine, container: &str) -> String {
    let found = engine.calls().inspect(container).await.ok().flatten();
    match found.map(|found| found.state) {
        Some(ContainerState::Exited { out_of_memory: true, .. }) => {
            "it needed more memory than the component may have".to_owned()
        }
        Some(
            ContainerState::Exited { .. }
            | ContainerState::Created
            | ContainerState::Running { .. },
        )
        | None => String::new(),
    }
}

/// Stops a container, and returns why, with the error if that failed. The agent stops it again
/// before it removes it, until it is gone.
async fn stop(engine: &dyn ContainerEngine, container: &str, grace_ms: u64, why: &str) -> String {
    let Err(error) = engine.calls().stop(container, grace_ms).await else { return why.to_owned() };
    let between = if why.is_empty() { "" } else { "; " };
    let error = chain(&error);
    printable(&format!("{why}{between}its container could not be stopped yet: {error}"))
}
