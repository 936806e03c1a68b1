//! Judges the versions of a change by the releases of its catalog: whether they were published
//! together, whether two of them do not go together, and whether one leads back over a step that only
//! leads forward, or may do so.

use crate::document::releases::{Apart, OneWay, Releases};
use crate::document::spec::TenantSpec;
use crate::id::{CatalogName, ComponentName, ImageVersion, ReleaseName};
use crate::text::problem::Problem;

mod forward;
mod order;
mod other;
mod uncertain;
mod versions;
mod words;

pub use self::forward::keep_forward;
pub use self::other::{CarriedOver, OtherCatalog, carried_over};
pub use self::uncertain::unseen;
pub use self::versions::{
    InRelease, ReleaseVersions, Used, Versions, versions_in, versions_in_plan, versions_of,
};

use self::order::{at_least, natural, within};
use self::versions::of_catalog;

/// What the releases of a catalog say about a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionDecision {
    /// The release that the versions are, if they are one.
    pub release: Option<ReleaseName>,
    pub warnings: Vec<VersionWarning>,
    /// What the change must not do, unless its operator gives a reason.
    pub refusals: Vec<VersionRefusal>,
}

/// What is said about a change that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionWarning {
    /// The versions were not published together.
    Unpublished { nearest: ReleaseName, differences: Vec<OtherVersion> },
    /// An earlier version cannot read what the new one writes.
    NoWayBack { step: VersionStep, because: String, loses: String },
    /// It is not known whether the step has a way back: `unordered` has no place in the order of
    /// versions or, without one, the image is another one.
    Uncertain { step: VersionStep, unordered: Option<ImageVersion> },
    /// The controller was restored, so it is not known which versions of these components run.
    Restored { components: Vec<ComponentName> },
    /// The catalog before cannot be used, so nothing is known about its versions.
    UnknownCatalog { catalog: CatalogName },
    /// These components are others than those of the same names in the catalog before.
    NotCompared { catalog: CatalogName, components: Vec<ComponentName> },
    /// It would be refused, and the operator gave a reason.
    Forced(VersionRefusal),
}

/// A version other than that of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherVersion {
    pub component: ComponentName,
    pub is: ImageVersion,
    pub published: ImageVersion,
}

/// Another version of one component.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionStep {
    pub component: ComponentName,
    pub from: ImageVersion,
    pub to: ImageVersion,
}

/// A reason to refuse a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRefusal {
    /// Two components that must have the same version would have different ones.
    NotTogether { versions: [(ComponentName, ImageVersion); 2], because: String },
    /// These versions do not go together.
    Apart { versions: Vec<(ComponentName, ImageVersion)>, because: String },
    /// An earlier version would start on what it cannot read.
    Back { step: VersionStep, because: String, loses: String },
    /// A later version would start on what it cannot read.
    Forward { step: VersionStep, because: String },
}

/// Judges a change to the versions `after`. `before` are the versions of everything that may have
/// written the state that it finds: what runs, and what a rollout has tried; the first is what the
/// change is made on. `other` is the catalog before, if it is another one: its marks count too.
#[must_use]
pub fn decide(
    releases: &Releases,
    other: Option<&OtherCatalog<'_>>,
    before: &[Versions],
    after: &Versions,
) -> VersionDecision {
    let release = release_of(releases, after).cloned();
    let mut decision = VersionDecision { release, ..VersionDecision::default() };
    let is_changed = before.first() != Some(after);
    if decision.release.is_none() && is_changed {
        decision.warnings.extend(unpublished(releases, after));
    }
    let marks = other::marks(releases, other);
    for mark in &marks {
        cross(mark, before, after, &mut decision);
    }
    uncertain::warn(&marks, other, before, after, &mut decision);
    if let Some(other) = other {
        other::warn(other, &marks, after, &mut decision);
    }
    let stands = |refusal: &VersionRefusal| !before.first().is_some_and(|it| has(it, refusal));
    decision.refusals.extend(pairs(releases, after).into_iter().filter(stands));
    decision
}

