//! The model of a host in the place of systemd's bus. Everything above it is the
//! same code.

use std::sync::Arc;

use async_trait::async_trait;
use oml_common::decide::unit_end::JobResult;
use oml_common::id::TenantId;
use oml_sim::{
    ActiveState, ExitCause, Fault, HostModel, Job, JobEvent, TestedLine, Tests, UnitError,
    UnitState,
};
use tokio::sync::broadcast::error::RecvError;
use zbus::OwnedObjectPath;

use super::Systemd;
use super::bus::is_enabled_or_cannot_be;
use super::calls::{
    JobProperties, Loaded, ServiceProperties, TestProperty, TransientUnit, UnitCalls,
    UnitProperties,
};
use super::journal::LogSpan;
use super::signals::{JobEnd, Signals};
use crate::paths::Paths;
use crate::runtime::RuntimeError;

/// Turns an error of the model into the one that systemd's answer would be.
fn failure(verb: &'static str, object: &str) -> impl FnOnce(UnitError) -> RuntimeError {
    move |error| {
        let transient = match &error {
            UnitError::Fault(Fault::Away) => {
                let detail = format!("{verb} {object}: it was taken away");
                return RuntimeError::Unavailable { daemon: "systemd", detail };
            }
            UnitError::Fault(Fault::Refused { transient, .. }) => *transient,
            UnitError::NoSuchUnit(_)
            | UnitError::Masked(_)
            | UnitError::Exists(_)
            | UnitError::Template(_) => false,
        };
        let detail = error.to_string();
        RuntimeError::Refused { verb, object: object.to_owned(), detail, transient }
    }
}

/// What is not there was not started, and has not failed.
fn if_there(done: Result<(), UnitError>) -> Result<(), UnitError> {
    match done {
        Err(UnitError::NoSuchUnit(_)) => Ok(()),
        done => done,
    }
}

fn job_path(number: u32) -> OwnedObjectPath {
    OwnedObjectPath::try_from(format!("/org/freedesktop/systemd1/job/{number}")).unwrap_or_default()
}

fn path_of(job: Job) -> OwnedObjectPath {
    job_path(job.0)
}

/// The model of a host in the place of the bus.
#[derive(Debug)]
struct Model(HostModel);

impl Systemd {
    /// The systemd of a model of a host of that tenant. Must be called inside a tokio runtime.
    #[must_use]
    pub fn of_model(host: HostModel, paths: Paths, tenant: Option<TenantId>) -> Self {
        let signals = Signals::new();
        let listener = tokio::spawn(signals.clone().listen_to_model(host.clone()));
        Self::over(paths, tenant, Arc::new(Model(host)), signals, listener)
    }
}

#[async_trait]
impl UnitCalls for Model {
    async fn restart(&self, unit: &str) -> Result<OwnedObjectPath, RuntimeError> {
        self.0.restart_unit(unit).await.map(path_of).map_err(failure("start", unit))
    }

    async fn stop(&self, unit: &str) -> Result<OwnedObjectPath, RuntimeError> {
        self.0.stop_unit(unit).await.map(path_of).map_err(failure("stop", unit))
    }

    async fn start_transient(
        &self,
        unit: &str,
        transient: &TransientUnit,
    ) -> Result<OwnedObjectPath, RuntimeError> {
        let TransientUnit { description: _, command, stop_ms, runtime_ms: _ } = transient;
        let command = command.join(" ");
        let text =
            format!("Type=notify\nExecStart={command}\nTimeoutStopSec={stop_ms}ms\nRestart=no\n");
        let started = self.0.start_transient_unit(unit, &text).await;
        started.map(path_of).map_err(failure("start", unit))
    }

    async fn kill_main_process(&self, unit: &str) -> Result<(), RuntimeError> {
        self.0.kill_main_process(unit);
        Ok(())
    }

    async fn forget_failure(&self, unit: &str) -> Result<(), RuntimeError> {
        if_there(self.0.reset_failed(unit).await).map_err(failure("reset", unit))
    }

    async fn reload(&self) -> Result<(), RuntimeError> {
        self.0.reload_units().await.map_err(failure("re-read", "the unit files"))
    }

    async fn enable(&self, unit: &str) -> Result<bool, RuntimeError> {
        let state = self.0.unit_file_state(unit).await.map_err(failure("enable", unit))?;
        if is_enabled_or_cannot_be(state) {
            return Ok(false);
        }
        self.0.enable_unit(unit, true).await.map_err(failure("enable", unit))?;
        Ok(true)
    }

