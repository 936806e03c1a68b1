//! Formats the state of tenants for one screen.

use oml_common::text::printable::printable;
use oml_proto::v1::{RolloutState, StatusReply, TenantStatus};

use super::{INSTANCE_HEADER, NODE_HEADER, instance_fields, instances_of, node_fields};
use crate::clock::{age, span};
use crate::describe;
use crate::output::Output;

/// Formats a block for every tenant: rollout, nodes, instances, and what needs attention.
pub(crate) fn status(output: &Output, reply: &StatusReply) -> String {
    let tenants = reply.tenants.iter().map(|tenant| block(output, reply.now_ms, tenant));
    let broken = Some(broken_catalogs(reply).join("\n")).filter(|lines| !lines.is_empty());
    broken.into_iter().chain(tenants).collect::<Vec<_>>().join("\n\n")
}

/// Formats a line for every catalog that cannot be used.
pub(super) fn broken_catalogs(reply: &StatusReply) -> Vec<String> {
    let line = |broken: &String| {
        printable(&format!("{broken}; changes of its tenants are refused, what runs is kept"))
    };
    reply.broken_catalogs.iter().map(line).collect()
}

fn block(output: &Output, now_ms: u64, tenant: &TenantStatus) -> String {
    let nodes = tenant.nodes.iter().map(|node| node_fields(node, now_ms)).collect();
    let instances: Vec<_> = tenant
        .nodes
        .iter()
        .flat_map(|node| instances_of(&tenant.tenant, node))
        .map(|row| instance_fields(output, &row, now_ms))
        .collect();
    let mut parts = vec![headline(now_ms, tenant)];
    if tenant.nodes.is_empty() {
        parts.push(format!(
            "no nodes yet; enrol a host with omlctl node token tenant={} role=ROLE",
            tenant.tenant
        ));
    } else {
        parts.push(output.tables.table(&NODE_HEADER, nodes));
    }
    if !instances.is_empty() {
        parts.push(String::new());
        parts.push(output.tables.table(&INSTANCE_HEADER, instances));
    }
    let notes = notes(now_ms, tenant);
    if !notes.is_empty() {
        parts.push(String::new());
        parts.extend(notes);
    }
    parts.join("\n")
}

/// Formats the first line: `acme: revision 7 → 8: completed 3m 5s ago`.
pub(super) fn headline(now_ms: u64, tenant: &TenantStatus) -> String {
    let name = &tenant.tenant;
    let head = match (&tenant.rollout, tenant.revision) {
        (None, 0) => format!("{name}: nothing applied yet"),
        (None, revision) => format!("{name}: revision {revision}"),
        (Some(rollout), _) => {
            let reason = match rollout.reason.as_str() {
                "" => String::new(),
                reason => format!(": {reason}"),
            };
            let since = match rollout.state() {
                RolloutState::Progressing | RolloutState::RollingBack => {
                    format!("for {}", span(now_ms.saturating_sub(rollout.since_ms)))
                }
                RolloutState::Completed
                | RolloutState::Paused
                | RolloutState::RolledBack
                | RolloutState::Superseded
                | RolloutState::Unknown
                | RolloutState::Unspecified => age(now_ms, rollout.since_ms),
            };
            let (way, state) = (describe::rollout_way(rollout), describe::rollout_state(rollout));
            format!("{name}: {way}: {state} {since}{reason}")
        }
    };
    printable(&head)
}

fn notes(now_ms: u64, tenant: &TenantStatus) -> Vec<String> {
    let mut notes = Vec::new();
    let warning = tenant.certificate.iter().map(|certificate| &certificate.warning);
    notes.extend(warning.filter(|it| !it.is_empty()).map(|it| format!("warning: {it}")));
    for node in &tenant.nodes {
        let report = node.report.clone().unwrap_or_default();
        let errors = report.errors.iter().map(|error| format!("{}: {error}", node.node));
        notes.extend(errors);
        for (component, instance) in &report.instances {
            if let Some(drift) = &instance.drift {
                let when = describe::host_age(node, now_ms, drift.at_ms);
                notes.push(format!("{} {component}: drift {when}: {}", node.node, drift.found));
            }
        }
    }
    notes.iter().map(|note| printable(note)).collect()
}
