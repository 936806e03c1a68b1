//! Numbers for the lines of the audit trail. They continue from the last line in the
//! store, so that the order does not depend on a clock: a later line never sorts
//! before an earlier one, even after a restart or with a clock that is set back.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Result, keys};
use crate::store::Store;

/// A source of numbers above all numbers in use. The counter only saves listing the
/// trail for every commit. It need not be exact, because a line is written on
/// condition that its number is free.
#[derive(Debug, Default)]
pub(super) struct AuditNumbers {
    /// The next number; 0 until the trail in the store was read.
    next: AtomicU64,
}

impl AuditNumbers {
    /// Returns a number that this source never returned before.
    pub(super) async fn take(&self, store: &dyn Store) -> Result<u64> {
        if self.next.load(Ordering::Relaxed) == 0 {
            self.read_last_number(store).await?;
        }
        Ok(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Continues after the last line in the store, which another writer may have added.
    pub(super) async fn read_last_number(&self, store: &dyn Store) -> Result<()> {
        let prefix = keys::audits().text;
        let lines = store.list(&prefix).await?;
        let number = |rest: &str| rest.parse::<u64>().ok();
        let last = lines.iter().rev().find_map(|(key, _)| number(&key.as_str()[prefix.len()..]));
        self.next.fetch_max(last.unwrap_or(0).saturating_add(1), Ordering::Relaxed);
        Ok(())
    }
}
