//! The secrets of tenants. Their values are sealed before they reach a record, and opened only for
//! the nodes whose instances name them.

use std::collections::BTreeMap;
use std::sync::Arc;

use oml_common::decide::secrets::{SECRETS_MAX, retained, users};
use oml_common::id::{ComponentName, SecretName, TenantId};
use oml_common::text::problem::{Problem, Problems};
use oml_common::text::secret_text::SecretText;
use oml_common::time::Timestamp;
use oml_daemon::env::Env;
use oml_daemon::tls::OperatorName;

use super::error::{collect, complete};
use super::retries::retry_conflicts;
use super::tenants::Tenants;
use super::{OpsError, Result};
use crate::records::values::{AuditRecord, SealedVersion, SecretRecord};
use crate::records::{Batch, Entry, Records, if_unchanged, keys};
use crate::seal::{NoKey, SealingKey, SecretPlace};

mod account;
mod chosen;
mod key;
mod named;
mod opened;
mod refused;
mod shown;
mod tls;
mod value;

pub(super) use self::account::NewAccount;
pub use self::opened::OpenedSecret;
pub use self::shown::{CertificateOrder, TlsAuthority, TlsView};
pub use self::tls::{GivenPem, OrderedPem, TlsPart};
pub(super) use self::tls::{NewCertificate, records};
pub use self::value::{GENERATED_LEN, GENERATED_LEN_DEFAULT, NewValue};

use self::refused::{check_size, check_unreserved, unknown};

/// The key with which values are sealed, or why there is none.
pub type SecretsKey = std::result::Result<SealingKey, NoKey>;

/// The secrets of all tenants. It is cheap to clone.
#[derive(Debug, Clone)]
pub struct Secrets {
    env: Env,
    records: Records,
    tenants: Tenants,
    key: Arc<SecretsKey>,
}

/// What people may know of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSummary {
    pub name: SecretName,
    /// The highest number of its versions.
    pub version: u64,
    pub at: Timestamp,
    pub who: String,
    /// The components of the present revision that name it, each with the version that it names.
    pub used_by: BTreeMap<ComponentName, u64>,
    /// The numbers of the kept versions.
    pub kept: Vec<u64>,
}

/// A new version of a secret that is not recorded yet.
#[derive(Debug, Clone)]
pub(super) struct NewVersion {
    pub(super) name: SecretName,
    /// The record that the new one replaces.
    pub(super) before: Option<Entry<SecretRecord>>,
    pub(super) record: SecretRecord,
}

impl Secrets {
    /// Makes the access to the secrets of these records.
    #[must_use]
    pub fn new(env: Env, records: Records, tenants: Tenants, key: SecretsKey) -> Self {
        Self { env, records, tenants, key: Arc::new(key) }
    }

    /// Returns the key, or the error that says why there is none.
    pub(super) fn key(&self) -> Result<&SealingKey> {
        self.key.as_ref().as_ref().map_err(|missing| OpsError::NoKey(missing.clone()))
    }

    /// Reads the secrets of a tenant, also those that were removed.
    pub(super) async fn of_tenant(
        &self,
        tenant: &TenantId,
    ) -> Result<BTreeMap<SecretName, Entry<SecretRecord>>> {
        let all = keys::secrets(tenant);
        let found = self.records.list(&all).await?.into_iter();
        Ok(found.filter_map(|(rest, entry)| Some((all.name(&rest)?, entry))).collect())
    }

    /// Returns what people may know of a tenant's secrets.
    pub async fn list(&self, tenant: &TenantId) -> Result<Vec<SecretSummary>> {
        self.check_tenant(tenant).await?;
        let plan = self.present_plan(tenant).await?;
        let secrets = self.of_tenant(tenant).await?.into_iter();
        let summary = |(name, entry): (SecretName, Entry<SecretRecord>)| {
            let (version, newest) = entry.value.newest()?;
            let (at, who) = (newest.at, newest.who.clone());
            let used_by = plan.as_deref().map(|plan| users(plan, &name)).unwrap_or_default();
            let kept = entry.value.versions.keys().copied().collect();
            Some(SecretSummary { name, version, at, who, used_by, kept })
        };
        Ok(secrets.filter_map(summary).collect())
    }

    /// Gives a tenant a secret that it does not have, and returns the number of its version.
    ///
    /// # Errors
    /// Returns an error if the tenant has it already, or if the key at hand is not the one that the
    /// other secrets are sealed with.
    pub async fn set(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        name: &SecretName,
        value: &NewValue,
    ) -> Result<u64> {
        let mut wrong = Problems::default();
        collect(check_unreserved(tenant, name), &mut wrong)?;
        collect(self.check_tenant(tenant).await, &mut wrong)?;
        let value = collect(value.read(self.env.random()), &mut wrong)?;
        let value = complete(value, wrong)?;
        retry_conflicts(|| self.try_set(who, tenant, name, &value)).await
    }

    async fn try_set(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        name: &SecretName,
        value: &SecretText,
    ) -> Result<u64> {
        let all = self.of_tenant(tenant).await?;
        let present = all.get(name);
        if let Some((version, _)) = present.and_then(|entry| entry.value.newest()) {
            let message = format!("{tenant} has secret {name} already, in version {version}");
            let hint = format!("omlctl secret rotate tenant={tenant} {name}");
            return Err(Problem::new("name", message).hint(hint).into());
        }
        let count = all.values().filter(|entry| entry.value.newest().is_some()).count();
        if count >= SECRETS_MAX {
            let message = format!("{tenant} has {count} secrets, which is the most");
            let hint = format!("omlctl secret remove tenant={tenant} NAME");
            return Err(Problem::new("name", message).hint(hint).into());
        }
        self.check_key().await?;
        let number = next_number(present);
        let place = SecretPlace { tenant, name, version: number };
        let made = NewVersion::after(present.cloned(), place, self.sealed(who, place, value)?);
        let audit = self.audit(who, tenant, format!("gave secret {name} version {number}"));
        self.records.commit(made.put(Batch::default(), tenant).audit(&audit)).await?;
        tracing::info!(%tenant, secret = %name, version = number, %who, "a secret was given");
        Ok(number)
    }

