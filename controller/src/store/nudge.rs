//! Wake-up signals for a prefix of keys. They carry no data: the receiver reads the
//! store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::RawKey;

/// A signal of commits that write a key under one prefix.
#[derive(Debug)]
pub struct ChangeSignal {
    notify: Arc<Notify>,
}

impl ChangeSignal {
    /// Waits until a commit has written a key under the prefix since the last
    /// call returned. Several commits are merged into one nudge. This method is
    /// cancel-safe: a nudge that was not returned is kept for the next call.
    pub async fn next(&mut self) {
        self.notify.notified().await;
    }
}

/// The registry of all signals, with the prefix of each.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    waiting: Mutex<Vec<(String, Weak<Notify>)>>,
}

impl Subscriptions {
    pub(super) fn subscribe(&self, prefix: &str) -> ChangeSignal {
        let notify = Arc::new(Notify::new());
        let mut waiting = self.lock();
        waiting.retain(|(_, waiter)| waiter.strong_count() > 0);
        waiting.push((prefix.to_owned(), Arc::downgrade(&notify)));
        ChangeSignal { notify }
    }

    pub(super) fn nudge<'a>(&self, keys: impl Iterator<Item = &'a RawKey> + Clone) {
        for (prefix, waiter) in self.lock().iter() {
            let touched = keys.clone().any(|key| key.as_str().starts_with(prefix));
            if let Some(waiter) = waiter.upgrade().filter(|_| touched) {
                waiter.notify_one();
            }
        }
    }

    /// Locks the list, ignoring poison: no panic can leave the list half-changed.
    fn lock(&self) -> MutexGuard<'_, Vec<(String, Weak<Notify>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
