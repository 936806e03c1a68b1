//! The links that start units at boot, and keep them in memory.

use super::{ActiveState, UnitError, Units};
use crate::{Daemon, HostModel, Verb};

impl HostModel {
    /// Installs a package, which brings a unit that has nothing to enable (`static`) and starts it.
    pub fn install_static_package(&self, name: &str) {
        self.install_package(name);
        let mut state = self.state();
        state.units.enabled.remove(name);
        state.units.statics.insert(name.to_owned());
    }

    /// Returns "enabled", "disabled", "static" or "masked".
    ///
    /// # Errors
    /// No such unit, or a fault that was asked for.
    pub async fn unit_file_state(&self, name: &str) -> Result<&'static str, UnitError> {
        self.enter(Daemon::Systemd, Verb::Read).await?;
        let is_there = self.read_definition(name).is_there();
        let state = self.state();
        if state.units.masked.contains(name) {
            return Ok("masked");
        }
        if is_there && state.units.statics.contains(name) {
            return Ok("static");
        }
        match (is_there, state.units.enabled.contains(name)) {
            (false, _) => Err(UnitError::NoSuchUnit(name.to_owned())),
            (true, true) => Ok("enabled"),
            (true, false) => Ok("disabled"),
        }
    }

    /// Enables a unit for the next boot, or disables it.
    ///
    /// # Errors
    /// A requested fault.
    pub async fn enable_unit(&self, name: &str, is_enabled: bool) -> Result<(), UnitError> {
        self.enter(Daemon::Systemd, Verb::Enable).await?;
        let mut state = self.state();
        state.units.unload(name);
        if is_enabled {
            state.units.enabled.insert(name.to_owned());
        } else {
            state.units.enabled.remove(name);
        }
        Ok(())
    }

    /// Masks a unit, as `systemctl mask` does.
    pub fn mask(&self, name: &str) {
        self.state().units.masked.insert(name.to_owned());
        self.notify(Daemon::Systemd);
    }

    /// Unmasks a unit, as `systemctl unmask` does.
    pub fn unmask(&self, name: &str) {
        self.state().units.masked.remove(name);
        self.notify(Daemon::Systemd);
    }
}

impl Units {
    /// Unloads a unit that rests and that nothing needs, as systemd does. It is fresh when it is
    /// loaded again: nothing shows that it ever ran. One that failed stays (systemd.unit(5),
    /// `CollectMode=`).
    pub(super) fn unload(&mut self, name: &str) {
        let is_kept = self.enabled.contains(name)
            || self.units.get(name).is_some_and(|unit| {
                unit.state.active != ActiveState::Inactive || unit.job.is_some()
            });
        if !is_kept {
            self.units.remove(name);
        }
    }
}
