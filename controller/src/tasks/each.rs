//! Looks at every tenant or node of a pass by itself: an error or a panic of one is logged, and
//! that one is tried again later, while the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use oml_common::text::error::chain;
use oml_daemon::failpoint;
use tokio::time::Instant;

use super::Passed;
use crate::ops::{OpsError, Result};

/// The pause after the first failure; each further failure doubles it.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// The number of attempts if other writers commit first.
const RACES_MAX: usize = 4;

/// The tenants or nodes that failed, by their names.
#[derive(Debug, Default)]
pub(super) struct Each {
    waiting: Mutex<BTreeMap<String, FailedDecision>>,
}

/// How often in a row the decision about one of them failed, and when it is tried again.
#[derive(Debug, Clone, Copy)]
struct FailedDecision {
    failures: u32,
    retry_at: Instant,
}

impl FailedDecision {
    /// Returns the record of another failure.
    fn after(previous: Option<Self>, now: Instant) -> Self {
        let before = previous.map_or(0, |failed| failed.failures);
        let pause = PAUSE_MIN.saturating_mul(2_u32.saturating_pow(before)).min(PAUSE_MAX);
        Self { failures: before.saturating_add(1), retry_at: now + pause }
    }
}

impl Each {
    /// Begins a pass over all tenants or nodes.
    pub(super) fn begin(&self) -> Round<'_> {
        Round { each: self, seen: BTreeSet::new(), passed: Passed::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<String, FailedDecision>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pass over all tenants or nodes.
#[derive(Debug)]
pub(super) struct Round<'e> {
    each: &'e Each,
    seen: BTreeSet<String>,
    passed: Passed,
}

impl Round<'_> {
    /// Looks at one of them, unless it failed a moment ago. If another writer commits first,
    /// it looks again at once.
    pub(super) async fn look<F>(&mut self, name: &str, mut look: impl FnMut() -> F)
    where
        F: Future<Output = Result<()>>,
    {
        self.seen.insert(name.to_owned());
        let previous = self.each.waiting().get(name).copied();
        if previous.is_some_and(|failed| failed.retry_at > Instant::now()) {
            return;
        }
        let attempts = async {
            failpoint::about(name);
            failpoint::reach("C9");
            let mut raced = 1;
            loop {
                match look().await {
                    Err(OpsError::Store(error)) if error.is_conflict() && raced < RACES_MAX => {
                        raced += 1;
                    }
                    ended => return ended,
                }
            }
        };
        match AssertUnwindSafe(attempts).catch_unwind().await {
            Ok(Ok(())) => {
                self.each.waiting().remove(name);
                return;
            }
            Ok(Err(error)) => {
                self.passed.failures += 1;
                let error = chain(&error);
                tracing::warn!(name, %error, "a decision failed; it is tried again later");
            }
            Err(_panic) => {
                self.passed.panics += 1;
                tracing::error!(name, "a decision ended with a panic; it is tried again later");
            }
        }
        let failed = FailedDecision::after(previous, Instant::now());
        self.each.waiting().insert(name.to_owned(), failed);
    }

    /// Ends the pass. What does not exist any more is forgotten.
    pub(super) fn end(self) -> Passed {
        let Self { each, seen, passed } = self;
        let mut waiting = each.waiting();
        waiting.retain(|name, _| seen.contains(name));
        let retry_at = waiting.values().map(|failed| failed.retry_at).min();
        Passed { retry_at, ..passed }
    }
}

#[cfg(test)]
mod tests;
