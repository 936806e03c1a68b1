//! The nodes that have joined: their certificates, their greetings and their removal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oml_common::id::{Address, NodeName};
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::tls::{Identity, OperatorName, Serial};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;

use super::issuer::NodeIssuer;
use super::node_id::NodeId;
use super::presence::{Presence, Twins};
use super::retries::retry_conflicts;
use super::tenants::Tenants;
use super::{OpsError, Result, audit};
use crate::pki::{
    CertificateRecord, CertificateRequest, NodeCertificates, RECOVERY_WINDOW_MS_DEFAULT,
    RecoveryClaim, RecoveryRefused, Revoked, record_of, recover,
};
pub use crate::records::values::AgentRecord;
use crate::records::values::{Assigned, AuditRecord, MachineId, NodeRecord};
use crate::records::{Batch, Entry, Records, if_unchanged, keys};
use crate::store::{self, Expect};

pub use super::issuer::IssuedCertificate;

/// The least age of a certificate that is replaced by another one. It is a quarter of the
/// lifetime if that is less.
const RENEWAL_REST_MS: u64 = 60_000;

/// The facts that a node reports at the beginning of a session.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The verified certificate that it shows.
    pub shown: CertificateRecord,
    /// The address at which other hosts reach it.
    pub address: Address,
    /// The port of its agent's metrics; 0 if there is none.
    pub metrics_port: u16,
    /// The id of its machine; `None` if the agent cannot read it.
    pub machine: Option<MachineId>,
    /// The version and features of its agent.
    pub agent: AgentRecord,
    /// The name of its agent's process; empty if it has none.
    pub process: String,
}

/// The nodes that have joined. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Nodes {
    pub(super) env: Env,
    pub(super) records: Records,
    pub(super) tenants: Tenants,
    pub(super) presence: Arc<Presence>,
    pub(super) issuer: NodeIssuer,
    pub(super) revoked: Arc<Revoked>,
}

impl Nodes {
    /// Returns the wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Returns which nodes are connected and what each last reported.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Returns the revoked certificates.
    #[must_use]
    pub fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    /// Returns the newest assignment of a node.
    pub async fn assignment(&self, node: &NodeId) -> Result<Option<Arc<Assigned>>> {
        let key = keys::assignment(&node.tenant, &node.name);
        Ok(self.records.get_cached(&key).await?.map(|entry| entry.value))
    }

    /// Returns a signal that wakes when a node gets a new assignment.
    #[must_use]
    pub fn assignment_changes(&self, node: &NodeId) -> store::ChangeSignal {
        self.records.changed_at(&keys::assignment(&node.tenant, &node.name))
    }

    /// Reads the revoked certificates of all nodes.
    pub(super) async fn revocations(&self) -> Result<Vec<(Identity, Serial)>> {
        // A node whose record cannot be read is refused in any case.
        let nodes = self.records.list_lossy(&keys::all_nodes()).await?.entries;
        let lines = nodes.iter().filter_map(|(rest, node)| {
            Some((NodeId::of_key(rest)?.identity(), node.value.revoked?))
        });
        Ok(lines.collect())
    }

    /// Records the greeting of a node that begins a session. The node must be enrolled
    /// and show its newest certificate.
    pub async fn greet(&self, id: &NodeId, greeting: &Greeting) -> Result<()> {
        let may_write = AtomicBool::new(false);
        let greeted = retry_conflicts(|| self.try_greet(id, greeting, &may_write)).await;
        if let Err(error @ OpsError::Duplicate { .. }) = &greeted {
            self.presence.record_duplicate(id, &error.to_string(), self.env.now());
        }
        greeted
    }

    /// Checks that no second host shows the identity of the node as the same machine.
    fn check_twins(&self, id: &NodeId, greeting: &Greeting) -> Result<()> {
        let (now, address) = (self.env.now(), greeting.address.to_string());
        let twins = self.presence.greeted(id, &greeting.process, &address, now);
        let Some(Twins { first, second, is_refused }) = twins else { return Ok(()) };
        let error = OpsError::Twins { node: id.name.clone(), first, second };
        self.presence.record_duplicate(id, &error.to_string(), now);
        if is_refused { Err(error) } else { Ok(()) }
    }

