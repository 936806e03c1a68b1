//! The tasks that run by themselves: rollouts, assignments and the controller's own
//! certificate. A task is only woken; it then reads, asks a pure function, and commits
//! the decision.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use oml_common::text::error::chain;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::ops;
use crate::store::ChangeSignal;

pub mod assignment;
pub mod certificate;
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
    async fn pass(&self, trigger: Trigger) -> ops::Result<()>;
}

/// The reason for a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Change,
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
    /// The number of passes that ended with an error.
    pub failures: u64,
    /// The number of passes that ended with a panic.
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
    loop {
        let passed = pass(&*task, &counters, trigger).await;
        let pause = if passed { RESYNC_PERIOD } else { RETRY_PAUSE };
        if !passed {
            // A nudge now would only repeat the failure. It is kept meanwhile.
            tokio::time::sleep(RETRY_PAUSE).await;
            trigger = Trigger::Resync;
            continue;
        }
        trigger = match timeout(pause, nudges.next()).await {
            Ok(()) => Trigger::Change,
            Err(_elapsed) => Trigger::Resync,
        };
    }
}

async fn pass(task: &dyn Task, counters: &TaskCounters, trigger: Trigger) -> bool {
    counters.passes.fetch_add(1, Ordering::Relaxed);
    match AssertUnwindSafe(task.pass(trigger)).catch_unwind().await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            counters.failures.fetch_add(1, Ordering::Relaxed);
            let error = chain(&error);
            tracing::warn!(task = task.name(), %error, "a pass failed");
            false
        }
        Err(_panic) => {
            counters.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(task = task.name(), "a pass ended with a panic");
            false
        }
    }
}

#[cfg(test)]
mod tests;
