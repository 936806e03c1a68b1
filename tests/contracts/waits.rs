//! Which components wait for a migration of the database that they share.

use std::collections::BTreeSet;

use oml_common::document::catalog::{Catalog, Component, OperationMoment, WorkloadTemplate};
use oml_common::id::ComponentName;

use crate::check::image;
use crate::contract::{Line, catalog_of, lines};

/// Returns every component that has the image of one that migrates and does not wait for it.
fn early(line: &Line, catalog: &Catalog) -> Vec<String> {
    let migrates = |component: &Component| {
        component.operations.values().any(|it| it.moment == OperationMoment::Migrate)
    };
    let image_of = |component: &Component| match &component.workload {
        WorkloadTemplate::Container(template) => Some(image(catalog, template)),
        WorkloadTemplate::Unit { .. } => None,
    };
    let mut early = Vec::new();
    for (first, migrating) in catalog.components.iter().filter(|(_, it)| migrates(it)) {
        let others = catalog.components.iter().filter(|(name, _)| *name != first);
        let same = others.filter(|(_, it)| image_of(it) == image_of(migrating));
        let without = same.filter(|(name, _)| !waits_for(catalog, name, first));
        early.extend(without.map(|(name, _)| format!("{}: {name}, for {first}", line.catalog)));
    }
    early
}

/// Whether a component waits for another one on its node, also by way of those that it waits for.
pub(crate) fn waits_for(catalog: &Catalog, name: &ComponentName, wanted: &ComponentName) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![name]);
    while let Some(name) = open.pop() {
        let Some(component) = catalog.components.get(name).filter(|_| seen.insert(name)) else {
            continue;
        };
        if component.after.contains(wanted) {
            return true;
        }
        open.extend(&component.after);
    }
    false
}

#[test]
fn what_shares_the_image_of_a_component_that_migrates_waits_for_it() {
    let lines = lines();
    let migrating = lines.iter().map(catalog_of).filter(|catalog| {
        let mut operations = catalog.components.values().flat_map(|it| it.operations.values());
        operations.any(|it| it.moment == OperationMoment::Migrate)
    });
    assert_eq!(migrating.count(), 4, "the four lines of OMniLeads");
    let early: Vec<String> = lines.iter().flat_map(|it| early(it, &catalog_of(it))).collect();
    assert!(early.is_empty(), "these start before the migration:\n{}", early.join("\n"));
}
