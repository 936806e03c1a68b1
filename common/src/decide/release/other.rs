//! A change to another catalog: which of its components are the same as before.

use crate::document::catalog::Catalog;
use crate::document::releases::{OneWay, Releases};
use crate::id::{CatalogName, ComponentName};

use super::versions::{Used, Versions, defined, image_in, of_catalog};
use super::{VersionDecision, VersionWarning};

/// The catalog of the revision on which a change is made, if the change leads to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherCatalog<'r> {
    pub name: CatalogName,
    /// What is known about its versions; `None` if the catalog cannot be used.
    pub releases: Option<&'r Releases>,
    /// The components that both catalogs have and that are not the same in both.
    pub differing: Vec<ComponentName>,
}

/// The versions of a tenant under one catalog, as another catalog sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarriedOver {
    pub versions: Versions,
    /// The components that both catalogs have and that are not the same in both.
    pub differing: Vec<ComponentName>,
}

/// Returns the versions of a tenant under the catalog `was` as the catalog `is` sees them. A
/// component is the same in both if they give it the same unit, container and image.
#[must_use]
pub fn carried_over(versions: &Versions, was: &Catalog, is: &Catalog) -> CarriedOver {
    let mut carried = CarriedOver::default();
    for (name, used) in versions {
        let (Some(before), Some(now)) = (defined(was, name), defined(is, name)) else { continue };
        let has_same_place = before.0 == now.0 && before.1.name == now.1.name;
        let image = image_in(was, name, None);
        let has_same_image = image == image_in(is, name, None);
        if used.own.is_none() && !(has_same_place && has_same_image) {
            carried.differing.push(name.clone());
        }
        if has_same_place {
            let own = used.own.clone().or_else(|| image.filter(|_| !has_same_image));
            let used = Used { own, version: used.version.clone() };
            carried.versions.insert(name.clone(), used);
        }
    }
    carried
}

/// Returns the marks of a catalog, and those of the one before that it does not have.
pub(super) fn marks<'r>(
    releases: &'r Releases,
    other: Option<&OtherCatalog<'r>>,
) -> Vec<&'r OneWay> {
    let mut marks: Vec<&OneWay> = releases.one_way.iter().collect();
    let before = other.and_then(|other| other.releases);
    for mark in before.into_iter().flat_map(|before| &before.one_way) {
        let is_known = |it: &&OneWay| it.component == mark.component && it.from == mark.from;
        if !marks.iter().any(is_known) {
            marks.push(mark);
        }
    }
    marks
}

/// Warns about what is not known because the catalog before is another one.
pub(super) fn warn(
    other: &OtherCatalog<'_>,
    marks: &[&OneWay],
    after: &Versions,
    decision: &mut VersionDecision,
) {
    let catalog = other.name.clone();
    if other.releases.is_none() {
        decision.warnings.push(VersionWarning::UnknownCatalog { catalog });
        return;
    }
    let has_mark = |name: &&ComponentName| marks.iter().any(|mark| mark.component == **name);
    let differing = other.differing.iter().filter(has_mark);
    let differing = differing.filter(|name| of_catalog(after, name).is_some()).cloned();
    let components: Vec<ComponentName> = differing.collect();
    if !components.is_empty() {
        decision.warnings.push(VersionWarning::NotCompared { catalog, components });
    }
}
