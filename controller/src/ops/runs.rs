//! Runs of operations: an operator asks for one, a host takes it, and its result is recorded.
//!
//! A run is recorded before its host hears of it. The session of the host hands its order out
//! while the operator waits, and a host that has had it does not run it again.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_common::decide::operation::{
    AdmittedRun, NodeState, RunInput, RunRequest, RunState, admit, no_operation, surplus,
};
use oml_common::decide::plan;
use oml_common::decide::secrets::ChosenSecrets;
use oml_common::document::Verbatim;
use oml_common::document::operation::RunOrder;
use oml_common::document::rollout::State;
use oml_common::document::spec::TenantSpec;
use oml_common::id::{ComponentName, NodeName, RunId, TenantId};
use oml_common::text::error::chain;
use oml_common::text::problem::Problem;
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::tls::OperatorName;

use super::catalogs::Catalogs;
use super::change::{Changes, node_facts};
use super::node_id::NodeId;
use super::nodes::node_audit;
use super::presence::{NodePresence, Presence};
use super::retries::retry_conflicts;
use super::tenants::Tenants;
use super::{OpsError, Result};
use crate::records::values::Head;
pub use crate::records::values::RunRecord;
use crate::records::{Batch, Entry, LossyList, Records, if_unchanged, keys};
use crate::registry::Registries;
use crate::store::{self, Expect};

mod feed;
mod progress;
mod reported;

pub use feed::{Feeds, OutputLines, RunOutput};
pub use progress::RunProgress;
pub use reported::ReportedRun;
use reported::reported;

/// A signal that wakes when the runs of a tenant change.
pub type RunChanges = store::ChangeSignal;

/// The runs of operations. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Runs {
    env: Env,
    records: Records,
    tenants: Tenants,
    catalogs: Arc<Catalogs>,
    registries: Arc<Registries>,
    presence: Arc<Presence>,
    feeds: Arc<Feeds>,
    epoch: u64,
}

/// The runs of a tenant.
#[derive(Debug)]
pub struct RunHistory {
    /// Those that operators asked for, the newest first.
    pub runs: Vec<RunRecord>,
    /// Those that belong to updates, as far as their nodes have reported them.
    pub of_updates: Vec<ReportedRun>,
    /// The number of records that cannot be read.
    pub unreadable: usize,
}

impl Runs {
    /// Makes the runs of the tenants that can be changed, in a store of that epoch.
    pub(super) fn new(changes: &Changes, presence: Arc<Presence>, epoch: u64) -> Self {
        let Changes { env, records, tenants, catalogs, registries, secrets: _ } = changes.clone();
        let feeds = Arc::default();
        Self { env, records, tenants, catalogs, registries, presence, feeds, epoch }
    }

    /// Returns the wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Records a run that an operator asks for, so that its host hears of it. Returns the run, and
    /// its output from now on.
    pub async fn start(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        request: &RunRequest,
    ) -> Result<(RunRecord, RunOutput)> {
        retry_conflicts(|| self.try_start(who, tenant, request)).await
    }

    async fn try_start(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        request: &RunRequest,
    ) -> Result<(RunRecord, RunOutput)> {
        let listed = self.records.list_lossy(&keys::runs(tenant)).await?;
        let number = last_number(&listed, self.epoch).saturating_add(1);
        let known: Vec<RunRecord> =
            listed.entries.into_iter().map(|(_, entry)| entry.value).collect();
        let now = self.env.now();
        let (admitted, head) = self.admit(tenant, request, &known, now).await?;
        let record = record(RunId { epoch: self.epoch, number }, who, request, admitted, now);
        let (operation, component) = (&record.operation, &record.component);
        let what = format!("asked to run {operation} of {component} as run {}", record.id);
        let id = NodeId { tenant: tenant.clone(), name: record.node.clone() };
        let audit = node_audit(who.to_string(), what, &id, now);
        // The output is followed before the host can hear of the run.
        let output = self.feeds.open(tenant, record.id);
        // Every change writes the head, so none has begun a rollout since it was read.
        let mut batch = Batch::default()
            .put(&keys::run(tenant, record.id), Expect::Absent, &record)
            .put(&keys::head(tenant), if_unchanged(Some(&head)), &head.value)
            .audit(&audit);
        for old in surplus(&known, now) {
            batch = batch.delete(&keys::run(tenant, old.id), Expect::Any);
        }
        if let Err(error) = self.records.commit(batch).await {
            // A run at the same time may have got this number; then its reader keeps the output.
            drop(output);
            self.feeds.forget_unread(tenant, record.id);
            return Err(error.into());
        }
        tracing::info!(%tenant, node = %id.name, run = %record.id, component = %record.component, operation = %record.operation, %who, "a run was asked for");
        Ok((record, output))
    }

