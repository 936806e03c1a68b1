//! Tests of whole screens at the widths of common terminals.

use oml_common::document::catalog::{Catalog, Component, WorkloadTemplate};
use oml_proto::v1::{
    Failure, HostPolicy, HostUsage, LastExit, Phase, PhaseName, Report, Rollout, RolloutState,
    StatusReply,
};

use super::*;
use crate::clock::Clock;
use crate::output::Format;
use crate::table::TableStyle;

const NOON_MS: u64 = 1_714_564_800_000;

fn output(width: u16) -> Output {
    let tables = TableStyle { width: Some(width), coloured: false };
    Output { format: Format::Table, clock: Clock::utc(), tables, is_terminal: false }
}

fn instance(phase: PhaseName, reason: &str) -> InstanceReport {
    InstanceReport {
        phase: Some(Phase { name: phase.into(), at_ms: NOON_MS, ..Phase::default() }),
        reason: reason.into(),
        version: "230204.01".into(),
        health: Health::Healthy.into(),
        checked_at_ms: NOON_MS - 2_000,
        started_at_ms: NOON_MS - 3_600_000,
        calls_cut: Some(0),
        ..InstanceReport::default()
    }
}

fn node(name: &str, role: &str, instances: Vec<(String, InstanceReport)>) -> NodeStatus {
    let host = HostUsage {
        cpu_permille: 123,
        memory_used_bytes: 3 << 30,
        memory_total_bytes: 4 << 30,
        disk_used_bytes: 10 << 30,
        disk_total_bytes: 40 << 30,
        cpu_unknown: false,
    };
    let report = Report {
        revision: 7,
        at_ms: NOON_MS,
        instances: instances.into_iter().collect(),
        host: Some(host),
        ..Report::default()
    };
    NodeStatus {
        node: name.into(),
        roles: vec![role.into()],
        address: "192.168.122.101".into(),
        state: NodeState::Connected.into(),
        agent_version: "1.12.0".into(),
        last_seen_ms: NOON_MS,
        target: 8,
        report: Some(report),
        certificate_ends_ms: NOON_MS + 86_400_000,
        ..NodeStatus::default()
    }
}

/// The tenant of the demonstration: a host for every role, with the components that the
/// shipped catalog places on it.
fn demo() -> StatusReply {
    let catalog = Catalog::parse(include_str!("../../../catalog/omnileads.yaml")).unwrap();
    let report = |name: &str, component: &Component| InstanceReport {
        version: match &component.workload {
            WorkloadTemplate::Container(_) => "230204.01".into(),
            WorkloadTemplate::Unit { .. } => String::new(),
        },
        active: (name == "asterisk").then_some(12),
        ..instance(PhaseName::Ready, "")
    };
    let nodes = ["data", "voice", "app"].map(|role| {
        let here = |c: &Component| c.roles.iter().any(|known| known.as_ref() == role);
        let carried = catalog.components.iter().filter(|(_, component)| here(component));
        let instances = carried.map(|(name, c)| (name.to_string(), report(name.as_ref(), c)));
        node(&format!("acme-{role}"), role, instances.collect())
    });
    let rollout = Rollout {
        from: 7,
        to: 8,
        state: RolloutState::Progressing.into(),
        waves: 3,
        since_ms: NOON_MS - 70_000,
        ..Rollout::default()
    };
    let (tenant, rollout) = ("acme".to_owned(), Some(rollout));
    let tenant = TenantStatus {
        tenant,
        revision: 8,
        rollout,
        nodes: nodes.to_vec(),
        ..TenantStatus::default()
    };
    StatusReply { now_ms: NOON_MS, tenants: vec![tenant], ..StatusReply::default() }
}

/// The same tenant with problems.
fn with_errors() -> StatusReply {
    let mut reply = demo();
    let tenant = &mut reply.tenants[0];
    tenant.rollout.as_mut().unwrap().reason = "acme-voice is unreachable".into();
    let [data, voice, app] = tenant.nodes.as_mut_slice() else { panic!("three hosts") };
    let set = |node: &mut NodeStatus, component: &str, state: InstanceReport| {
        node.report.as_mut().unwrap().instances.insert(component.into(), state)
    };
    set(data, "redis", instance(PhaseName::StoppedByHand, "stopped on the host by hand"));
    set(data, "postgres", InstanceReport { restarts: 3, ..instance(PhaseName::Ready, "") });
    set(app, "kamailio", instance(PhaseName::Blocked, "kamailio.service is not ours"));
    let mut asterisk = instance(PhaseName::Draining, "12 calls are up");
    asterisk.active = Some(12);
    asterisk.phase.as_mut().unwrap().at_ms = NOON_MS + 1_800_000;
    set(voice, "asterisk", asterisk);
    set(voice, "rtpengine", InstanceReport { calls_cut: None, ..instance(PhaseName::Ready, "") });
    voice.state = NodeState::Unreachable.into();
    voice.last_seen_ms = NOON_MS - 65_000;
    voice.report.as_mut().unwrap().errors = vec!["docker does not answer since 11:59:01".into()];
    reply
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap()
}