    /// Seals the next version of a secret that a tenant has. Those of its versions that nothing
    /// names any more are dropped.
    ///
    /// # Errors
    /// Returns an error if there is no such secret, if the value cannot be one, or if the hosts run so
    /// many versions of the secret that no other can be kept.
    pub(super) async fn next_version(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        name: &SecretName,
        value: &NewValue,
    ) -> Result<NewVersion> {
        let mut wrong = Problems::default();
        let value = collect(value.read(self.env.random()), &mut wrong)?;
        let is_free = collect(check_unreserved(tenant, name), &mut wrong)?.is_some();
        let mut all = self.of_tenant(tenant).await?;
        let present = all.remove(name).filter(|entry| entry.value.newest().is_some());
        if present.is_none() && is_free {
            wrong.push(unknown(tenant, name, all));
        }
        let (present, value) = complete(present.zip(value), wrong)?;
        let place = SecretPlace { tenant, name, version: next_number(Some(&present)) };
        let made = NewVersion::after(Some(present), place, self.sealed(who, place, &value)?);
        let named = self.named(tenant, &made.record).await?;
        let record = retained(made.record, &named);
        check_size(tenant, name, &record)?;
        Ok(NewVersion { record, ..made })
    }

    fn sealed(
        &self,
        who: &OperatorName,
        place: SecretPlace<'_>,
        value: &SecretText,
    ) -> Result<SealedVersion> {
        let sealed = self.key()?.seal(place, value, self.env.random())?;
        Ok(SealedVersion {
            mark: sealed.mark,
            at: self.env.now(),
            who: who.to_string(),
            key: sealed.key,
            sealed: sealed.text,
            has_lines: value.has_lines(),
            certificate: None,
        })
    }

    /// Removes a secret with all its versions. It is refused while an instance names it.
    pub async fn remove(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        name: &SecretName,
    ) -> Result<()> {
        self.check_tenant(tenant).await?;
        retry_conflicts(|| self.try_remove(who, tenant, name)).await
    }

    async fn try_remove(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        name: &SecretName,
    ) -> Result<()> {
        let head = self.records.get(&keys::head(tenant)).await?;
        let mut all = self.of_tenant(tenant).await?;
        let present = all.remove(name).filter(|entry| entry.value.newest().is_some());
        let Some(present) = present else {
            return Err(unknown(tenant, name, all).into());
        };
        self.check_removable(tenant, name).await?;
        self.check_unused(tenant, name).await?;
        let removed = SecretRecord { last: present.value.last, versions: BTreeMap::new() };
        let audit = self.audit(who, tenant, format!("removed secret {name}"));
        let mut batch = Batch::default()
            .put(&keys::secret(tenant, name), if_unchanged(Some(&present)), &removed)
            .audit(&audit);
        if let Some(head) = &head {
            // A change at the same time, which may name the secret, is planned again.
            batch = batch.put(&keys::head(tenant), if_unchanged(Some(head)), &head.value);
        }
        self.records.commit(batch).await?;
        tracing::info!(%tenant, secret = %name, %who, "a secret was removed");
        Ok(())
    }

    async fn check_unused(&self, tenant: &TenantId, name: &SecretName) -> Result<()> {
        for plan in self.live_plans(tenant).await? {
            let users: Vec<String> =
                users(&plan, name).into_keys().map(|component| component.to_string()).collect();
            if !users.is_empty() {
                let message = format!(
                    "secret {name} is used by {} in revision {} of {tenant}",
                    users.join(", "),
                    plan.revision
                );
                let hint = "remove it from the specification first, and apply that";
                return Err(Problem::new("name", message).hint(hint).into());
            }
        }
        Ok(())
    }

    pub(super) async fn check_tenant(&self, tenant: &TenantId) -> Result<()> {
        match self.tenants.all().await?.contains(tenant) {
            true => Ok(()),
            false => Err(self.tenants.unknown_tenant(tenant).await),
        }
    }

    pub(super) fn audit(&self, who: &OperatorName, tenant: &TenantId, what: String) -> AuditRecord {
        let (at, who, tenant) = (self.env.now(), who.to_string(), Some(tenant.clone()));
        AuditRecord { at, who, what, tenant, node: None }
    }
}

impl NewVersion {
    /// Returns the record of a secret with its next version.
    fn after(
        before: Option<Entry<SecretRecord>>,
        place: SecretPlace<'_>,
        sealed: SealedVersion,
    ) -> Self {
        let mut record = before.as_ref().map(|entry| entry.value.clone()).unwrap_or_default();
        record.last = place.version;
        record.versions.insert(place.version, sealed);
        Self { name: place.name.clone(), before, record }
    }

    /// Adds the write of the record.
    pub(super) fn put(&self, batch: Batch, tenant: &TenantId) -> Batch {
        let key = keys::secret(tenant, &self.name);
        batch.put(&key, if_unchanged(self.before.as_ref()), &self.record)
    }
}

/// Returns the number of the next version of a secret.
fn next_number(present: Option<&Entry<SecretRecord>>) -> u64 {
    present.map_or(0, |entry| entry.value.last) + 1
}
