//! Finds what somebody has changed by hand about our units.

use std::path::Path;

use oml_common::decide::difference::{Difference, FileNotOurs, UnitChange};
use oml_common::document::instance::InstanceDocument;
use oml_common::document::unit_mark::UnitMark;
use oml_common::id::{ComponentName, TenantId};

use super::calls::Loaded;
use super::files::OurFile;
use crate::paths::Paths;

/// The longest line of a unit file that is shown, in characters.
const LINE_CHARS_MAX: usize = 80;

/// Returns how a file of ours was edited; none if its text is what an agent wrote. `found` is
/// compared with what would be written now.
pub(super) fn edited(instance: &InstanceDocument, found: &str, wanted: &str) -> Option<UnitChange> {
    UnitMark::read(found).filter(|mark| !mark.is_whole)?;
    let (added, removed) = (extra(found, wanted), extra(wanted, found));
    Some(UnitChange::Edited { unit: instance.unit.clone(), added, removed })
}

/// Returns the first line of a text that is not in another.
fn extra(text: &str, other: &str) -> Option<String> {
    let is_extra = |line: &&str| !line.trim().is_empty() && !other.lines().any(|it| it == *line);
    // The hash of a text differs with every change.
    let mut lines = text.lines().filter(|line| !UnitMark::is_hash_line(line));
    lines.find(is_extra).map(|line| line.chars().take(LINE_CHARS_MAX).collect())
}

/// Returns that a unit was disabled.
pub(super) fn disabled(instance: &InstanceDocument) -> UnitChange {
    UnitChange::Disabled { unit: instance.unit.clone() }
}

/// Returns what somebody changed about the unit of a file whose component is not desired any more, or is
/// so only by a document of a later release. What would be written in its place is not known.
pub(super) fn left(file: &OurFile, is_disabled: bool) -> impl Iterator<Item = UnitChange> {
    let unit = || file.unit.clone();
    let edited = (!file.mark.is_whole).then(|| UnitChange::Edited {
        unit: unit(),
        added: None,
        removed: None,
    });
    edited.into_iter().chain(is_disabled.then(|| UnitChange::Disabled { unit: unit() }))
}

/// Returns the drop-ins that people made for a unit, except those of all services: of a unit of which
/// we write the whole file every one, and of that of a package those that it did not bring.
pub(super) fn drop_ins(
    instance: &InstanceDocument,
    loaded: &Loaded,
    paths: &Paths,
) -> impl Iterator<Item = Difference> {
    let unit = &instance.unit;
    let is_packaged = instance.container().is_none();
    let own = paths.drop_in(unit);
    let difference =
        |path: &str| Difference::ForeignDropIn { path: path.to_owned(), unit: unit.clone() };
    let is_made = move |path: &&str| match is_of_all_services(path) {
        // Virtual machines and containers fill the other folders at boot.
        true => path.starts_with(ADMINISTRATORS),
        false => !is_packaged || (!is_brought(path) && Path::new(path) != own),
    };
    loaded.drop_ins().filter(is_made).map(difference)
}

/// Returns true if the drop-in counts for every service (systemd.unit(5)).
fn is_of_all_services(path: &str) -> bool {
    Path::new(path).parent().is_some_and(|folder| folder.ends_with("service.d"))
}

/// The folder of the administrator of a host (file-hierarchy(7)).
const ADMINISTRATORS: &str = "/etc/";

/// Returns true if a package brought the file, or a generator of one makes it at every boot.
fn is_brought(path: &str) -> bool {
    /// It belongs to the administrator (file-hierarchy(7)).
    const LOCAL: &str = "/usr/local/";
    const FOLDERS: [&str; 3] = ["/usr/", "/lib/", "/run/systemd/generator"];
    !path.starts_with(LOCAL) && FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// Returns the unit file that somebody put in the place of that of a package.
pub(super) fn replaced(loaded: &Loaded, paths: &Paths) -> Option<Difference> {
    let path = loaded.file()?.to_str().filter(|path| !is_brought(path))?;
    let of_package = paths.package_units.join(Path::new(path).file_name()?);
    of_package.exists().then(|| Difference::ReplacedUnit { path: path.to_owned() })
}

/// Returns a file that bears our mark and is not ours, with its component. `tenant` is that of
/// this host, if it is known, and `runs` is true if the unit of that file runs.
pub(super) fn foreign_file(
    file: OurFile,
    tenant: Option<&TenantId>,
    runs: bool,
) -> (ComponentName, Difference) {
    let why = match file.copied_from() {
        Some(original) => FileNotOurs::CopyOf(original.clone()),
        None if tenant.is_some_and(|tenant| *tenant != file.mark.tenant) => {
            FileNotOurs::OtherTenant(file.mark.tenant)
        }
        None => FileNotOurs::Edited,
    };
    let difference = match file.is_drop_in {
        true => Difference::MarkedDropIn { path: file.path.display().to_string(), why },
        false => Difference::MarkedUnit { unit: file.unit, why, runs },
    };
    (file.mark.component, difference)
}

#[cfg(test)]
mod tests;
