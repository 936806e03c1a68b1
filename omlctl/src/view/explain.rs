//! Explains the state of a tenant: what it waits for, what failed and what drifted.

use oml_common::text::plural::counted;
use oml_common::text::printable::printable;
use oml_proto::enums::name_of;
use oml_proto::v1::{Generation, Health, NodeStatus, StatusReply, TenantStatus};

use super::status::{broken_catalogs, headline};
use super::{InstanceRow, expiry, instances_of};
use crate::clock::age;
use crate::describe;
use crate::output::Output;

/// Formats everything that is not as desired, or everything about one component.
pub(crate) fn explain(output: &Output, reply: &StatusReply, component: Option<&str>) -> String {
    let mut lines = broken_catalogs(reply);
    for tenant in &reply.tenants {
        lines.extend(tenant_lines(output, reply.now_ms, tenant, component));
        // The controller sends the log lines of a failure only for a single tenant.
        if reply.tenants.len() > 1 && has_failure_without_log(tenant, component) {
            lines.push(format!("  log lines: omlctl explain tenant={}", tenant.tenant));
        }
    }
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}

fn has_failure_without_log(tenant: &TenantStatus, component: Option<&str>) -> bool {
    let is_asked = |name: &str| component.is_none_or(|component| name == component);
    let of_rollout = tenant.rollout.iter().flat_map(|rollout| &rollout.failures);
    let of_rollout =
        of_rollout.filter(|f| is_asked(&f.component)).filter_map(|f| f.failure.as_ref());
    let reports = tenant.nodes.iter().filter_map(|node| node.report.as_ref());
    let of_instances = reports
        .flat_map(|report| &report.instances)
        .filter(|(name, _)| is_asked(name))
        .filter_map(|(_, state)| state.failure.as_ref());
    of_rollout.chain(of_instances).any(|failure| failure.log_tail.is_empty())
}

fn tenant_lines(
    output: &Output,
    now_ms: u64,
    tenant: &TenantStatus,
    component: Option<&str>,
) -> Vec<String> {
    let mut lines = vec![headline(now_ms, tenant)];
    let failures = tenant.rollout.iter().flat_map(|rollout| &rollout.failures);
    for failure in failures.filter(|f| component.is_none_or(|component| f.component == component)) {
        lines.extend(describe::rollout_failure_lines(failure).iter().map(|l| format!("  {l}")));
    }
    let absent = tenant.absent.iter();
    let absent = absent.filter(|it| component.is_none_or(|component| it.component == component));
    lines
        .extend(absent.map(|it| format!("  {}: not there; it exists {}", it.component, it.reason)));
    lines.extend(certificate_lines(now_ms, tenant, component));
    for node in &tenant.nodes {
        let rows = instances_of(&tenant.tenant, node);
        let (shown, quiet): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| is_shown(row, component));
        if component.is_some() && shown.is_empty() {
            continue;
        }
        lines.push(format!("  {}", node_line(node, now_ms)));
        let report = node.report.clone().unwrap_or_default();
        lines.extend(report.errors.iter().map(|error| format!("    error: {error}")));
        for row in &shown {
            lines.extend(instance_lines(output, row, now_ms).iter().map(|l| format!("    {l}")));
        }
        if component.is_none() && !quiet.is_empty() {
            let names: Vec<&str> = quiet.iter().map(|row| row.component).collect();
            let when = if describe::is_connected(node) { "" } else { " when last seen" };
            lines.push(format!("    ready and healthy{when}: {}", names.join(", ")));
        }
    }
    lines
}

/// Names the certificate of the tenant: with everything, and with a component that uses it.
fn certificate_lines(now_ms: u64, tenant: &TenantStatus, component: Option<&str>) -> Vec<String> {
    let Some(certificate) = &tenant.certificate else { return Vec::new() };
    let is_asked = component.is_none_or(|it| certificate.used_by.iter().any(|user| user == it));
    if !is_asked {
        return Vec::new();
    }
    let (names, users) = (certificate.names.join(", "), certificate.used_by.join(", "));
    let end = expiry(now_ms, certificate.expires_ms);
    let end = end.strip_prefix("certificate ").unwrap_or(&end);
    let version = certificate.version;
    let mut lines =
        vec![format!("  certificate version {version} for {names}, used by {users}: {end}")];
    if !certificate.warning.is_empty() {
        lines.push(format!("  warning: {}", certificate.warning));
    }
    lines
}

