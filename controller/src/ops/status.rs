//! Reads the status of tenants and their nodes, for people and for Prometheus.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use oml_common::decide::head::base;
use oml_common::decide::plan::presence::Absent;
use oml_common::decide::rollout::WaitsFor;
use oml_common::decide::status::{NodeCondition, NodeProgress, OverallHealth, overall_health};
use oml_common::decide::tls::{self, NodeInUse, TlsInUse};
use oml_common::document::plan::Plan;
use oml_common::document::rollout::Rollout;
use oml_common::document::tls_secret::TlsSecret;
use oml_common::id::{ComponentName, NodeName, RevisionNumber, TenantId, Version};
use tokio::sync::watch;

use super::reader::StatusReader;
use super::snapshot::NodeSnapshot;
use super::{OpsError, Result, UnreadablePlan};
use crate::records::keys;
use crate::records::values::AcmeRecord;
use crate::store::{ChangeSignal, StoreError};

/// The status of one tenant, or of all of them.
#[derive(Debug)]
pub struct FleetStatus {
    pub tenants: Vec<TenantStatus>,
    /// A line for every catalog and every component of one that cannot be used.
    pub broken_catalogs: Vec<String>,
    /// The number of tenants that are left out because they cannot be read.
    left_out: usize,
}

/// The status of one tenant.
#[derive(Debug)]
pub struct TenantStatus {
    pub tenant: TenantId,
    /// The wanted revision; 0 before the first.
    pub revision: RevisionNumber,
    /// Its rollout; `None` before the first.
    pub rollout: Option<RolloutStatus>,
    pub nodes: BTreeMap<NodeName, NodeStatus>,
    /// Why the tenant stays as it is, if its plans cannot be read.
    pub unreadable_plan: Option<UnreadablePlan>,
    /// The components that the specification names and that do not exist with its settings.
    pub absent: Absent,
    /// The certificate that its components use, or the one that ends first while some of them still
    /// have an older one; none if they use none or it is not known.
    pub certificate: Option<TlsInUse>,
    /// Its account at an ACME directory, if it has one that can be read.
    pub account: Option<AcmeRecord>,
}

/// The status of a tenant's rollout.
#[derive(Debug)]
pub struct RolloutStatus {
    pub rollout: Rollout,
    pub waits_for: WaitsFor,
}

/// The status of one node.
#[derive(Debug)]
pub struct NodeStatus {
    /// The record and the presence of the node.
    pub snapshot: NodeSnapshot,
    pub target: Option<RevisionNumber>,
    /// The plan of the revision that the tenant should run.
    pub plan: Option<Arc<Plan>>,
}

impl FleetStatus {
    /// Returns whether all is well.
    #[must_use]
    pub fn health(&self) -> OverallHealth {
        let without_plan = self.tenants.iter().filter(|tenant| tenant.unreadable_plan.is_some());
        let unreadable = self.broken_catalogs.len() + self.left_out + without_plan.count();
        let nodes = self.tenants.iter().flat_map(|tenant| &tenant.nodes);
        overall_health(unreadable, nodes.map(|(name, node)| node.condition(name)))
    }
}

impl NodeStatus {
    fn condition(&self, name: &NodeName) -> NodeCondition<'_> {
        let presence = &self.snapshot.presence;
        NodeCondition {
            is_connected: presence.connected,
            is_complete: self.unreported(name).is_empty(),
            report: presence.report.as_deref(),
        }
    }

    /// Returns the newest revision whose share the node has applied.
    #[must_use]
    pub fn applied_revision(&self, name: &NodeName) -> RevisionNumber {
        self.progress(name).applied_revision()
    }

    /// Returns the components that should run on the node and that it has not reported,
    /// each with its version if it has one.
    #[must_use]
    pub fn unreported(&self, name: &NodeName) -> BTreeMap<ComponentName, Option<Version>> {
        self.progress(name).unreported()
    }

    fn progress<'a>(&'a self, node: &'a NodeName) -> NodeProgress<'a> {
        NodeProgress {
            node,
            plan: self.plan.as_deref(),
            target: self.target,
            assigned: self.snapshot.assigned.as_ref().map(|assigned| &*assigned.assignment),
            report: self.snapshot.presence.report.as_deref(),
        }
    }
}