impl VersionDecision {
    /// Returns whether it would have been refused if the operator had given no reason.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.warnings.iter().any(|warning| matches!(warning, VersionWarning::Forced(_)))
    }

    /// Returns the first step that has no way back, or of which this is not known, and that is only
    /// warned about.
    #[must_use]
    pub fn one_way(&self) -> Option<&VersionWarning> {
        self.warnings.iter().find(|warning| match warning {
            VersionWarning::NoWayBack { .. }
            | VersionWarning::Uncertain { .. }
            | VersionWarning::Restored { .. } => true,
            VersionWarning::Unpublished { .. }
            | VersionWarning::UnknownCatalog { .. }
            | VersionWarning::NotCompared { .. }
            | VersionWarning::Forced(_) => false,
        })
    }

    /// Returns whether the version before could not read what the new one writes, so that nothing
    /// must start it again by itself.
    #[must_use]
    pub fn crosses(&self) -> bool {
        self.warnings.iter().any(|warning| match warning {
            VersionWarning::NoWayBack { .. } => true,
            VersionWarning::Forced(refusal) => refusal.step().is_some(),
            VersionWarning::Unpublished { .. }
            | VersionWarning::Uncertain { .. }
            | VersionWarning::Restored { .. }
            | VersionWarning::UnknownCatalog { .. }
            | VersionWarning::NotCompared { .. } => false,
        })
    }

    /// Turns refusals into warnings, because the operator gave a reason.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.warnings.extend(self.refusals.drain(..).map(VersionWarning::Forced));
        self
    }

    /// Returns a problem for every refusal, at its place in the specification.
    #[must_use]
    pub fn problems(&self, spec: &TenantSpec) -> Vec<Problem> {
        let problem = |refusal: &VersionRefusal| {
            let path = format!("components.{}", refusal.component());
            spec.problem(&path, refusal.to_string()).hint(refusal.hint())
        };
        self.refusals.iter().map(problem).collect()
    }
}

/// Returns the release that the versions are: every component that both have, has its version. Of
/// several, the one with the most of these components.
#[must_use]
pub fn release_of<'r>(releases: &'r Releases, versions: &Versions) -> Option<&'r ReleaseName> {
    let matches = releases.published.iter().filter_map(|(name, published)| {
        let (shared, differences) = compare(published, versions);
        (shared > 0 && differences.is_empty()).then_some((shared, name))
    });
    matches
        .max_by(|a, b| a.0.cmp(&b.0).then_with(|| natural(a.1.as_str(), b.1.as_str())))
        .map(|(_, name)| name)
}

/// A release, as far as it is about components that a tenant has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    pub versions: ReleaseVersions,
    /// The components that have another version, or one that cannot be compared.
    pub different: Vec<ComponentName>,
}

/// Returns the releases that are about components of a tenant, from the earliest to the latest.
pub fn offered<'r>(
    releases: &'r Releases,
    current: &Versions,
) -> impl Iterator<Item = (&'r ReleaseName, Offered)> {
    let mut names: Vec<&ReleaseName> = releases.published.keys().collect();
    names.sort_by(|a, b| natural(a.as_str(), b.as_str()));
    let offered = names.into_iter().map(|name| {
        let mut versions = releases.published[name].clone();
        versions.retain(|component, _| of_catalog(current, component).is_some());
        let has = |(component, version): &(&ComponentName, &ImageVersion)| {
            of_catalog(current, component).and_then(|is| same(is, version)) == Some(true)
        };
        let different = versions.iter().filter(|it| !has(it)).map(|(name, _)| name.clone());
        let different = different.collect();
        (name, Offered { versions, different })
    });
    let about: Vec<_> = offered.filter(|(_, it)| !it.versions.is_empty()).collect();
    about.into_iter()
}

/// The number of components that a release and a tenant share, and the differences among them. One
/// whose version cannot be compared is not shared.
fn compare(published: &ReleaseVersions, versions: &Versions) -> (usize, Vec<OtherVersion>) {
    let mut shared = 0;
    let mut differences = Vec::new();
    for (component, published) in published {
        let Some(is) = of_catalog(versions, component) else { continue };
        let Some(is_same) = same(is, published) else { continue };
        shared += 1;
        if !is_same {
            let (is, published) = (is.clone(), published.clone());
            differences.push(OtherVersion { component: component.clone(), is, published });
        }
    }
    (shared, differences)
}

/// Whether two versions are the same: their digests if both have one, or else their tags. `None` if
/// that is not known, because one is only a digest and the other has none.
fn same(a: &ImageVersion, b: &ImageVersion) -> Option<bool> {
    if let (Some(a), Some(b)) = (a.digest(), b.digest()) {
        return Some(a == b);
    }
    Some(a.tag()? == b.tag()?)
}

