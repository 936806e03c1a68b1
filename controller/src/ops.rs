//! What can be asked of the controller, by whomever: changes of a tenant,
//! nodes coming and going, and how everything stands.
//!
//! Only this layer writes intent. It knows no wire format, and moves neither
//! pointers nor assignments: that is the tasks' affair.

use std::sync::Arc;

use oml_common::id::{NodeName, RevisionNumber, TenantId};
use oml_common::plan::Plan;
use oml_common::problem::{Problem, Problems};

use crate::pki::{Authority, Revoked};
use crate::records::values::Revision;
use crate::records::{Entry, Records, keys};
use crate::registry::Registries;

mod audit;
pub mod catalogs;
pub mod certificate;
pub mod change;
mod digests;
mod error;
pub mod history;
pub mod nodes;
pub mod presence;
pub mod reports;
pub mod snapshot;
pub mod status;
pub mod tokens;

pub use self::error::{OpsError, Result};

use self::catalogs::Catalogs;
use self::presence::Presence;

/// How often a change is decided anew when somebody else was first.
const RETRIES_MAX: usize = 8;

/// Everything that answering takes. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ops {
    parts: Arc<Parts>,
}

/// What [`Ops`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// All that is kept.
    pub records: Records,
    /// Who is connected, and what each node last said.
    pub presence: Presence,
    /// Component definitions.
    pub catalogs: Catalogs,
    /// Where images are.
    pub registries: Registries,
    /// Issues certificates.
    pub authority: Authority,
    /// Certificates that no longer count.
    pub revoked: Arc<Revoked>,
    /// How long a node's certificate lives.
    pub node_lifetime_ms: u64,
    /// Port of the enrolment service, as hosts reach it.
    pub enrollment_port: u16,
    /// Raised by every restore of the store.
    pub epoch: u64,
}

impl Ops {
    /// From its parts.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// Who is connected, and what each node last said.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.parts.presence
    }

    /// Certificates that no longer count.
    #[must_use]
    pub fn revoked(&self) -> &Arc<Revoked> {
        &self.parts.revoked
    }

    /// All that is kept; for the tasks.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.parts.records
    }

    /// The store's epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.parts.epoch
    }

    /// Commits to the store since the start: made, and refused.
    #[must_use]
    pub fn commits(&self) -> (u64, u64) {
        self.parts.records.commits()
    }

    /// Whether the store answers.
    pub async fn check_store(&self) -> Result<()> {
        self.parts.records.get(&keys::epoch()).await?;
        Ok(())
    }

    async fn revision(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
    ) -> Result<Option<Arc<Revision>>> {
        let found = self.parts.records.get_cached(&keys::revision(tenant, number)).await?;
        Ok(found.map(|entry| entry.value))
    }

    /// The plan of a revision.
    pub async fn plan_of(
        &self,
        tenant: &TenantId,
        number: RevisionNumber,
    ) -> Result<Option<Arc<Plan>>> {
        let Some(revision) = self.revision(tenant, number).await? else { return Ok(None) };
        let key = keys::plan(tenant, number, &revision.plan);
        Ok(self.parts.records.get_cached(&key).await?.map(|Entry { value, .. }| value))
    }

    /// Every tenant that has revisions or nodes.
    pub async fn tenants(&self) -> Result<Vec<TenantId>> {
        let heads = self.parts.records.list_lossy(&keys::heads()).await?;
        let nodes = self.parts.records.list_lossy(&keys::all_nodes()).await?.entries;
        let of_heads = heads.entries.iter().map(|(rest, _)| rest).chain(&heads.damaged);
        let of_heads = of_heads.filter_map(|rest| rest.parse().ok());
        let present = nodes.iter().filter(|(_, node)| node.value.removed.is_none());
        let of_nodes = present.filter_map(|(rest, _)| Some(keys::tenant_and_node(rest)?.0));
        let mut tenants: Vec<TenantId> = of_heads.chain(of_nodes).collect();
        tenants.sort();
        tenants.dedup();
        Ok(tenants)
    }

    async fn unknown_tenant(&self, tenant: &TenantId) -> OpsError {
        let known = match self.tenants().await {
            Ok(known) => known,
            Err(error) => return error,
        };
        let message = format!("there is no tenant {tenant}");
        let known = known.iter().map(AsRef::as_ref);
        Problem::new("tenant", message).suggest(tenant.as_str(), known).into()
    }

    /// Why nothing can be said of a tenant's revisions.
    async fn without_revisions(&self, tenant: &TenantId) -> OpsError {
        match self.tenants().await {
            Ok(known) if known.contains(tenant) => {
                let message = format!("nothing was applied to {tenant} yet");
                Problem::new("tenant", message).hint("omlctl apply -f FILE").into()
            }
            Ok(_) => self.unknown_tenant(tenant).await,
            Err(error) => error,
        }
    }

    async fn unknown_node(&self, tenant: &TenantId, node: &NodeName) -> OpsError {
        let nodes = match self.parts.records.list(&keys::nodes(tenant)).await {
            Ok(nodes) => nodes,
            Err(error) => return error.into(),
        };
        if nodes.is_empty() {
            return self.unknown_tenant(tenant).await;
        }
        let present = nodes.iter().filter(|(_, node)| node.value.removed.is_none());
        let known = present.map(|(name, _)| name.as_str());
        let message = format!("tenant {tenant} has no node {node}");
        Problem::new("node", message).suggest(node.as_str(), known).into()
    }
}

impl From<Problem> for OpsError {
    fn from(problem: Problem) -> Self {
        OpsError::Problems(Problems::from(problem))
    }
}

/// Counts how often a change was decided anew because somebody else was first.
#[derive(Debug, Default)]
struct ConflictRetries {
    conflicts: usize,
}

impl ConflictRetries {
    /// Whether to decide anew after `error`.
    fn after(&mut self, error: OpsError) -> Result<()> {
        self.conflicts += 1;
        let is_conflict = matches!(&error, OpsError::Store(error) if error.is_conflict());
        match is_conflict {
            false => Err(error),
            true if self.conflicts < RETRIES_MAX => Ok(()),
            true => Err(OpsError::Busy),
        }
    }
}
