//! A store with a hook, with which a test acts directly after a commit, and that can stop.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use omlcontroller::store::{
    ChangeSignal, Commit, Memory, RawKey, Result, Store, StoreError, Versioned, Write,
};

type Hook = Box<dyn FnOnce() + Send>;

/// A store in memory with one hook.
#[derive(Default)]
pub(crate) struct HookedStore {
    inner: Memory,
    hook: Mutex<Option<(RawKey, Hook)>>,
    is_stopped: AtomicBool,
}

impl HookedStore {
    /// Runs `hook` once after a commit of `key`, before that commit returns.
    pub(crate) fn after(&self, key: &str, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap() = Some((key.into(), Box::new(hook)));
    }

    /// From now on nothing can be read, or everything again.
    pub(crate) fn stop(&self, is_stopped: bool) {
        self.is_stopped.store(is_stopped, Ordering::SeqCst);
    }

    fn check(&self) -> Result<()> {
        if self.is_stopped.load(Ordering::SeqCst) {
            let (dir, reason) = ("/var/lib/test".into(), "a test stopped it".to_owned());
            return Err(StoreError::Stopped { dir, reason });
        }
        Ok(())
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
        self.check()?;
        self.inner.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(RawKey, Versioned)>> {
        self.check()?;
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
