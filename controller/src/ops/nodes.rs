//! Nodes after they joined: their certificates, what they say of themselves,
//! and their removal.

use std::collections::HashMap;

use oml_common::id::{NodeName, TenantId};
use oml_common::time::Timestamp;
use oml_proto::tls::{Identity, OperatorName, Serial};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;

use super::{ConflictRetries, Ops, OpsError, Result, audit};
use crate::clock;
use crate::pki::{
    CertificateRecord, CertificateRequest, Issued, NodeCertificates, RECOVERY_WINDOW_MS_DEFAULT,
    RecoveryRefused, Terms, highest_serial, recover,
};
use crate::records::values::{Audit, MachineId, Node};
use crate::records::{Batch, Entry, if_unchanged, keys};
use crate::store::Expect;

/// Least age of a certificate that another one takes the place of; a quarter of
/// its life where that is less.
const RENEWAL_REST_MS: u64 = 60_000;

/// A certificate for a node, and what goes with it.
#[derive(Debug, Clone)]
pub struct IssuedCertificate {
    /// The node's certificate.
    pub certificate_pem: String,
    /// The authority's.
    pub ca_pem: String,
    /// Whose node it is.
    pub tenant: TenantId,
    /// The node.
    pub node: NodeName,
}

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
}

impl Ops {
    /// Reads which certificates no longer count.
    pub async fn load_revoked(&self) -> Result<()> {
        let mut lines = HashMap::new();
        // A node whose record cannot be read is let in by nothing anyway.
        for (rest, node) in self.parts.records.list_lossy(&keys::all_nodes()).await?.entries {
            if let (Some((tenant, node)), Some(up_to)) =
                (keys::tenant_and_node(&rest), node.value.revoked)
            {
                lines.insert(Identity::Node { tenant, node }, up_to);
            }
        }
        let operators = self.parts.records.list_lossy(&keys::operators()).await?;
        for (name, operator) in operators.entries {
            if let (Ok(name), Some(up_to)) = (name.parse(), operator.value.revoked) {
                lines.insert(Identity::Operator(name), up_to);
            }
        }
        // Certificates alone let an operator in: one who may have been removed is not.
        for name in operators.damaged.iter().filter_map(|name| name.parse().ok()) {
            tracing::error!(%name, "the operator's record is damaged: none of its certificates counts; make an operator of another name");
            lines.insert(Identity::Operator(name), Serial(u128::MAX));
        }
        self.parts.revoked.replace(lines);
        Ok(())
    }

    /// A node begins a session: it must be enrolled, with its newest certificate.
    pub async fn greet(
        &self,
        tenant: &TenantId,
        name: &NodeName,
        greeting: &Greeting,
    ) -> Result<()> {
        let mut retries = ConflictRetries::default();
        let mut may_write = false;
        while let Err(error) = self.try_greet((tenant, name), greeting, &mut may_write).await {
            if matches!(error, OpsError::Duplicate { .. }) {
                let message = error.to_string();
                self.parts.presence.record_duplicate(tenant, name, &message, clock::now());
            }
            retries.after(error)?;
        }
        Ok(())
    }

    async fn try_greet(
        &self,
        (tenant, name): (&TenantId, &NodeName),
        greeting: &Greeting,
        may_write: &mut bool,
    ) -> Result<()> {
        let node = self.enrolled(tenant, name).await?;
        let known = machine_of(&node.value, greeting.shown);
        check_machine(name, known, greeting)?;
        let greeted = Node {
            machine: known.or(greeting.machine.as_ref()).cloned(),
            address: greeting.address.to_string(),
            metrics_port: greeting.metrics_port,
            certificates: node.value.certificates.shown(greeting.shown)?,
            ..node.value.clone()
        };
        if greeted == node.value {
            return Ok(());
        }
        // New certificates have a measure of their own.
        *may_write = *may_write
            || greeted.certificates != node.value.certificates
            || self.parts.presence.may_greet(tenant, name, Instant::now());
        if !*may_write {
            return Err(OpsError::AddressUnstable);
        }
        let key = keys::node(tenant, name);
        let batch = Batch::default().put(&key, if_unchanged(Some(&node)), &greeted);
        Ok(self.parts.records.commit(batch).await?)
    }

    /// A new certificate for a node that shows a valid one.
    pub async fn renew(
        &self,
        (tenant, name): (&TenantId, &NodeName),
        shown: CertificateRecord,
        request: &CertificateRequest,
    ) -> Result<IssuedCertificate> {
        let mut retries = ConflictRetries::default();
        loop {
            let mut node = self.enrolled(tenant, name).await?;
            node.value.machine = machine_of(&node.value, shown).cloned();
            node.value.certificates = node.value.certificates.shown(shown)?;
            match self.reissue((tenant, name), &node, shown, request).await {
                Ok(certified) => return Ok(certified),
                Err(error) => retries.after(error)?,
            }
        }
    }

