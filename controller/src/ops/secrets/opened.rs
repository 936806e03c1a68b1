//! The secrets that a node gets, because its instances name them.

use std::collections::BTreeMap;

use oml_common::decide::secrets::of_share;
use oml_common::document::assignment::Assignment;
use oml_common::id::{SecretMark, SecretName};
use oml_common::text::problem::Problem;
use oml_common::text::secret_text::SecretText;

use super::Secrets;
use crate::ops::{OpsError, Result};
use crate::records::keys;
use crate::records::values::SecretRecord;
use crate::seal::SecretPlace;

/// A secret for a node, whose instances name it.
#[derive(Debug, Clone)]
pub struct OpenedSecret {
    pub name: SecretName,
    pub version: u64,
    pub mark: SecretMark,
    /// Whether a container mounts it as a file.
    pub is_mounted: bool,
    pub value: SecretText,
}

impl Secrets {
    /// Opens the secrets that the instances of an assignment name.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read. A secret that cannot be opened, or whose record
    /// cannot be read, is the error of its own entry.
    pub async fn of_assignment(
        &self,
        assignment: &Assignment,
    ) -> Result<Vec<Result<OpenedSecret>>> {
        let tenant = &assignment.tenant;
        let mut wanted: BTreeMap<(SecretName, u64, SecretMark), bool> = BTreeMap::new();
        for (_, secret) in of_share(&assignment.content.share) {
            let place = (secret.name.clone(), secret.version, secret.mark.clone());
            *wanted.entry(place).or_default() |= secret.file.is_some();
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let listed = self.records.list_lossy(&keys::secrets(tenant)).await?;
        let records = listed.entries.into_iter().map(|(name, entry)| (name, entry.value));
        let records: BTreeMap<String, SecretRecord> = records.collect();
        let open = |(secret, is_mounted): ((SecretName, u64, SecretMark), bool)| {
            let (name, version, mark) = secret;
            if listed.damaged.contains(name.as_str()) {
                let message = format!("the record of secret {name} of {tenant} cannot be read");
                return Err(OpsError::from(Problem::new("", message)));
            }
            let place = SecretPlace { tenant, name: &name, version };
            let value = self.open(records.get(name.as_str()), place, &mark)?;
            Ok(OpenedSecret { name, version, mark, is_mounted, value })
        };
        Ok(wanted.into_iter().map(open).collect())
    }

    /// Opens one version of a secret.
    pub(super) fn open(
        &self,
        record: Option<&SecretRecord>,
        place: SecretPlace<'_>,
        mark: &SecretMark,
    ) -> Result<SecretText> {
        let SecretPlace { tenant, name, version } = place;
        let sealed = record.and_then(|record| record.versions.get(&version));
        let Some(sealed) = sealed.filter(|sealed| sealed.mark == *mark) else {
            let message = format!("secret {name} version {version} of {tenant} is not kept");
            return Err(Problem::new("", message).into());
        };
        let opened = self.key()?.open(place, sealed);
        let (tenant, name) = (tenant.clone(), name.clone());
        opened.map_err(|source| OpsError::Sealed { tenant, name, version, source })
    }
}
