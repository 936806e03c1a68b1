//! The releases of a catalog: which versions were published together, which do not go together, and
//! what an earlier version cannot read.
//!
//! They are in a file beside the catalog, because new ones are published when nothing of the catalog
//! changes.

use std::collections::BTreeMap;

use crate::document::catalog::{Catalog, WorkloadTemplate};
use crate::id::{CatalogName, ComponentName, ImageVersion, ReleaseName, Version};
use crate::text::problem::{Problem, Problems};
use crate::text::yaml::{FieldNode, Fields, parse};

/// The largest number of releases in a file. The controller compares a change with each of them.
pub const RELEASES_MAX: usize = 500;

/// The releases of one catalog, and what is known about its versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Releases {
    /// The versions of each release. A release says nothing about a component that it leaves out.
    pub published: BTreeMap<ReleaseName, BTreeMap<ComponentName, ImageVersion>>,
    pub together: Vec<Together>,
    pub apart: Vec<Apart>,
    pub one_way: Vec<OneWay>,
}

/// Components that must have the same version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// At least two, in the order of their names.
    pub components: Vec<ComponentName>,
    pub because: String,
}

/// Versions of two or more components that must not run at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// At least two.
    pub components: BTreeMap<ComponentName, VersionRange>,
    pub because: String,
}

/// A range of versions, in the order in which people count: 9 is before 10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    /// The first version of the range; `None` if it has no beginning.
    pub from: Option<Version>,
    /// The first version after the range; `None` if it has no end.
    pub before: Option<Version>,
}

/// A version whose state earlier versions cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneWay {
    pub component: ComponentName,
    /// The first such version.
    pub from: Version,
    pub because: String,
    /// What a way back loses.
    pub loses: String,
    /// Whether this version and later ones read what an earlier one has written.
    pub reads_earlier: bool,
}

impl Releases {
    /// Reads the releases of a catalog from YAML.
    ///
    /// # Errors
    /// Returns every problem of the document, including components that the catalog does not have.
    pub fn parse(text: &str, catalog: &Catalog) -> Result<Self, Problems> {
        let root = parse(text)?;
        let mut problems = Problems::default();
        let releases = read(&FieldNode::root(&root), catalog, &mut problems);
        match releases {
            Some(releases) => problems.into_result(releases),
            None => Err(problems.sorted()),
        }
    }
}

fn read(root: &FieldNode<'_>, catalog: &Catalog, problems: &mut Problems) -> Option<Releases> {
    let mut fields = Fields::open(root, problems)?;
    if let Some(field) = fields.need("catalog", problems)
        && let Some(name) = field.parse::<CatalogName>(problems)
        && name != catalog.name
    {
        let message =
            format!("these are not the releases of {name}: the catalog is {}", catalog.name);
        problems.push(field.problem(message));
    }
    let published = fields.get("releases").map(|field| read_published(&field, catalog, problems));
    let together = read_list(fields.get("together"), problems, |it, problems| {
        read_together(it, catalog, problems)
    });
    let apart =
        read_list(fields.get("apart"), problems, |it, problems| read_apart(it, catalog, problems));
    let one_way = read_list(fields.get("one_way"), problems, |it, problems| {
        read_one_way(it, catalog, problems)
    });
    fields.finish(problems);
    Some(Releases { published: published.unwrap_or_default(), together, apart, one_way })
}