    async fn try_greet(
        &self,
        id: &NodeId,
        greeting: &Greeting,
        may_write: &AtomicBool,
    ) -> Result<()> {
        let node = self.enrolled(id).await?;
        let known = machine_of(&node.value, greeting.shown);
        check_machine(&id.name, known, greeting)?;
        self.check_twins(id, greeting)?;
        let greeted = NodeRecord {
            machine: known.or(greeting.machine.as_ref()).cloned(),
            address: greeting.address.to_string(),
            metrics_port: greeting.metrics_port,
            agent: Some(greeting.agent.clone()),
            certificates: node.value.certificates.shown(greeting.shown)?,
            ..node.value.clone()
        };
        if greeted == node.value {
            return Ok(());
        }
        // The rate of new certificates is limited separately.
        let is_allowed = may_write.load(Ordering::Relaxed)
            || greeted.certificates != node.value.certificates
            || self.presence.may_greet(id, Instant::now());
        if !is_allowed {
            return Err(OpsError::AddressUnstable);
        }
        may_write.store(true, Ordering::Relaxed);
        let key = keys::node(&id.tenant, &id.name);
        let batch = Batch::default().put(&key, if_unchanged(Some(&node)), &greeted);
        Ok(self.records.commit(batch).await?)
    }

    /// Issues a new certificate to a node that shows a valid one.
    pub async fn renew(
        &self,
        id: &NodeId,
        shown: CertificateRecord,
        request: &CertificateRequest,
    ) -> Result<IssuedCertificate> {
        retry_conflicts(|| self.try_renew(id, shown, request)).await
    }

    async fn try_renew(
        &self,
        id: &NodeId,
        shown: CertificateRecord,
        request: &CertificateRequest,
    ) -> Result<IssuedCertificate> {
        let mut node = self.enrolled(id).await?;
        node.value.machine = machine_of(&node.value, shown).cloned();
        node.value.certificates = node.value.certificates.shown(shown)?;
        self.reissue(id, &node, shown, request).await
    }

    /// Issues a new certificate to a node whose last one has expired.
    pub async fn recover(
        &self,
        ended: &CertificateDer<'_>,
        csr: &[u8],
    ) -> Result<IssuedCertificate> {
        let claim = recover(self.issuer.authority(), ended).map_err(OpsError::Recovery)?;
        let Identity::Node { tenant, node: name } = claim.peer().identity.clone() else {
            return Err(OpsError::Recovery(RecoveryRefused::Foreign));
        };
        let id = NodeId { tenant, name };
        let request = CertificateRequest::from_der(csr).map_err(OpsError::Request)?;
        retry_conflicts(|| self.try_recover(&id, &claim, &request)).await
    }

    async fn try_recover(
        &self,
        id: &NodeId,
        claim: &RecoveryClaim,
        request: &CertificateRequest,
    ) -> Result<IssuedCertificate> {
        let mut node = self.enrolled(id).await?;
        let shown = record_of(claim.peer());
        node.value.machine = machine_of(&node.value, shown).cloned();
        let known = node.value.certificates;
        let checked = claim.check(known, request, self.env.now(), RECOVERY_WINDOW_MS_DEFAULT);
        node.value.certificates = checked.map_err(OpsError::Recovery)?;
        self.reissue(id, &node, shown, request).await
    }

    /// Removes a node: its certificates are revoked and its session ends. The components
    /// on the host keep running.
    pub async fn remove(&self, who: &OperatorName, id: &NodeId) -> Result<()> {
        let revoked = retry_conflicts(|| self.try_remove(who, id)).await?;
        self.revoked.revoke(id.identity(), revoked);
        self.presence.forget(id);
        tracing::info!(tenant = %id.tenant, node = %id.name, %who, "a node was removed");
        Ok(())
    }

