//! A container of ours as a look at it shows it.

use oml_common::decide::difference::Difference;
use oml_common::decide::drift::{ContainerSettings, altered};
use oml_common::decide::observed::{ContainerState, ObservedContainer};
use oml_common::id::ComponentName;

use crate::runtime::{Inspected, Marked};

/// A container of ours, its true state and the settings that somebody can change.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) marked: Marked,
    state: ContainerState,
    settings: ContainerSettings,
}

impl Looked {
    /// Corrects what the list of the engine says.
    pub(super) fn new(marked: Marked, found: Inspected) -> Self {
        let Inspected { state, settings, .. } = found;
        let is_running = matches!(state, ContainerState::Running { .. });
        let is_new = matches!(state, ContainerState::Created);
        Self { marked: Marked { is_running, is_new, ..marked }, state, settings }
    }

    /// Returns what somebody changed about it since it was started first.
    pub(super) fn altered(&self) -> Vec<(ComponentName, Difference)> {
        let Self { marked, settings, .. } = self;
        let instance = marked.instance().filter(|_| !marked.is_new);
        let created = instance.as_ref().and_then(|instance| instance.container());
        let changes = created.map(|created| altered(created, settings)).unwrap_or_default();
        let difference = |change| Difference::Container { name: marked.name.clone(), change };
        changes.into_iter().map(|it| (marked.component.clone(), difference(it))).collect()
    }

    pub(super) fn into_observed(self) -> (ComponentName, ObservedContainer) {
        let Marked { id, name, component, hash, version, digest, created, .. } = self.marked;
        let state = self.state;
        (component, ObservedContainer { id, name, hash, version, digest, created, state })
    }
}
