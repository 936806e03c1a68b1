//! The keys of a tenant at an ACME directory: that of its account and that of the certificate on order. Both are
//! secrets with reserved names, of which one version is kept.

use oml_common::decide::secrets::{NamedSecrets, retained};
use oml_common::document::tls_secret::TlsSecret;
use oml_common::id::{AccountThumbprint, TenantId};
use oml_common::text::problem::Problem;
use oml_common::text::secret_text::SecretText;
use oml_daemon::tls::OperatorName;
use zeroize::Zeroizing;

use super::{NewVersion, Secrets, next_number};
use crate::ops::Result;
use crate::pki;
use crate::records::values::AcmeRecord;
use crate::records::{Batch, Entry, if_unchanged, keys};
use crate::seal::SecretPlace;

/// An account that is not recorded yet.
pub(in crate::ops) struct NewAccount {
    key: NewVersion,
    /// The record that the new one replaces.
    before: Option<Entry<AcmeRecord>>,
    record: AcmeRecord,
}

impl NewAccount {
    /// Returns the thumbprint by which its challenges are answered.
    pub(in crate::ops) fn thumbprint(&self) -> &AccountThumbprint {
        &self.record.thumbprint
    }

    /// Adds the writes of the account and its key.
    pub(in crate::ops) fn put(&self, batch: Batch, tenant: &TenantId) -> Batch {
        let expect = if_unchanged(self.before.as_ref());
        self.key.put(batch, tenant).put(&keys::acme(tenant), expect, &self.record)
    }
}

impl Secrets {
    /// Returns the account of a tenant; none if it has none, or the key of it is not kept.
    pub(in crate::ops) async fn account(
        &self,
        tenant: &TenantId,
    ) -> Result<Option<Entry<AcmeRecord>>> {
        let Some(entry) = self.records.get(&keys::acme(tenant)).await? else { return Ok(None) };
        let key = keys::secret(tenant, &TlsSecret::AccountKey.name());
        let kept = self.records.get(&key).await?;
        let is_kept = kept.is_some_and(|it| it.value.versions.contains_key(&entry.value.key));
        Ok(is_kept.then_some(entry))
    }

    /// Returns the account of a tenant by which a change can go on: none if it has none, or the key of it is lost.
    /// It is lost if the controller has a key for secrets and another one sealed it.
    pub(in crate::ops) async fn usable_account(
        &self,
        tenant: &TenantId,
    ) -> Result<Option<Entry<AcmeRecord>>> {
        let Some(entry) = self.account(tenant).await? else { return Ok(None) };
        let Ok(own) = self.key() else { return Ok(Some(entry)) };
        let key = keys::secret(tenant, &TlsSecret::AccountKey.name());
        let kept = self.records.get(&key).await?;
        let sealed = kept.as_ref().and_then(|it| it.value.versions.get(&entry.value.key));
        Ok(sealed.is_some_and(|sealed| sealed.key == own.id()).then_some(entry))
    }

    /// Makes an account that no directory knows yet. In the place of one whose key is lost it is a rotation, which
    /// any key may do.
    ///
    /// # Errors
    /// Returns an error if the account is the first one, and the key at hand is not the one that the other secrets
    /// are sealed with.
    pub(in crate::ops) async fn new_account(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
    ) -> Result<NewAccount> {
        if self.account(tenant).await?.is_none() {
            self.check_key().await?;
        }
        let key_pem = pki::new_key()?;
        let thumbprint = pki::thumbprint(&key_pem)?;
        let key = self.seal_key(who, tenant, TlsSecret::AccountKey, key_pem).await?;
        let before = self.records.get(&keys::acme(tenant)).await?;
        let record = AcmeRecord::new(key.record.last, thumbprint);
        Ok(NewAccount { key, before, record })
    }

    /// Seals a key as the next version of a reserved secret, of which no other version stays.
    pub(in crate::ops) async fn seal_key(
        &self,
        who: &OperatorName,
        tenant: &TenantId,
        secret: TlsSecret,
        key_pem: Zeroizing<String>,
    ) -> Result<NewVersion> {
        let name = secret.name();
        let before = self.records.get(&keys::secret(tenant, &name)).await?;
        let place = SecretPlace { tenant, name: &name, version: next_number(before.as_ref()) };
        let value = SecretText::read(key_pem);
        let value = value.map_err(|error| Problem::new(secret.as_str(), error.to_string()))?;
        let made = NewVersion::after(before, place, self.sealed(who, place, &value)?);
        let record = retained(made.record, &NamedSecrets::default());
        Ok(NewVersion { record, ..made })
    }

    /// Opens a key that was sealed; none if it is not kept.
    ///
    /// # Errors
    /// Returns an error if the key at hand cannot open it.
    pub(in crate::ops) async fn open_key(
        &self,
        tenant: &TenantId,
        secret: TlsSecret,
        version: u64,
    ) -> Result<Option<SecretText>> {
        let name = secret.name();
        let entry = self.records.get(&keys::secret(tenant, &name)).await?;
        let record = entry.as_ref().map(|entry| &entry.value);
        let sealed = record.and_then(|record| record.versions.get(&version));
        let Some(mark) = sealed.map(|sealed| sealed.mark.clone()) else { return Ok(None) };
        self.open(record, SecretPlace { tenant, name: &name, version }, &mark).map(Some)
    }
}
