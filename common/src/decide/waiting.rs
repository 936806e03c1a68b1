//! Remembers since when jobs of systemd wait, which systemd itself does not say.

use std::collections::BTreeMap;

use crate::decide::observed::{Observed, WaitingJob};
use crate::id::ComponentName;
use crate::time::Timestamp;

/// The jobs that were found waiting at the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WaitingJobs(BTreeMap<ComponentName, (u32, Timestamp)>);

impl WaitingJobs {
    /// Notes the jobs that wait now, forgets the others, and adds to each since when it waits.
    pub fn look(&mut self, observed: &mut Observed, now: Timestamp) {
        let before = std::mem::take(&mut self.0);
        for (component, seen) in &mut observed.instances {
            let Some(job) = seen.unit.as_mut().and_then(|unit| unit.job.as_mut()) else { continue };
            let WaitingJob { number, since, .. } = job;
            let known = before.get(component).filter(|(known, _)| known == number);
            // A time in the future was read before the clock was set back.
            let at = known.map_or(now, |(_, at)| (*at).min(now));
            *since = Some(at);
            self.0.insert(component.clone(), (*number, at));
        }
    }

    /// Moves the times when the clock of the host was set.
    pub fn shift(&mut self, by_ms: i64) {
        for (_, at) in self.0.values_mut() {
            *at = at.shifted_ms(by_ms);
        }
    }
}

#[cfg(test)]
mod tests;
