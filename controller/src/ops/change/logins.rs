//! What registries are asked for, and the logins of the tenant with which they are asked.

use std::collections::BTreeMap;

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
    /// Opens the passwords of the tenant's registries; none if no registry has to be asked, because
    /// every image is known. A secret that the tenant does not have is reported by the plan.
    ///
    /// # Errors
    /// Returns an error if a password cannot be opened, unless the change is refused anyway.
    pub(super) async fn logins(
        &self,
        draft: &Draft,
        images: &BTreeMap<ComponentName, ImageName>,
        known: &BTreeMap<ImageName, Digest>,
        is_refused: bool,
    ) -> Result<TenantLogins> {
        match self.opened_logins(draft, images, known).await {
            // The change is refused for its problems.
            Err(_) if is_refused => Ok(TenantLogins::new()),
            logins => logins,
        }
    }

    async fn opened_logins(
        &self,
        draft: &Draft,
        images: &BTreeMap<ComponentName, ImageName>,
        known: &BTreeMap<ImageName, Digest>,
    ) -> Result<TenantLogins> {
        let mut logins = TenantLogins::new();
        if images.values().all(|image| known.contains_key(image)) {
            return Ok(logins);
        }
        for (registry, used) in &draft.spec.registries {
            let Some(chosen) = draft.secrets.get(&used.password) else { continue };
            let (tenant, made) = (&draft.tenant, draft.rotation.as_ref());
            let opened = self.secrets.open_chosen(tenant, &used.password, chosen, made).await?;
            let (user, password) = (used.user.clone(), opened.reveal().to_owned());
            logins.insert(registry.clone(), RegistryCredentials { user, password });
        }
        Ok(logins)
    }
}
