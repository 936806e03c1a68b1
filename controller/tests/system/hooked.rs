//! A store with hooks, with which a test acts directly before or after a commit, and that can stop.

use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use omlcontroller::store::{
    ChangeSignal, Commit, Memory, RawKey, Result, Store, StoreError, Versioned, Write,
};

type Hook = Box<dyn FnOnce() + Send>;
type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A store in memory with two hooks.
#[derive(Default)]
pub(crate) struct HookedStore {
    inner: Memory,
    hook: Mutex<Option<(RawKey, Hook)>>,
    meanwhile: Mutex<Option<(RawKey, Meanwhile)>>,
    is_stopped: AtomicBool,
}

impl HookedStore {
    /// Runs `hook` once after a commit of `key`, before that commit returns.
    pub(crate) fn after(&self, key: &str, hook: impl FnOnce() + Send + 'static) {
        *self.hook.lock().unwrap() = Some((key.into(), Box::new(hook)));
    }

    /// Does this once before the next commit of `key` is made.
    pub(crate) fn before(&self, key: &str, act: impl Future<Output = ()> + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some((key.into(), Box::pin(act)));
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

    fn take_meanwhile(&self, writes: &[Write]) -> Option<Meanwhile> {
        let mut meanwhile = self.meanwhile.lock().unwrap();
        let is_due = |(key, _): &mut (RawKey, Meanwhile)| writes.iter().any(|w| w.key == *key);
        meanwhile.take_if(is_due).map(|(_, act)| act)
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
        let meanwhile = self.take_meanwhile(&writes);
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
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
