//! What happens in a world, in the order in which it happens.

use std::sync::{Arc, Mutex, PoisonError};

use oml_common::document::report::Report;
use oml_common::id::NodeName;
use omlcontroller::ops::snapshot::TenantSnapshot;
use tokio::sync::watch;
use tokio::time::Instant;

/// Something that people would see.
pub(super) enum Sight {
    /// An agent says how its host is.
    Report(NodeName, Arc<Report>),
    /// The tenant's rollout, or who is connected, has changed.
    Tenant(Box<Option<TenantSnapshot>>),
    /// An agent ended where it was to end.
    Crash,
}

/// What was not looked at yet; clones are the same list.
#[derive(Clone)]
pub(super) struct Seen {
    sights: Arc<Mutex<Vec<(Instant, Sight)>>>,
    count: watch::Sender<u64>,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { sights: Arc::default(), count: watch::channel(0).0 }
    }

    pub(super) fn add(&self, sight: Sight) {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), sight));
        self.count.send_modify(|count| *count += 1);
    }

    /// Everything since the last time.
    pub(super) fn take(&self) -> Vec<(Instant, Sight)> {
        std::mem::take(&mut *self.sights.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts what is added.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }
}
