//! A store with a hook, with which a test acts directly after a commit.

use std::sync::Mutex;

use async_trait::async_trait;
use omlcontroller::store::{ChangeSignal, Commit, Memory, RawKey, Result, Store, Versioned, Write};

type Hook = Box<dyn FnOnce() + Send>;

/// A store in memory with one hook.
#[derive(Default)]
pub(crate) struct HookedStore {
    inner: Memory,
    hook: Mutex<Option<(RawKey, Hook)>>,
}

impl HookedStore {
    /// Runs `hook` once after a commit of `key`, before that commit returns.
    pub(crate) fn after(&self, key: &str, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap() = Some((key.into(), Box::new(hook)));
    }

    fn take(&self, writes: &[Write]) -> Option<Hook> {
        let mut hook = self.hook.lock().unwrap();
        let is_due = |(key, _): &mut (RawKey, Hook)| writes.iter().any(|w| w.key == *key);
        hook.take_if(is_due).map(|(_, hook)| hook)
    }
}

#[async_trait]
impl Store for HookedStore {
    async fn get(&self, key: &RawKey) -> Result<Option<Versioned>> {
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(RawKey, Versioned)>> {
        self.inner.list(prefix).await
    }

    async fn commit(&self, writes: Vec<Write>) -> Result<Commit> {
        let hook = self.take(&writes);
        let commit = self.inner.commit(writes).await?;
        if let Some(hook) = hook {
            hook();
        }
        Ok(commit)
    }

    fn changed(&self, prefix: &str) -> ChangeSignal {
        self.inner.changed(prefix)
    }
}
