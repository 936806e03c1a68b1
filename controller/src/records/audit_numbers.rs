//! Numbers for the lines of the audit trail. They continue the store's own last
//! line, so their order needs no clock: neither one that is set back nor a
//! restart puts a later line before an earlier one.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Result, keys};
use crate::store::Store;

/// Hands out numbers above all that are taken. What is remembered here only saves
/// a listing per commit: a line is written on condition that nobody has its
/// number, so of two controllers over one store both are right.
#[derive(Debug, Default)]
pub(super) struct AuditNumbers {
    /// 0 until the store was asked.
    next: AtomicU64,
}

impl AuditNumbers {
    /// A number that nobody was given here before.
    pub(super) async fn take(&self, store: &dyn Store) -> Result<u64> {
        if self.next.load(Ordering::Relaxed) == 0 {
            self.catch_up(store).await?;
        }
        Ok(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Goes on behind the store's last line: somebody else wrote some.
    pub(super) async fn catch_up(&self, store: &dyn Store) -> Result<()> {
        let prefix = keys::audits().text;
        let lines = store.list(&prefix).await?;
        let number = |rest: &str| rest.parse::<u64>().ok();
        let last = lines.iter().rev().find_map(|(key, _)| number(&key.as_str()[prefix.len()..]));
        self.next.fetch_max(last.unwrap_or(0).saturating_add(1), Ordering::Relaxed);
        Ok(())
    }
}
