//! Our files in the folder of units: what is there, and changing it.

use std::path::PathBuf;

use oml_common::id::{ComponentName, UnitName};
use oml_common::instance::{Instance, Workload};

use super::text::{self, Mark};
use crate::files::{self, FileError};
use crate::paths::Paths;
use crate::runtime::RuntimeError;

/// A unit file or drop-in that bears our mark.
#[derive(Debug, Clone)]
pub(super) struct OurFile {
    pub(super) unit: UnitName,
    pub(super) path: PathBuf,
    pub(super) mark: Mark,
    pub(super) is_drop_in: bool,
}

/// What lies where an instance's file belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    /// Ours, with this text.
    Ours(String),
    /// Somebody else's.
    Foreign,
}

/// Where the instance's file belongs.
pub(super) fn path(paths: &Paths, instance: &Instance) -> PathBuf {
    match instance.workload {
        Workload::Container(_) => paths.unit(&instance.unit),
        Workload::Unit(_) => paths.drop_in(&instance.unit),
    }
}

/// What lies there now.
pub(super) fn look(paths: &Paths, instance: &Instance) -> Result<Place, RuntimeError> {
    let path = path(paths, instance);
    if path.is_symlink() {
        // An alias or a mask that somebody made.
        return Ok(Place::Foreign);
    }
    let Some(text) = files::read_if_there(&path).map_err(unusable)? else {
        return Ok(Place::Free);
    };
    let is_ours = text::mark(&text)
        .is_some_and(|m| m.component == instance.component && m.tenant == instance.tenant);
    Ok(if is_ours { Place::Ours(text) } else { Place::Foreign })
}

/// Every file of ours.
pub(super) fn all(paths: &Paths) -> Result<Vec<OurFile>, RuntimeError> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(&paths.units) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(FileError::of("list", &paths.units)).map_err(unusable)?,
    };
    for entry in entries {
        let entry = entry.map_err(FileError::of("list", &paths.units)).map_err(unusable)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let (unit, path, is_drop_in) = match name.strip_suffix(".d") {
            Some(unit) => (unit, entry.path().join("50-oml.conf"), true),
            None => (name, entry.path(), false),
        };
        let Ok(unit) = unit.parse::<UnitName>() else { continue };
        if path.is_symlink() || !path.is_file() {
            continue;
        }
        let Some(text) = files::read_if_there(&path).map_err(unusable)? else { continue };
        if let Some(mark) = text::mark(&text) {
            found.push(OurFile { unit, path, mark, is_drop_in });
        }
    }
    Ok(found)
}

/// The file of a component, if it has one.
pub(super) fn of_component(
    paths: &Paths,
    component: &ComponentName,
) -> Result<Option<OurFile>, RuntimeError> {
    Ok(all(paths)?.into_iter().find(|file| &file.mark.component == component))
}

/// A file that cannot be used, as the runtime's error.
pub(super) fn unusable(error: FileError) -> RuntimeError {
    use std::error::Error as _;
    let detail = error.source().map_or_else(|| error.to_string(), |e| format!("{error}: {e}"));
    RuntimeError::Refused {
        verb: "use",
        object: "the folder of units".to_owned(),
        detail,
        transient: true,
    }
}