fn unpublished(releases: &Releases, versions: &Versions) -> Option<VersionWarning> {
    let near = releases.published.iter().filter_map(|(name, published)| {
        let (shared, differences) = compare(published, versions);
        (shared > 0).then_some((differences, name))
    });
    // Of equally near ones, the latest.
    let (differences, nearest) = near.min_by(|a, b| {
        a.0.len().cmp(&b.0.len()).then_with(|| natural(b.1.as_str(), a.1.as_str()))
    })?;
    Some(VersionWarning::Unpublished { nearest: nearest.clone(), differences })
}

/// Judges a change by one mark: it leads back over it, or forward.
fn cross(mark: &OneWay, before: &[Versions], after: &Versions, decision: &mut VersionDecision) {
    let Some(to) = after.get(&mark.component) else { return };
    let Some(is_later) = at_least(&to.version, &mark.from) else { return };
    let was = |versions: &Versions| {
        let from = versions.get(&mark.component).filter(|from| from.own == to.own)?;
        let crosses = at_least(&from.version, &mark.from)? != is_later;
        crosses.then(|| VersionStep {
            component: mark.component.clone(),
            from: from.version.clone(),
            to: to.version.clone(),
        })
    };
    let Some(step) = before.iter().find_map(was) else { return };
    if !mark.reads_earlier {
        // Of several formats that do not read each other, the last one says enough.
        decision.refusals.retain(|refusal| refusal.step() != Some(&step));
    }
    let because = mark.because.clone();
    if !is_later {
        let loses = mark.loses.clone();
        decision.refusals.push(VersionRefusal::Back { step, because, loses });
    } else if mark.reads_earlier {
        let loses = mark.loses.clone();
        decision.warnings.push(VersionWarning::NoWayBack { step, because, loses });
    } else {
        decision.refusals.push(VersionRefusal::Forward { step, because });
    }
}

/// Returns every pair of versions that must not be. Of those that must be the same, each that differs
/// from the first with which it can be compared is one.
fn pairs(releases: &Releases, versions: &Versions) -> Vec<VersionRefusal> {
    let mut found = Vec::new();
    for rule in &releases.together {
        let present =
            rule.components.iter().filter_map(|name| Some((name, of_catalog(versions, name)?)));
        let present: Vec<_> = present.collect();
        for (index, other) in present.iter().enumerate() {
            let compared = present[..index].iter().find_map(|it| Some((it, same(it.1, other.1)?)));
            let Some((first, false)) = compared else { continue };
            let versions = [first, other]
                .map(|(name, version)| (ComponentName::clone(name), ImageVersion::clone(version)));
            found.push(VersionRefusal::NotTogether { versions, because: rule.because.clone() });
        }
    }
    found.extend(releases.apart.iter().filter_map(|rule| violated(rule, versions)));
    found
}

fn violated(rule: &Apart, versions: &Versions) -> Option<VersionRefusal> {
    let mut all = Vec::new();
    for (component, range) in &rule.components {
        let version = of_catalog(versions, component)?;
        if !within(version, range)? {
            return None;
        }
        all.push((component.clone(), version.clone()));
    }
    Some(VersionRefusal::Apart { versions: all, because: rule.because.clone() })
}

/// Whether the versions already have what a refusal is about, so that the change is not to blame.
fn has(versions: &Versions, refusal: &VersionRefusal) -> bool {
    let same = |(name, version): &(ComponentName, ImageVersion)| {
        of_catalog(versions, name) == Some(version)
    };
    match refusal {
        VersionRefusal::NotTogether { versions, .. } => versions.iter().all(same),
        VersionRefusal::Apart { versions, .. } => versions.iter().all(same),
        VersionRefusal::Back { .. } | VersionRefusal::Forward { .. } => false,
    }
}

impl VersionRefusal {
    fn step(&self) -> Option<&VersionStep> {
        match self {
            Self::Back { step, .. } | Self::Forward { step, .. } => Some(step),
            Self::NotTogether { .. } | Self::Apart { .. } => None,
        }
    }

    /// The component at whose place it is reported.
    fn component(&self) -> &ComponentName {
        match self {
            Self::NotTogether { versions: [_, (component, _)], .. } => component,
            Self::Apart { versions, .. } => &versions[0].0,
            Self::Back { step, .. } | Self::Forward { step, .. } => &step.component,
        }
    }
}

#[cfg(test)]
mod tests;