#[test]
fn where_all_is_well_every_row_is_one_line_of_80_columns() {
    let (output, reply) = (output(80), demo());
    let (instances, nodes) = (instance_rows(&reply.tenants), node_rows(&reply.tenants));
    let tables = [
        super::instances(&output, NOON_MS, &instances, false),
        super::instances(&output, NOON_MS, &instances, true),
        super::nodes(&output, NOON_MS, &nodes, false),
        super::nodes(&output, NOON_MS, &nodes, true),
    ];
    for (table, rows) in tables.iter().zip([12, 12, 3, 3]) {
        assert!(widest(table) <= 80 && table.lines().count() == rows + 1, "{table}");
    }
    let shown = status(&output, &reply);
    assert!(widest(&shown) <= 80, "{shown}");
    assert_eq!(shown.lines().count(), 1 + 4 + 1 + 13, "{shown}");
    insta::assert_snapshot!([tables.join("\n\n"), shown].join("\n\n"));
}

#[test]
fn a_status_fits_80_and_120_columns() {
    let screen = |width| {
        let shown = status(&output(width), &with_errors());
        let (_head, tables) = shown.split_once('\n').unwrap();
        assert!(widest(tables) <= usize::from(width), "{shown}");
        format!("{width} columns\n{shown}\n")
    };
    insta::assert_snapshot!([screen(80), screen(120)].join("\n"));
}

#[test]
fn an_explanation_names_every_reason() {
    insta::assert_snapshot!(explain(&output(80), &with_errors(), None));
}

#[test]
fn an_explanation_of_several_tenants_says_how_to_see_the_log_lines() {
    let mut reply = with_errors();
    let failed = Failure { message: "ended".into(), ..Failure::default() };
    let nodes = &mut reply.tenants[0].nodes;
    let asterisk = nodes[1].report.as_mut().unwrap().instances.get_mut("asterisk").unwrap();
    asterisk.failure = Some(failed);
    let line = "log lines: omlctl explain tenant=acme";
    assert!(!explain(&output(80), &reply, None).contains(line));
    reply.tenants.push(TenantStatus { tenant: "tiny".into(), ..TenantStatus::default() });
    let shown = explain(&output(80), &reply, None);
    assert_eq!(shown.matches(line).count(), 1, "{shown}");
    assert!(!shown.contains("tenant=tiny"), "{shown}");
    assert!(!explain(&output(80), &reply, Some("nginx")).contains(line));
}

#[test]
fn one_restart_and_one_call_are_in_the_singular() {
    let mut reply = demo();
    let voice = reply.tenants[0].nodes[1].report.as_mut().unwrap();
    let asterisk = voice.instances.get_mut("asterisk").unwrap();
    (asterisk.restarts, asterisk.calls_cut) = (1, Some(1));
    let shown = explain(&output(80), &reply, None);
    assert!(shown.contains(", 1 restart, 1 call cut at the last change"), "{shown}");
}

#[test]
fn health_has_an_age_only_if_it_is_old() {
    let host = node("acme-voice", "voice", vec![]);
    let asked = |ago_ms| InstanceReport {
        checked_at_ms: NOON_MS - ago_ms,
        ..instance(PhaseName::Ready, "")
    };
    assert_eq!(health(&host, &asked(59_000), NOON_MS), "healthy");
    assert_eq!(health(&host, &asked(185_000), NOON_MS), "healthy 3m ago");
}

fn revision(
    number: u64,
    kind: RevisionKind,
    outcome: RolloutState,
    changes: Vec<Change>,
) -> Revision {
    Revision {
        number,
        at_ms: NOON_MS + number * 60_000,
        who: "anna".into(),
        kind: kind.into(),
        outcome: outcome.into(),
        changes,
        ..Revision::default()
    }
}

