//! Units that have no file and go when they end.

use super::{Definition, Job, UnitError, job};
use crate::{Daemon, HostModel, Verb};

impl HostModel {
    /// Starts a unit that has no file and goes when it ends, with a text like that of a file, and
    /// returns the job.
    ///
    /// # Errors
    /// A unit of that name runs, or a fault that was asked for.
    pub async fn start_transient_unit(&self, name: &str, text: &str) -> Result<Job, UnitError> {
        self.enter(Daemon::Systemd, Verb::Start).await?;
        let mut state = self.state();
        let is_there = state.units.units.get(name).is_some_and(|unit| !unit.is_at_rest());
        if is_there {
            return Err(UnitError::Exists(name.to_owned()));
        }
        let id = u32::try_from(state.next_serial()).unwrap_or(u32::MAX);
        state.units.units.remove(name);
        let unit = state.units.unit(name, &Definition::transient(name, text));
        unit.job = Some(job::Pending { id, kind: job::Kind::Start, waits: false });
        drop(state);
        self.start_now(name);
        Ok(Job(id))
    }
}
