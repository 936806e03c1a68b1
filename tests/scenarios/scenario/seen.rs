//! Collects what happens in a world, in order, until the world is looked at.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// An agent was killed at the failpoint that a replay chose.
    Crash,
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Report(node, report) => {
                write!(f, "a report of {node}:")?;
                let instances = report.instances.iter();
                let mut words = instances.map(|(name, i)| (name, i.phase.as_str(), &i.reason));
                words.try_for_each(|(name, phase, why)| write!(f, " {name} {phase} ({why})"))
            }
            Self::Tenant(_) => f.write_str("a change of the rollout or of who is connected"),
            Self::Crash => f.write_str("the end of an agent"),
        }
    }
}

/// The sights that were not looked at yet. Clones share one list.
#[derive(Clone)]
pub(super) struct Seen {
    sights: Arc<Mutex<Sights>>,
    count: watch::Sender<u64>,
}

#[derive(Default)]
struct Sights {
    fresh: Vec<(Instant, Sight)>,
    /// The last sight as text, for a story that does not end.
    last: String,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { sights: Arc::default(), count: watch::channel(0).0 }
    }

    pub(super) fn add(&self, sight: Sight) {
        let mut sights = self.lock();
        sights.last = sight.to_string();
        sights.fresh.push((Instant::now(), sight));
        drop(sights);
        self.count.send_modify(|count| *count += 1);
    }

    /// Returns everything since the last call.
    pub(super) fn take(&self) -> Vec<(Instant, Sight)> {
        std::mem::take(&mut self.lock().fresh)
    }

    /// Returns the last sight as text.
    pub(super) fn last(&self) -> String {
        self.lock().last.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Sights> {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a counter that changes with every sight.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }
}
