//! Nodes after they joined: their certificates, what they say of themselves,
//! and their removal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oml_common::id::NodeName;
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::tls::{Identity, OperatorName, Serial};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;

use super::issuer::NodeIssuer;
use super::node_id::NodeId;
use super::presence::Presence;
use super::retries::retry_conflicts;
use super::tenants::Tenants;
use super::{OpsError, Result, audit};
use crate::pki::{
    CertificateRecord, CertificateRequest, NodeCertificates, RECOVERY_WINDOW_MS_DEFAULT,
    RecoveryClaim, RecoveryRefused, Revoked, recover,
};
pub use crate::records::values::AgentRecord;
use crate::records::values::{Assigned, AuditRecord, MachineId, NodeRecord};
use crate::records::{Batch, Entry, Records, if_unchanged, keys};
use crate::store::{self, Expect};

pub use super::issuer::IssuedCertificate;

/// Least age of a certificate that another one takes the place of; a quarter of
/// its life where that is less.
const RENEWAL_REST_MS: u64 = 60_000;

/// How other hosts reach a node: an IP address or a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or a host name")]
pub struct InvalidAddress;

impl std::str::FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        let is_name = (1..=253).contains(&text.len())
            && text.bytes().all(allowed)
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let is_address = text.parse::<std::net::IpAddr>().is_ok();
        if is_name || is_address { Ok(Self(text.to_owned())) } else { Err(InvalidAddress) }
    }
}

impl From<std::net::IpAddr> for Address {
    fn from(address: std::net::IpAddr) -> Self {
        Self(address.to_canonical().to_string())
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a node says of itself at the begin of a session.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// The certificate it shows, verified.
    pub shown: CertificateRecord,
    /// How other hosts reach it.
    pub address: Address,
    /// Where its agent offers metrics; 0 for nowhere.
    pub metrics_port: u16,
    /// The machine it says to be; none where it cannot tell.
    pub machine: Option<MachineId>,
    /// What its agent says of itself.
    pub agent: AgentRecord,
}

/// Nodes after they joined. Cheap to clone.
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
    /// The wall time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.env.now()
    }

    /// Who is connected, and what each node last reported.
    #[must_use]
    pub fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Certificates that no longer count.
    #[must_use]
    pub fn revoked(&self) -> &Revoked {
        &self.revoked
    }

    /// What a node was given last.
    pub async fn assignment(&self, node: &NodeId) -> Result<Option<Arc<Assigned>>> {
        let key = keys::assignment(&node.tenant, &node.name);
        Ok(self.records.get_cached(&key).await?.map(|entry| entry.value))
    }

    /// Wakes when a node is given something.
    #[must_use]
    pub fn assignment_changes(&self, node: &NodeId) -> store::ChangeSignal {
        self.records.changed_at(&keys::assignment(&node.tenant, &node.name))
    }

    /// The certificates of nodes that no longer count.
    pub(super) async fn revocations(&self) -> Result<Vec<(Identity, Serial)>> {
        // A node whose record cannot be read is let in by nothing anyway.
        let nodes = self.records.list_lossy(&keys::all_nodes()).await?.entries;
        let lines = nodes.iter().filter_map(|(rest, node)| {
            Some((NodeId::of_key(rest)?.identity(), node.value.revoked?))
        });
        Ok(lines.collect())
    }

    /// A node begins a session: it must be enrolled, with its newest certificate.
    pub async fn greet(&self, id: &NodeId, greeting: &Greeting) -> Result<()> {
        let may_write = AtomicBool::new(false);
        let greeted = retry_conflicts(|| self.try_greet(id, greeting, &may_write)).await;
        if let Err(error @ OpsError::Duplicate { .. }) = &greeted {
            self.presence.record_duplicate(id, &error.to_string(), self.env.now());
        }
        greeted
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
        // New certificates have a measure of their own.
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

    /// A new certificate for a node that shows a valid one.
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

    /// A new certificate for a node whose last one has ended.
    pub async fn recover(
        &self,
        ended: &CertificateDer<'_>,
        request: &CertificateRequest,
    ) -> Result<IssuedCertificate> {
        let claim = recover(self.issuer.authority(), ended).map_err(OpsError::Recovery)?;
        let Identity::Node { tenant, node: name } = claim.peer().identity.clone() else {
            return Err(OpsError::Recovery(RecoveryRefused::Foreign));
        };
        let id = NodeId { tenant, name };
        retry_conflicts(|| self.try_recover(&id, &claim, request)).await
    }

    async fn try_recover(
        &self,
        id: &NodeId,
        claim: &RecoveryClaim,
        request: &CertificateRequest,
    ) -> Result<IssuedCertificate> {
        let mut node = self.enrolled(id).await?;
        let shown = CertificateRecord::of(claim.peer());
        node.value.machine = machine_of(&node.value, shown).cloned();
        let known = node.value.certificates;
        let checked = claim.check(known, request, self.env.now(), RECOVERY_WINDOW_MS_DEFAULT);
        node.value.certificates = checked.map_err(OpsError::Recovery)?;
        self.reissue(id, &node, shown, request).await
    }

    /// Removes a node: its certificates no longer count, its session ends. What
    /// runs on the host is left alone.
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
        // One made in the future is of a clock that was set back: it counts nowhere.
        let is_of_the_future = newest.issued > now;
        let age_ms = now.since_ms(newest.issued);
        if !is_of_the_future && age_ms < RENEWAL_REST_MS.min(self.issuer.lifetime_ms() / 4) {
            // For the same key it is the answer that was lost; nothing is written.
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

/// The machine a node is known to be. A certificate newer than the record is of
/// a time the record knows nothing of: the node may be another machine since.
fn machine_of(node: &NodeRecord, shown: CertificateRecord) -> Option<&MachineId> {
    node.machine.as_ref().filter(|_| shown.serial <= node.certificates.current.serial)
}

/// A node is one machine: another one with its key is a copy. What runs on
/// either goes on.
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
