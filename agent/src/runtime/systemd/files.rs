//! Finds our unit files and drop-ins in the folder of units.

use std::io::ErrorKind;
use std::path::PathBuf;

use oml_common::document::instance::{InstanceDocument, Workload};
use oml_common::document::unit_mark::UnitMark;
use oml_common::id::UnitName;
use oml_common::text::error::chain;
use tracing::debug;

use crate::files::{self, FileError};
use crate::paths::Paths;
use crate::runtime::RuntimeError;

/// A unit file or drop-in that bears our mark.
#[derive(Debug, Clone)]
pub(super) struct OurFile {
    pub(super) unit: UnitName,
    pub(super) path: PathBuf,
    pub(super) mark: UnitMark,
    pub(super) is_drop_in: bool,
}

/// The file at the path of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InstanceFile {
    Absent,
    /// Ours, with this text.
    Ours(String),
    Foreign,
}

/// Returns the path of the file of an instance.
pub(super) fn path(paths: &Paths, instance: &InstanceDocument) -> PathBuf {
    match *instance.workload {
        Workload::Container(_) => paths.unit(&instance.unit),
        Workload::Unit(_) => paths.drop_in(&instance.unit),
    }
}

/// Classifies the file at the path of an instance.
///
/// # Errors
/// The path cannot be read, such as that of a folder.
pub(super) fn look(paths: &Paths, instance: &InstanceDocument) -> Result<InstanceFile, FileError> {
    let path = path(paths, instance);
    if path.is_symlink() {
        // An alias or a mask that somebody made.
        return Ok(InstanceFile::Foreign);
    }
    let text = match files::read_if_there(&path) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(InstanceFile::Absent),
        // Nothing that we would have written.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::FileTooLarge) => {
            return Ok(InstanceFile::Foreign);
        }
        Err(error) => return Err(error),
    };
    let is_ours = UnitMark::read(&text).is_some_and(|mark| {
        mark.component == instance.component
            && mark.tenant == instance.tenant
            && mark.unit.is_none_or(|unit| unit == instance.unit)
    });
    Ok(if is_ours { InstanceFile::Ours(text) } else { InstanceFile::Foreign })
}

/// Returns all our files. One that cannot be read is not ours.
pub(super) fn all(paths: &Paths) -> Result<Vec<OurFile>, RuntimeError> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(&paths.units) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
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
        match files::read_if_there(&path) {
            Ok(text) => {
                let mark = text.and_then(|text| UnitMark::read(&text));
                found.extend(mark.map(|mark| OurFile { unit, path, mark, is_drop_in }));
            }
            Err(error) => debug!(error = chain(&error), "unit file ignored: unreadable"),
        }
    }
    Ok(found)
}

impl OurFile {
    /// Returns the unit whose file somebody copied to this place; none if this is no copy.
    pub(super) fn copied_from(&self) -> Option<&UnitName> {
        self.mark.unit.as_ref().filter(|unit| **unit != self.unit)
    }

    /// An agent wrote it for this unit, and nobody changed it.
    pub(super) fn is_as_written(&self) -> bool {
        self.mark.is_whole && self.mark.unit.as_ref() == Some(&self.unit)
    }

    /// It is of that component, whose unit has got another name since.
    pub(super) fn is_superseded_by(&self, instance: &InstanceDocument) -> bool {
        self.mark.component == instance.component && self.unit != instance.unit
    }
}

/// A file that cannot be used, as the runtime's error.
pub(super) fn unusable(error: FileError) -> RuntimeError {
    let detail = chain(&error);
    RuntimeError::Refused {
        verb: "use",
        object: "the folder of units".to_owned(),
        detail,
        transient: true,
    }
}

#[cfg(test)]
mod tests;
