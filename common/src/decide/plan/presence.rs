//! Which components of a tenant exist: those whose condition in the catalog holds.

use std::collections::BTreeMap;

use crate::document::catalog::Catalog;
use crate::document::revision::{Change, ChangeKind};
use crate::document::spec::TenantSpec;
use crate::id::ComponentName;

use super::settings::chosen;

/// The components of a specification that do not exist, each with the reason.
pub type Absent = BTreeMap<ComponentName, String>;

/// Returns the components that a specification names and whose condition does not hold.
#[must_use]
pub fn absent(spec: &TenantSpec, catalog: &Catalog) -> Absent {
    let values = chosen(spec, catalog);
    let reason = |name: &ComponentName| {
        let when = catalog.components.get(name)?.when.as_ref()?;
        Some((name.clone(), when.unmet(&values)?))
    };
    spec.components.keys().filter_map(reason).collect()
}

/// Returns a specification with only those of its components that exist. Nothing waits for the
/// others.
pub(super) fn present(spec: &TenantSpec, absent: &Absent) -> TenantSpec {
    let mut spec = spec.clone();
    spec.components.retain(|name, _| !absent.contains_key(name));
    for component in spec.components.values_mut() {
        component.after.retain(|name| !absent.contains_key(name));
    }
    spec
}

/// Adds the reason to the removals of components that do not exist any more.
pub fn explain(changes: &mut [Change], absent: &Absent) {
    for change in changes.iter_mut().filter(|change| change.kind == ChangeKind::Remove) {
        let Some(reason) = absent.get(&change.component) else { continue };
        let gap = if change.note.is_empty() { "" } else { ", " };
        change.note = format!("{}{gap}exists {reason}", change.note);
    }
}

/// Returns a line for every component that is named and does not exist. `named` says whether the
/// operator named it now.
#[must_use]
pub fn notes(absent: &Absent, named: impl Fn(&ComponentName) -> bool) -> Vec<String> {
    let named = absent.iter().filter(|(name, _)| named(name));
    named
        .map(|(name, reason)| format!("components.{name}: not there; it exists {reason}"))
        .collect()
}

#[cfg(test)]
mod tests;
