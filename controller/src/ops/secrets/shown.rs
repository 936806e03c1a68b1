//! What people may know of the certificate of a tenant.

use std::collections::BTreeSet;

use oml_common::decide::acme::{AcmeInput, AcmeNext, failed_line, next, renewed_from};
use oml_common::decide::tls::{self, SecretRecords, TlsChoice, TlsInUse, TlsInput};
use oml_common::document::spec::{TenantSpec, TlsSpec};
use oml_common::document::tls_facts::TlsFacts;
use oml_common::document::tls_secret::TlsSecret;
use oml_common::id::TenantId;
use oml_common::text::error::chain;
use oml_common::time::Timestamp;

use super::{Secrets, records};
use crate::ops::Result;
use crate::records::keys;

/// The authority of a tenant, with what browsers need of it.
#[derive(Debug, Clone)]
pub struct TlsAuthority {
    pub facts: TlsFacts,
    /// Its certificate, or why it cannot be shown.
    pub pem: std::result::Result<String, String>,
}

/// The order of a certificate, as people may know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateOrder {
    /// The address of the directory.
    pub directory: String,
    /// When the renewal begins; none if there is no certificate of the directory yet.
    pub renewed_from: Option<Timestamp>,
    /// A sentence about the last attempt, if that failed.
    pub failure: Option<String>,
    /// What has to happen before a certificate that is due is ordered.
    pub waits_for: Option<&'static str>,
}

/// What people may know of the certificate of a tenant.
#[derive(Debug)]
pub struct TlsView {
    /// What the document says of it; none if it says nothing.
    pub wanted: Option<TlsSpec>,
    /// The certificate that the present revision names or, if no component uses one, that it would.
    pub certificate: Option<TlsInUse>,
    /// The tenant's own authority that signed it.
    pub authority: Option<TlsAuthority>,
    /// A sentence about its end, if that is near.
    pub warning: Option<String>,
    /// Its order, if the tenant orders it.
    pub order: Option<CertificateOrder>,
}

impl Secrets {
    /// Returns what people may know of the certificate of a tenant.
    pub async fn tls(&self, tenant: &TenantId) -> Result<TlsView> {
        self.check_tenant(tenant).await?;
        let records = records(&self.of_tenant(tenant).await?);
        let plan = self.present_plan(tenant).await?;
        let spec = self.present_spec(tenant).await?;
        let record = records.get(&TlsSecret::Certificate.name());
        let in_use = plan.as_deref().and_then(|plan| tls::in_use(plan, record));
        let named = in_use.as_ref().map(|it| it.version);
        let certificate = in_use.or_else(|| unused(spec.as_ref(), &records, self.env.now()));
        let warning = certificate.as_ref();
        let warning = warning.and_then(|it| tls::warning(tenant, it, self.env.now()));
        let authority =
            certificate.as_ref().and_then(|it| self.authority(tenant, &records, &it.facts));
        let wanted = spec.and_then(|spec| spec.tls);
        let order = self.order(tenant, wanted.as_ref(), &records, named).await?;
        Ok(TlsView { wanted, certificate, authority, warning, order })
    }

    /// Returns what people may know of the order of a certificate; none if the tenant orders none. `in_use` is
    /// the version that the present plan names.
    async fn order(
        &self,
        tenant: &TenantId,
        tls: Option<&TlsSpec>,
        secrets: &SecretRecords,
        in_use: Option<u64>,
    ) -> Result<Option<CertificateOrder>> {
        let Some((tls, acme)) = tls.and_then(|tls| Some((tls, tls.acme.as_ref()?))) else {
            return Ok(None);
        };
        let (now, account) = (self.env.now(), self.records.get(&keys::acme(tenant)).await?);
        let rollout = self.records.get(&keys::rollout(tenant)).await?;
        let ordered = tls::newest_ordered(secrets, tls, now);
        let renewed_from = ordered.map(|(_, facts)| renewed_from(facts));
        let decided = account.as_ref().zip(rollout.as_ref()).map(|(account, rollout)| {
            let (record, rollout) = (&account.value, &rollout.value.state);
            next(AcmeInput { tls, secrets, record, in_use, rollout, now })
        });
        let waits_for = match decided {
            Some(AcmeNext::Wait { why, .. }) => why.waits_for(),
            Some(AcmeNext::Give { .. } | AcmeNext::Order | AcmeNext::Note { .. }) | None => None,
        };
        Ok(Some(CertificateOrder {
            directory: acme.directory.clone(),
            renewed_from,
            failure: account.and_then(|account| failed_line(tenant, &account.value, now)),
            waits_for: waits_for.filter(|_| renewed_from.is_none_or(|from| from <= now)),
        }))
    }

    /// Returns the authority that signed a certificate, if it is the tenant's own and is kept.
    fn authority(
        &self,
        tenant: &TenantId,
        records: &SecretRecords,
        of: &TlsFacts,
    ) -> Option<TlsAuthority> {
        let number = tls::version_of(records, of.authority?)?;
        let sealed = records.get(&TlsSecret::Authority.name())?.versions.get(&number)?;
        let facts = sealed.certificate.clone()?;
        let opened = self.open_part(tenant, records, TlsSecret::Authority, number);
        let pem = opened.map(|text| text.reveal().to_owned()).map_err(|error| chain(&error));
        Some(TlsAuthority { facts, pem })
    }
}

/// Returns the certificate that a change of something else would name, if no component uses one now.
fn unused(spec: Option<&TenantSpec>, records: &SecretRecords, now: Timestamp) -> Option<TlsInUse> {
    let choice = tls::choose(TlsInput { spec: spec?, records, named: None, now });
    let Ok(TlsChoice::Version(version)) = choice else { return None };
    let sealed = records.get(&TlsSecret::Certificate.name())?.versions.get(&version)?;
    let (facts, used_by) = (sealed.certificate.clone()?, BTreeSet::new());
    Some(TlsInUse { version, facts, used_by, replaced_by: None, serves_older: BTreeSet::new() })
}