    async fn try_remove(&self, who: &OperatorName, id: &NodeId) -> Result<Serial> {
        let node = match self.enrolled(id).await {
            Err(OpsError::NotEnrolled { .. }) => {
                return Err(self.tenants.unknown_node(&id.tenant, &id.name).await);
            }
            found => found?,
        };
        let now = self.env.now();
        let line = node.value.certificates.newest().max(self.issuer.highest_unrecorded());
        let removed = NodeRecord { revoked: Some(line), removed: Some(now), ..node.value.clone() };
        let audit = node_audit(who.to_string(), "removed the node".into(), id, now);
        let batch = Batch::default()
            .put(&keys::node(&id.tenant, &id.name), if_unchanged(Some(&node)), &removed)
            .delete(&keys::last_report(&id.tenant, &id.name), Expect::Any)
            .audit(&audit);
        self.records.commit(batch).await?;
        Ok(line)
    }

    async fn enrolled(&self, id: &NodeId) -> Result<Entry<NodeRecord>> {
        let node = self.records.get(&keys::node(&id.tenant, &id.name)).await?;
        let node = node.filter(|node| node.value.is_enrolled());
        node.ok_or_else(|| OpsError::NotEnrolled { node: id.name.clone() })
    }

    async fn reissue(
        &self,
        id: &NodeId,
        node: &Entry<NodeRecord>,
        shown: CertificateRecord,
        request: &CertificateRequest,
    ) -> Result<IssuedCertificate> {
        let now = self.env.now();
        let newest = node.value.certificates.current;
        // A certificate that was made in the future dates from before the clock was set
        // back, and nobody accepts it.
        let is_of_the_future = newest.issued > now;
        let age_ms = now.since_ms(newest.issued);
        if !is_of_the_future && age_ms < RENEWAL_REST_MS.min(self.issuer.lifetime_ms() / 4) {
            // If the key is the same, only the reply was lost, so nothing is written.
            if request.fingerprint() != newest.public_key {
                return Err(OpsError::RenewedTooSoon);
            }
            let again = self.issuer.issue_again(id, request, newest)?;
            return Ok(self.issuer.reply(again, id.clone()));
        }
        let issued = self.issuer.issue(id, request, Some(newest.serial), now)?;
        let certificates = NodeCertificates::renewed(shown, issued.record);
        let renewed = NodeRecord { certificates, ..node.value.clone() };
        let what = format!("{} {} after {}", audit::RENEWED, issued.record.serial, shown.serial);
        let audit = node_audit(id.identity().to_string(), what, id, now);
        let batch = Batch::default()
            .put(&keys::node(&id.tenant, &id.name), if_unchanged(Some(node)), &renewed)
            .audit(&audit);
        self.records.commit(batch).await?;
        Ok(self.issuer.reply(issued, id.clone()))
    }
}

/// Returns the machine that a node is known to be. If the certificate is newer than the
/// record, the store was restored from a backup, and the node may be another machine
/// since.
fn machine_of(node: &NodeRecord, shown: CertificateRecord) -> Option<&MachineId> {
    node.machine.as_ref().filter(|_| shown.serial <= node.certificates.current.serial)
}

/// Checks that a node is always the same machine, because another machine with its key is
/// a copy. The components on both keep running.
fn check_machine(name: &NodeName, known: Option<&MachineId>, greeting: &Greeting) -> Result<()> {
    match (known, &greeting.machine) {
        (Some(known), Some(claims)) if known != claims => Err(OpsError::Duplicate {
            node: name.clone(),
            known: known.clone(),
            claims: claims.clone(),
        }),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

pub(super) fn node_audit(who: String, what: String, id: &NodeId, at: Timestamp) -> AuditRecord {
    AuditRecord { at, who, what, tenant: Some(id.tenant.clone()), node: Some(id.name.clone()) }
}
