//! Wake-ups for whoever waits on a prefix. They carry no data: the woken reads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::RawKey;

/// Waits for the next commit under a prefix.
#[derive(Debug)]
pub struct ChangeSignal {
    notify: Arc<Notify>,
}

impl ChangeSignal {
    /// Returns once a commit touched the prefix since the last return. Commits
    /// in between are merged into one nudge. Cancel-safe: a nudge that was not
    /// returned is kept.
    pub async fn next(&mut self) {
        self.notify.notified().await;
    }
}

/// Everyone who waits.
#[derive(Debug, Default)]
pub(super) struct Nudges {
    waiting: Mutex<Vec<(String, Weak<Notify>)>>,
}

impl Nudges {
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

    /// The list is whole at every point a panic could leave it.
    fn lock(&self) -> MutexGuard<'_, Vec<(String, Weak<Notify>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
