//! Determines which files with our mark are ours. Files are copied, and a copy bears the mark too.

use std::sync::PoisonError;

use oml_common::document::unit_mark::UnitMark;
use oml_common::id::{ComponentName, UnitName};

use super::Systemd;
use super::files::{self, OurFile};
#[cfg(test)]
use super::text;
use crate::documents;
use crate::files as disk;
use crate::paths::Paths;
use crate::runtime::RuntimeError;

/// Who made the file of a unit, as far as its text shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileOrigin {
    /// An agent wrote it for this unit, and nobody changed it.
    Agent,
    /// It is the file of that unit, copied to another name.
    CopyOf(UnitName),
    /// There is none, it was edited, or its text does not show it.
    Unknown,
}

/// Returns who made the file of a unit in the folder of units, for a unit that runs the supervisor
/// of that component.
#[must_use]
pub fn origin_of(paths: &Paths, component: &ComponentName, unit: &str) -> FileOrigin {
    let text = disk::read_if_there(&paths.units.join(unit)).ok().flatten();
    let Some(mark) = text.and_then(|text| UnitMark::read(&text)) else {
        return FileOrigin::Unknown;
    };
    match mark.unit {
        Some(written_for) if written_for.as_str() != unit => FileOrigin::CopyOf(written_for),
        Some(_) if mark.is_whole && &mark.component == component => FileOrigin::Agent,
        Some(_) | None => FileOrigin::Unknown,
    }
}

impl Systemd {
    /// Returns the files of ours, and those that only bear our mark: those of another tenant,
    /// copies, and edited ones of units that we never had.
    pub(super) fn files(&self) -> Result<(Vec<OurFile>, Vec<OurFile>), RuntimeError> {
        let is_ours = |file: &OurFile| {
            let is_tenants = self.tenant.as_ref().is_none_or(|t| t == &file.mark.tenant);
            let is_copy = file.copied_from().is_some();
            is_tenants && !is_copy && (file.is_as_written() || self.knows_unit(file))
        };
        Ok(files::all(&self.paths)?.into_iter().partition(is_ours))
    }

    /// Returns true if the file is at the place of the component's unit, as it is desired or as a
    /// document on this host names it. A unit is known from then on, because documents name
    /// another one before its file is removed.
    fn knows_unit(&self, file: &OurFile) -> bool {
        let component = &file.mark.component;
        let is_desired = {
            let units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
            units.get(component) == Some(&file.unit)
        };
        let place = (component.clone(), file.unit.clone());
        let is_named = || documents::units(&self.paths, component).contains(&file.unit);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if is_desired || (!known.contains(&place) && is_named()) {
            known.insert(place);
            return true;
        }
        known.contains(&place)
    }
}

/// Returns the text that an agent writes for the unit of an instance.
#[cfg(test)]
pub(crate) fn unit_text(
    instance: &oml_common::document::instance::InstanceDocument,
    paths: &Paths,
) -> String {
    text::render(instance, &[], paths)
}
