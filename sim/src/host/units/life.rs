//! The life of a unit: from its start to its end, and its next start.

use std::time::Duration;

use tokio::time::Instant;

use super::job::Kind;
use super::process::{Process, Signal};
use super::{ActiveState, ExitCause, Unit, ms};
use crate::{Daemon, HostModel};

/// The time that the program of a package takes to start.
const PACKAGED_START: Duration = Duration::from_millis(100);

impl HostModel {
    /// Starts a unit that does not run, unless what it asks for is not so.
    pub(crate) fn start_now(&self, name: &str) {
        if self.skips_start(name) {
            return;
        }
        let now_ms = self.now_ms();
        let mut state = self.state();
        let invocation = state.next_serial();
        let Some(unit) = state.units.units.get_mut(name) else { return };
        let (burst, interval_ms) = unit.definition.start_limit();
        unit.starts.retain(|start| start.elapsed() < ms(interval_ms));
        if unit.starts.len() >= burst {
            unit.enter(ActiveState::Failed, now_ms);
            "start-limit-hit".clone_into(&mut unit.state.result);
            drop(state);
            self.finish_job(name);
            return;
        }
        unit.starts.push(Instant::now());
        unit.state.invocation = invocation;
        (unit.stops, unit.verdict) = (false, None);
        unit.state.main_start_us = now_ms.saturating_mul(1_000);
        unit.state.main_exit_us = 0;
        let command = unit.definition.command();
        let Some(command) = command.filter(|_| unit.definition.is_notify()) else {
            // A packaged unit, whose program the model runs itself.
            unit.enter(ActiveState::Activating, now_ms);
            let epoch = unit.epoch;
            drop(state);
            return self.run_packaged(name, epoch);
        };
        unit.enter(ActiveState::Activating, now_ms);
        unit.state.status_text.clear();
        let timeout = ms(unit.definition.start_timeout_ms());
        let epoch = unit.epoch;
        drop(state);
        let (process, running) = Process::new(self, name, command);
        if let Some(unit) = self.state().units.units.get_mut(name) {
            unit.process = Some(running);
        }
        self.time_out_start(name, epoch, timeout);
        (self.settings().launch)(process);
        self.notify(Daemon::Systemd);
    }

    fn run_packaged(&self, name: &str, epoch: u64) {
        let name = name.to_owned();
        self.later(PACKAGED_START, move |host| {
            let now_ms = host.now_ms();
            {
                let mut state = host.state();
                let unit = state.units.units.get_mut(&name).filter(|unit| unit.is_in(epoch));
                let Some(unit) = unit else { return };
                unit.enter(ActiveState::Active, now_ms);
                "success".clone_into(&mut unit.state.result);
            }
            host.show_started(&name);
            host.finish_job(&name);
        });
        self.notify(Daemon::Systemd);
    }

    fn time_out_start(&self, name: &str, epoch: u64, timeout: Duration) {
        let name = name.to_owned();
        self.later(timeout, move |host| {
            if let Some(unit) = host.state().units.units.get_mut(&name)
                && unit.is_in(epoch)
            {
                unit.verdict = Some("timeout");
            } else {
                return;
            }
            host.ask_to_stop(&name);
        });
    }

