//! What tests look at without asking the engine.

use super::{Container, Event};
use crate::HostModel;

impl HostModel {
    /// Every container, oldest first.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        self.state().engine.containers.clone()
    }

    /// What happened to a container, oldest first.
    #[must_use]
    pub fn history(&self, id: &str) -> Vec<Event> {
        let state = self.state();
        state.engine.events.iter().filter(|event| event.id == id).cloned().collect()
    }

    /// Every volume that was ever made.
    #[must_use]
    pub fn volumes(&self) -> Vec<String> {
        self.state().engine.volumes.iter().cloned().collect()
    }
}
