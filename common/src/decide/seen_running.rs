//! Remembers by which document a packaged unit was seen to run. Nothing on a host says so: a container bears
//! its document, and a unit of a package has only the file, which people can remove or edit.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::observed::{ActiveState, ObservedInstance, ObservedUnit};
use crate::decide::reconcile;
use crate::document::instance::HeldInstance;
use crate::document::update::InstanceUpdate;
use crate::id::{ComponentName, ContentHash};

/// The versions by which packaged units were seen to run since a step wrote their documents last.
#[derive(Debug, Clone, Default)]
pub struct SeenRunning(BTreeMap<ComponentName, Seen>);

#[derive(Debug, Clone)]
struct Seen {
    workload: ContentHash,
    /// None if only the note of the last good version says it.
    document: Option<HeldInstance>,
}

impl Seen {
    /// Adds the document, once it is found to be that of the workload.
    fn learn(&mut self, found: Option<&HeldInstance>) {
        if self.document.is_none() {
            self.document = found.filter(|found| found.workload.hash == self.workload).cloned();
        }
    }
}

impl SeenRunning {
    /// Notes the versions of packaged units that run, of which the documents on disk are these, and
    /// forgets the components that are not desired any more. The documents of `reviving` components were
    /// read before a step for the version in use wrote them.
    pub fn look(
        &mut self,
        input: reconcile::Input<'_>,
        documents: &BTreeMap<ComponentName, HeldInstance>,
        reviving: &BTreeSet<ComponentName>,
    ) {
        let Some(assignment) = input.assignment else { return };
        let desired = &assignment.content.share.instances;
        let workload_of =
            |name: &ComponentName| desired.get(name).map(|it| it.instance.workload_hash());
        let is_packaged = |name: &ComponentName| {
            desired.get(name).is_some_and(|desired| desired.instance.container().is_none())
        };
        self.0.retain(|name, _| is_packaged(name));
        for (name, seen) in input.observed.instances.iter().filter(|(name, _)| is_packaged(name)) {
            // A step may be writing the document.
            if input.busy.contains_key(name) || reviving.contains(name) || !runs(seen) {
                continue;
            }
            let found = documents.get(name);
            if let Some(known) = self.0.get_mut(name) {
                known.learn(found);
                continue;
            }
            let update = input.updates.get(name);
            let is_at_rest = update.is_none_or(InstanceUpdate::desires_last_good);
            // Beside another drop-in, what was noted may be older than a change whose record was lost.
            let is_noted = |noted: &&ContentHash| {
                let has_drop_in = seen.unit.as_ref().is_some_and(|unit| !unit.stale);
                is_at_rest && (has_drop_in || workload_of(name).as_ref() != Some(*noted))
            };
            let noted = seen.last_good.as_ref().filter(is_noted);
            let found_workload = found.map(|found| &found.workload.hash);
            // Of neither version of the change, it is somebody's.
            let rolled_back_to = update.and_then(InstanceUpdate::rolled_back_to).filter(|_| {
                found_workload.is_some_and(|found| workload_of(name).as_ref() != Some(found))
            });
            let Some(workload) = noted.or(rolled_back_to).or(found_workload) else { continue };
            let document = found.filter(|found| found.workload.hash == *workload).cloned();
            self.0.insert(name.clone(), Seen { workload: workload.clone(), document });
        }
    }

    /// Forgets the version of a component of which a step has written the document.
    pub fn forget(&mut self, component: &ComponentName) {
        self.0.remove(component);
    }

    /// Returns the workload by which the unit of a component was seen to run last.
    #[must_use]
    pub fn workload(&self, component: &ComponentName) -> Option<&ContentHash> {
        self.0.get(component).map(|seen| &seen.workload)
    }

    /// Returns the document by which it was, if it is known.
    #[must_use]
    pub fn document(&self, component: &ComponentName) -> Option<&HeldInstance> {
        self.0.get(component)?.document.as_ref()
    }
}

fn runs(seen: &ObservedInstance) -> bool {
    let is_up = |unit: &ObservedUnit| match unit.active {
        ActiveState::Active | ActiveState::Reloading => true,
        ActiveState::Inactive
        | ActiveState::Activating
        | ActiveState::Deactivating
        | ActiveState::Failed => false,
    };
    // Of a unit without our drop-in nothing runs that we know.
    seen.unit.as_ref().is_some_and(|unit| unit.hash.is_some() && is_up(unit))
}
