//! The check of one catalog with its releases and templates, which its author asks for.

use std::path::Path;

use oml_common::decide::plan::names::{check_templates, check_templates_of_part};
use oml_common::document::catalog::Catalog;
use oml_common::text::problem::Problems;

use super::{CatalogError, Loaded, read_file, releases};

/// A catalog without a mistake. The names in the templates of a part have not been checked, because
/// they may be those of another part.
#[derive(Debug)]
pub struct Checked {
    pub catalog: Catalog,
    /// Whether it is only included by others.
    pub is_part: bool,
    /// The number of its releases.
    pub releases: usize,
}

/// Checks a catalog: its file or folder, the file in its folder, or the file of its releases.
///
/// # Errors
/// Returns an error if something of it cannot be read or has a mistake, with all mistakes of the
/// catalog, its templates and its releases.
pub fn check(path: &Path) -> Result<Checked, CatalogError> {
    let owner = releases::owner(path);
    let file = owner.as_deref().unwrap_or(path);
    if owner.is_some() && !file.exists() {
        let (path, catalog) = (path.to_owned(), file.to_owned());
        return Err(CatalogError::Orphan { path, catalog });
    }
    // The controller uses the other components of a catalog with mistakes in some, or in templates, and
    // all that had no mistake for an earlier release.
    let Loaded { catalog, is_part, .. } = read_file(file)?;
    let templates = match is_part {
        true => check_templates_of_part(&catalog),
        false => check_templates(&catalog),
    };
    let own = catalog.broken.values().chain(catalog.tolerated.values());
    let problems: Problems = own.flat_map(|own| own.0.iter().cloned()).chain(templates.0).collect();
    let own = problems.into_result(());
    let own = own.map_err(|problems| CatalogError::Invalid { path: file.to_owned(), problems });
    match (own, releases::read_beside(file, &catalog)) {
        (Ok(()), Ok(releases)) => {
            Ok(Checked { catalog, is_part, releases: releases.published.len() })
        }
        (Err(error), Ok(_)) | (Ok(()), Err(error)) => Err(error),
        (Err(catalog), Err(releases)) => {
            let (catalog, releases) = (Box::new(catalog), Box::new(releases));
            Err(CatalogError::Both { catalog, releases })
        }
    }
}
