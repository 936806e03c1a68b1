//! What goes on by itself: rollouts, assignments, the controller's own
//! certificate. A task is told nothing but "look again"; it reads, asks a pure
//! function, and commits what that says.

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

/// How often a task looks even if nothing nudges it: nudges are quick, this is
/// the truth.
const RESYNC_PERIOD: Duration = Duration::from_secs(30);
/// From a pass that failed to the next.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Work that goes on by itself.
#[async_trait]
pub trait Task: Send + Sync + 'static {
    /// Its name in logs and metrics.
    fn name(&self) -> &'static str;

    /// What makes it look again.
    fn nudges(&self) -> Nudges;

    /// Looks at everything once and does what follows. `trigger` tells a quick look
    /// from a thorough one.
    async fn pass(&self, trigger: Trigger) -> ops::Result<()>;
}

/// What made a task look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Change,
    /// The period is over, or the pass before failed.
    Resync,
}

/// Everything that makes a task look again.
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
        // Each only observes: a nudge that is not returned now is kept.
        futures_util::future::select_all(all).await;
    }
}

/// Counts how a task fares.
#[derive(Debug, Default)]
pub struct TaskCounters {
    passes: AtomicU64,
    failures: AtomicU64,
    panics: AtomicU64,
}

/// How a task fared since the start, as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskStats {
    /// Passes in all.
    pub passes: u64,
    /// Passes that ended with an error.
    pub failures: u64,
    /// Passes that ended with a panic.
    pub panics: u64,
}

impl TaskCounters {
    /// The numbers now.
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

/// Runs a task for ever. A panic ends a pass, not the task.
pub async fn drive(task: Arc<dyn Task>, counters: Arc<TaskCounters>) {
    let mut nudges = task.nudges();
    let mut trigger = Trigger::Resync;
    loop {
        let passed = pass(&*task, &counters, trigger).await;
        let pause = if passed { RESYNC_PERIOD } else { RETRY_PAUSE };
        if !passed {
            // Nudges would only repeat what failed; they are kept meanwhile.
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
