//! Sums up refused calls for the audit trail, so that a flood of them adds a bounded number of
//! lines a minute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oml_common::text::printable::{printable, shortened};
use oml_common::time::Timestamp;

use super::REFUSED;
use crate::records::values::AuditRecord;

/// The number of refusals that are distinguished within a minute.
const LINES_MAX: usize = 16;
/// The length of the longest reason, in characters.
const REASON_CHARS_MAX: usize = 200;

/// The calls that were refused since they were last written. It is cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RefusedCalls {
    counts: Arc<Mutex<Counts>>,
}

/// Refused calls that are counted together: those of a caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct RefusedKind {
    who: String,
    /// The call with the reason.
    what: String,
}

/// The number of refused calls of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counts {
    reported: BTreeMap<RefusedKind, u64>,
    /// The number of all other calls.
    others: u64,
}

impl RefusedCalls {
    /// Counts a refused call: who made it, which one, and why it was refused.
    pub fn note(&self, who: &str, call: &str, why: &str) {
        let what = format!("{}: {}", printable(call), printable(&shortened(why, REASON_CHARS_MAX)));
        self.counts().add(RefusedKind { who: printable(who), what }, 1);
    }

    /// Returns the counts since the last time, and starts them again.
    pub(super) fn take(&self) -> Counts {
        std::mem::take(&mut *self.counts())
    }

    /// Adds counts that could not be written to those since. What finds no place is counted among the
    /// others.
    pub(super) fn put_back(&self, taken: Counts) {
        let mut counts = self.counts();
        let since = std::mem::replace(&mut *counts, taken);
        counts.others += since.others;
        for (kind, count) in since.reported {
            counts.add(kind, count);
        }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn add(&mut self, kind: RefusedKind, count: u64) {
        if self.reported.len() < LINES_MAX || self.reported.contains_key(&kind) {
            *self.reported.entry(kind).or_default() += count;
        } else {
            self.others += count;
        }
    }

    /// Returns a line for each kind of refusal.
    pub(super) fn lines(&self, at: Timestamp) -> Vec<AuditRecord> {
        let Self { reported, others } = self.clone();
        let line =
            |who: String, what: String| AuditRecord { at, who, what, tenant: None, node: None };
        let reported = reported.into_iter().map(|(RefusedKind { who, what }, count)| {
            let times = if count == 1 { String::new() } else { format!(" {count} times") };
            line(who, format!("{REFUSED}{times}: {what}"))
        });
        let others =
            (others > 0).then(|| line("others".into(), format!("{REFUSED} {others} more times")));
        reported.chain(others).collect()
    }
}
