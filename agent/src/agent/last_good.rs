//! Records on disk the last good version of each component. The supervisors read it, because such a
//! version may take its time at a later start; and it shows which changes the cache has lost.

use std::collections::BTreeMap;

use oml_common::decide::lost_update::lost_updates;
use oml_common::decide::observed::Observed;
use oml_common::decide::reconcile::Decision;
use oml_common::decide::schedule::DaemonsAway;
use oml_common::document::report::Phase;
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tracing::{debug, warn};

use super::Agent;
use crate::documents;

impl Agent {
    /// Finds once, at the first look at the whole host, the changes that the cache has lost.
    pub(super) fn find_lost_updates(&mut self, observed: &Observed) {
        let DaemonsAway { engine, systemd } = self.daemons_away();
        let is_whole = engine.is_none() && systemd.is_none();
        if self.state.compared || self.state.assignment.is_none() || !is_whole {
            return;
        }
        self.state.compared = true;
        let known = self.state.documents.keys().chain(observed.instances.keys());
        let last_good = known.filter_map(|name| {
            Some((name.clone(), documents::read_last_good(&self.host.paths, name).ok()??))
        });
        let last_good = last_good.collect();
        for (component, update) in lost_updates(self.input(observed), &last_good) {
            warn!(%component, "the record of its change is lost; what the host shows of it counts");
            self.state.updates.insert(component, update);
            self.state.unsaved = true;
        }
    }

    /// Reads the last good workload of every desired instance by which the host does not work. It shows
    /// what ran last where somebody changed the document of what does not run.
    pub(super) fn read_noted(&mut self) {
        let desired = self.state.assignment.iter().flat_map(|it| it.content.share.instances.iter());
        let others = desired.filter(|(name, desired)| {
            let document = self.state.documents.get(*name);
            document.is_none_or(|it| it.workload.hash != desired.instance.workload_hash())
        });
        let noted = others.filter_map(|(name, _)| {
            Some((name.clone(), documents::read_last_good(&self.host.paths, name).ok()??))
        });
        self.state.noted = noted.collect();
    }

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
            let is_recorded = match documents::read_last_good(paths, name) {
                Ok(noted) => noted.as_ref() == Some(&hash),
                // It may be about this version. About one that this agent changed to, it is not.
                Err(error) if !self.state.last_good.contains_key(name) => {
                    warn!(component = %name, error = chain(&error), "cannot read the record of the last good version; leaving it");
                    true
                }
                Err(_of_an_earlier_version) => false,
            };
            if !is_recorded && let Err(error) = documents::write_last_good(paths, name, &hash) {
                // It is tried again at the next pass; until then its start has the usual limit.
                debug!(component = %name, error = chain(&error), "cannot record the last good version");
                continue;
            }
            self.state.last_good.insert(name.clone(), hash);
        }
    }
}
