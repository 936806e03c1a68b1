//! The audit trail, kept within bounds: nodes add to it with every renewal.

use std::time::Duration;

use oml_common::error::chain;
use oml_common::time::Timestamp;
use tokio::time::sleep;

use super::{Ops, Result};
use crate::clock;
use crate::records::{Batch, Records, keys};
use crate::store::{COMMIT_WRITES_MAX, Expect};

const AGE_MAX_MS: u64 = 400 * 24 * 3_600_000;
const LINES_MAX: usize = 100_000;
const PERIOD: Duration = Duration::from_secs(24 * 3600);

impl Ops {
    /// Forgets what is too old or too much, now and once a day. Never returns.
    pub async fn keep_audit_bounded(self) {
        loop {
            match prune(&self.parts.records, clock::now(), LINES_MAX).await {
                Ok(0) => {}
                Ok(lines) => tracing::info!(lines, "old lines of the audit trail were forgotten"),
                Err(error) => {
                    let error = chain(&error);
                    tracing::warn!(%error, "the audit trail could not be shortened");
                }
            }
            sleep(PERIOD).await;
        }
    }
}

/// Forgets the oldest lines; returns how many.
async fn prune(records: &Records, now: Timestamp, lines_max: usize) -> Result<usize> {
    let lines = records.survey(&keys::audits()).await?.entries;
    let excess = lines.len().saturating_sub(lines_max);
    let is_over = |n: usize, at| n < excess || now.since_ms(at) > AGE_MAX_MS;
    let over = lines.iter().enumerate().filter(|(n, (_, line))| is_over(*n, line.value.at));
    let over: Vec<&str> = over.map(|(_, (rest, _))| rest.as_str()).collect();
    for some in over.chunks(COMMIT_WRITES_MAX) {
        let forget = |batch: Batch, rest: &&str| batch.delete(&keys::audit_line(rest), Expect::Any);
        records.commit(some.iter().fold(Batch::default(), forget)).await?;
    }
    Ok(over.len())
}

#[cfg(test)]
mod tests;
