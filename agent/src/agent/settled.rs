//! Keeps a copy of the document of every component as it should be, so that somebody's edit of it is
//! noticed and undone although the assignment no longer has it.

use std::collections::BTreeSet;

use oml_common::decide::observed::{Observed, SettledDocument};
use oml_common::decide::step::Step;
use oml_common::document::instance::InstanceDocument;
use oml_common::document::update::InstanceUpdate;
use oml_common::id::ComponentName;
use oml_common::text::error::chain;
use tracing::{debug, warn};

use super::Agent;
use crate::documents;
use crate::paths::Slot;

impl Agent {
    /// Reads the copies of the documents of all components that do not have the desired document. A
    /// copy that somebody changed is written again first.
    pub(super) fn read_settled(&mut self) {
        let share = self.state.assignment.as_deref().map(|it| &it.content.share);
        let desired = share.into_iter().flat_map(|share| &share.instances);
        let has_desired = |name: &ComponentName| {
            let desired = share.and_then(|share| share.instances.get(name));
            let document = self.state.documents.get(name);
            document.zip(desired).is_some_and(|(it, desired)| it.hash() == *desired.instance.hash())
        };
        let known = desired.map(|(name, _)| name).chain(self.state.documents.keys());
        let others: BTreeSet<_> = known.filter(|name| !has_desired(name)).collect();
        let settled = others.into_iter().filter_map(|name| {
            let known = self.state.last_settled.get(name);
            let found = documents::read_settled(&self.host.paths, name);
            if let Some(known) = known
                && found.as_ref().is_none_or(|found| found.hash() != *known.hash())
            {
                // What cannot be written is tried again at the next look, which is no news.
                if self.keep_settled(name, known) {
                    warn!(component = %name, "the copy of its document was changed; it is written again");
                }
            }
            let (hash, workload) = match (known, found) {
                (Some(known), _) => (known.hash().clone(), known.workload_hash()),
                (None, Some(found)) => (found.hash(), found.workload.hash),
                (None, None) => return None,
            };
            Some((name.clone(), SettledDocument { hash, workload }))
        });
        self.state.settled = settled.collect();
    }

    /// Records the documents that are as they should be, of good versions.
    pub(super) fn record_settled(&mut self, observed: &Observed) {
        let Some(assignment) = self.state.assignment.clone() else { return };
        for (name, desired) in &assignment.content.share.instances {
            let document = &desired.instance;
            let seen = observed.instances.get(name).and_then(|seen| seen.document.as_ref());
            let is_right = seen.is_some_and(|seen| seen.on_disk && seen.hash == *document.hash());
            // What is being written was read before.
            let is_busy = self.state.busy.contains_key(name);
            if !is_right
                || is_busy
                || !self.state.updates.get(name).is_none_or(InstanceUpdate::desires_last_good)
            {
                continue;
            }
            let is_known = self.state.last_settled.get(name) == Some(document);
            let path = self.host.paths.document(name, Slot::Settled);
            if is_known && path.exists() {
                continue;
            }
            let found = documents::read_settled(&self.host.paths, name);
            let is_on_disk = found.is_some_and(|found| found.hash() == *document.hash());
            if is_on_disk || self.keep_settled(name, document) {
                self.state.last_settled.insert(name.clone(), document.clone());
            }
        }
    }

    /// Forgets the copy of a document that a step is about to replace by another one of the same workload.
    pub(super) fn forget_settled_before(&mut self, component: &ComponentName, step: &Step) {
        let desired = self.desired(component);
        let is_same_workload = |known: &InstanceDocument| {
            desired.as_ref().is_some_and(|desired| {
                known.workload_hash() == desired.workload_hash() && known.hash() != desired.hash()
            })
        };
        let is_rewritten =
            matches!(step, Step::RewriteConfig | Step::Reload { .. } | Step::Remove { .. });
        // A switch to another workload leaves the copy of the version to go back to.
        let is_switched = matches!(step, Step::Switch { .. })
            && self.state.last_settled.get(component).is_some_and(is_same_workload);
        if is_rewritten || is_switched {
            self.state.last_settled.remove(component);
        }
    }

    /// Writes the copy of a document, and returns whether that was done.
    fn keep_settled(&self, component: &ComponentName, document: &InstanceDocument) -> bool {
        let written = documents::write_settled(&self.host.paths, document);
        if let Err(error) = &written {
            // It is tried again at the next pass.
            debug!(%component, error = chain(error), "cannot write the copy of its document");
        }
        written.is_ok()
    }
}