    /// Sends the stop signal, and kills the main process if it does not end in time.
    pub(super) fn ask_to_stop(&self, name: &str) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let Some(unit) = state.units.units.get_mut(name) else { return };
        if unit.state.active == ActiveState::Deactivating {
            unit.stops = true;
            return;
        }
        unit.stops = unit.verdict.is_none();
        unit.enter(ActiveState::Deactivating, now_ms);
        let (epoch, timeout) = (unit.epoch, ms(unit.definition.stop_timeout_ms()));
        let is_own = unit.definition.stop_signal() != "SIGTERM";
        drop(state);
        self.signal_main_process(name, if is_own { Signal::Stop } else { Signal::Terminate });
        let name = name.to_owned();
        self.later(timeout, move |host| {
            let is_stuck =
                host.state().units.units.get(&name).is_some_and(|unit| unit.is_in(epoch));
            if is_stuck {
                host.kill_main_process(&name);
            }
        });
        self.notify(Daemon::Systemd);
    }

    /// Stops a unit that has no process, and ends its job.
    pub(super) fn rest(&self, name: &str) {
        self.end_packaged(name);
        self.finish_job(name);
    }

    /// Puts a unit to rest that has no process, unless it has failed.
    pub(super) fn end_packaged(&self, name: &str) {
        let now_ms = self.now_ms();
        if let Some(unit) = self.state().units.units.get_mut(name)
            && unit.state.active != ActiveState::Failed
        {
            let is_packaged = unit.definition.command().is_none();
            if is_packaged && unit.state.active == ActiveState::Active {
                unit.state.exit = Some(ExitCause::Exited(0));
                // The program ends after the unit has stopped being active.
                unit.state.main_exit_us = now_ms.saturating_mul(1_000) + 1;
            }
            unit.enter(ActiveState::Inactive, now_ms);
        }
    }

    /// Makes a unit active because its main process is ready.
    pub(super) fn process_ready(&self, name: &str, number: u64) {
        let now_ms = self.now_ms();
        {
            let mut state = self.state();
            let Some(unit) = state.units.units.get_mut(name) else { return };
            if !unit.runs(number) || unit.state.active != ActiveState::Activating {
                return;
            }
            unit.enter(ActiveState::Active, now_ms);
            "success".clone_into(&mut unit.state.result);
        }
        self.show_started(name);
        self.finish_job(name);
    }

    /// Sets the status text that the main process sent.
    pub(super) fn process_says(&self, name: &str, number: u64, text: &str) {
        if let Some(unit) = self.state().units.units.get_mut(name)
            && unit.runs(number)
        {
            text.clone_into(&mut unit.state.status_text);
        }
    }

    /// Extends the start time-out because the main process asks for it.
    pub(super) fn extend_timeout(&self, name: &str, number: u64, by: Duration) {
        let epoch = {
            let mut state = self.state();
            let Some(unit) = state.units.units.get_mut(name) else { return };
            if !unit.runs(number) || unit.state.active != ActiveState::Activating {
                return;
            }
            unit.epoch += 1;
            unit.epoch
        };
        self.time_out_start(name, epoch, by);
    }

    /// Handles the end of the main process. The next state depends on the job of the unit and
    /// on its file.
    pub(super) fn process_ended(&self, name: &str, number: u64, cause: ExitCause) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let Some(unit) = state.units.units.get_mut(name) else { return };
        if !unit.runs(number) {
            return;
        }
        unit.process = None;
        unit.state.exit = Some(cause);
        let result = unit.verdict.take().unwrap_or(match cause {
            ExitCause::Exited(0) => "success",
            ExitCause::Exited(_) => "exit-code",
            ExitCause::Killed(_) => "signal",
        });
        result.clone_into(&mut unit.state.result);
        let was_asked = std::mem::take(&mut unit.stops);
        unit.state.main_exit_us = now_ms.saturating_mul(1_000) + u64::from(was_asked);
        let restarts_by_job = unit.job.as_ref().is_some_and(|job| job.kind == Kind::Restart);
        let epoch_after = match (was_asked, result) {
            (true, _) if restarts_by_job => {
                unit.enter(ActiveState::Inactive, now_ms);
                drop(state);
                return self.start_in_turn(name);
            }
            (true, "success") => {
                unit.enter(ActiveState::Inactive, now_ms);
                None
            }
            (true, _) => {
                unit.enter(ActiveState::Failed, now_ms);
                None
            }
            (false, _) if unit.definition.restarts_after(cause) => {
                unit.enter(ActiveState::Activating, now_ms);
                Some((unit.epoch, ms(unit.definition.restart_pause_ms())))
            }
            (false, "success") => {
                unit.enter(ActiveState::Inactive, now_ms);
                None
            }
            (false, _) => {
                unit.enter(ActiveState::Failed, now_ms);
                None
            }
        };
        drop(state);
        if let Some((epoch, pause)) = epoch_after {
            self.restart_later(name, epoch, pause);
        }
        self.finish_job(name);
    }

    /// Kills the program of a package's unit (SIGKILL). systemd does not start it again.
    pub fn kill_packaged(&self, name: &str) {
        const SIGKILL: i32 = 9;
        let now_ms = self.now_ms();
        if let Some(unit) = self.state().units.units.get_mut(name)
            && unit.state.active == ActiveState::Active
        {
            unit.state.exit = Some(ExitCause::Killed(SIGKILL));
            unit.state.main_exit_us = now_ms.saturating_mul(1_000);
            "signal".clone_into(&mut unit.state.result);
            unit.enter(ActiveState::Failed, now_ms);
        }
        self.notify(Daemon::Systemd);
    }

    fn restart_later(&self, name: &str, epoch: u64, pause: Duration) {
        let name = name.to_owned();
        self.later(pause, move |host| {
            if let Some(unit) = host.state().units.units.get_mut(&name)
                && unit.is_in(epoch)
            {
                unit.state.restarts += 1;
            } else {
                return;
            }
            host.start_now(&name);
        });
    }

    /// Kills every process and forgets every unit, as a loss of power does.
    pub(crate) fn kill_all_processes(&self) {
        let mut state = self.state();
        for unit in state.units.units.values_mut() {
            if let Some(running) = unit.process.take() {
                running.killed.send_replace(true);
            }
        }
        state.units.units.clear();
        drop(state);
        self.notify(Daemon::Systemd);
    }
}

impl Unit {
    /// Returns true if the unit has not entered another state since.
    fn is_in(&self, epoch: u64) -> bool {
        self.epoch == epoch
    }

    fn runs(&self, number: u64) -> bool {
        self.process.as_ref().is_some_and(|running| running.number == number)
    }
}