/// Reads every item of an optional list.
fn read_list<T>(
    field: Option<FieldNode<'_>>,
    problems: &mut Problems,
    read: impl Fn(&FieldNode<'_>, &mut Problems) -> Option<T>,
) -> Vec<T> {
    let items = field.map(|field| field.list(problems)).unwrap_or_default();
    items.iter().filter_map(|item| read(item, problems)).collect()
}

fn read_published(
    field: &FieldNode<'_>,
    catalog: &Catalog,
    problems: &mut Problems,
) -> BTreeMap<ReleaseName, BTreeMap<ComponentName, ImageVersion>> {
    let entries = field.entries::<ReleaseName>(problems);
    if entries.len() > RELEASES_MAX {
        problems.push(field.problem(format!("there are more than {RELEASES_MAX} releases")));
    }
    let mut published = BTreeMap::new();
    for (name, field) in entries {
        let mut versions = BTreeMap::new();
        for (component, field) in field.entries::<ComponentName>(problems) {
            check_component(&component, &field, catalog, problems);
            versions.extend(field.parse(problems).map(|version| (component, version)));
        }
        if versions.is_empty() {
            problems.push(field.problem("a release has the version of at least one component"));
        }
        published.insert(name, versions);
    }
    published
}

fn read_together(
    field: &FieldNode<'_>,
    catalog: &Catalog,
    problems: &mut Problems,
) -> Option<Together> {
    let mut fields = Fields::open(field, problems)?;
    let list = fields.need("components", problems);
    let mut components: Vec<ComponentName> = Vec::new();
    for item in list.iter().flat_map(|list| list.list(problems)).collect::<Vec<_>>() {
        let Some(component) = item.parse(problems) else { continue };
        check_component(&component, &item, catalog, problems);
        components.push(component);
    }
    components.sort();
    components.dedup();
    if let Some(list) = list.filter(|_| components.len() < 2) {
        problems.push(list.problem("must name at least two components"));
    }
    let because = reason(&mut fields, "because", problems);
    fields.finish(problems);
    Some(Together { components, because: because? })
}

fn read_apart(field: &FieldNode<'_>, catalog: &Catalog, problems: &mut Problems) -> Option<Apart> {
    let mut fields = Fields::open(field, problems)?;
    let mut components = BTreeMap::new();
    if let Some(all) = fields.need("components", problems) {
        let entries = all.entries::<ComponentName>(problems);
        if entries.len() < 2 {
            problems.push(all.problem("must name at least two components"));
        }
        for (component, field) in entries {
            check_component(&component, &field, catalog, problems);
            components.extend(read_range(&field, problems).map(|range| (component, range)));
        }
    }
    let because = reason(&mut fields, "because", problems);
    fields.finish(problems);
    Some(Apart { components, because: because? })
}

fn read_range(field: &FieldNode<'_>, problems: &mut Problems) -> Option<VersionRange> {
    let mut fields = Fields::open(field, problems)?;
    let from = fields.get("from").and_then(|field| read_bound(&field, problems));
    let before = fields.get("before").and_then(|field| read_bound(&field, problems));
    fields.finish(problems);
    if from.is_none() && before.is_none() {
        let problem = field.problem("says nothing about its versions");
        problems.push(
            problem.hint("write from: for the first version, before: for the one after the last"),
        );
    }
    Some(VersionRange { from, before })
}

fn read_one_way(
    field: &FieldNode<'_>,
    catalog: &Catalog,
    problems: &mut Problems,
) -> Option<OneWay> {
    let mut fields = Fields::open(field, problems)?;
    let component = fields.need("component", problems).and_then(|field| {
        let component = field.parse(problems)?;
        check_component(&component, &field, catalog, problems);
        Some(component)
    });
    let from = fields.need("from", problems).and_then(|field| read_bound(&field, problems));
    let because = reason(&mut fields, "because", problems);
    let loses = reason(&mut fields, "loses", problems);
    let reads_earlier = fields.get("reads_earlier").map_or(Some(true), |it| it.flag(problems));
    fields.finish(problems);
    Some(OneWay {
        component: component?,
        from: from?,
        because: because?,
        loses: loses?,
        reads_earlier: reads_earlier?,
    })
}

/// Reads the version at the end of a range. Only those with a digit have an order.
fn read_bound(field: &FieldNode<'_>, problems: &mut Problems) -> Option<Version> {
    let version: Version = field.parse(problems)?;
    if !version.as_str().contains(|c: char| c.is_ascii_digit()) {
        problems.push(field.problem("must contain a digit: other versions have no order"));
    }
    Some(version)
}

/// Reads a sentence for people, which must be there.
fn reason(fields: &mut Fields<'_>, name: &'static str, problems: &mut Problems) -> Option<String> {
    let field = fields.need(name, problems)?;
    let text = field.text(problems)?.trim();
    if text.is_empty() {
        problems.push(field.problem("is empty"));
    }
    Some(text.to_owned())
}

/// Refuses a component that the catalog does not have, or that has no version.
fn check_component(
    component: &ComponentName,
    field: &FieldNode<'_>,
    catalog: &Catalog,
    problems: &mut Problems,
) {
    match catalog.components.get(component).map(|found| &found.workload) {
        Some(WorkloadTemplate::Container(_)) => {}
        Some(WorkloadTemplate::Unit { .. }) => {
            problems
                .push(field.problem(format!("{component} is a packaged unit: it has no version")));
        }
        // Nobody knows whether it has a version before its definition can be read.
        None if catalog.broken.contains_key(component) => {}
        None => {
            let message = format!("{component} is not a component of catalog {}", catalog.name);
            let known = catalog.components.keys().map(AsRef::as_ref);
            let problem: Problem = field.problem(message);
            problems.push(problem.suggest(component.as_str(), known));
        }
    }
}

#[cfg(test)]
mod tests;
