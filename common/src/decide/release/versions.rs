//! The versions of a tenant, as far as the releases of a catalog are about them.

use std::collections::BTreeMap;

use crate::decide::plan::complete;
use crate::decide::plan::presence::absent;
use crate::document::catalog::{Catalog, ContainerTemplate, WorkloadTemplate};
use crate::document::plan::Plan;
use crate::document::releases::Releases;
use crate::document::spec::{ComponentSpec, TenantSpec};
use crate::id::{ComponentName, ImageVersion, ReleaseName, Repository, UnitName};

/// What a component of a tenant runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Its image with registry and whole name, if it is not that of the catalog. Nothing is said
    /// about it by releases, because versions of different images cannot be compared.
    pub own: Option<String>,
    pub version: ImageVersion,
}

/// What every component of a tenant runs that exists and has a version.
pub type Versions = BTreeMap<ComponentName, Used>;

/// The versions of a release.
pub type ReleaseVersions = BTreeMap<ComponentName, ImageVersion>;

/// The versions of a release for the components of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InRelease {
    pub versions: ReleaseVersions,
    /// The components with an image of their own, of which the release has no version.
    pub own: Vec<ComponentName>,
}

/// Returns the versions of a specification. A component whose condition in the catalog does not
/// hold does not exist, and has none.
#[must_use]
pub fn versions_of(spec: &TenantSpec, catalog: &Catalog) -> Versions {
    let absent = absent(spec, catalog);
    let present = spec.components.iter().filter(|(name, _)| !absent.contains_key(*name));
    let used = present.filter_map(|(name, component)| {
        let version = component.version.clone()?;
        let own = own_image(spec, catalog, name, component);
        Some((name.clone(), Used { own, version }))
    });
    used.collect()
}

/// Returns the versions of a plan for the components that a catalog defines with the same unit and
/// container. `registries` are those in which the images of the catalog may be, besides its own. A
/// component has the same version on every node.
#[must_use]
pub fn versions_in_plan(
    plan: &Plan,
    catalog: &Catalog,
    registries: &[Option<&Repository>],
) -> Versions {
    let instances = plan.nodes.values().flat_map(|share| &share.instances);
    let used = instances.filter_map(|(name, desired)| {
        let container = desired.instance.container()?;
        let (unit, template) = defined(catalog, name)?;
        if *unit != desired.instance.unit || template.name != container.name {
            return None;
        }
        let image = container.repository.spelled_out();
        let own = own(image, catalog, name, registries);
        Some((name.clone(), Used { own, version: container.version.clone().into() }))
    });
    used.collect()
}

/// Returns the versions of a release for the components that a tenant has.
#[must_use]
pub fn versions_in(
    releases: &Releases,
    release: &ReleaseName,
    spec: &TenantSpec,
    catalog: &Catalog,
) -> Option<InRelease> {
    let mut found = InRelease::default();
    for (name, version) in releases.published.get(release)? {
        let Some(component) = spec.components.get(name) else { continue };
        if own_image(spec, catalog, name, component).is_some() {
            found.own.push(name.clone());
        } else {
            found.versions.insert(name.clone(), version.clone());
        }
    }
    Some(found)
}

/// Returns the version of a component that runs the image of the catalog.
pub(super) fn of_catalog<'v>(
    versions: &'v Versions,
    name: &ComponentName,
) -> Option<&'v ImageVersion> {
    versions.get(name).filter(|used| used.own.is_none()).map(|used| &used.version)
}

/// Returns the image that a tenant writes for a component, unless it is that of the catalog.
fn own_image(
    spec: &TenantSpec,
    catalog: &Catalog,
    name: &ComponentName,
    component: &ComponentSpec,
) -> Option<String> {
    let image = component.image.as_ref()?.spelled_out();
    own(image, catalog, name, &[spec.registry.as_ref()])
}

/// Returns an image unless it is that of the catalog, in its own registry or in one of these.
fn own(
    image: String,
    catalog: &Catalog,
    name: &ComponentName,
    registries: &[Option<&Repository>],
) -> Option<String> {
    let mut registries = registries.iter().copied().chain([None]);
    let is_of_catalog =
        registries.any(|registry| image_in(catalog, name, registry).as_ref() == Some(&image));
    (!is_of_catalog).then_some(image)
}

/// Returns the image that a catalog has for a component, in this registry or in its own.
pub(super) fn image_in(
    catalog: &Catalog,
    name: &ComponentName,
    registry: Option<&Repository>,
) -> Option<String> {
    let (_, container) = defined(catalog, name)?;
    let image = complete(&container.image, registry.or(catalog.registry.as_ref())).ok()?;
    Some(image.spelled_out())
}

/// Returns the unit and the container of a component.
pub(super) fn defined<'c>(
    catalog: &'c Catalog,
    name: &ComponentName,
) -> Option<(&'c UnitName, &'c ContainerTemplate)> {
    let component = catalog.components.get(name)?;
    match &component.workload {
        WorkloadTemplate::Container(container) => Some((&component.unit, container)),
        WorkloadTemplate::Unit { .. } => None,
    }
}
