//! Opens the secrets that a plan names and that the controller uses itself.

use oml_common::decide::secrets::ChosenSecret;
use oml_common::id::{SecretName, TenantId};
use oml_common::text::secret_text::SecretText;

use super::{NewVersion, Secrets};
use crate::ops::Result;
use crate::records::keys;
use crate::seal::SecretPlace;

impl Secrets {
    /// Opens the version of a secret that a plan names. The change itself may have made it, and then
    /// it is not recorded yet.
    ///
    /// # Errors
    /// Returns an error if the store cannot be read, if the version is not kept, or if it cannot be
    /// opened with the key at hand.
    pub(in crate::ops) async fn open_chosen(
        &self,
        tenant: &TenantId,
        name: &SecretName,
        chosen: &ChosenSecret,
        made: Option<&NewVersion>,
    ) -> Result<SecretText> {
        let ChosenSecret { version, mark, has_lines: _ } = chosen;
        let place = SecretPlace { tenant, name, version: *version };
        if let Some(made) = made.filter(|made| made.name == *name) {
            return self.open(Some(&made.record), place, mark);
        }
        let entry = self.records.get(&keys::secret(tenant, name)).await?;
        self.open(entry.as_ref().map(|entry| &entry.value), place, mark)
    }
}
