//! Commands inside containers that exceeded their time limit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The commands that may still run after their time limit.
#[derive(Debug, Clone, Default)]
pub(super) struct Unfinished(Arc<Mutex<Begun>>);

/// The engine's id of each exec, by container and command.
type Begun = BTreeMap<(String, Vec<String>), String>;

impl Unfinished {
    pub(super) fn held(&self) -> MutexGuard<'_, Begun> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
