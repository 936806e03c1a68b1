//! Reads the settings of a tenant, or of a catalog.

use oml_common::decide::settings::{SettingView, views};
use oml_common::document::spec::TenantSpec;
use oml_common::id::{CatalogName, RevisionNumber, TenantId};
use oml_common::text::problem::Problem;

use super::reader::StatusReader;
use super::{OpsError, Result};

/// The settings of a catalog, with the values of a tenant if it was asked about one.
#[derive(Debug)]
pub struct CatalogSettings {
    pub catalog: CatalogName,
    /// The revision that gives the values; 0 without a tenant.
    pub revision: RevisionNumber,
    pub settings: Vec<SettingView>,
}

impl StatusReader {
    /// Returns the settings of a tenant by its current revision.
    pub async fn settings_of_tenant(&self, tenant: &TenantId) -> Result<CatalogSettings> {
        let revision = self.specification(tenant, RevisionNumber::default()).await?;
        let spec = TenantSpec::parse(&revision.spec_yaml).map_err(OpsError::Problems)?;
        let catalog = &self.catalogs.of(&spec)?.catalog;
        Ok(CatalogSettings {
            catalog: catalog.name.clone(),
            revision: revision.number,
            settings: views(catalog, Some(&spec)),
        })
    }

    /// Returns the settings of a catalog with their defaults.
    pub fn settings_of_catalog(&self, name: &CatalogName) -> Result<CatalogSettings> {
        let Some(catalog) = self.catalogs.iter().find(|catalog| catalog.name == *name) else {
            let known = self.catalogs.iter().map(|catalog| catalog.name.as_str());
            let problem = Problem::new("catalog", format!("there is no catalog {name}"));
            return Err(problem.suggest(name.as_str(), known).into());
        };
        Ok(CatalogSettings {
            catalog: name.clone(),
            revision: RevisionNumber::default(),
            settings: views(catalog, None),
        })
    }
}
