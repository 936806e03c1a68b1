//! The tasks that run by themselves: rollouts, assignments, the certificates that tenants order and the
//! controller's own. A task is only woken; it then reads, asks a pure function, and commits
//! the decision.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use oml_common::text::error::chain;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::ops;
use crate::store::ChangeSignal;

pub mod assignment;
pub mod certificate;
mod each;
pub mod orders;
pub mod rollout;

/// The interval at which a task reads everything even without a nudge. Nudges make it
/// fast, and this makes it reliable.
const RESYNC_PERIOD: Duration = Duration::from_secs(30);
/// The pause after a failed pass.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// A task that runs by itself.
#[async_trait]
pub trait Task: Send + Sync + 'static {
    /// Returns its name in logs and metrics.
    fn name(&self) -> &'static str;

    /// Returns the signals that wake it.
    fn nudges(&self) -> Nudges;

    /// Reads everything once and commits what follows. `trigger` says whether it may skip
    /// what has not changed.
    async fn pass(&self, trigger: Trigger) -> ops::Result<Passed>;
}

/// The result of a pass in which not everything has to have succeeded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// The number of tenants or nodes that failed.
    pub failures: u32,
    /// The number of tenants or nodes whose decision ended with a panic.
    pub panics: u32,
    /// When the first of those that failed is tried again.
    pub retry_at: Option<Instant>,
}

/// The reason for a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Change,
    /// What failed is due to be tried again.
    Retry,
    /// The resync period is over, or the previous pass failed.
    Resync,
}

/// All signals that wake a task.
#[derive(Debug, Default)]
pub struct Nudges {
    pub stored: Vec<ChangeSignal>,
    pub presence: Option<watch::Receiver<u64>>,
}

impl Nudges {
    async fn next(&mut self) {
        let stored = self.stored.iter_mut().map(|changes| changes.next().boxed());
        let presence =
            self.presence.iter_mut().map(|presence| presence.changed().map(|_ended| ()).boxed());
        let all: Vec<_> = stored.chain(presence).collect();
        if all.is_empty() {
            return std::future::pending().await;
        }
        // Each only observes, so a nudge that is not returned now is kept.
        futures_util::future::select_all(all).await;
    }
}

/// The counters of one task.
#[derive(Debug, Default)]
pub struct TaskCounters {
    passes: AtomicU64,
    failures: AtomicU64,
    panics: AtomicU64,
}

/// The values of a task's counters since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskStats {
    /// The number of passes.
    pub passes: u64,
    /// The number of decisions and passes that ended with an error.
    pub failures: u64,
    /// The number of decisions and passes that ended with a panic.
    pub panics: u64,
}

impl TaskCounters {
    /// Returns the current values.
    #[must_use]
    pub fn read(&self) -> TaskStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TaskStats {
            passes: read(&self.passes),
            failures: read(&self.failures),
            panics: read(&self.panics),
        }
    }
}

/// Runs a task and never returns. A panic ends a pass, but not the task.
pub async fn drive(task: Arc<dyn Task>, counters: Arc<TaskCounters>) {
    let mut nudges = task.nudges();
    let mut trigger = Trigger::Resync;
    let mut resync_at = Instant::now();
    loop {
        let Some(passed) = pass(&*task, &counters, trigger).await else {
            // A nudge now would only repeat the failure. It is kept meanwhile.
            tokio::time::sleep(RETRY_PAUSE).await;
            trigger = Trigger::Resync;
            continue;
        };
        // What is tried again alone does not put off the look at everything.
        if trigger != Trigger::Retry {
            resync_at = Instant::now() + RESYNC_PERIOD;
        }
        let wake_at = passed.retry_at.map_or(resync_at, |retry_at| retry_at.min(resync_at));
        trigger = match timeout_at(wake_at, nudges.next()).await {
            Ok(()) => Trigger::Change,
            Err(_elapsed) if wake_at < resync_at => Trigger::Retry,
            Err(_elapsed) => Trigger::Resync,
        };
    }
}

async fn pass(task: &dyn Task, counters: &TaskCounters, trigger: Trigger) -> Option<Passed> {
    counters.passes.fetch_add(1, Ordering::Relaxed);
    match AssertUnwindSafe(task.pass(trigger)).catch_unwind().await {
        Ok(Ok(passed)) => {
            counters.failures.fetch_add(passed.failures.into(), Ordering::Relaxed);
            counters.panics.fetch_add(passed.panics.into(), Ordering::Relaxed);
            Some(passed)
        }
        Ok(Err(error)) => {
            counters.failures.fetch_add(1, Ordering::Relaxed);
            let error = chain(&error);
            tracing::warn!(task = task.name(), %error, "a pass failed");
            None
        }
        Err(_panic) => {
            counters.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(task = task.name(), "a pass ended with a panic");
            None
        }
    }
}

#[cfg(test)]
mod tests;
