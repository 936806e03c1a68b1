//! The tenant's document of a trial, which is that of the handbook with the names of the lab.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};
use oml_common::document::catalog::{Catalog, Component, WorkloadTemplate};
use oml_common::id::SecretName;

use super::line::{Line, Size};
use crate::workspace::workspace_root;

const PAGE: &str = include_str!("../../../docs/omnileads.md");
/// The name by which browsers reach the site.
pub const FQDN: &str = "acme.example.com";
/// The version of a component that the handbook does not name, if no other one has its image.
const UNNAMED: &str = "1.0";
/// What the names of the versions of the second release have more than those of the first.
const NEXT: &str = "-next";

/// The versions of the components of a tenant. A packaged unit has an empty one.
pub type SiteVersions = BTreeMap<String, String>;

/// Returns the versions that the handbook shows for a line, with those of what is optional; for three hosts also of every
/// other component of the catalog.
///
/// # Errors
/// The handbook has no such document, or the catalog has mistakes.
pub fn versions(line: &Line, size: Size) -> Result<SiteVersions> {
    let head = format!("\n    tenant: acme\n    catalog: {}\n", line.catalog);
    let (_, rest) = PAGE.split_once(&head).with_context(|| format!("find {head:?}"))?;
    let (_, rest) = rest.split_once("\n    components:\n").context("find the components")?;
    let (list, _) = rest.split_once("\n\n").context("find the end of the components")?;
    let mut found = SiteVersions::new();
    for row in list.lines() {
        let (name, version) = row.trim().split_once(": ").with_context(|| row.to_owned())?;
        let version = version.trim_matches('"').trim_matches(['{', '}']);
        found.insert(name.to_owned(), version.to_owned());
    }
    let further = line.further.iter().map(|(name, version)| (*name, *version));
    found.extend(further.map(|(name, version)| (name.to_owned(), version.to_owned())));
    match size {
        Size::One => Ok(found),
        Size::Three => Ok(with_all(&catalog(line)?, found)),
    }
}

/// Adds the components of a catalog that are missing, each in the version of those that have its image.
fn with_all(catalog: &Catalog, named: SiteVersions) -> SiteVersions {
    let components = || catalog.components.iter().map(|(name, it)| (name.to_string(), image(it)));
    let of_named =
        components().filter_map(|(name, image)| Some((image?, named.get(&name)?.clone())));
    let of_images: SiteVersions = of_named.collect();
    let version = |image: Option<String>| match image {
        None => String::new(),
        Some(image) => of_images.get(&image).cloned().unwrap_or_else(|| UNNAMED.to_owned()),
    };
    let mut all: SiteVersions = components().map(|(name, image)| (name, version(image))).collect();
    all.extend(named);
    all
}

/// Returns the image of a component, as its catalog has it; none for a packaged unit.
fn image(component: &Component) -> Option<String> {
    match &component.workload {
        WorkloadTemplate::Container(container) => Some(container.image.to_string()),
        WorkloadTemplate::Unit { .. } => None,
    }
}

/// Returns the versions of the release after it, in which every component is another one.
#[must_use]
pub fn next(versions: &SiteVersions) -> SiteVersions {
    let of = |version: &String| match version.is_empty() {
        true => String::new(),
        false => format!("{version}{NEXT}"),
    };
    versions.iter().map(|(name, version)| (name.clone(), of(version))).collect()
}

/// Returns the text of a document with these versions.
///
/// # Panics
/// Never: a text grows.
#[must_use]
pub fn text(line: &Line, versions: &SiteVersions, secrets: &BTreeSet<SecretName>) -> String {
    let mut text = format!("tenant: acme\ncatalog: {}\n", line.catalog);
    let mut settings = vec!["TZ: Europe/Berlin".to_owned(), format!("fqdn: {FQDN}")];
    if !line.settings.is_empty() {
        settings.push(line.settings.to_owned());
    }
    writeln!(text, "settings: {{{}}}", settings.join(", ")).expect("a text grows");
    let names: Vec<String> = secrets.iter().map(|name| format!("{name}: controller")).collect();
    writeln!(text, "secrets: {{{}}}", names.join(", ")).expect("a text grows");
    if line.tls {
        writeln!(text, "tls: {{mode: selfsigned, names: [{FQDN}]}}").expect("a text grows");
    }
    text.push_str("components:\n");
    for (name, version) in versions {
        let value = if version.is_empty() { "{}".to_owned() } else { format!("\"{version}\"") };
        writeln!(text, "  {name}: {value}").expect("a text grows");
    }
    text + "rollout: {min_healthy_for: 3s, drain_deadline: 10m}\n"
}

/// Returns the file of releases with the two releases of a trial, `first` and `next`, in place of the published ones.
///
/// # Errors
/// The file of releases cannot be read.
pub fn releases(line: &Line, first: &SiteVersions) -> Result<String> {
    let path = workspace_root()?.join(format!("catalog/omnileads-{}.releases.yaml", line.name));
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let (_, rules) = text.split_once("\ntogether:").context("find the rules")?;
    let mut made = format!("catalog: {}\nreleases:\n", line.catalog);
    for (name, versions) in [("first", first), ("next", &next(first))] {
        writeln!(made, "  {name}:").expect("a text grows");
        for (component, version) in versions.iter().filter(|(_, version)| !version.is_empty()) {
            writeln!(made, "    {component}: \"{version}\"").expect("a text grows");
        }
    }
    Ok(format!("{made}together:{rules}"))
}

/// Reads the catalog of a line.
///
/// # Errors
/// There is no such file, or it has mistakes.
pub fn catalog(line: &Line) -> Result<Catalog> {
    super::catalog(&format!("omnileads-{}.yaml", line.name))
}

/// Returns the secrets that the components with a version here name, without those of the certificate.
#[must_use]
pub fn secrets(catalog: &Catalog, versions: &SiteVersions) -> BTreeSet<SecretName> {
    let named = catalog.components.iter().filter(|(name, _)| versions.contains_key(name.as_ref()));
    let containers = named.filter_map(|(_, component)| match &component.workload {
        WorkloadTemplate::Container(container) => Some(container),
        WorkloadTemplate::Unit { .. } => None,
    });
    let uses = containers.flat_map(|container| container.secrets.values());
    uses.filter(|secret| !secret.is_optional).map(|secret| secret.name.clone()).collect()
}

/// Returns the components that run the image of the application.
///
/// # Errors
/// The catalog cannot be read, or has no application.
pub fn application(line: &Line, versions: &SiteVersions) -> Result<Vec<String>> {
    let catalog = catalog(line)?;
    let image = |name: &str| {
        let found = catalog.components.iter().find(|(of, _)| of.as_ref() == name)?;
        image(found.1)
    };
    let wanted = image(line.application).context("the image of the application")?;
    let same = versions.keys().filter(|name| image(name).as_ref() == Some(&wanted));
    Ok(same.cloned().collect())
}
