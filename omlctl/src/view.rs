//! Formats replies as tables for people and as rows for programs.

use oml_common::text::plural::counted;
use oml_proto::enums::name_of;
use oml_proto::v1::{
    Change, ChangeKind, Health, InstanceReport, NodeState, NodeStatus, Revision, RevisionKind,
    TenantStatus,
};
use serde::Serialize;

use crate::clock::{age, short_span, span};
use crate::describe;
use crate::output::Output;
use crate::table::Column::{Prose, Whole};
use crate::table::{Column, Field, Style, TableStyle, plain};

mod explain;
mod releases;
mod runs;
mod settings;
mod status;
mod tls;

pub(crate) use explain::explain;
pub(crate) use releases::releases;
pub(crate) use runs::{run_number, runs};
pub(crate) use settings::{setting, settings};
pub(crate) use status::status;
pub(crate) use tls::{made_certificate, tls};

/// A node with its tenant.
#[derive(Debug, Serialize)]
pub(crate) struct NodeRow<'a> {
    pub(crate) tenant: &'a str,
    #[serde(flatten)]
    pub(crate) node: &'a NodeStatus,
}

/// An instance with its node and tenant. An instance that was never reported has no state.
#[derive(Debug, Serialize)]
pub(crate) struct InstanceRow<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) node: &'a str,
    pub(crate) component: &'a str,
    /// The version that should run, if the instance was not reported.
    pub(crate) expected: Option<&'a str>,
    pub(crate) state: Option<&'a InstanceReport>,
    #[serde(skip)]
    pub(crate) host: &'a NodeStatus,
}

/// Returns a row for every node of the tenants.
pub(crate) fn node_rows(tenants: &[TenantStatus]) -> Vec<NodeRow<'_>> {
    let mut all = Vec::new();
    for tenant in tenants {
        all.extend(tenant.nodes.iter().map(|node| NodeRow { tenant: &tenant.tenant, node }));
    }
    all
}

/// Returns a row for every instance of the tenants, reported or expected.
pub(crate) fn instance_rows(tenants: &[TenantStatus]) -> Vec<InstanceRow<'_>> {
    let mut rows = Vec::new();
    for tenant in tenants {
        for node in &tenant.nodes {
            rows.extend(instances_of(&tenant.tenant, node));
        }
    }
    rows
}

fn instances_of<'a>(tenant: &'a str, node: &'a NodeStatus) -> Vec<InstanceRow<'a>> {
    let reported = node.report.iter().flat_map(|report| &report.instances);
    let row = |component: &'a str, expected, state| InstanceRow {
        tenant,
        node: &node.node,
        component,
        expected,
        state,
        host: node,
    };
    let mut rows: Vec<_> =
        reported.map(|(component, state)| row(component, None, Some(state))).collect();
    let is_reported = |component: &String| {
        node.report.as_ref().is_some_and(|report| report.instances.contains_key(component))
    };
    let missing = node.expected.iter().filter(|(component, _)| !is_reported(component));
    rows.extend(missing.map(|(component, version)| row(component, Some(version), None)));
    rows
}

/// Formats a line for every tenant.
pub(crate) fn tenants(output: &Output, now_ms: u64, tenants: &[TenantStatus]) -> String {
    let rows = tenants.iter().map(|tenant| {
        let rollout = tenant.rollout.clone().unwrap_or_default();
        let connected = tenant.nodes.iter().filter(|node| describe::is_connected(node)).count();
        vec![
            plain(&tenant.tenant),
            plain(revision(tenant.revision)),
            Field::new(describe::rollout_state(&rollout), describe::rollout_style(rollout.state())),
            plain(match rollout.since_ms {
                0 => String::new(),
                since_ms => short_span(now_ms.saturating_sub(since_ms)),
            }),
            plain(format!("{connected}/{}", tenant.nodes.len())),
        ]
    });
    output.tables.table(
        &[Whole("TENANT"), Whole("REVISION"), Prose("ROLLOUT"), Whole("SINCE"), Whole("NODES")],
        rows.collect(),
    )
}

