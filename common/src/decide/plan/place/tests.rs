//! What is found of components that no node can run.

use std::collections::BTreeMap;

use crate::testing::{CATALOG, SPEC, nodes, plan_on, plan_with};

/// The catalog, whose voice server is for that role and has a secret of the controller.
fn catalog(role: &str) -> String {
    let secret = "    image: voice\n    secrets: {TOKEN: {name: token, from: controller}}\n";
    let changed = CATALOG
        .replace("roles: [voice]\n    unit: voice", &format!("roles: [{role}]\n    unit: voice"))
        .replace("    image: voice\n", secret);
    assert_ne!(changed, CATALOG);
    changed
}

const NO_SECRET: &str = "line 6: components.voice.secrets.TOKEN: acme has no secret token \
                         (omlctl secret generate tenant=acme token)";

#[test]
fn what_else_is_wrong_with_a_component_that_no_node_can_run_is_found_too() {
    let found = plan_with(SPEC, &catalog("media"), 1).unwrap_err().to_string();
    let lines: Vec<&str> = found.lines().collect();
    assert!(lines[0].starts_with("line 6: components.voice: no node can run it"), "{found}");
    assert_eq!(lines[1..], [NO_SECRET]);
    let nowhere = SPEC.replace("voice: \"1\"", "voice: {version: \"1\", nodes: [n9]}");
    let found = plan_with(&nowhere, &catalog("voice"), 1).unwrap_err().to_string();
    assert!(found.contains("n9 is not a node of this tenant"), "{found}");
    assert!(found.contains(NO_SECRET), "{found}");
}

#[test]
fn a_tenant_without_nodes_learns_of_all_its_mistakes() {
    let spec = SPEC.replace("db: \"1\"", "db: {version: \"1\", env: {WHO: \"{{ node.nam }}\"}}");
    let found = plan_on(&BTreeMap::new(), &spec, &catalog("voice"), 1).unwrap_err().to_string();
    let lines: Vec<&str> = found.lines().collect();
    assert!(lines[0].starts_with("line 5: components.db.env.WHO: cannot render"), "{found}");
    assert_eq!(lines[1], NO_SECRET);
    assert_eq!(lines[2], "tenant acme has no nodes (omlctl node token tenant=acme role=…)");
    assert_eq!(lines.len(), 3, "{found}");
}

#[test]
fn the_address_of_a_component_without_a_node_is_no_other_mistake() {
    let catalog = CATALOG.replace("roles: [data]\n    unit: db", "roles: [store]\n    unit: db");
    assert_ne!(catalog, CATALOG);
    let found = plan_with(SPEC, &catalog, 1).unwrap_err();
    assert_eq!(found.0.len(), 1, "{found}");
    assert!(found.to_string().contains("none has the role store"), "{found}");
    assert!(!found.to_string().contains("stand-in"), "{found}");
}

#[test]
fn the_host_that_stands_in_has_a_name_of_its_own() {
    let mut nodes = nodes();
    let facts = nodes[&"n1".parse().unwrap()].clone();
    for name in ["stand-in-0", "stand-in-1"] {
        nodes.insert(name.parse().unwrap(), facts.clone());
    }
    let found = plan_on(&nodes, SPEC, &catalog("media"), 1).unwrap_err().to_string();
    assert!(found.contains(NO_SECRET), "{found}");
}
