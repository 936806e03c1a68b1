//! Targets for Prometheus' HTTP service discovery (http_sd): every metrics endpoint
//! of agents and components.
//!
//! A target's labels are those that its page does not have itself; Prometheus would rename
//! the page's own to `exported_…`. So an agent, which is no component and shows several of
//! them, has no label `component`, and its page names neither the tenant nor the host.

use std::collections::BTreeMap;

use oml_common::id::{ComponentName, NodeName, TenantId};
use serde::Serialize;

use crate::ops::status::{NodeStatus, TenantStatus};

/// One group of targets with common labels.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ScrapeTarget {
    targets: Vec<String>,
    labels: BTreeMap<&'static str, String>,
}

/// Returns all targets, in the order of tenants and nodes.
pub(super) fn targets(status: &[TenantStatus]) -> Vec<ScrapeTarget> {
    let nodes = status.iter().flat_map(|tenant| {
        tenant.nodes.iter().map(move |(name, node)| (&tenant.tenant, name, node))
    });
    nodes.flat_map(|(tenant, name, node)| of_node(tenant, name, node)).collect()
}

fn of_node(tenant: &TenantId, name: &NodeName, status: &NodeStatus) -> Vec<ScrapeTarget> {
    let node = &status.snapshot.node;
    let target = |component: Option<&ComponentName>, port: u16, path: &str| {
        let mut labels = BTreeMap::from([
            ("tenant", tenant.to_string()),
            ("host", name.to_string()),
            ("__metrics_path__", path.to_owned()),
        ]);
        labels.extend(component.map(|component| ("component", component.to_string())));
        ScrapeTarget { targets: vec![endpoint(&node.address, port)], labels }
    };
    let agent = (node.metrics_port > 0).then(|| target(None, node.metrics_port, "/metrics"));
    let share = status.plan.as_ref().and_then(|plan| plan.nodes.get(name));
    let instances = share.into_iter().flat_map(|share| &share.instances);
    let components = instances.filter_map(|(component, desired)| {
        let metrics = desired.instance.metrics.as_ref()?;
        Some(target(Some(component), metrics.port, &metrics.path))
    });
    agent.into_iter().chain(components).collect()
}

fn endpoint(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}
