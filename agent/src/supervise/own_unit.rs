//! Determines whether a supervisor runs in the unit of its component. A copy of the unit file has the
//! same command, and its stop would stop the container of the real unit.

use std::path::Path;

use oml_common::id::ComponentName;

use super::SuperviseError;
use crate::documents;
use crate::paths::Paths;
use crate::runtime::systemd::{FileOrigin, origin_of};

/// Returns the systemd unit that this process runs in; none if that is not known.
/// `proc` is the mount point of procfs (cgroups(7)).
pub(super) fn unit_of_process(proc: &Path) -> Option<String> {
    let read = |process: &str| std::fs::read_to_string(proc.join(process).join("cgroup")).ok();
    unit_in(&read("self")?, &read("1")?)
}

/// Finds the unit in the text of `/proc/self/cgroup`, by that of `/proc/1/cgroup`.
fn unit_in(own: &str, init: &str) -> Option<String> {
    // The group of systemd itself, where systemd runs in a container that shows its host's groups.
    let init = systemd_group(init)?;
    let root = init.strip_suffix("/init.scope").unwrap_or(init).trim_end_matches('/');
    let below = systemd_group(own)?.strip_prefix(root)?.strip_prefix('/')?;
    let unit = below.split('/').find(|name| !name.ends_with(".slice"))?;
    // systemd escapes names that the kernel might take for its own files.
    let unit = unit.strip_prefix('_').unwrap_or(unit);
    unit.ends_with(".service").then(|| unit.to_owned())
}

/// Returns the group by which systemd knows a process: the one of its own hierarchy (version 1
/// and hybrid), or else of the only one (version 2).
fn systemd_group(text: &str) -> Option<&str> {
    let in_hierarchy = |name: &str| {
        text.lines().find_map(|line| {
            let (_number, rest) = line.split_once(':')?;
            let (controllers, group) = rest.split_once(':')?;
            (controllers == name).then_some(group)
        })
    };
    in_hierarchy("name=systemd").or_else(|| in_hierarchy(""))
}

/// Refuses to hold the component's container in a unit that is not its own. A unit is its own if
/// a document of the component names it, or if an agent wrote its file for it, as before its name
/// is changed.
pub(super) fn check(
    paths: &Paths,
    component: &ComponentName,
    unit: Option<&str>,
) -> Result<(), SuperviseError> {
    let Some(unit) = unit else { return Ok(()) };
    let named = documents::units(paths, component);
    if named.iter().any(|name| name.as_str() == unit) {
        return Ok(());
    }
    let own = match (origin_of(paths, component, unit), named.first()) {
        (FileOrigin::Agent, _) => return Ok(()),
        (FileOrigin::CopyOf(original), named) => named.cloned().unwrap_or(original),
        (FileOrigin::Unknown, Some(named)) => named.clone(),
        // The documents are lost, so nothing says that this is another unit.
        (FileOrigin::Unknown, None) => return Ok(()),
    };
    Err(SuperviseError::OtherUnit { unit: unit.to_owned(), component: component.clone(), own })
}

#[cfg(test)]
mod tests;
