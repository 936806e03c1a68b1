//! The images that a tenant needs: which repository, which version, and where they are pulled.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::catalog::{Catalog, Component, ContainerTemplate, WorkloadTemplate};
use crate::document::plan::Plan;
use crate::document::spec::{ComponentSpec, TenantSpec};
use crate::id::{ComponentName, Digest, ImageVersion, InvalidId, Repository};
use crate::text::problem::Problems;

use super::definition;

/// An image by its repository and version, as operators name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    pub repository: Repository,
    pub version: ImageVersion,
}

impl std::fmt::Display for ImageName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.repository, self.version.suffix())
    }
}

impl ImageName {
    /// Returns an image in the place of one that is not known. Its plan is refused, and what else is
    /// wrong with its component is found.
    pub(super) fn unknown() -> Self {
        let repository = "unknown".parse().expect("a word is the name of a repository");
        let version = "unknown".parse().expect("a word is a tag");
        Self { repository, version }
    }
}

impl Plan {
    /// Returns every image that the plan uses, with its digest, by each of its names: by its tag,
    /// by its digest, and by both. `spec` is the specification of the plan.
    ///
    /// A tag alone is what the components without a digest behind theirs run. If there are none,
    /// it is what the others run, unless they differ.
    #[must_use]
    pub fn digests(&self, spec: &TenantSpec) -> BTreeMap<ImageName, Digest> {
        let mut digests = BTreeMap::new();
        let mut pinned: BTreeMap<ImageName, BTreeSet<Digest>> = BTreeMap::new();
        let instances = self.nodes.values().flat_map(|node| &node.instances);
        for (component, desired) in instances {
            let Some(container) = desired.instance.container() else { continue };
            let (tag, digest) = (container.version.clone(), container.digest.clone());
            let name = |version| ImageName { repository: container.repository.clone(), version };
            for version in [
                ImageVersion::tag_at(tag.clone(), digest.clone()),
                ImageVersion::pinned(digest.clone()),
            ] {
                digests.insert(name(version), digest.clone());
            }
            let wanted = spec.components.get(component).and_then(|wanted| wanted.version.as_ref());
            let by_tag = name(ImageVersion::from(tag));
            if wanted.is_some_and(|version| version.digest().is_some()) {
                pinned.entry(by_tag).or_default().insert(digest);
            } else {
                digests.insert(by_tag, digest);
            }
        }
        for (by_tag, mut found) in pinned {
            if let Some(digest) = found.pop_first().filter(|_| found.is_empty()) {
                digests.entry(by_tag).or_insert(digest);
            }
        }
        digests
    }
}

/// Returns the images that a tenant needs, by component, and the problems of the others:
/// unknown components, missing versions and repositories that are not valid.
pub(super) fn images(
    spec: &TenantSpec,
    catalog: &Catalog,
) -> (BTreeMap<ComponentName, ImageName>, Problems) {
    let mut problems = Problems::default();
    let mut images = BTreeMap::new();
    for name in spec.components.keys() {
        if let Some(component) = definition(spec, catalog, name, &mut problems)
            && let Some(image) = image(spec, catalog, name, component, &mut problems)
        {
            images.insert(name.clone(), image);
        }
    }
    (images, problems)
}

/// Returns the image of a component; none for a packaged unit, and after a problem.
pub(super) fn image(
    spec: &TenantSpec,
    catalog: &Catalog,
    name: &ComponentName,
    component: &Component,
    problems: &mut Problems,
) -> Option<ImageName> {
    let path = format!("components.{name}");
    let wanted = spec.components.get(name)?;
    let container = match &component.workload {
        WorkloadTemplate::Container(container) => container,
        WorkloadTemplate::Unit { .. } => {
            refuse_of_unit(spec, name, wanted, problems);
            return None;
        }
    };
    let is_unread = |field: &str| spec.is_unread(&format!("{path}.{field}"));
    let Some(version) = &wanted.version else {
        if !is_unread("version") && !is_unread("image") {
            let hint = format!("write {name}: \"1.2.3\"");
            problems.push(spec.problem(&path, "has no version").hint(hint));
        }
        return None;
    };
    // Nobody knows which image is meant, or with which login its registry is asked.
    if is_unread("image") || spec.is_unread("registry") || spec.is_unread("registries") {
        return None;
    }
    match repository(spec, catalog, wanted, container) {
        Ok(repository) => Some(ImageName { repository, version: version.clone() }),
        Err(error) => {
            let hint = format!("shorten it, or write image: for {name}");
            problems.push(spec.problem("registry", format!("{error}")).hint(hint));
            None
        }
    }
}

/// Refuses a version and an image of a packaged unit.
fn refuse_of_unit(
    spec: &TenantSpec,
    name: &ComponentName,
    wanted: &ComponentSpec,
    problems: &mut Problems,
) {
    let path = format!("components.{name}");
    let what = match (&wanted.image, &wanted.version) {
        (Some(_), _) => "image",
        (None, Some(_)) => "version",
        (None, None) => return,
    };
    let message = format!("must have no {what}, because it is a packaged unit");
    problems.push(spec.problem(&path, message).hint(format!("write {name}: {{}}")));
}

/// Returns the repository of a container: the tenant's own one for the component, else that of
/// the catalog, which is in the tenant's or the catalog's registry unless it names its own.
fn repository(
    spec: &TenantSpec,
    catalog: &Catalog,
    wanted: &ComponentSpec,
    container: &ContainerTemplate,
) -> Result<Repository, InvalidId> {
    if let Some(image) = &wanted.image {
        return Ok(image.clone());
    }
    complete(&container.image, spec.registry.as_ref().or(catalog.registry.as_ref()))
}

/// Returns an image of a catalog with the registry before it, unless it names its own.
pub(crate) fn complete(
    image: &Repository,
    registry: Option<&Repository>,
) -> Result<Repository, InvalidId> {
    match registry.filter(|_| !image.names_registry()) {
        Some(registry) => format!("{registry}/{image}").parse(),
        None => Ok(image.clone()),
    }
}

#[cfg(test)]
mod tests;
