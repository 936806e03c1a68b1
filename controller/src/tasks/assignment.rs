//! Gives every node its share of the revision that its pointer names. It asks
//! [`oml_common::decide::assign::assign`] and commits the result. Nothing else writes
//! assignments.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use oml_common::decide::assign::{self, assign};
use oml_common::decide::head::base;
use oml_common::id::TenantId;

use self::followed::{FollowedSources, Source};
use super::each::Each;
use super::{Nudges, Passed, Task, Trigger};
use crate::ops::Result;
use crate::ops::node_id::NodeId;
use crate::ops::tenants::Tenants;
use crate::records::values::Target;
use crate::records::{Batch, Entry, LossyList, Records, if_unchanged, keys};
use crate::store::StoreError;

mod followed;

/// Keeps all assignments up to date.
#[derive(Debug)]
pub struct AssignmentTask {
    records: Records,
    tenants: Tenants,
    epoch: u64,
    followed: Mutex<FollowedSources>,
    each: Each,
}

impl AssignmentTask {
    /// Makes the task that keeps assignments up to date.
    #[must_use]
    pub fn new(records: Records, tenants: Tenants, epoch: u64) -> Self {
        Self { records, tenants, epoch, followed: Mutex::default(), each: Each::default() }
    }

    async fn update(
        &self,
        id: &NodeId,
        target: Option<&Entry<Target>>,
        source: Source,
    ) -> Result<()> {
        let NodeId { tenant, name: node } = id;
        let records = &self.records;
        let plan = match target {
            Some(target) => self.tenants.plan_of(tenant, target.value.revision).await?,
            None => None,
        };
        let present = match source {
            Source::Policy(Some(revision)) => self.tenants.readable_plan(tenant, revision).await?,
            Source::Policy(None) | Source::Pointer(_) => None,
        };
        if let (Some(target), None) = (target, &plan) {
            // Without the plan, the node keeps what it has.
            tracing::error!(%tenant, %node, revision = %target.value.revision, "the plan of a revision is missing");
            return Ok(());
        }
        let key = keys::assignment(tenant, node);
        let held = records.get_cached(&key).await?;
        let rollout = records.get(&keys::rollout(tenant)).await?;
        let force_reissue = rollout.is_some_and(|rollout| rollout.value.force_reissue(node));
        let next = assign(assign::Input {
            epoch: self.epoch,
            tenant,
            node,
            plan: plan.as_deref(),
            policy: present.as_ref().and_then(|plan| plan.policy.as_ref()),
            held: held.as_ref().map(|held| &*held.value.assignment),
            force_reissue,
        });
        let Some(next) = next else { return Ok(()) };
        let batch = Batch::default().put(&key, if_unchanged(held.as_ref()), &next.clone().into());
        records.commit(batch).await?;
        tracing::info!(%tenant, %node, generation = %next.generation, revision = %next.content.revision, "a node was given an assignment");
        Ok(())
    }

    /// Returns what a node's assignment follows.
    async fn source(&self, tenant: &TenantId, target: Option<&Entry<Target>>) -> Result<Source> {
        if let Some(target) = target {
            return Ok(Source::Pointer(target.version));
        }
        let present = async {
            let head = self.records.get(&keys::head(tenant)).await?;
            let rollout = self.records.get(&keys::rollout(tenant)).await?;
            let rollout = rollout.as_ref().map(|rollout| &rollout.value);
            Ok(head.map(|head| base(head.value, rollout)))
        };
        match present.await {
            // The node keeps the policy that it has until these can be read.
            Err(StoreError::NeedsNewer { .. }) => Ok(Source::Policy(None)),
            present => Ok(Source::Policy(present?)),
        }
    }

    /// Brings the assignment of one node up to date, if a pass has to look at it.
    async fn follow(
        &self,
        node: &NodeId,
        target: Option<&Entry<Target>>,
        trigger: Trigger,
    ) -> Result<()> {
        let source = self.source(&node.tenant, target).await?;
        if !self.followed().needs_look(node, source, trigger) {
            return Ok(());
        }
        // Until it is up to date, every pass has to look at it.
        self.followed().forget(node);
        match self.update(node, target, source).await {
            // The node keeps what it has. A resync says so again.
            Err(error) if error.needs_newer_controller() => {
                tracing::error!(tenant = %node.tenant, node = %node.name, %error, "a node keeps its assignment");
            }
            updated => updated?,
        }
        self.followed().record(node.clone(), source);
        Ok(())
    }

    fn followed(&self) -> MutexGuard<'_, FollowedSources> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Task for AssignmentTask {
    fn name(&self) -> &'static str {
        "assignment"
    }

    fn nudges(&self) -> Nudges {
        let records = &self.records;
        let stored = vec![
            records.changed(&keys::all_targets()),
            records.changed(&keys::all_nodes()),
            // A node without a pointer follows its tenant's present revision.
            records.changed(&keys::heads()),
        ];
        Nudges { stored, presence: None }
    }

    async fn pass(&self, trigger: Trigger) -> Result<Passed> {
        let records = &self.records;
        let LossyList { entries, damaged } = records.list_lossy(&keys::all_targets()).await?;
        let targets: BTreeMap<_, _> = entries.into_iter().collect();
        let nodes = records.list_lossy(&keys::all_nodes()).await?.entries;
        // A node whose pointer cannot be read is not a node without one: it keeps what it
        // has.
        let present =
            nodes.iter().filter(|(rest, node)| node.value.is_enrolled() && !damaged.contains(rest));
        let mut round = self.each.begin();
        for (rest, _) in present {
            let Some(node) = NodeId::of_key(rest) else { continue };
            let target = targets.get(rest);
            round.look(rest, || self.follow(&node, target, trigger)).await;
        }
        Ok(round.end())
    }
}