/// A signal that a status may have changed.
#[derive(Debug)]
pub struct StatusChanges {
    presence: watch::Receiver<u64>,
    stored: Vec<ChangeSignal>,
}

impl StatusChanges {
    /// Waits for the next change. Several changes in between count as one.
    pub async fn next(&mut self) {
        let stored = self.stored.iter_mut().map(|changes| Box::pin(changes.next()));
        let stored = futures_util::future::select_all(stored);
        // Both only observe, so a change that is not returned now is returned by the next
        // call.
        tokio::select! {
            biased;
            _ended = self.presence.changed() => {}
            _one = stored => {}
        }
    }
}

impl StatusReader {
    /// Reads the status of one tenant, or of all of them.
    pub async fn read(&self, tenant: Option<&TenantId>) -> Result<FleetStatus> {
        let tenants = self.tenants.all().await?;
        let wanted: Vec<&TenantId> = match tenant {
            None => tenants.iter().collect(),
            Some(tenant) if tenants.contains(tenant) => vec![tenant],
            Some(tenant) => return Err(self.tenants.unknown_tenant(tenant).await),
        };
        let (mut statuses, mut left_out) = (Vec::with_capacity(wanted.len()), 0);
        for name in wanted {
            match self.tenant_status(name).await {
                Ok(status) => statuses.push(status),
                // A request for all tenants returns the others.
                Err(OpsError::Store(
                    error @ (StoreError::Damaged { .. } | StoreError::NeedsNewer { .. }),
                )) if tenant.is_none() => {
                    tracing::error!(tenant = %name, %error, "the status of a tenant cannot be read");
                    left_out += 1;
                }
                Err(error) => return Err(error),
            }
        }
        let broken_catalogs = self.broken_catalogs();
        Ok(FleetStatus { tenants: statuses, broken_catalogs, left_out })
    }

    /// Returns a signal that wakes when the status of a tenant, or of any tenant, may
    /// have changed.
    #[must_use]
    pub fn changes(&self, tenant: Option<&TenantId>) -> StatusChanges {
        let records = &self.records;
        let presence = self.presence.changed(tenant);
        let stored = match tenant {
            Some(tenant) => vec![
                records.changed_at(&keys::rollout(tenant)),
                records.changed_at(&keys::acme(tenant)),
                records.changed(&keys::targets(tenant)),
                records.changed(&keys::assignments(tenant)),
                records.changed(&keys::nodes(tenant)),
            ],
            None => vec![
                records.changed(&keys::rollouts()),
                records.changed(&keys::all_acme()),
                records.changed(&keys::all_targets()),
                records.changed(&keys::all_assignments()),
                records.changed(&keys::all_nodes()),
            ],
        };
        StatusChanges { presence, stored }
    }

    /// Reads the status of one tenant.
    pub(super) async fn tenant_status(&self, tenant: &TenantId) -> Result<TenantStatus> {
        match self.status_with_plans(tenant).await {
            Err(OpsError::UnreadablePlan(unreadable_plan)) => {
                self.status_without_plans(tenant, unreadable_plan).await
            }
            read => read,
        }
    }

    /// Reads what can be shown of a tenant whose plans cannot be read.
    async fn status_without_plans(
        &self,
        tenant: &TenantId,
        unreadable_plan: UnreadablePlan,
    ) -> Result<TenantStatus> {
        let records = &self.records;
        let head = records.get(&keys::head(tenant)).await?;
        let rollout = records.get(&keys::rollout(tenant)).await?.map(|rollout| rollout.value);
        let revision = head.map(|head| base(head.value, rollout.as_ref())).unwrap_or_default();
        let targets = self.targets(tenant).await?;
        let nodes = self.nodes(tenant).await?.into_iter().map(|(name, snapshot)| {
            let target = targets.get(&name).map(|target| target.value.revision);
            (name, NodeStatus { snapshot, target, plan: None })
        });
        let waits_for = WaitsFor::default();
        Ok(TenantStatus {
            tenant: tenant.clone(),
            revision,
            rollout: rollout.map(|rollout| RolloutStatus { rollout, waits_for }),
            nodes: nodes.collect(),
            unreadable_plan: Some(unreadable_plan),
            absent: Absent::new(),
            certificate: None,
            account: None,
        })
    }

