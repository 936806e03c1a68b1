//! The agent's processes on a model of a host (see the crate `oml-sim`), for tests:
//! the real runtimes over the model's daemons, and real supervisors as the main
//! processes of its units.

use std::sync::Arc;
use std::time::Duration;

use oml_common::id::{ComponentName, RunId};
use oml_daemon::env::Env;
use oml_sim::{Notifier, Process, Signal};
use tokio::sync::mpsc;

use crate::operate::{OperateSurroundings, operate};
use crate::paths::Paths;
use crate::probe::ModelProber;
use crate::runtime::docker::Docker;
use crate::statuses::StatusFeed;
use crate::supervise::{
    Notice, Notify, ProcessSignals, SignalStream, Surroundings, supervise, tenant_of,
};

/// What every supervisor of a model of a host is given.
#[derive(Clone)]
pub struct SupervisorSettings {
    pub paths: Paths,
    /// Receives every status file that a supervisor writes.
    pub feed: StatusFeed,
    /// Gives each process its clock and its randomness.
    pub env: Arc<dyn Fn() -> Env + Send + Sync>,
}

/// Runs the main process of a unit, `omlagent supervise COMPONENT` or `omlagent operate RUN`,
/// until it ends or is killed. Every other command fails at once.
///
/// # Panics
/// Where the unit's command does not end with the name of a component or a run.
pub async fn run_supervisor(settings: SupervisorSettings, mut process: Process) {
    if process.command().get(1).is_some_and(|verb| verb == "operate") {
        return run_operation(settings, process).await;
    }
    if process.command().get(1).is_none_or(|verb| verb != "supervise") {
        // Somebody edited the unit, and `false` runs in it.
        process.exit(1);
        return;
    }
    let component: Option<ComponentName> =
        process.command().last().and_then(|word| word.parse().ok());
    let component = component.expect("a unit's command ends with its component");
    let (stop, stop_receiver) = mpsc::unbounded_channel();
    let (terminate, terminate_receiver) = mpsc::unbounded_channel();
    let (hangup, hangup_receiver) = mpsc::unbounded_channel();
    let signals = ProcessSignals {
        stop: SignalStream::Channel(stop_receiver),
        terminate: SignalStream::Channel(terminate_receiver),
        hangup: SignalStream::Channel(hangup_receiver),
    };
    let surroundings = surroundings(settings, &component, &process, signals);
    let mut killed = process.killed();
    let mut supervisor = std::pin::pin!(supervise(surroundings, component));
    loop {
        tokio::select! {
            biased;
            _killed = killed.wait_for(|killed| *killed) => return,
            signal = process.signal() => {
                let sender = match signal {
                    Signal::Stop => &stop,
                    Signal::Terminate => &terminate,
                    Signal::Hangup => &hangup,
                };
                // A supervisor that has just ended hears nothing.
                let _heard = sender.send(()).is_ok();
            }
            ended = &mut supervisor => {
                process.exit(ended.map_or_else(|error| i32::from(error.exit_status()), |()| 0));
                return;
            }
        }
    }
}

/// Runs the main process of the transient unit of a run.
async fn run_operation(settings: SupervisorSettings, mut process: Process) {
    let run: Option<RunId> = process.command().last().and_then(|word| word.parse().ok());
    let run = run.expect("the command of a run's unit ends with its number");
    let (terminate, terminate_receiver) = mpsc::unbounded_channel();
    let SupervisorSettings { paths, feed: _, env } = settings;
    let surroundings = OperateSurroundings {
        engine: Arc::new(Docker::of_model(process.host().clone(), paths.clone(), None)),
        notify: Box::new(ModelSocket(process.notifier())),
        terminate: SignalStream::Channel(terminate_receiver),
        env: env(),
        paths,
    };
    let mut killed = process.killed();
    let mut operation = std::pin::pin!(operate(surroundings, run));
    loop {
        tokio::select! {
            biased;
            _killed = killed.wait_for(|killed| *killed) => return,
            signal = process.signal() => match signal {
                // A process that has just ended hears nothing.
                Signal::Terminate => drop(terminate.send(())),
                Signal::Stop | Signal::Hangup => {}
            },
            ended = &mut operation => {
                process.exit(i32::from(ended.is_err()));
                return;
            }
        }
    }
}

fn surroundings(
    settings: SupervisorSettings,
    component: &ComponentName,
    process: &Process,
    signals: ProcessSignals,
) -> Surroundings {
    let SupervisorSettings { paths, feed, env } = settings;
    let (host, notifier) = (process.host(), process.notifier());
    let tenant = tenant_of(&paths, component);
    Surroundings {
        unit: Some(process.unit().to_owned()),
        engine: Arc::new(Docker::of_model(host.clone(), paths.clone(), tenant)),
        prober: Arc::new(ModelProber(host.clone())),
        notify: Box::new(ModelSocket(notifier)),
        signals,
        env: env(),
        status_written: Box::new(move |component| feed.written(component)),
        paths,
    }
}

/// A supervisor's line to the model of systemd, which has no watchdog.
struct ModelSocket(Notifier);

impl Notify for ModelSocket {
    fn say(&self, notice: Notice<'_>) {
        match notice {
            Notice::Ready => self.0.ready(),
            Notice::Status(text) => self.0.status(text),
            Notice::Extend(by) => self.0.extend(by),
            Notice::Stopping | Notice::Alive => {}
        }
    }

    fn watchdog(&self) -> Option<Duration> {
        None
    }
}
