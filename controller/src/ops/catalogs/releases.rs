//! The file of releases beside a catalog.

use std::path::{Path, PathBuf};

use oml_common::document::catalog::{CATALOG_FILE, Catalog};
use oml_common::document::releases::Releases;
use oml_daemon::catalog_files::read_text;

use super::CatalogError;

const SUFFIX: &str = ".releases.yaml";
/// The file of releases in the folder of a catalog.
const FOLDER_FILE: &str = "releases.yaml";

/// Returns whether a file of the folder has releases, and is no catalog.
pub(super) fn is_releases(path: &Path) -> bool {
    owner(path).is_some()
}

/// Returns where the releases of a catalog are, if it has any: in `NAME.releases.yaml` beside
/// `NAME.yaml`, or in `releases.yaml` in the folder of a catalog that is a folder, which is named by
/// its path or by that of the file in it.
fn path_of(catalog: &Path) -> PathBuf {
    if catalog.is_dir() {
        return catalog.join(FOLDER_FILE);
    }
    let beside = catalog.with_extension(SUFFIX.trim_start_matches('.'));
    let is_in_folder = catalog.file_name().is_some_and(|name| name == CATALOG_FILE);
    // A file of that name is also a catalog by itself if it is among the other catalogs.
    match is_in_folder && beside.symlink_metadata().is_err() {
        true => catalog.with_file_name(FOLDER_FILE),
        false => beside,
    }
}

/// Returns the file of the catalog whose releases a file has; none if it is no file of releases.
pub(super) fn owner(path: &Path) -> Option<PathBuf> {
    catalog_of(path).or_else(|| {
        let beside = path.with_file_name(CATALOG_FILE);
        let is_in_folder = path.file_name().is_some_and(|name| name == FOLDER_FILE);
        (is_in_folder && beside.exists()).then_some(beside)
    })
}

/// Returns the file of the catalog whose releases a file should have.
pub(super) fn catalog_of(releases: &Path) -> Option<PathBuf> {
    let name = releases.file_name()?.to_str()?.strip_suffix(SUFFIX)?;
    Some(releases.with_file_name(format!("{name}.yaml")))
}

/// Reads the releases beside a catalog. A catalog without such a file has none.
pub(super) fn read_beside(path: &Path, catalog: &Catalog) -> Result<Releases, CatalogError> {
    let path = path_of(path);
    if path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Releases::default());
    }
    let text = read_text(&path);
    let text = text.map_err(|source| CatalogError::Read { path: path.clone(), source })?;
    Releases::parse(&text, catalog).map_err(|problems| CatalogError::Releases { path, problems })
}