    /// Returns why a request that names no operation is refused, with those that there are.
    pub async fn without_operation(
        &self,
        tenant: &TenantId,
        component: &ComponentName,
    ) -> OpsError {
        let refused = async {
            let current = self.records.get(&keys::head(tenant)).await?.map(|it| it.value.current);
            let revision = match current {
                Some(number) => self.tenants.revision(tenant, number).await?,
                None => None,
            };
            let Some(revision) = revision else {
                return Err(self.tenants.without_revisions(tenant).await);
            };
            let spec = TenantSpec::parse(&revision.spec_yaml).map_err(OpsError::Problems)?;
            let loaded = self.catalogs.of(&spec)?;
            Ok::<Problem, OpsError>(no_operation(&spec, &loaded.catalog, component))
        };
        match refused.await {
            Ok(problem) => problem.into(),
            Err(error) => error,
        }
    }

    /// Decides whether a run may begin, and returns the head on which that was decided.
    async fn admit(
        &self,
        tenant: &TenantId,
        request: &RunRequest,
        runs: &[RunRecord],
        now: Timestamp,
    ) -> Result<(AdmittedRun, Entry<Head>)> {
        let Some(head) = self.records.get(&keys::head(tenant)).await? else {
            return Err(self.tenants.without_revisions(tenant).await);
        };
        let number = head.value.current;
        let revision = self.tenants.revision(tenant, number).await?;
        let plan = self.tenants.plan_of(tenant, number).await?;
        let (Some(revision), Some(plan)) = (revision, plan) else {
            return Err(self.tenants.without_revisions(tenant).await);
        };
        let spec = TenantSpec::parse(&revision.spec_yaml).map_err(OpsError::Problems)?;
        let nodes = node_facts(&self.records, tenant).await?;
        let rollout = self.records.get(&keys::rollout(tenant)).await?;
        let is_rolling = rollout.is_some_and(|rollout| is_moving(&rollout.value.state));
        let presence = self.presence.of_tenant(tenant);
        let loaded = self.catalogs.of(&spec)?;
        let is_catalog_new = revision.catalog.as_ref().is_some_and(|it| *it != loaded.content);
        let planned = plan::Input {
            revision: number,
            spec: &spec,
            catalog: &loaded.catalog,
            nodes: &nodes,
            mirrors: self.registries.mirrors(),
            // Those of the instance are as the plan names them.
            secrets: &ChosenSecrets::new(),
            // Neither are its files made again.
            thumbprint: None,
            before: None,
        };
        let states = states(&presence, &request.component);
        let input = RunInput {
            request,
            planned,
            plan: &plan,
            is_catalog_new,
            is_rolling,
            states: &states,
            runs,
            now,
        };
        Ok((admit(input).map_err(OpsError::Problems)?, head))
    }

