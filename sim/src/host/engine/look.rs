//! The state of the engine as tests read it, without a call.

use super::{Container, Event};
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
