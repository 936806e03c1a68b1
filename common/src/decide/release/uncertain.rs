//! Steps of which the marks of a catalog say nothing, although their component has marks.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::releases::{OneWay, Releases};
use crate::id::{ComponentName, ImageVersion, Version};

use super::order::at_least;
use super::other::{OtherCatalog, marks};
use super::versions::{Used, Versions};
use super::{VersionDecision, VersionRefusal, VersionStep, VersionWarning, same};

/// Warns about every component that has a mark and of which it is not known on which side of the mark
/// it was or will be. What is refused, and what is another component in the catalog before, is said
/// already.
pub(super) fn warn(
    marks: &[&OneWay],
    other: Option<&OtherCatalog<'_>>,
    before: &[Versions],
    after: &Versions,
    decision: &mut VersionDecision,
) {
    let mut marked: BTreeMap<&ComponentName, Vec<&Version>> = BTreeMap::new();
    for mark in marks {
        marked.entry(&mark.component).or_default().push(&mark.from);
    }
    for (name, marks) in marked {
        let is_said = decision.refusals.iter().filter_map(VersionRefusal::step);
        let is_said = is_said.map(|step| &step.component).any(|said| said == name)
            || other.is_some_and(|other| other.differing.contains(name));
        let Some(to) = after.get(name).filter(|_| !is_said) else { continue };
        let steps =
            before.iter().filter_map(|versions| step(name, &marks, versions.get(name)?, to));
        decision.warnings.extend(steps.take(1));
    }
}

/// Returns the warning about a step of a component between two versions that cannot be compared with each other, or with
/// one of its marks.
fn step(
    name: &ComponentName,
    marks: &[&Version],
    from: &Used,
    to: &Used,
) -> Option<VersionWarning> {
    let is_same_image = from.own == to.own;
    // A plan names a digest by its first digits.
    let is_same = same(&from.version, &to.version)
        .unwrap_or_else(|| from.version.name() == to.version.name());
    if is_same_image && is_same {
        return None;
    }
    let is_unordered = |it: &&ImageVersion| marks.iter().any(|mark| at_least(it, mark).is_none());
    let unordered = [&to.version, &from.version].into_iter().find(is_unordered);
    if is_same_image && unordered.is_none() {
        return None;
    }
    let (from, to) = (from.version.clone(), to.version.clone());
    let unordered = unordered.filter(|_| is_same_image).cloned();
    Some(VersionWarning::Uncertain {
        step: VersionStep { component: name.clone(), from, to },
        unordered,
    })
}

impl VersionDecision {
    /// Warns about the components with marks of a tenant whose controller was restored from a backup:
    /// later versions than it knows may have written their state.
    pub fn warn_restored(&mut self, releases: &Releases, after: &Versions) {
        let names = releases.one_way.iter().map(|mark| &mark.component);
        let names: BTreeSet<_> = names.filter(|name| after.contains_key(*name)).collect();
        let components: Vec<ComponentName> = names.into_iter().cloned().collect();
        if !components.is_empty() {
            self.warnings.push(VersionWarning::Restored { components });
        }
    }

    /// Returns whether it is not known of a component with such a step whether the version before could
    /// read what the new one writes.
    #[must_use]
    pub fn may_cross(&self) -> bool {
        self.warnings.iter().any(|warning| match warning {
            VersionWarning::Uncertain { .. }
            | VersionWarning::Restored { .. }
            | VersionWarning::NotCompared { .. } => true,
            VersionWarning::Unpublished { .. }
            | VersionWarning::NoWayBack { .. }
            | VersionWarning::UnknownCatalog { .. }
            | VersionWarning::Forced(_) => false,
        })
    }
}

/// Returns the components with marks that a change brings and of which nothing is known: none of the
/// versions before has them. Their volumes may have been written by a version from an earlier time.
#[must_use]
pub fn unseen(
    releases: &Releases,
    other: Option<&OtherCatalog<'_>>,
    before: &[Versions],
    after: &Versions,
) -> BTreeSet<ComponentName> {
    let marks = marks(releases, other);
    let names = marks.iter().map(|mark| &mark.component);
    let unseen = names.filter(|name| {
        after.contains_key(*name) && !before.iter().any(|versions| versions.contains_key(*name))
    });
    unseen.cloned().collect()
}