    /// Returns the runs of a tenant, of one component or of all.
    pub async fn history(
        &self,
        tenant: &TenantId,
        component: Option<&ComponentName>,
    ) -> Result<RunHistory> {
        if !self.tenants.all().await?.contains(tenant) {
            return Err(self.tenants.unknown_tenant(tenant).await);
        }
        let found = self.records.list_lossy(&keys::runs(tenant)).await?;
        let unreadable = found.damaged.len();
        let runs = found.entries.into_iter().rev().map(|(_, entry)| entry.value);
        let is_asked = |name: &ComponentName| component.is_none_or(|asked| asked == name);
        let runs = runs.filter(|run| is_asked(&run.component)).collect();
        let mut of_updates = reported(&self.presence.of_tenant(tenant));
        of_updates.retain(|run| is_asked(&run.component));
        Ok(RunHistory { runs, of_updates, unreadable })
    }

    /// Returns one run.
    pub async fn get(&self, tenant: &TenantId, id: RunId) -> Result<Option<RunRecord>> {
        Ok(self.records.get(&keys::run(tenant, id)).await?.map(|entry| entry.value))
    }

    /// Returns the orders that a node has not taken, oldest first.
    pub async fn pending(&self, node: &NodeId) -> Result<Vec<Verbatim<RunOrder>>> {
        let runs = self.records.list_lossy(&keys::runs(&node.tenant)).await?.entries;
        let now = self.env.now();
        let of_node = runs
            .into_iter()
            .map(|(_, entry)| entry.value)
            .filter(|run| run.node == node.name && RunState::of(run, now).is_handed_out());
        Ok(of_node.filter_map(|run| run.order).collect())
    }

    /// Returns a signal that wakes when the runs of a tenant change.
    #[must_use]
    pub fn changes(&self, tenant: &TenantId) -> RunChanges {
        self.records.changed(&keys::runs(tenant))
    }
}

/// Returns the highest number of a run of the epoch, also of one whose record cannot be read; 0 if
/// there is none.
fn last_number(listed: &LossyList<RunRecord>, epoch: u64) -> u64 {
    let readable = listed.entries.iter().map(|(rest, _)| rest);
    let ids = readable.chain(&listed.damaged).filter_map(|rest| keys::run_id(rest));
    ids.filter(|id| id.epoch == epoch).map(|id| id.number).max().unwrap_or(0)
}

fn record(
    id: RunId,
    who: &OperatorName,
    request: &RunRequest,
    admitted: AdmittedRun,
    now: Timestamp,
) -> RunRecord {
    let AdmittedRun { node, instance, values, command } = admitted;
    let (version, workload) = (instance.version().cloned(), instance.workload_hash());
    let deadline_ms = command.deadline_ms;
    let operation = request.operation.clone();
    let order = RunOrder { id, operation: operation.clone(), instance, run: command };
    RunRecord {
        id,
        component: request.component.clone(),
        operation,
        node,
        version,
        workload,
        who: who.to_string(),
        asked: now,
        values,
        deadline_ms,
        order: Some(Verbatim::seal(order)),
        taken: None,
        result: None,
    }
}

fn is_moving(state: &State) -> bool {
    match state {
        State::Progressing { .. } | State::RollingBack { .. } => true,
        State::Completed | State::Paused { .. } | State::RolledBack { .. } | State::Superseded => {
            false
        }
    }
}

fn states<'a>(
    presence: &'a BTreeMap<NodeName, NodePresence>,
    component: &ComponentName,
) -> BTreeMap<NodeName, NodeState<'a>> {
    let state = |node: &'a NodePresence| {
        let report = node.report.as_deref().filter(|_| node.has_reported);
        let instance = report.and_then(|report| report.instances.get(component));
        NodeState { connected: node.connected, instance }
    };
    presence.iter().map(|(name, node)| (name.clone(), state(node))).collect()
}

/// Logs why the orders of a node cannot be read; they are handed out at the next look.
pub(crate) fn log_unread(node: &NodeId, error: &OpsError) {
    let (tenant, node, error) = (&node.tenant, &node.name, chain(error));
    tracing::warn!(%tenant, %node, error, "cannot read the runs of a node");
}
