//! The main process of a unit, as a value that is given to the code that runs it.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::ExitCause;
use crate::HostModel;

/// A signal to a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// The `KillSignal=` of the unit, if that is not SIGTERM.
    Stop,
    /// SIGTERM.
    Terminate,
    /// SIGHUP, which makes the process read its settings again.
    Hangup,
}

/// The data of systemd about a running process.
pub(super) struct Running {
    pub(super) number: u64,
    pub(super) signals: mpsc::UnboundedSender<Signal>,
    pub(super) killed: watch::Sender<bool>,
}

/// The main process of a unit. [`Process::exit`] ends it; a process that is dropped before
/// counts as killed.
pub struct Process {
    host: HostModel,
    unit: String,
    command: Vec<String>,
    number: u64,
    signals: mpsc::UnboundedReceiver<Signal>,
    killed: watch::Receiver<bool>,
    has_ended: bool,
}

/// Sends notices of a process to systemd. A clone sends for the same process.
#[derive(Clone)]
pub struct Notifier {
    host: HostModel,
    unit: String,
    number: u64,
}

impl Process {
    pub(super) fn new(host: &HostModel, unit: &str, command: Vec<String>) -> (Self, Running) {
        let number = host.state().next_serial();
        let (signal_sender, signals) = mpsc::unbounded_channel();
        let (kill_sender, killed) = watch::channel(false);
        let (host, unit) = (host.clone(), unit.to_owned());
        let process = Self { host, unit, command, number, signals, killed, has_ended: false };
        (process, Running { number, signals: signal_sender, killed: kill_sender })
    }

    /// Returns the host of the process.
    #[must_use]
    pub fn host(&self) -> &HostModel {
        &self.host
    }

    /// Returns the unit of the process.
    #[must_use]
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Returns the program and its arguments.
    #[must_use]
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// Returns the notifier of the process.
    #[must_use]
    pub fn notifier(&self) -> Notifier {
        Notifier { host: self.host.clone(), unit: self.unit.clone(), number: self.number }
    }

    /// Waits for the next signal, or for ever if none can come any more.
    pub async fn signal(&mut self) -> Signal {
        match self.signals.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }

    /// Returns a receiver that becomes true when the process is killed (SIGKILL).
    #[must_use]
    pub fn killed(&self) -> watch::Receiver<bool> {
        self.killed.clone()
    }

    /// Ends the process with this status.
    pub fn exit(mut self, status: i32) {
        self.has_ended = true;
        self.host.process_ended(&self.unit, self.number, ExitCause::Exited(status));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        const SIGKILL: i32 = 9;
        if !self.has_ended {
            self.host.process_ended(&self.unit, self.number, ExitCause::Killed(SIGKILL));
        }
    }
}

impl Notifier {
    /// Reports that the process is ready (`READY=1`).
    pub fn ready(&self) {
        self.host.process_ready(&self.unit, self.number);
    }

    /// Sets the status line (`STATUS=…`).
    pub fn status(&self, text: &str) {
        self.host.process_says(&self.unit, self.number, text);
    }

    /// Asks for more time to start or to stop (`EXTEND_TIMEOUT_USEC=…`).
    pub fn extend(&self, by: Duration) {
        self.host.extend_timeout(&self.unit, self.number, by);
    }
}

impl HostModel {
    /// Kills the main process of a unit (SIGKILL).
    pub fn kill_main_process(&self, unit: &str) {
        let state = self.state();
        let running = state.units.units.get(unit).and_then(|unit| unit.process.as_ref());
        if let Some(running) = running {
            running.killed.send_replace(true);
        }
    }

    /// Sends a signal to the main process of a unit.
    pub fn signal_main_process(&self, unit: &str, signal: Signal) {
        let state = self.state();
        let running = state.units.units.get(unit).and_then(|unit| unit.process.as_ref());
        if let Some(running) = running {
            // A process that has just ended receives nothing.
            let _heard = running.signals.send(signal).is_ok();
        }
    }
}
