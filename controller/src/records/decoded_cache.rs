//! A cache of decoded values, by key and version, with a limit of its size.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::Versioned;

/// The greatest total size of the cached values in bytes, counted in their encoded form.
const SIZE_BYTES_MAX: usize = 8 << 20;

/// A cache that drops the least recently used values first.
#[derive(Default)]
pub(super) struct DecodedCache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    values: HashMap<String, CachedValue>,
    size_bytes: usize,
    clock: u64,
}

struct CachedValue {
    version: u64,
    size_bytes: usize,
    used: u64,
    value: Arc<dyn Any + Send + Sync>,
}

impl DecodedCache {
    pub(super) fn get<T: Send + Sync + 'static>(&self, key: &str, version: u64) -> Option<Arc<T>> {
        let mut state = self.lock();
        state.clock += 1;
        let now = state.clock;
        let kept = state.values.get_mut(key).filter(|kept| kept.version == version)?;
        kept.used = now;
        Arc::clone(&kept.value).downcast().ok()
    }

    pub(super) fn keep<T: Send + Sync + 'static>(
        &self,
        key: &str,
        found: &Versioned,
        value: Arc<T>,
    ) {
        let mut state = self.lock();
        state.clock += 1;
        let (version, size_bytes, used) = (found.version, found.value.len(), state.clock);
        state.remove(key);
        state.size_bytes += size_bytes;
        state.values.insert(key.to_owned(), CachedValue { version, size_bytes, used, value });
        while state.size_bytes > SIZE_BYTES_MAX && state.values.len() > 1 {
            state.drop_least_recently_used();
        }
    }

    /// Locks the state, ignoring poison: no panic can leave the state half-changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, key: &str) {
        if let Some(kept) = self.values.remove(key) {
            self.size_bytes -= kept.size_bytes;
        }
    }

    fn drop_least_recently_used(&mut self) {
        let oldest = self.values.iter().min_by_key(|(_, kept)| kept.used);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.remove(&key);
        }
    }
}
