//! Records on disk the last known-good version of each component, for the supervisors: such a
//! version may take its time at a later start.

use std::collections::BTreeMap;

use oml_common::decide::reconcile::Decision;
use oml_common::document::report::Phase;
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tracing::debug;

use super::Agent;
use crate::documents;

impl Agent {
    /// Notes every version that is ready, which one in the middle of its change is not.
    pub(super) fn note_proved(&mut self, decisions: &BTreeMap<ComponentName, Decision>) {
        for (name, _) in decisions.iter().filter(|(_, decision)| decision.phase == Phase::Ready) {
            let Some(hash) = self.desired(name).map(|instance| instance.workload_hash()) else {
                continue;
            };
            let paths = &self.host.paths;
            // Somebody may have removed the file since.
            if self.state.proved.get(name) == Some(&hash) && paths.proved(name).exists() {
                continue;
            }
            if documents::read_proved(paths, name).as_ref() != Some(&hash)
                && let Err(error) = documents::write_proved(paths, name, &hash)
            {
                // It is tried again at the next pass; until then its start has the usual limit.
                debug!(component = %name, error = chain(&error), "cannot record the last known-good version");
                continue;
            }
            self.state.proved.insert(name.clone(), hash);
        }
    }
}
