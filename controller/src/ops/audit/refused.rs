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

#[derive(Debug, Default)]
struct Counts {
    /// The number of calls, by the caller and by the call with its reason.
    reported: BTreeMap<(String, String), u64>,
    /// The number of all other calls.
    others: u64,
}

impl RefusedCalls {
    /// Counts a refused call: who made it, which one, and why it was refused.
    pub fn note(&self, who: &str, call: &str, why: &str) {
        let what = format!("{}: {}", printable(call), printable(&shortened(why, REASON_CHARS_MAX)));
        let mut counts = self.counts();
        let line = (printable(who), what);
        if counts.reported.len() < LINES_MAX || counts.reported.contains_key(&line) {
            *counts.reported.entry(line).or_default() += 1;
        } else {
            counts.others += 1;
        }
    }

    /// Returns a line for each kind of refusal since the last time, and starts the counts again.
    pub(super) fn take(&self, at: Timestamp) -> Vec<AuditRecord> {
        let Counts { reported, others } = std::mem::take(&mut *self.counts());
        let line =
            |who: String, what: String| AuditRecord { at, who, what, tenant: None, node: None };
        let reported = reported.into_iter().map(|((who, what), count)| {
            let times = if count == 1 { String::new() } else { format!(" {count} times") };
            line(who, format!("{REFUSED}{times}: {what}"))
        });
        let others =
            (others > 0).then(|| line("others".into(), format!("{REFUSED} {others} more times")));
        reported.chain(others).collect()
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
