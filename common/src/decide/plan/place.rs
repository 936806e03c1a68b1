//! Chooses the nodes of every component: those that the specification names, or all with its role.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::catalog::Component;
use crate::document::spec::TenantSpec;
use crate::id::{ComponentName, NodeName};
use crate::text::problem::{Problem, Problems};

use super::{Input, NodeFacts, definition};

/// The nodes of every component.
pub(super) type Placed = BTreeMap<ComponentName, Vec<NodeName>>;

/// The address of a host that there is not, of a network that is for examples (RFC 5737).
const NO_ADDRESS: &str = "192.0.2.1";

/// The nodes and one more, which carries the components that none of them can run.
pub(super) struct StandIn {
    pub(super) nodes: BTreeMap<NodeName, NodeFacts>,
    pub(super) placed: Placed,
}

/// Places every component that the catalog defines. One that no node can run is a problem, and has
/// no nodes.
pub(super) fn place(input: Input<'_>, problems: &mut Problems) -> Placed {
    check_any(input.spec, input.nodes, problems);
    let mut placed = Placed::new();
    for (name, component) in &input.spec.components {
        let Some(definition) = definition(input.spec, input.catalog, name, problems) else {
            continue;
        };
        let carriers = if input.nodes.is_empty() {
            Vec::new()
        } else if let Some(chosen) = &component.nodes {
            check_chosen(input.spec, input.nodes, name, problems);
            chosen.clone()
        } else {
            nodes_by_role(input, name, definition, problems)
        };
        placed.insert(name.clone(), carriers);
    }
    placed
}

/// Puts the components that no node can run on a host that there is not, so that what else is wrong
/// with them, and with what names their address, is found too. Their tenant is refused anyway.
/// Returns `None` if every component has a node.
pub(super) fn stand_in(input: Input<'_>, placed: &Placed) -> Option<StandIn> {
    let has_node = |carriers: &[NodeName]| carriers.iter().any(|it| input.nodes.contains_key(it));
    if placed.values().all(|carriers| has_node(carriers)) {
        return None;
    }
    let mut names = (0..=input.nodes.len()).filter_map(|n| format!("stand-in-{n}").parse().ok());
    let name = names.find(|name: &NodeName| !input.nodes.contains_key(name))?;
    let facts = NodeFacts { roles: BTreeSet::new(), address: NO_ADDRESS.to_owned(), agent: None };
    let mut nodes = input.nodes.clone();
    nodes.insert(name.clone(), facts);
    let carriers = |carriers: &Vec<NodeName>| match has_node(carriers) {
        true => carriers.clone(),
        false => vec![name.clone()],
    };
    let placed = placed.iter().map(|(component, known)| (component.clone(), carriers(known)));
    let placed = placed.collect();
    Some(StandIn { nodes, placed })
}

/// Refuses a tenant without nodes.
pub(super) fn check_any(
    spec: &TenantSpec,
    nodes: &BTreeMap<NodeName, NodeFacts>,
    problems: &mut Problems,
) {
    if nodes.is_empty() {
        let message = format!("tenant {} has no nodes", spec.tenant);
        let hint = format!("omlctl node token tenant={} role=…", spec.tenant);
        problems.push(Problem::new("", message).hint(hint));
    }
}

/// Checks the nodes that the specification names for a component.
pub(super) fn check_chosen(
    spec: &TenantSpec,
    nodes: &BTreeMap<NodeName, NodeFacts>,
    name: &ComponentName,
    problems: &mut Problems,
) {
    let Some(chosen) = spec.components.get(name).and_then(|it| it.nodes.as_ref()) else { return };
    let path = format!("components.{name}.nodes");
    if chosen.is_empty() && !spec.is_unread(&path) {
        let hint = format!("remove {path}, so that every node with the role of {name} runs it");
        problems.push(spec.problem(&path, "the list of nodes is empty").hint(hint));
    }
    for node in chosen.iter().filter(|node| !nodes.contains_key(*node)) {
        let known = nodes.keys().map(AsRef::as_ref);
        let problem = spec.problem(&path, format!("{node} is not a node of this tenant"));
        problems.push(problem.suggest(node.as_str(), known));
    }
}

fn nodes_by_role(
    input: Input<'_>,
    name: &ComponentName,
    definition: &Component,
    problems: &mut Problems,
) -> Vec<NodeName> {
    let carries =
        |facts: &NodeFacts| definition.roles.iter().any(|role| facts.roles.contains(role));
    let carriers: Vec<NodeName> =
        input.nodes.iter().filter(|(_, facts)| carries(facts)).map(|(n, _)| n.clone()).collect();
    if carriers.is_empty() {
        let roles: Vec<&str> = definition.roles.iter().map(AsRef::as_ref).collect();
        let message = format!("no node can run it: none has the role {}", roles.join(" or "));
        let have: Vec<String> = input
            .nodes
            .iter()
            .map(|(node, facts)| {
                let roles: Vec<&str> = facts.roles.iter().map(AsRef::as_ref).collect();
                format!("{node} ({})", roles.join(", "))
            })
            .collect();
        let problem = input.spec.problem(&format!("components.{name}"), message);
        problems.push(problem.hint(format!("enrolled nodes: {}", have.join("; "))));
    }
    carriers
}

#[cfg(test)]
mod tests;
