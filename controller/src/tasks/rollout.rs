//! Advances rollouts. It asks [`oml_common::decide::rollout::step`] and commits the
//! result. Nothing else writes pointers.

use async_trait::async_trait;
use oml_common::decide::head::after_rollout;
use oml_common::decide::rollout::{MOVES_MAX, Next};
use oml_common::document::rollout::Rollout;
use oml_common::id::TenantId;
#[cfg(feature = "planted-bugs")]
use oml_common::planted::{Bug, is_planted};
use oml_daemon::failpoint;

use super::each::Each;
use super::{Nudges, Passed, Task, Trigger};
use crate::ops::Result;
use crate::ops::reader::StatusReader;
use crate::ops::snapshot::TenantSnapshot;
use crate::records::values::Target;
use crate::records::{Batch, Records, if_unchanged, keys};
use crate::store::{COMMIT_WRITES_MAX, Expect};

// A commit also contains the rollout, the head, the outcome and an audit record.
const _: () = assert!(MOVES_MAX + 4 <= COMMIT_WRITES_MAX, "a step fits into one commit");

/// Advances the rollouts of all tenants.
#[derive(Debug)]
pub struct RolloutTask {
    records: Records,
    status: StatusReader,
    each: Each,
}

impl RolloutTask {
    /// Makes the task that advances rollouts.
    #[must_use]
    pub fn new(records: Records, status: StatusReader) -> Self {
        Self { records, status, each: Each::default() }
    }

    async fn advance(&self, tenant: &TenantId) -> Result<()> {
        let snapshot = match self.status.tenant(tenant).await {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return Ok(()),
            // These last until the operator acts; a resync says so again.
            Err(error) if error.needs_newer_controller() => {
                tracing::error!(%tenant, %error, "a rollout cannot go on");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if snapshot.rollout.value.is_ended() {
            return Ok(());
        }
        let next = snapshot.step();
        self.commit(tenant, &snapshot, next).await
    }

    async fn commit(&self, tenant: &TenantId, snapshot: &TenantSnapshot, next: Next) -> Result<()> {
        let Next { rollout, moves, .. } = next;
        let before = &snapshot.rollout.value;
        if moves.is_empty() && rollout == *before {
            return Ok(());
        }
        let mut batch = Batch::default().put(
            &keys::rollout(tenant),
            if_unchanged(Some(&snapshot.rollout)),
            &rollout,
        );
        for (node, target) in &moves {
            let key = keys::target(tenant, node);
            let expect = if_unchanged(snapshot.targets.get(node));
            batch = match target {
                Some(target) => batch.put(&key, expect, &Target { revision: *target }),
                None => batch.delete(&key, expect),
            };
        }
        let (head, outcome) = after_rollout(snapshot.head.value, &rollout);
        #[cfg(feature = "planted-bugs")]
        let outcome = outcome.filter(|_| !is_planted(Bug::RolloutTask));
        if let Some(outcome) = outcome {
            let key = keys::outcome(tenant, rollout.to);
            batch = batch.put(&keys::head(tenant), if_unchanged(Some(&snapshot.head)), &head).put(
                &key,
                Expect::Any,
                &outcome,
            );
        }
        self.records.commit(batch).await?;
        failpoint::reach("C8");
        log(tenant, before, &rollout);
        Ok(())
    }
}

fn log(tenant: &TenantId, before: &Rollout, after: &Rollout) {
    if before.state != after.state {
        let (state, why) = (after.state.as_str(), after.state.why());
        tracing::info!(%tenant, revision = %after.to, state, why, "rollout state changed");
    }
}

#[async_trait]
impl Task for RolloutTask {
    fn name(&self) -> &'static str {
        "rollout"
    }

    fn nudges(&self) -> Nudges {
        let records = &self.records;
        Nudges {
            stored: vec![
                records.changed(&keys::rollouts()),
                records.changed(&keys::all_assignments()),
                records.changed(&keys::all_nodes()),
            ],
            presence: Some(self.status.presence_changes()),
        }
    }

    async fn pass(&self, _trigger: Trigger) -> Result<Passed> {
        let all = keys::rollouts();
        let rollouts = self.records.list_lossy(&all).await?.entries;
        let under_way = rollouts.iter().filter(|(_, rollout)| !rollout.value.is_ended());
        let mut round = self.each.begin();
        for tenant in under_way.filter_map(|(rest, _)| all.name(rest)) {
            round.look(AsRef::<str>::as_ref(&tenant), || self.advance(&tenant)).await;
        }
        Ok(round.end())
    }
}
