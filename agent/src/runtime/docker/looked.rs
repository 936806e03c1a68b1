//! A container of ours as a look at it shows it.

use oml_common::decide::difference::{ContainerChange, Difference};
use oml_common::decide::drift::{ContainerSettings, altered};
use oml_common::decide::observed::{ContainerState, ObservedContainer};
use oml_common::decide::ownership::is_name_of;
use oml_common::id::ComponentName;
use oml_common::time::Timestamp;

use crate::runtime::{Inspected, Marked};

/// A container of ours, its true state and the settings that somebody can change.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) marked: Marked,
    state: ContainerState,
    /// None if nobody could look at it.
    settings: Option<ContainerSettings>,
}

impl Looked {
    /// Corrects what the list of the engine says.
    pub(super) fn new(marked: Marked, found: Inspected) -> Self {
        let Inspected { state, settings, .. } = found;
        let is_running = matches!(state, ContainerState::Running { .. });
        let is_new = matches!(state, ContainerState::Created);
        Self { marked: Marked { is_running, is_new, ..marked }, state, settings: Some(settings) }
    }

    /// Believes what the list of the engine says. When it was started or how it ended is not known.
    pub(super) fn unseen(marked: Marked) -> Self {
        let state = match (marked.is_running, marked.is_new) {
            (true, _) => ContainerState::Running { since: Timestamp(0) },
            (false, true) => ContainerState::Created,
            (false, false) => {
                ContainerState::Exited { code: 0, at: Timestamp(0), out_of_memory: false }
            }
        };
        Self { marked, state, settings: None }
    }

    /// Returns what somebody changed about it since it was started first.
    pub(super) fn altered(&self) -> Vec<(ComponentName, Difference)> {
        let Self { marked, settings, .. } = self;
        let Some(settings) = settings else { return Vec::new() };
        let instance = marked.instance().filter(|_| !marked.is_new);
        let created = instance.as_ref().and_then(|instance| instance.container());
        let Some(created) = created else { return Vec::new() };
        let mut changes = altered(created, settings);
        let own = created.name.as_str();
        // One that runs gets its name back, most often at once.
        if !is_name_of(&marked.name, own, &marked.hash) {
            changes.push(ContainerChange::Renamed { own: own.to_owned() });
        }
        let difference = |change| Difference::Container { name: marked.name.clone(), change };
        changes.into_iter().map(|it| (marked.component.clone(), difference(it))).collect()
    }

    pub(super) fn into_observed(self) -> (ComponentName, ObservedContainer) {
        let Marked { id, name, component, hash, version, digest, created, .. } = self.marked;
        let state = self.state;
        (component, ObservedContainer { id, name, hash, version, digest, created, state })
    }
}