fn is_shown(row: &InstanceRow<'_>, component: Option<&str>) -> bool {
    match (component, row.state) {
        (Some(component), _) => row.component == component,
        (None, None) => true,
        (None, Some(state)) => {
            let cut_calls = state.calls_cut != Some(0);
            let has_event =
                state.drift.is_some() || state.failure.is_some() || state.last_exit.is_some();
            let is_notable = has_event || cut_calls;
            is_notable || !describe::is_ready_and_healthy(state)
        }
    }
}

/// Writes `voice-1 (voice): connected, last report 1s ago, on revision 7, target 8, …`.
fn node_line(node: &NodeStatus, now_ms: u64) -> String {
    let mut parts = vec![describe::connection(node, now_ms)];
    if describe::is_connected(node) {
        parts.push(format!("last report {}", age(now_ms, node.last_seen_ms)));
    }
    if let Some(report) = &node.report {
        if report.revision == node.target {
            parts.push(format!("on revision {}", report.revision));
        } else {
            parts.push(format!("on revision {}, target {}", report.revision, node.target));
        }
        let number = |generation: Option<Generation>| generation.map(|g| (g.epoch, g.number));
        if number(report.applied) < number(node.assigned) {
            parts.push("has not applied its latest assignment".to_owned());
        }
    }
    parts.push(expiry(now_ms, node.certificate_ends_ms));
    parts.retain(|part| !part.is_empty());
    format!("{} ({}): {}", node.node, node.roles.join(","), parts.join(", "))
}

fn instance_lines(output: &Output, row: &InstanceRow<'_>, now_ms: u64) -> Vec<String> {
    let Some(state) = row.state else {
        let version = row.expected.unwrap_or_default();
        return vec![format!("{} {version}: expected, not reported yet", row.component)];
    };
    let host_age = |at_ms| describe::host_age(row.host, now_ms, at_ms);
    let mut parts = vec![describe::phase(&output.clock, row.host, state)];
    if !state.reason.is_empty() && !parts[0].contains(&state.reason) {
        parts.push(state.reason.clone());
    }
    let health = name_of::<Health>(state.health);
    parts.push(format!("{health} {}", host_age(state.checked_at_ms)).trim_end().to_owned());
    if let Some(active) = state.active {
        parts.push(format!("{active} active"));
    }
    if state.restarts > 0 {
        parts.push(counted(u64::from(state.restarts), "restarts"));
    }
    match state.calls_cut {
        Some(0) => {}
        Some(calls) => parts.push(format!("{} cut at the last change", counted(calls, "calls"))),
        None => parts.push("calls may have been cut at the last change".to_owned()),
    }
    if state.started_at_ms > 0 {
        parts.push(format!("started {}", host_age(state.started_at_ms)));
    }
    let label = format!("{} {}", row.component, state.version);
    let mut lines = vec![format!("{}: {}", label.trim_end(), parts.join(", "))];
    if let Some(failure) = &state.failure {
        let when = host_age(failure.at_ms);
        let mut described = describe::failure_lines(failure);
        described[0] =
            format!("failed {} {when}: {}", failure.version, described[0]).replace("  ", " ");
        lines.extend(described.iter().map(|line| format!("  {line}")));
    }
    if let Some(exit) = &state.last_exit {
        let described = describe::exit_lines(exit, &host_age(exit.at_ms));
        lines.extend(described.iter().map(|line| format!("  {line}")));
    }
    if let Some(drift) = &state.drift {
        lines.push(format!("  drift {}: {}", host_age(drift.at_ms), drift.found));
    }
    lines
}
