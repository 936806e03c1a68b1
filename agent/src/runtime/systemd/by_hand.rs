//! Describes what somebody has changed by hand about our units, for people.

use oml_common::document::instance::InstanceDocument;
use oml_common::id::{ComponentName, TenantId};

use super::calls::Loaded;
use super::files::OurFile;
use super::text;

/// The longest line of a unit file that is shown, in characters.
const LINE_CHARS_MAX: usize = 80;

/// Describes how a file of ours was edited; none if its text is what an agent wrote. `found` is
/// compared with what would be written now.
pub(super) fn edited(instance: &InstanceDocument, found: &str, wanted: &str) -> Option<String> {
    text::mark(found).filter(|mark| !mark.is_whole)?;
    let added = extra(found, wanted).map(|line| format!("has {line:?}"));
    let removed = extra(wanted, found).map(|line| format!("lacks {line:?}"));
    let lines: Vec<String> = added.into_iter().chain(removed).collect();
    let colon = if lines.is_empty() { "" } else { ": " };
    Some(format!("unit {} was edited{colon}{}", instance.unit, lines.join(", ")))
}

/// Returns the first line of a text that is not in another.
fn extra(text: &str, other: &str) -> Option<String> {
    let is_extra = |line: &&str| !line.trim().is_empty() && !other.lines().any(|it| it == *line);
    // The hash of a text differs with every change.
    let mut lines = text.lines().filter(|line| !text::is_hash(line));
    lines.find(is_extra).map(|line| line.chars().take(LINE_CHARS_MAX).collect())
}

/// Describes that a unit was disabled.
pub(super) fn disabled(instance: &InstanceDocument) -> String {
    format!("unit {} was disabled", instance.unit)
}

/// Joins what was found to one sentence; none if nothing was.
pub(super) fn joined(found: impl Iterator<Item = String>) -> Option<String> {
    let found: Vec<String> = found.collect();
    (!found.is_empty()).then(|| found.join("; "))
}

/// Describes every drop-in of a unit of which we write the whole file, except those of all services.
pub(super) fn drop_ins(
    instance: &InstanceDocument,
    loaded: &Loaded,
) -> impl Iterator<Item = String> {
    let unit = &instance.unit;
    let describe = move |path| format!("{path} changes unit {unit}: not ours, left alone");
    loaded.drop_ins().map(describe)
}

/// Describes a file that bears our mark and is not ours. `tenant` is that of this host, if it is
/// known, and `runs` is true if the unit of that file runs.
pub(super) fn foreign_file(
    file: OurFile,
    tenant: Option<&TenantId>,
    runs: bool,
) -> (ComponentName, String) {
    let (what, its) = match file.is_drop_in {
        true => (format!("drop-in {}", file.path.display()), "that of "),
        false => (format!("unit {}", file.unit), ""),
    };
    let why = match file.copied_from() {
        Some(original) => format!("is a copy of {its}{original}"),
        None if tenant.is_some_and(|tenant| *tenant != file.mark.tenant) => {
            format!("is marked for tenant {}", file.mark.tenant)
        }
        None => "was copied or edited by hand".to_owned(),
    };
    let runs = if runs { ", and it runs" } else { "" };
    (file.mark.component, format!("{what} {why}{runs}: not ours, left alone"))
}

#[cfg(test)]
mod tests;
