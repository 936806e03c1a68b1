//! Records on disk the last good version of each component, for the supervisors: such a
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
    /// Records every version that is ready, which one in the middle of its change is not.
    pub(super) fn record_last_good(&mut self, decisions: &BTreeMap<ComponentName, Decision>) {
        for (name, _) in decisions.iter().filter(|(_, decision)| decision.phase == Phase::Ready) {
            let Some(hash) = self.desired(name).map(|instance| instance.workload_hash()) else {
                continue;
            };
            let paths = &self.host.paths;
            // Somebody may have removed the file since.
            if self.state.last_good.get(name) == Some(&hash) && paths.last_good(name).exists() {
                continue;
            }
            if documents::read_last_good(paths, name).as_ref() != Some(&hash)
                && let Err(error) = documents::write_last_good(paths, name, &hash)
            {
                // It is tried again at the next pass; until then its start has the usual limit.
                debug!(component = %name, error = chain(&error), "cannot record the last good version");
                continue;
            }
            self.state.last_good.insert(name.clone(), hash);
        }
    }
}
