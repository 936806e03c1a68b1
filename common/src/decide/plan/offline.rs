//! Checks a specification by a catalog alone, without a controller and its nodes: as if every role
//! had a host of its own, all agents knew everything, and every secret were there.

use std::collections::{BTreeMap, BTreeSet};

use crate::decide::secrets::{ChosenSecret, ChosenSecrets};
use crate::decide::tls::has_part;
use crate::document::catalog::{Catalog, WorkloadTemplate};
use crate::document::spec::{TenantSpec, TlsMode};
use crate::document::tls_secret::TlsSecret;
use crate::id::{AccountThumbprint, NodeName, RevisionNumber, RoleName, SecretMark, SecretName};
use crate::text::problem::Problems;

use super::{Input, Mirrors, NodeFacts, prepare};

/// Returns every mistake that can be found without a host: names, versions, values of settings,
/// conditions, templates, and ports that components of one role both take.
#[must_use]
pub fn check(spec: &TenantSpec, catalog: &Catalog) -> Problems {
    if spec.catalog != catalog.name {
        let message =
            format!("is {}, and the catalog that was given is {}", spec.catalog, catalog.name);
        let hint = "give the catalog that the document names";
        return Problems::from(spec.problem("catalog", message).hint(hint));
    }
    let (revision, mirrors) = (RevisionNumber(1), &Mirrors::default());
    let (nodes, secrets) = (&hosts(spec, catalog), &secrets(spec, catalog));
    let is_ordered = spec.tls.as_ref().is_some_and(|tls| tls.mode == TlsMode::Acme);
    let thumbprint = is_ordered.then(AccountThumbprint::of_nothing);
    let thumbprint = thumbprint.as_ref();
    let before = None;
    let input = Input { revision, spec, catalog, nodes, mirrors, secrets, thumbprint, before };
    prepare(input).map_or_else(|unprepared| unprepared.problems, |_plan| Problems::default())
}

/// Returns a host for every role, and one for every node that the specification names.
fn hosts(spec: &TenantSpec, catalog: &Catalog) -> BTreeMap<NodeName, NodeFacts> {
    let roles = catalog.components.values().flat_map(|component| &component.roles);
    // Names of roles and of nodes have the same rule.
    let named = roles.filter_map(|role| Some((role.as_str().parse().ok()?, [role.clone()].into())));
    let mut hosts: BTreeMap<NodeName, BTreeSet<RoleName>> = named.collect();
    for name in spec.components.values().filter_map(|it| it.nodes.as_ref()).flatten() {
        hosts.entry(name.clone()).or_default();
    }
    let facts = |(number, (name, roles)): (usize, (NodeName, BTreeSet<RoleName>))| {
        // Of a network that is for examples (RFC 5737).
        let address = format!("192.0.2.{}", number % 254 + 1);
        (name, NodeFacts { roles, address, agent: None })
    };
    hosts.into_iter().enumerate().map(facts).collect()
}

/// Returns a version of every secret that the catalog or the specification names.
fn secrets(spec: &TenantSpec, catalog: &Catalog) -> ChosenSecrets {
    let in_catalog =
        catalog.components.values().filter_map(|component| match &component.workload {
            WorkloadTemplate::Container(container) => Some(container.secrets.values()),
            WorkloadTemplate::Unit { .. } => None,
        });
    let in_spec = spec.components.values().flat_map(|component| component.secrets.values());
    let used = in_catalog.flatten().chain(in_spec).map(|used| &used.name);
    let used = used.chain(spec.registries.values().map(|login| &login.password));
    let chosen = |name: &SecretName| {
        let mark = SecretMark::of_nothing();
        (name.clone(), ChosenSecret { version: 1, mark, has_lines: false })
    };
    let tls = spec.tls.as_ref();
    let is_there = |name: &&SecretName| TlsSecret::of(name).is_none_or(|it| has_part(tls, it));
    used.chain(spec.secrets.keys()).filter(is_there).map(chosen).collect()
}

#[cfg(test)]
mod tests;
