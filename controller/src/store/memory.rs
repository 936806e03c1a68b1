//! A store in memory, for tests. It follows the contract, except that its data
//! ends with the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::nudge::Subscriptions;
use super::{
    ChangeSignal, Commit, RawKey, Result, Store, StoreError, Versioned, Write, WriteAction,
    check_limits,
};

/// A store that keeps its data in memory.
#[derive(Debug, Default)]
pub struct Memory {
    state: Mutex<State>,
    nudges: Subscriptions,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    keys: BTreeMap<RawKey, Versioned>,
}

impl Memory {
    /// Makes an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Locks the state, ignoring poison: a commit changes the state only after
    /// every check, in steps that cannot panic, so the state is always complete.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn commit(&mut self, writes: &[Write]) -> Result<Commit> {
        for write in writes {
            let found = self.keys.get(&write.key).map(|v| v.version);
            if !write.expect.holds(found) {
                return Err(StoreError::Conflict { key: write.key.clone() });
            }
        }
        if writes.is_empty() {
            return Ok(Commit { version: self.version });
        }
        self.version += 1;
        for write in writes {
            match &write.change {
                WriteAction::Put(value) => {
                    let value = Versioned { version: self.version, value: value.clone() };
                    self.keys.insert(write.key.clone(), value);
                }
                WriteAction::Delete => {
                    self.keys.remove(&write.key);
                }
            }
        }
        Ok(Commit { version: self.version })
    }
}

#[async_trait]
impl Store for Memory {
    async fn get(&self, key: &RawKey) -> Result<Option<Versioned>> {
        Ok(self.lock().keys.get(key).cloned())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(RawKey, Versioned)>> {
        let state = self.lock();
        let from_prefix = state.keys.range(RawKey::from(prefix)..);
        let under = from_prefix.take_while(|(key, _)| key.as_str().starts_with(prefix));
        Ok(under.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Commit> {
        check_limits(&writes)?;
        let commit = self.lock().commit(&writes)?;
        self.nudges.nudge(writes.iter().map(|write| &write.key));
        Ok(commit)
    }

    fn changed(&self, prefix: &str) -> ChangeSignal {
        self.nudges.subscribe(prefix)
    }
}
