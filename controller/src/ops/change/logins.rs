//! What registries are asked for, and the logins of the tenant with which they are asked.

use std::collections::{BTreeMap, BTreeSet};

use oml_common::decide::plan::ImageName;
use oml_common::document::spec::TenantSpec;
use oml_common::id::{ComponentName, Digest};

use super::Changes;
use super::draft::Draft;
use crate::ops::Result;
use crate::registry::{RegistryCredentials, TenantLogins};

/// The images for which the registries of a tenant are asked.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Questions<'a> {
    pub(in crate::ops) spec: &'a TenantSpec,
    pub(in crate::ops) images: &'a BTreeMap<ComponentName, ImageName>,
    pub(in crate::ops) logins: &'a TenantLogins,
    /// Whether the change is refused anyway, so that the wait is short.
    pub(in crate::ops) is_refused: bool,
}

impl Changes {
    /// Opens the passwords as [`Self::logins`] does. A change that is refused for its problems goes on
    /// without those that cannot be opened.
    ///
    /// # Errors
    /// As [`Self::logins`], of a change that is not refused.
    pub(super) async fn usable_logins(
        &self,
        draft: &Draft,
        images: &BTreeMap<ComponentName, ImageName>,
        known: &BTreeMap<ImageName, Digest>,
        is_refused: bool,
    ) -> Result<TenantLogins> {
        match self.logins(draft, images, known).await {
            Err(_) if is_refused => Ok(TenantLogins::default()),
            logins => logins,
        }
    }

    /// Opens the passwords of those of the tenant's registries that have to be asked, because an image
    /// of theirs is not known. A secret that the tenant does not have is reported by the plan.
    ///
    /// # Errors
    /// Returns an error if a password cannot be opened.
    async fn logins(
        &self,
        draft: &Draft,
        images: &BTreeMap<ComponentName, ImageName>,
        known: &BTreeMap<ImageName, Digest>,
    ) -> Result<TenantLogins> {
        let mut logins = TenantLogins::new();
        let unknown = images.values().filter(|image| !known.contains_key(image));
        let asked: BTreeSet<String> =
            unknown.map(|image| self.registries.asked_for(&image.repository)).collect();
        for (registry, used) in draft.spec.registries.iter().filter(|(it, _)| asked.contains(*it)) {
            let Some(chosen) = draft.secrets.get(&used.password) else { continue };
            let (tenant, made) = (&draft.tenant, draft.rotation.as_ref());
            let opened = self.secrets.open_chosen(tenant, &used.password, chosen, made).await?;
            let (user, password) = (used.user.clone(), opened.reveal().to_owned().into());
            logins.insert(registry.clone(), RegistryCredentials { user, password });
        }
        Ok(logins)
    }
}
