//! Whether the key at hand is the one that the secrets are sealed with.

use super::Secrets;
use crate::ops::{OpsError, Result};
use crate::records::keys;
use crate::seal::{KeyUse, OtherKey};

impl Secrets {
    /// Returns why secrets can neither be given nor sent to hosts, as far as this is a matter of
    /// the key; none if they can.
    pub async fn problem(&self) -> Result<Option<String>> {
        match self.key() {
            Ok(_) => Ok(self.other_key().await?.map(|other| other.to_string())),
            Err(missing) => Ok(Some(missing.to_string())),
        }
    }

    /// Returns what is sealed with another key than the one at hand; none if nothing is, or if
    /// there is no key.
    pub async fn other_key(&self) -> Result<Option<OtherKey>> {
        let Ok(key) = self.key() else { return Ok(None) };
        Ok(self.key_use().await?.others(key))
    }

    /// Checks that the key may seal another secret.
    ///
    /// # Errors
    /// Returns an error if all secrets are sealed with other keys: what this one seals is lost as
    /// soon as the right one is put back.
    pub(super) async fn check_key(&self) -> Result<()> {
        match self.key_use().await?.others(self.key()?) {
            Some(other) if other.is_of_all() => Err(OpsError::OtherKey(other)),
            Some(_) | None => Ok(()),
        }
    }

    async fn key_use(&self) -> Result<KeyUse> {
        let all = self.records.list_lossy(&keys::all_secrets()).await?;
        Ok(KeyUse::of(all.entries.iter().map(|(_, entry)| &entry.value)))
    }
}