/// Formats a line for every node, with the version of its agent, and below them what the nodes allow
/// beyond the default. For the nodes of several tenants, the tenant replaces the address, so that a
/// line fits 80 columns.
pub(crate) fn nodes(output: &Output, now_ms: u64, rows: &[NodeRow<'_>], of_all: bool) -> String {
    let lines = rows.iter().map(|row| {
        let mut fields = node_fields(row.node, now_ms);
        fields.push(plain(&row.node.agent_version));
        if of_all {
            fields.remove(NODE_ADDRESS);
        }
        let mut line = owner(of_all, row.tenant);
        line.extend(fields);
        line
    });
    let mut columns = NODE_HEADER.to_vec();
    columns.push(Whole("AGENT"));
    if of_all {
        columns.remove(NODE_ADDRESS);
    }
    let table = output.tables.table(&header(of_all, &columns), lines.collect());
    let policies = rows.iter().filter_map(|row| describe::policy(row.node));
    policies.fold(table, |text, policy| format!("{text}\n{policy}"))
}

/// Formats a line for every instance, with the tenant if there may be several tenants.
pub(crate) fn instances(
    output: &Output,
    now_ms: u64,
    rows: &[InstanceRow<'_>],
    of_all: bool,
) -> String {
    let lines = rows.iter().map(|row| {
        let mut line = owner(of_all, row.tenant);
        line.extend(instance_fields(output, row, now_ms));
        line
    });
    output.tables.table(&header(of_all, &INSTANCE_HEADER), lines.collect())
}

fn header(of_all: bool, columns: &[Column]) -> Vec<Column> {
    let mut header = if of_all { vec![Whole("TENANT")] } else { Vec::new() };
    header.extend(columns);
    header
}

fn owner(of_all: bool, tenant: &str) -> Vec<Field> {
    if of_all { vec![plain(tenant)] } else { Vec::new() }
}

/// Formats a line for every revision, with the tenant if there may be several tenants.
pub(crate) fn revisions(output: &Output, rows: &[(String, Revision)], of_all: bool) -> String {
    let lines = rows.iter().map(|(tenant, revision)| {
        let mut line = owner(of_all, tenant);
        line.extend(revision_fields(output, revision));
        line
    });
    output.tables.table(&header(of_all, &REVISION_HEADER), lines.collect())
}

const REVISION_HEADER: [Column; 5] =
    [Whole("REVISION"), Whole("WHEN"), Whole("WHO"), Whole("KIND"), Whole("OUTCOME")];

fn revision_fields(output: &Output, revision: &Revision) -> Vec<Field> {
    vec![
        plain(revision.number.to_string()),
        plain(output.clock.date_time(revision.at_ms)),
        plain(&revision.who),
        plain(name_of::<RevisionKind>(revision.kind)),
        Field::new(
            describe::state_words(revision.outcome),
            describe::rollout_style(revision.outcome()),
        ),
    ]
}

/// Formats a line for every revision, with its reason and its changes indented below it.
pub(crate) fn history(output: &Output, revisions: &[Revision]) -> String {
    let rows = revisions.iter().map(|revision| revision_fields(output, revision)).collect();
    // The table has no maximum width, so that every row is one line.
    let table = TableStyle { width: None, ..output.tables }.table(&REVISION_HEADER, rows);
    let mut rows = table.lines();
    let mut lines: Vec<String> = rows.next().map(str::to_owned).into_iter().collect();
    for (line, revision) in rows.zip(revisions) {
        lines.push(line.to_owned());
        let details = details(revision);
        if !details.is_empty() {
            lines.push(output.tables.indented(&details));
        }
    }
    lines.join("\n")
}

fn details(revision: &Revision) -> Vec<String> {
    let mut details = Vec::new();
    if !revision.why.is_empty() {
        details.push(format!("why: {}", revision.why));
    }
    details.extend(revision.changes.iter().take(CHANGES_SHOWN_MAX).map(change_words));
    let hidden = revision.changes.len().saturating_sub(CHANGES_SHOWN_MAX);
    if hidden > 0 {
        details.push(format!("and {hidden} more"));
    }
    details
}

/// The number of changes that the history shows for one revision.
const CHANGES_SHOWN_MAX: usize = 8;

/// Formats a line for every change.
pub(crate) fn changes(output: &Output, changes: &[Change]) -> String {
    let lines = changes.iter().map(|change| {
        let style = match change.kind() {
            ChangeKind::Add => Style::Good,
            ChangeKind::Remove => Style::Bad,
            ChangeKind::Replace
            | ChangeKind::Update
            | ChangeKind::Spec
            | ChangeKind::Unknown
            | ChangeKind::Unspecified => Style::Moving,
        };
        vec![
            plain(&change.node),
            plain(&change.component),
            Field::new(name_of::<ChangeKind>(change.kind), style),
            plain(&change.from),
            plain(&change.to),
            plain(&change.note),
        ]
    });
    output.tables.table(
        &[
            Whole("NODE"),
            Whole("COMPONENT"),
            Whole("CHANGE"),
            Whole("FROM"),
            Whole("TO"),
            Prose("NOTE"),
        ],
        lines.collect(),
    )
}

const NODE_HEADER: [Column; 8] = [
    Whole("NODE"),
    Prose("ROLES"),
    Prose("STATE"),
    Whole("ADDRESS"),
    Whole("REVISION"),
    Whole("CPU"),
    Whole("MEM"),
    Whole("DISK"),
];

/// The index of the address in the line of a node.
const NODE_ADDRESS: usize = 3;

fn node_fields(node: &NodeStatus, now_ms: u64) -> Vec<Field> {
    let usage = node.report.as_ref().and_then(|report| report.host).unwrap_or_default();
    let runs = node.report.as_ref().map(|report| report.revision).unwrap_or_default();
    let target = match (runs, node.target) {
        (runs, target) if runs == target || runs == 0 => revision(target),
        (runs, target) => format!("{} → {}", revision(runs), revision(target)),
    };
    let cpu = match node.report {
        Some(_) if usage.cpu_unknown => "?".to_owned(),
        Some(_) => format!("{}%", usage.cpu_permille.div_ceil(10)),
        None => String::new(),
    };
    vec![
        plain(&node.node),
        plain(node.roles.join(",")),
        Field::new(connection(node, now_ms), describe::connection_style(node.state())),
        plain(&node.address),
        plain(target),
        plain(cpu),
        plain(percent(usage.memory_used_bytes, usage.memory_total_bytes)),
        plain(percent(usage.disk_used_bytes, usage.disk_total_bytes)),
    ]
}

/// Describes a connection in a form that fits a table: `unreachable (1m ago)`.
fn connection(node: &NodeStatus, now_ms: u64) -> String {
    match (node.state(), node.last_seen_ms) {
        (NodeState::Unreachable, seen_ms) if seen_ms > 0 => {
            format!("unreachable ({} ago)", short_span(now_ms.saturating_sub(seen_ms)))
        }
        _ => describe::connection(node, now_ms),
    }
}

const INSTANCE_HEADER: [Column; 7] = [
    Whole("NODE"),
    Whole("COMPONENT"),
    Whole("VERSION"),
    Prose("STATE"),
    Prose("HEALTH"),
    Whole("ACTIVE"),
    Prose("STARTED"),
];

/// The age above which the result of a probe is shown with its age.
const HEALTH_FRESH_MS: u64 = 60_000;

fn instance_fields(output: &Output, row: &InstanceRow<'_>, now_ms: u64) -> Vec<Field> {
    let Some(state) = row.state else {
        let version = row.expected.unwrap_or_default();
        let mut fields = vec![plain(row.node), plain(row.component), plain(version)];
        fields.push(Field::new("not reported", Style::Moving));
        fields.extend(std::iter::repeat_n(plain(""), 3));
        return fields;
    };
    let mut phase = describe::phase(&output.clock, row.host, state);
    let mut style = describe::style(state);
    if !describe::is_connected(row.host) {
        let age = short_span(now_ms.saturating_sub(row.host.last_seen_ms));
        phase.push_str(&format!(" ({age} ago)"));
        style = Style::Moving;
    }
    vec![
        plain(row.node),
        plain(row.component),
        plain(&state.version),
        Field::new(phase, style),
        Field::new(
            health(row.host, state, now_ms),
            if state.health() == Health::Unhealthy { Style::Bad } else { Style::Plain },
        ),
        plain(state.active.map(|active| active.to_string()).unwrap_or_default()),
        plain(started(row.host, state, now_ms)),
    ]
}

/// Describes the health, with its age if it is old. For an unreachable host, the age is shown
/// beside the state instead.
fn health(host: &NodeStatus, state: &InstanceReport, now_ms: u64) -> String {
    let age_ms = describe::host_age_ms(host, now_ms, state.checked_at_ms);
    let health = name_of::<Health>(state.health);
    match age_ms.filter(|age_ms| *age_ms > HEALTH_FRESH_MS && describe::is_connected(host)) {
        Some(age_ms) => format!("{health} {} ago", short_span(age_ms)),
        None => health.to_owned(),
    }
}

fn started(host: &NodeStatus, state: &InstanceReport, now_ms: u64) -> String {
    let age_ms = describe::host_age_ms(host, now_ms, state.started_at_ms);
    let restarts = (state.restarts > 0).then(|| counted(u64::from(state.restarts), "restarts"));
    let parts: Vec<String> = age_ms.map(short_span).into_iter().chain(restarts).collect();
    parts.join(", ")
}

fn change_words(change: &Change) -> String {
    let place = [change.node.as_str(), change.component.as_str()].join(" ");
    let versions = match (change.from.as_str(), change.to.as_str()) {
        ("", "") => String::new(),
        ("", to) => format!(" {to}"),
        (from, "") => format!(" {from}"),
        (from, to) if from == to => format!(" {to}"),
        (from, to) => format!(" {from} → {to}"),
    };
    let note = if change.note.is_empty() { String::new() } else { format!(" ({})", change.note) };
    let kind = name_of::<ChangeKind>(change.kind);
    format!("{kind} {}{versions}{note}", place.trim()).replace("  ", " ")
}

fn revision(number: u64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

fn percent(part: u64, whole: u64) -> String {
    let percent = part.saturating_mul(100).checked_div(whole);
    percent.map(|percent| format!("{percent}%")).unwrap_or_default()
}

/// Describes when a certificate expires.
fn expiry(now_ms: u64, ends_ms: u64) -> String {
    match ends_ms {
        0 => String::new(),
        ends_ms if ends_ms <= now_ms => format!("certificate expired {}", age(now_ms, ends_ms)),
        ends_ms => format!("certificate expires in {}", span(ends_ms - now_ms)),
    }
}

#[cfg(test)]
mod tests;
