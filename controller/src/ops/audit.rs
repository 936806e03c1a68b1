//! The audit trail and its limits. Nodes add to it with every renewal.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use oml_common::id::{NodeName, TenantId};
use oml_common::text::error::chain;
use tokio::time::sleep;

use super::Result;
use crate::records::values::AuditRecord;
use crate::records::{Batch, Entry, Records, keys};
use crate::store::{COMMIT_WRITES_MAX, Expect};

const AGE_MAX_MS: u64 = 400 * 24 * 3_600_000;
const LINES_MAX: usize = 100_000;
/// The number of newest lines that are kept at any age, because a line that was written
/// while the clock was ahead makes all others look old.
const AGELESS: usize = 10_000;
/// The number of renewals of one node that are kept when there are too many lines.
const RENEWALS_KEPT: usize = 20;
/// The text at the beginning of a renewal's line.
pub(super) const RENEWED: &str = "got certificate";
const PERIOD: Duration = Duration::from_secs(24 * 3600);

/// The audit trail: who did what.
#[derive(Debug, Clone)]
pub struct AuditTrail {
    records: Records,
}

impl AuditTrail {
    /// Makes the audit trail of these records.
    #[must_use]
    pub fn new(records: Records) -> Self {
        Self { records }
    }

    /// Removes lines that are too old or too many, now and once a day. Never returns.
    pub async fn keep_bounded(self) {
        loop {
            match prune(&self.records, Bounds::default()).await {
                Ok(0) => {}
                Ok(lines) => tracing::info!(lines, "old lines of the audit trail were removed"),
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(%error, "cannot remove old lines of the audit trail");
                }
            }
            sleep(PERIOD).await;
        }
    }
}

/// The rest of a line's key, with the line.
type Line = (String, Entry<AuditRecord>);

/// The limits of the trail.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    lines_max: usize,
    ageless: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { lines_max: LINES_MAX, ageless: AGELESS }
    }
}

/// Removes the oldest lines and returns their number.
async fn prune(records: &Records, bounds: Bounds) -> Result<usize> {
    let lines = records.list_lossy(&keys::audits()).await?.entries;
    let over = over(&lines, bounds);
    let over: Vec<&str> = over.into_iter().map(|n| lines[n].0.as_str()).collect();
    for some in over.chunks(COMMIT_WRITES_MAX) {
        let forget = |batch: Batch, rest: &&str| batch.delete(&keys::audit_of(rest), Expect::Any);
        records.commit(some.iter().fold(Batch::default(), forget)).await?;
    }
    Ok(over.len())
}

/// Returns the lines that are too old or too many. Their age is counted from the newest
/// line, because the clock may be wrong now and a removed line cannot be restored.
fn over(lines: &[Line], Bounds { lines_max, ageless }: Bounds) -> BTreeSet<usize> {
    let newest = lines.last().map(|(_, line)| line.value.at).unwrap_or_default();
    let aging = &lines[..lines.len().saturating_sub(ageless)];
    let is_old = |line: &Line| newest.since_ms(line.1.value.at) > AGE_MAX_MS;
    let mut over: BTreeSet<usize> = (0..aging.len()).filter(|n| is_old(&aging[*n])).collect();
    if lines.len() - over.len() > lines_max {
        // The renewals of nodes are removed before what people did.
        over.extend(surplus_renewals(lines));
    }
    let excess = (lines.len() - over.len()).saturating_sub(lines_max);
    let oldest: Vec<usize> = (0..lines.len()).filter(|n| !over.contains(n)).take(excess).collect();
    over.extend(oldest);
    over
}

/// Returns all renewals of every node except its newest ones.
fn surplus_renewals(lines: &[Line]) -> Vec<usize> {
    let mut kept: HashMap<(&Option<TenantId>, &Option<NodeName>), usize> = HashMap::new();
    let renewals = lines.iter().enumerate().rev();
    let renewals = renewals.filter(|(_, (_, line))| line.value.what.starts_with(RENEWED));
    let surplus = renewals.filter(|(_, (_, line))| {
        let count = kept.entry((&line.value.tenant, &line.value.node)).or_default();
        *count += 1;
        *count > RENEWALS_KEPT
    });
    surplus.map(|(n, _line)| n).collect()
}

#[cfg(test)]
mod tests;