    /// A new certificate for a node whose last one has ended.
    pub async fn recover(
        &self,
        ended: &CertificateDer<'_>,
        request: &CertificateRequest,
    ) -> Result<IssuedCertificate> {
        let claim = recover(&self.parts.authority, ended).map_err(OpsError::Recovery)?;
        let Identity::Node { tenant, node: name } = claim.peer().identity.clone() else {
            return Err(OpsError::Recovery(RecoveryRefused::Foreign));
        };
        let mut retries = ConflictRetries::default();
        loop {
            let mut node = self.enrolled(&tenant, &name).await?;
            let shown = CertificateRecord::of(claim.peer());
            node.value.machine = machine_of(&node.value, shown).cloned();
            let known = node.value.certificates;
            let checked = claim.check(known, request, clock::now(), RECOVERY_WINDOW_MS_DEFAULT);
            node.value.certificates = checked.map_err(OpsError::Recovery)?;
            match self.reissue((&tenant, &name), &node, shown, request).await {
                Ok(certified) => return Ok(certified),
                Err(error) => retries.after(error)?,
            }
        }
    }

    /// Removes a node: its certificates no longer count, its session ends. What
    /// runs on the host is left alone.
    pub async fn remove_node(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        name: &NodeName,
    ) -> Result<()> {
        let mut retries = ConflictRetries::default();
        let revoked = loop {
            match self.try_remove(who, tenant, name).await {
                Ok(revoked) => break revoked,
                Err(error) => retries.after(error)?,
            }
        };
        self.revoke(Identity::Node { tenant: tenant.clone(), node: name.clone() }, Some(revoked));
        self.parts.presence.forget(tenant, name);
        tracing::info!(%tenant, node = %name, %who, "a node was removed");
        Ok(())
    }

    async fn try_remove(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        name: &NodeName,
    ) -> Result<Serial> {
        let node = match self.enrolled(tenant, name).await {
            Err(OpsError::NotEnrolled { .. }) => return Err(self.unknown_node(tenant, name).await),
            found => found?,
        };
        let now = clock::now();
        let line = node.value.certificates.newest().max(highest_serial(now));
        let removed = Node { revoked: Some(line), removed: Some(now), ..node.value.clone() };
        let audit = node_audit(who.to_string(), "removed the node".into(), (tenant, name), now);
        let batch = Batch::default()
            .put(&keys::node(tenant, name), if_unchanged(Some(&node)), &removed)
            .delete(&keys::last_report(tenant, name), Expect::Any)
            .put(&keys::audit(), Expect::Absent, &audit);
        self.parts.records.commit(batch).await?;
        Ok(line)
    }

    async fn enrolled(&self, tenant: &TenantId, name: &NodeName) -> Result<Entry<Node>> {
        let node = self.parts.records.get(&keys::node(tenant, name)).await?;
        let node = node.filter(|node| node.value.removed.is_none());
        node.ok_or_else(|| OpsError::NotEnrolled { node: name.clone() })
    }

    async fn reissue(
        &self,
        (tenant, name): (&TenantId, &NodeName),
        node: &Entry<Node>,
        shown: CertificateRecord,
        request: &CertificateRequest,
    ) -> Result<IssuedCertificate> {
        let now = clock::now();
        let (newest, lifetime_ms) = (node.value.certificates.current, self.parts.node_lifetime_ms);
        let identity = Identity::Node { tenant: tenant.clone(), node: name.clone() };
        // One made in the future is of a clock that was set back: it counts nowhere.
        let is_of_the_future = newest.issued > now;
        let age_ms = now.since_ms(newest.issued);
        if !is_of_the_future && age_ms < RENEWAL_REST_MS.min(lifetime_ms / 4) {
            // For the same key it is the answer that was lost; nothing is written.
            if request.fingerprint() != newest.public_key {
                return Err(OpsError::RenewedTooSoon);
            }
            let again = self.parts.authority.issue_again(&identity, request, newest)?;
            return Ok(self.certified(again, tenant.clone(), name.clone()));
        }
        let terms = Terms { now, lifetime_ms, after: Some(newest.serial) };
        let issued = self.parts.authority.issue(&identity, request, terms)?;
        let certificates = NodeCertificates::renewed(shown, issued.record);
        let renewed = Node { certificates, ..node.value.clone() };
        let what = format!("{} {} after {}", audit::RENEWED, issued.record.serial, shown.serial);
        let audit = node_audit(identity.to_string(), what, (tenant, name), now);
        let batch = Batch::default()
            .put(&keys::node(tenant, name), if_unchanged(Some(node)), &renewed)
            .put(&keys::audit(), Expect::Absent, &audit);
        self.parts.records.commit(batch).await?;
        Ok(self.certified(issued, tenant.clone(), name.clone()))
    }

    pub(super) fn certified(
        &self,
        issued: Issued,
        tenant: TenantId,
        node: NodeName,
    ) -> IssuedCertificate {
        let ca_pem = self.parts.authority.pem().to_owned();
        IssuedCertificate { certificate_pem: issued.certificate_pem, ca_pem, tenant, node }
    }
}

/// The machine a node is known to be. A certificate newer than the record is of
/// a time the record knows nothing of: the node may be another machine since.
fn machine_of(node: &Node, shown: CertificateRecord) -> Option<&MachineId> {
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

fn node_audit(
    who: String,
    what: String,
    (tenant, node): (&TenantId, &NodeName),
    at: Timestamp,
) -> Audit {
    Audit { at, who, what, tenant: Some(tenant.clone()), node: Some(node.clone()) }
}
