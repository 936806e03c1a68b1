//! What follows from a catalog that changed after a tenant's revision was made with it. A change that names
//! what it is about brings nothing else with it; one with a whole document shows all of it in its plan.

use std::collections::BTreeSet;

use crate::decide::diff::diff;
use crate::document::plan::Plan;
use crate::document::spec::TenantSpec;
use crate::id::{ComponentName, RevisionNumber};
use crate::text::problem::Problem;

/// Returns the components that a catalog as it is now would change by itself: `same` is the specification of
/// `before` planned with it. A node that has joined since is not its doing.
#[must_use]
pub fn own_changes(before: &Plan, same: &Plan) -> BTreeSet<ComponentName> {
    let changes = diff(Some(before), same).into_iter();
    let known = changes.filter(|change| before.nodes.contains_key(&change.node));
    known.map(|change| change.component).collect()
}

/// Returns a problem for a change that would bring these changes of its catalog with it.
#[must_use]
pub fn refusal(
    spec: &TenantSpec,
    revision: RevisionNumber,
    components: &BTreeSet<ComponentName>,
) -> Problem {
    let names: Vec<&str> = components.iter().map(AsRef::as_ref).collect();
    let catalog = &spec.catalog;
    let message = format!(
        "catalog {catalog} changed after revision {revision} was made, and would also change {}",
        names.join(", ")
    );
    let hint = "look at it with omlctl apply -f FILE --dry-run, and apply it first";
    spec.problem("catalog", message).hint(hint)
}

/// Returns a line that says with which catalog the plan of a whole document is made.
#[must_use]
pub fn note(spec: &TenantSpec, revision: RevisionNumber) -> String {
    let catalog = &spec.catalog;
    format!(
        "catalog {catalog} changed after revision {revision} was made; this plan is made with it as it is now"
    )
}

#[cfg(test)]
mod tests {
    //! Tests of what counts as a change of the catalog.

    use super::*;
    use crate::testing::{CATALOG, SPEC, nodes, plan_on, plan_with};

    #[test]
    fn another_workload_of_a_component_is_a_change_of_the_catalog() {
        let before = plan_with(SPEC, CATALOG, 1).unwrap();
        assert!(own_changes(&before, &plan_with(SPEC, CATALOG, 2).unwrap()).is_empty());
        let other = CATALOG.replace("WHO: ", "WHOM: ");
        let found = own_changes(&before, &plan_with(SPEC, &other, 2).unwrap());
        assert_eq!(found, ["db".parse().unwrap()].into());
    }

    #[test]
    fn a_node_that_joined_is_no_change_of_the_catalog() {
        let before = plan_with(SPEC, CATALOG, 1).unwrap();
        let mut more = nodes();
        let (name, facts) = more.iter().next().map(|(_, facts)| ("n9", facts.clone())).unwrap();
        more.insert(name.parse().unwrap(), facts);
        let after = plan_on(&more, SPEC, CATALOG, 2).unwrap();
        assert!(after.nodes.len() > before.nodes.len());
        assert!(own_changes(&before, &after).is_empty());
    }

    #[test]
    fn the_refusal_names_the_line_of_the_catalog_and_what_it_changes() {
        let spec = TenantSpec::parse(SPEC).unwrap();
        let components = ["db", "voice"].map(|name| name.parse().unwrap()).into();
        let refused = refusal(&spec, RevisionNumber(7), &components).to_string();
        let expected = "line 2: catalog: catalog test changed after revision 7 was made, and would also change \
                        db, voice (look at it with omlctl apply -f FILE --dry-run, and apply it first)";
        assert_eq!(refused, expected);
    }
}
