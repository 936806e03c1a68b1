//! The file of releases beside a catalog.

use std::path::{Path, PathBuf};

use oml_common::document::catalog::Catalog;
use oml_common::document::releases::Releases;

use super::CatalogError;
use super::folder::read_text;

const SUFFIX: &str = ".releases.yaml";

/// Returns whether a file of the folder has releases, and is no catalog.
pub(super) fn is_releases(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(SUFFIX))
}

/// Returns where the releases of a catalog are, if it has any: in `NAME.releases.yaml` beside
/// `NAME.yaml`, or in `releases.yaml` in the folder of a catalog that is a folder.
fn path_of(catalog: &Path) -> PathBuf {
    if catalog.is_dir() {
        return catalog.join("releases.yaml");
    }
    catalog.with_extension(SUFFIX.trim_start_matches('.'))
}

/// Returns the file of the catalog whose releases a file should have.
pub(super) fn catalog_of(releases: &Path) -> Option<PathBuf> {
    let name = releases.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    Some(releases.with_file_name(format!("{name}.yaml")))
}

/// Reads the releases beside a catalog. A catalog without such a file has none.
///
/// # Errors
/// Returns an error if the file cannot be read or has a mistake.
pub fn read_beside(path: &Path, catalog: &Catalog) -> Result<Releases, CatalogError> {
    let path = path_of(path);
    if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Releases::default());
    }
    let text = read_text(&path);
    let text = text.map_err(|source| CatalogError::Read { path: path.clone(), source })?;
    Releases::parse(&text, catalog).map_err(|problems| CatalogError::Releases { path, problems })
}
