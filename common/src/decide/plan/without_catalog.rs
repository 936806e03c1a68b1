//! The mistakes of a specification that are found although its catalog cannot be used.

use std::collections::BTreeMap;

use crate::decide::secrets::ChosenSecrets;
use crate::document::spec::TenantSpec;
use crate::id::NodeName;
use crate::text::problem::Problems;

use super::{NodeFacts, check_after, place, registries};

/// Returns what is wrong with the nodes, the order and the logins to registries of a specification.
#[must_use]
pub fn check_without_catalog(
    spec: &TenantSpec,
    nodes: &BTreeMap<NodeName, NodeFacts>,
    secrets: &ChosenSecrets,
) -> Problems {
    let mut problems = Problems::default();
    place::check_any(spec, nodes, &mut problems);
    if !nodes.is_empty() {
        for name in spec.components.keys() {
            place::check_chosen(spec, nodes, name, &mut problems);
        }
    }
    check_after(spec, &mut problems);
    registries::check(spec, secrets, &mut problems);
    problems
}

#[cfg(test)]
mod tests {
    use crate::testing::{SPEC, nodes};

    use super::*;

    #[test]
    fn what_needs_no_catalog_is_checked_without_one() {
        let login = "registries: {quay.io: {username: x, password: hub}}\ncomponents:";
        let text = SPEC
            .replace("voice: \"1\"", "voice: {version: \"1\", nodes: [n7], after: [dbb]}")
            .replace("components:", login);
        let spec = TenantSpec::parse(&text).unwrap();
        let problems = check_without_catalog(&spec, &nodes(), &ChosenSecrets::new()).sorted();
        assert_eq!(
            problems.to_string(),
            "line 4: registries.quay.io.password: acme has no secret hub \
             (omlctl secret set tenant=acme hub)\n\
             line 7: components.voice.after: dbb is not a component of this tenant (did you mean db?)\n\
             line 7: components.voice.nodes: n7 is not a node of this tenant (known: n1, n2, n3)"
        );
        let nobody = check_without_catalog(&spec, &BTreeMap::new(), &ChosenSecrets::new());
        assert!(nobody.to_string().contains("tenant acme has no nodes"), "{nobody}");
    }
}
