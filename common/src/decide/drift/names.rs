//! The names of running containers: which of them somebody gave by hand.

use crate::decide::observed::{ObservedContainer, ObservedInstance};
use crate::decide::ownership::is_name_of;
use crate::document::instance::InstanceDocument;
use crate::document::update::{InstanceUpdate, Stage};
use crate::id::ComponentName;

use super::{DriftLog, Repair};

impl DriftLog {
    /// Remembers the running container if it has its component's own name. While one version takes
    /// the place of another, the agent itself gives names.
    pub(super) fn look_at_name(
        &mut self,
        component: &ComponentName,
        seen: &ObservedInstance,
        desired: Option<&InstanceDocument>,
        update: Option<&InstanceUpdate>,
    ) {
        if update.is_some_and(|update| matches!(update.stage, Stage::Switching { .. })) {
            self.named.remove(component);
        } else if let Some(running) = bearer(seen, desired) {
            self.named.insert(component.clone(), running.id.clone());
        }
    }

    /// Returns the name that somebody gave to the running container; none if it may be a name
    /// that we gave.
    pub(super) fn renamed(
        &self,
        component: &ComponentName,
        seen: &ObservedInstance,
        desired: &InstanceDocument,
    ) -> Option<Repair> {
        let (own, name) = (desired.container()?.name.to_string(), seen.running()?.name.clone());
        let renamed = (name != own).then_some(Repair::Renamed { own, name })?;
        self.is_by_hand(component, seen, &renamed).then_some(renamed)
    }

    /// Returns false for a name that we may have given ourselves.
    pub(super) fn is_by_hand(
        &self,
        component: &ComponentName,
        seen: &ObservedInstance,
        repair: &Repair,
    ) -> bool {
        let Repair::Renamed { own, name } = repair else { return true };
        seen.running().is_none_or(|running| {
            let had_own = self.named.get(component) == Some(&running.id);
            had_own || !is_name_of(name, own, &running.hash)
        })
    }

    /// Returns those changes that are not reported otherwise. A name that is none of ours is reported
    /// with the other settings of a container.
    pub(super) fn not_reported(
        &self,
        component: &ComponentName,
        seen: &ObservedInstance,
        found: Vec<Repair>,
    ) -> Vec<Repair> {
        let is_reported = |it: &Repair| {
            let Repair::Renamed { own, name } = it else { return false };
            seen.running().is_some_and(|running| !is_name_of(name, own, &running.hash))
        };
        let found = found.into_iter().filter(|it| !is_reported(it));
        found.filter(|it| self.is_by_hand(component, seen, it)).collect()
    }
}

/// Returns the running container if it has the component's own name.
fn bearer<'a>(
    seen: &'a ObservedInstance,
    desired: Option<&InstanceDocument>,
) -> Option<&'a ObservedContainer> {
    let named = || Some(desired?.container()?.name.to_string());
    let own = seen.own_name.clone().or_else(named)?;
    seen.running().filter(|running| running.name == own)
}
