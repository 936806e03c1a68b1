//! The paths of texts below the folder of catalogs.

use super::CATALOG_FILE;

/// The length of the longest path below the folder of catalogs, in bytes.
const PATH_BYTES_MAX: usize = 200;
/// The number of folders and files in such a path.
const PATH_PARTS_MAX: usize = 8;

/// Returns the path of the document of a catalog or part by its name.
pub(super) fn document_of(name: &str) -> String {
    match name.ends_with(".yaml") {
        true => name.to_owned(),
        false => below(name, CATALOG_FILE),
    }
}

/// Returns the path of something in a folder.
pub(super) fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Checks that a path leads to something inside of a folder. Links in the folder are not known here.
///
/// # Errors
/// Returns what is wrong with the path.
pub(in crate::document::catalog) fn check_path(path: &str) -> Result<(), String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if path.starts_with('/') {
        return Err("is an absolute path".to_owned());
    }
    if path.split('/').any(|part| part == "..") {
        return Err("leads out of its folder".to_owned());
    }
    if path.len() > PATH_BYTES_MAX || path.split('/').count() > PATH_PARTS_MAX {
        return Err("is too long".to_owned());
    }
    if !path.split('/').all(|part| part.starts_with(is_plain) && !part.starts_with('.')) {
        return Err("has an empty part, or one that begins with a dot".to_owned());
    }
    match path.chars().find(|c| *c != '/' && !is_plain(*c)) {
        Some(_) => Err("may have letters, digits, dots, hyphens and underscores only".to_owned()),
        None => Ok(()),
    }
}