    /// Returns the certificate that the components of a plan use, or one that ends earlier and that a
    /// node still has by another plan, or a program since its start. One that cannot be read is no
    /// reason to show nothing of the tenant.
    async fn certificate_of(
        &self,
        tenant: &TenantId,
        plan: Option<&Plan>,
        nodes: &BTreeMap<NodeName, NodeStatus>,
    ) -> Option<TlsInUse> {
        let plan = plan.filter(|plan| tls::is_used(plan))?;
        let key = keys::secret(tenant, &TlsSecret::Certificate.name());
        let record = match self.records.get(&key).await {
            Ok(record) => record?.value,
            Err(error) => {
                tracing::warn!(%tenant, %error, "the certificate of a tenant cannot be read");
                return None;
            }
        };
        let has = nodes.iter().map(|(name, node)| node.applied_revision(name));
        let others: BTreeSet<RevisionNumber> = has.filter(|has| *has != plan.revision).collect();
        let mut plans: BTreeMap<RevisionNumber, Arc<Plan>> = BTreeMap::new();
        for revision in others {
            // What cannot be read is said of the tenant itself.
            let other = self.tenants.readable_plan(tenant, revision).await.ok().flatten();
            plans.extend(other.map(|other| (revision, other)));
        }
        let on_nodes = nodes.iter().filter_map(|(name, node)| {
            let has = node.applied_revision(name);
            let applied = if has == plan.revision { plan } else { plans.get(&has)?.as_ref() };
            let report = node.snapshot.presence.report.as_deref();
            Some(NodeInUse { node: name, share: applied.nodes.get(name)?, report })
        });
        tls::in_use_now(plan, on_nodes, Some(&record))
    }

    /// Returns the account of a tenant at an ACME directory. One that cannot be read is no reason to show
    /// nothing of the tenant.
    async fn account_of(&self, tenant: &TenantId) -> Option<AcmeRecord> {
        match self.records.get(&keys::acme(tenant)).await {
            Ok(account) => account.map(|account| account.value),
            Err(error) => {
                tracing::warn!(%tenant, %error, "the account of a tenant cannot be read");
                None
            }
        }
    }

    async fn status_with_plans(&self, tenant: &TenantId) -> Result<TenantStatus> {
        let tenant_id = tenant.clone();
        let Some(snapshot) = self.tenant(tenant).await? else {
            let nodes =
                self.nodes(tenant).await?.into_iter().map(|(name, snapshot)| {
                    (name, NodeStatus { snapshot, target: None, plan: None })
                });
            let (revision, rollout) = (RevisionNumber::default(), None);
            return Ok(TenantStatus {
                tenant: tenant_id,
                revision,
                rollout,
                nodes: nodes.collect(),
                unreadable_plan: None,
                absent: Absent::new(),
                certificate: None,
                account: None,
            });
        };
        let next = snapshot.step();
        let revision = base(snapshot.head.value, Some(&snapshot.rollout.value));
        let plan = if revision == snapshot.rollout.value.to {
            Some(Arc::clone(&snapshot.to))
        } else {
            self.tenants.plan_of(tenant, revision).await?
        };
        let absent = plan.as_ref().map(|plan| plan.absent.clone()).unwrap_or_default();
        let targets = &snapshot.targets;
        let nodes = snapshot.nodes.into_iter().map(|(name, snapshot)| {
            let target = targets.get(&name).map(|target| target.value.revision);
            (name, NodeStatus { snapshot, target, plan: plan.clone() })
        });
        let nodes: BTreeMap<NodeName, NodeStatus> = nodes.collect();
        let certificate = self.certificate_of(tenant, plan.as_deref(), &nodes).await;
        let account = match &certificate {
            Some(_) => self.account_of(tenant).await,
            None => None,
        };
        Ok(TenantStatus {
            tenant: tenant_id,
            revision,
            nodes,
            unreadable_plan: None,
            absent,
            certificate,
            account,
            rollout: Some(RolloutStatus {
                rollout: snapshot.rollout.value,
                waits_for: next.waits_for,
            }),
        })
    }
}
