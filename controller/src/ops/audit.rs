//! The audit trail and its limits. It holds what people did, the renewals of certificates and
//! the refused calls. Each of these kinds has limits of its own, so that neither many nodes nor
//! a flood of refused calls removes what people did.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use oml_common::id::{NodeName, TenantId};
use oml_common::text::error::chain;
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use tokio::time::sleep;

use super::Result;
use crate::records::values::AuditRecord;
use crate::records::{Batch, Entry, Records, keys};
use crate::store::{COMMIT_WRITES_MAX, Expect};

const AGE_MAX_MS: u64 = 400 * 24 * 3_600_000;
/// The number of renewals of one node that are kept when there are too many of them.
const RENEWALS_KEPT: usize = 20;
/// The text at the beginning of a renewal's line.
pub(super) const RENEWED: &str = "got certificate";
/// The text at the beginning of the line about refused calls.
const REFUSED: &str = "was refused";
const PERIOD: Duration = Duration::from_secs(24 * 3600);
/// The time over which refused calls are summed up.
const REFUSALS_PERIOD: Duration = Duration::from_secs(60);

mod refused;

pub use self::refused::RefusedCalls;

/// The audit trail: who did what.
#[derive(Debug, Clone)]
pub struct AuditTrail {
    env: Env,
    records: Records,
    refused: RefusedCalls,
}

impl AuditTrail {
    /// Makes the audit trail of these records.
    #[must_use]
    pub fn new(env: Env, records: Records) -> Self {
        Self { env, records, refused: RefusedCalls::default() }
    }

    /// Returns the count of refused calls, to which every refusal is added.
    #[must_use]
    pub fn refused(&self) -> &RefusedCalls {
        &self.refused
    }

    /// Writes the refused calls once a minute. Never returns.
    pub async fn keep_refusals(self) {
        loop {
            sleep(REFUSALS_PERIOD).await;
            self.write_refusals().await;
        }
    }

    /// Writes the calls that were refused since the last time.
    pub async fn write_refusals(&self) {
        let counts = self.refused.take();
        let lines = counts.lines(self.env.now());
        if lines.is_empty() {
            return;
        }
        let batch = lines.iter().fold(Batch::default(), Batch::audit);
        if let Err(error) = self.records.commit(batch).await {
            let (error, lines) = (chain(&error), lines.len());
            tracing::warn!(%error, lines, "cannot write refused calls to the audit trail yet");
            self.refused.put_back(counts);
        }
    }

    /// Removes lines that are too old or too many, now and once a day. Never returns.
    pub async fn keep_bounded(self) {
        loop {
            match prune(&self.records, Limits::default()).await {
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

/// The kind of a line, which has limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Something that a person did, or a node once.
    Action,
    Renewal,
    Refusal,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Action, Self::Renewal, Self::Refusal];

    fn of(line: &AuditRecord) -> Self {
        if line.what.starts_with(RENEWED) {
            Self::Renewal
        } else if line.what.starts_with(REFUSED) {
            Self::Refusal
        } else {
            Self::Action
        }
    }
}

/// The limits of the lines of one kind.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    lines_max: usize,
    /// The number of newest lines that are kept at any age, because a line that was written
    /// while the clock was ahead makes all others look old.
    ageless: usize,
}

/// The limits of the trail.
#[derive(Debug, Clone, Copy)]
struct Limits {
    actions: Bounds,
    renewals: Bounds,
    refusals: Bounds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            actions: Bounds { lines_max: 100_000, ageless: 10_000 },
            renewals: Bounds { lines_max: 50_000, ageless: 5_000 },
            refusals: Bounds { lines_max: 10_000, ageless: 1_000 },
        }
    }
}

impl Limits {
    fn of(self, kind: Kind) -> Bounds {
        match kind {
            Kind::Action => self.actions,
            Kind::Renewal => self.renewals,
            Kind::Refusal => self.refusals,
        }
    }
}

/// Removes the oldest lines and returns their number.
async fn prune(records: &Records, limits: Limits) -> Result<usize> {
    let lines = records.list_lossy(&keys::audits()).await?.entries;
    // The age is counted from the newest line, because the clock may be wrong now and a
    // removed line cannot be restored.
    let newest = lines.last().map(|(_, line)| line.value.at).unwrap_or_default();
    let mut over = Vec::new();
    for kind in Kind::ALL {
        let of_kind: Vec<&Line> =
            lines.iter().filter(|(_, line)| Kind::of(&line.value) == kind).collect();
        let too_many = self::over(&of_kind, newest, limits.of(kind));
        over.extend(too_many.into_iter().map(|n| of_kind[n].0.as_str()));
    }
    for some in over.chunks(COMMIT_WRITES_MAX) {
        let forget = |batch: Batch, rest: &&str| batch.delete(&keys::audit_of(rest), Expect::Any);
        records.commit(some.iter().fold(Batch::default(), forget)).await?;
    }
    Ok(over.len())
}

/// Returns the lines of one kind that are too old or too many.
fn over(lines: &[&Line], newest: Timestamp, bounds: Bounds) -> BTreeSet<usize> {
    let Bounds { lines_max, ageless } = bounds;
    let aging = &lines[..lines.len().saturating_sub(ageless)];
    let is_old = |line: &Line| newest.since_ms(line.1.value.at) > AGE_MAX_MS;
    let mut over: BTreeSet<usize> = (0..aging.len()).filter(|n| is_old(aging[*n])).collect();
    if lines.len() - over.len() > lines_max {
        // A node that renews without end does not remove the renewals of others.
        over.extend(surplus_renewals(lines));
    }
    let excess = (lines.len() - over.len()).saturating_sub(lines_max);
    let oldest: Vec<usize> = (0..lines.len()).filter(|n| !over.contains(n)).take(excess).collect();
    over.extend(oldest);
    over
}

/// Returns all renewals of every node except its newest ones.
fn surplus_renewals(lines: &[&Line]) -> Vec<usize> {
    let mut kept: HashMap<(&Option<TenantId>, &Option<NodeName>), usize> = HashMap::new();
    let renewals = lines.iter().enumerate().rev();
    let renewals = renewals.filter(|(_, (_, line))| Kind::of(&line.value) == Kind::Renewal);
    let surplus = renewals.filter(|(_, (_, line))| {
        let count = kept.entry((&line.value.tenant, &line.value.node)).or_default();
        *count += 1;
        *count > RENEWALS_KEPT
    });
    surplus.map(|(n, _line)| n).collect()
}

#[cfg(test)]
mod tests;
