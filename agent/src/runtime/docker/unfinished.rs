//! Commands inside containers that were not waited for to their end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The commands that still run although nobody waits for them any more.
#[derive(Debug, Clone, Default)]
pub(super) struct Unfinished(Arc<Mutex<Begun>>);

/// The engine's id of what was begun, by container and command.
type Begun = BTreeMap<(String, Vec<String>), String>;

impl Unfinished {
    pub(super) fn held(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