#[test]
fn a_history_has_every_change_and_its_why_on_a_line_of_its_own() {
    let change = |kind: ChangeKind, component: &str, from: &str, to: &str| Change {
        kind: kind.into(),
        node: "acme-app".into(),
        component: component.into(),
        from: from.into(),
        to: to.into(),
        ..Change::default()
    };
    let first =
        (0..11).map(|n| change(ChangeKind::Add, &format!("component-{n}"), "", "230204.01"));
    let mut second = vec![
        change(ChangeKind::Replace, "websockets", "230204.01", "230215.01"),
        change(ChangeKind::Remove, "node-exporter", "", ""),
    ];
    second[0].note = "environment BIND_ADDRESS, probes".into();
    let mut revisions = [
        revision(1, RevisionKind::Apply, RolloutState::Completed, first.collect()),
        revision(2, RevisionKind::SetVersion, RolloutState::RolledBack, second),
        revision(3, RevisionKind::Rollback, RolloutState::Completed, Vec::new()),
    ];
    revisions[1].why = "one-way audio since the upgrade of Monday, ticket 4711".into();
    let shown = history(&output(80), &revisions);
    assert!(widest(&shown) <= 80, "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn a_new_tenant_shows_the_first_command() {
    let tenants = vec![TenantStatus { tenant: "acme".into(), ..TenantStatus::default() }];
    let shown =
        status(&output(80), &StatusReply { now_ms: NOON_MS, tenants, ..StatusReply::default() });
    let hint = "no nodes yet; enrol a host with omlctl node token tenant=acme role=ROLE";
    assert_eq!(shown, format!("acme: nothing applied yet\n{hint}"));
}

#[test]
fn a_program_that_ends_again_and_again_is_explained_with_its_exit_code_and_last_lines() {
    let mut reply = demo();
    let reason = "ends again and again: 4 times within 10 minutes, last with exit code 3";
    let last_exit = Some(LastExit {
        at_ms: NOON_MS - 12_000,
        exit_code: Some(3),
        log_tail: vec!["cannot open the spool".to_owned()],
    });
    let looping =
        InstanceReport { restarts: 4, last_exit, ..instance(PhaseName::CrashLooping, reason) };
    let report = reply.tenants[0].nodes[0].report.as_mut().unwrap();
    report.instances.insert("redis".into(), looping);
    let shown = super::explain(&output(120), &reply, None);
    let parts =
        ["crash looping: ends again and again", reason, "4 restarts", "| cannot open the spool"];
    for part in parts {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(super::status(&output(200), &reply).contains("crash looping"));
}

#[test]
fn catalogs_that_cannot_be_used_come_first_in_status_and_explain() {
    let broken = "catalog voice cannot be used: /c/voice.yaml is not a catalog: it is empty";
    let reply = StatusReply { broken_catalogs: vec![broken.to_owned()], ..demo() };
    for shown in [status(&output(80), &reply), explain(&output(80), &reply, None)] {
        let first = format!("{broken}; changes of its tenants are refused, what runs is kept");
        assert_eq!(shown.lines().next(), Some(first.as_str()));
        assert!(shown.contains("acme"), "{shown}");
    }
}

#[test]
fn what_a_node_allows_beyond_the_default_is_below_the_table() {
    let policy = |policy: HostPolicy| NodeStatus {
        policy: Some(policy),
        ..node("acme-voice", "voice", Vec::new())
    };
    let shown = |node: &NodeStatus| {
        let rows = [NodeRow { tenant: "acme", node }];
        let output = output(80);
        nodes(&output, NOON_MS, &rows, false).lines().skip(2).collect::<Vec<_>>().join("|")
    };
    assert_eq!(shown(&node("acme-voice", "voice", Vec::new())), "");
    assert_eq!(shown(&policy(HostPolicy::default())), "");
    let more = HostPolicy {
        privileged: true,
        capabilities: vec!["SYS_NICE".into()],
        devices: vec!["/dev/net/tun".into()],
        ..HostPolicy::default()
    };
    let expected = "acme-voice allows: privileged, SYS_NICE, /dev/net/tun";
    assert_eq!(shown(&policy(more)), expected);
    let broken = HostPolicy { problem: "line 3: no".into(), ..HostPolicy::default() };
    let expected = "acme-voice: /etc/omlagent/policy.toml cannot be used, so nothing that it could \
                    forbid is allowed until it is mended: line 3: no";
    assert_eq!(shown(&policy(broken)), expected);
}