    async fn disable(&self, unit: &str) -> Result<(), RuntimeError> {
        self.0.enable_unit(unit, false).await.map_err(failure("disable", unit))
    }

    async fn load(&self, name: &str) -> Result<Loaded, RuntimeError> {
        let state = self.0.load_unit(name).await.map_err(failure("read", name))?;
        Ok(loaded(name, state))
    }

    async fn log_tail(&self, unit: &str, _life: &LogSpan) -> Vec<String> {
        self.0.unit_log(unit).await.unwrap_or_default()
    }
}

fn loaded(name: &str, state: UnitState) -> Loaded {
    let active = match state.active {
        ActiveState::Inactive => "inactive",
        ActiveState::Activating => "activating",
        ActiveState::Active => "active",
        ActiveState::Deactivating => "deactivating",
        ActiveState::Failed => "failed",
    };
    let microseconds = |ms: u64| Some(ms.saturating_mul(1000));
    let (main_code, main_status) = match state.exit {
        Some(ExitCause::Exited(status)) => (1, status),
        Some(ExitCause::Killed(signal)) => (2, signal),
        None => (0, 0),
    };
    let job = waiting_job(&state);
    Loaded {
        path: format!("/org/freedesktop/systemd1/unit/{name}"),
        unit: UnitProperties {
            id: Some(name.to_owned()),
            load_state: Some(state.load_state),
            active_state: Some(active.to_owned()),
            sub_state: None,
            invocation_id: Some(state.invocation.to_be_bytes().to_vec()),
            fragment_path: Some(state.fragment_path),
            drop_in_paths: Some(state.drop_in_paths),
            unit_file_state: Some(state.file_state),
            need_daemon_reload: Some(state.needs_reload),
            active_enter_timestamp: microseconds(state.active_enter_ms),
            active_exit_timestamp: microseconds(state.active_exit_ms),
            inactive_enter_timestamp: microseconds(state.inactive_enter_ms),
            inactive_exit_timestamp: microseconds(state.inactive_exit_ms),
            active_enter_monotonic: microseconds(state.active_enter_ms),
            active_exit_monotonic: microseconds(state.active_exit_ms),
            inactive_enter_monotonic: microseconds(state.inactive_enter_ms),
            inactive_exit_monotonic: microseconds(state.inactive_exit_ms),
            job: state.job.map(|number| (number, job_path(number))),
            condition_result: Some(state.conditions.held),
            condition_monotonic: microseconds(state.conditions.at_ms),
            conditions: Some(properties(&state.conditions)),
            assert_result: Some(state.assertions.held),
            assert_monotonic: microseconds(state.assertions.at_ms),
            asserts: Some(properties(&state.assertions)),
        },
        service: ServiceProperties {
            kind: Some(state.kind),
            result: Some(state.result),
            restarts: Some(state.restarts),
            main_code: Some(main_code),
            main_status: Some(main_status),
            main_pid: None,
            main_start: Some(state.main_start_us),
            main_exit: Some(state.main_exit_us),
            main_exit_monotonic: Some(state.main_exit_us),
            status_text: Some(state.status_text),
        },
        job,
    }
}

/// Returns the properties of the job of a unit, if it waits.
fn waiting_job(state: &UnitState) -> JobProperties {
    let waiting = state.waits_for.map(|kind| JobProperties {
        job_type: Some(kind.to_owned()),
        state: Some("waiting".to_owned()),
    });
    waiting.unwrap_or_default()
}

fn properties(tests: &Tests) -> Vec<TestProperty> {
    let property = |line: &TestedLine| {
        let TestedLine { name, is_negated, parameter, holds } = line.clone();
        let result = holds.map_or(0, |holds| if holds { 1 } else { -1 });
        (name, false, is_negated, parameter, result)
    };
    tests.lines.iter().map(property).collect()
}

impl Signals {
    /// Listens to the model for ever.
    async fn listen_to_model(self, host: HostModel) {
        let (mut events, mut changes) = (host.job_events(), host.unit_changes());
        drop(host);
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Ok(JobEvent::ShownAtRest { unit, job, since_ms, is_unmet }) => {
                        self.note_shown_job(&unit, job, since_ms.saturating_mul(1000), is_unmet);
                    }
                    Ok(JobEvent::Started { unit }) => self.note_started(&unit),
                    Ok(JobEvent::Ended { unit, job, result }) => {
                        let result = JobResult::of(result);
                        self.note_end(&unit, JobEnd { number: job, job: job_path(job), result });
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                changed = changes.changed() => match changed {
                    Ok(()) => self.bump_all(),
                    Err(_) => return,
                },
            }
        }
    }
}
