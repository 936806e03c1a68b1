//! The state of the engine as tests read it, without a call.

use super::{Container, ContainerState, Engine, Event};
use crate::HostModel;

impl HostModel {
    /// Returns every container, oldest first.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        self.state().engine.containers.clone()
    }

    /// Returns the events of a container, oldest first.
    #[must_use]
    pub fn history(&self, id: &str) -> Vec<Event> {
        let state = self.state();
        state.engine.events.iter().filter(|event| event.id == id).cloned().collect()
    }

    /// Returns every volume that was ever created.
    #[must_use]
    pub fn volumes(&self) -> Vec<String> {
        self.state().engine.volumes.iter().cloned().collect()
    }
}

impl Engine {
    /// Returns the containers as the list shows them, which for some is a state of the past.
    pub(super) fn listed(&self) -> Vec<Container> {
        let shown = |container: &Container| match container.state {
            ContainerState::Exited { at_ms, .. } if self.stale.contains(&container.id) => {
                Container {
                    state: ContainerState::Running { since_ms: at_ms },
                    ..container.clone()
                }
            }
            ContainerState::Exited { .. }
            | ContainerState::Created
            | ContainerState::Running { .. } => container.clone(),
        };
        self.containers.iter().map(shown).collect()
    }
}
