//! Whole screens at the widths of common terminals.

use oml_proto::v1::{HostUsage, Phase, Report, Rollout, StatusReply};

use super::*;
use crate::clock::Clock;
use crate::output::Format;
use crate::table::Look;

const NOON_MS: u64 = 1_714_564_800_000;

fn output(width: u16) -> Output {
    let look = Look { width: Some(width), coloured: false };
    Output { format: Format::Table, clock: Clock::utc(), look }
}

fn instance(phase: &str, reason: &str) -> InstanceReport {
    InstanceReport {
        phase: Some(Phase { name: phase.into(), at_ms: NOON_MS, ..Phase::default() }),
        reason: reason.into(),
        version: "230204.01".into(),
        health: "healthy".into(),
        checked_at_ms: NOON_MS - 2_000,
        started_at_ms: NOON_MS - 3_600_000,
        ..InstanceReport::default()
    }
}

fn reply() -> StatusReply {
    let report = Report {
        revision: 7,
        at_ms: NOON_MS,
        troubles: vec!["docker does not answer since 11:59:01".into()],
        instances: [
            ("asterisk".to_owned(), instance("draining", "a newer version")),
            ("kamailio".to_owned(), instance("blocked", "kamailio.service is not ours")),
            ("redis".to_owned(), instance("held", "")),
        ]
        .into(),
        host: Some(HostUsage {
            cpu_permille: 123,
            memory_used_bytes: 3 << 30,
            memory_total_bytes: 4 << 30,
            disk_used_bytes: 10 << 30,
            disk_total_bytes: 40 << 30,
        }),
        ..Report::default()
    };
    let node = NodeStatus {
        node: "voice-1".into(),
        roles: vec!["voice".into(), "data".into()],
        address: "192.168.100.101".into(),
        state: "unreachable".into(),
        last_seen_ms: NOON_MS - 65_000,
        target: 8,
        report: Some(report),
        certificate_ends_ms: NOON_MS + 86_400_000,
        ..NodeStatus::default()
    };
    let rollout = Rollout {
        from: 7,
        to: 8,
        state: "progressing".into(),
        waves: 2,
        since_ms: NOON_MS - 70_000,
        reason: "voice-1 is unreachable".into(),
        ..Rollout::default()
    };
    let tenant = TenantStatus {
        tenant: "acme".into(),
        revision: 8,
        rollout: Some(rollout),
        nodes: vec![node],
    };
    StatusReply { now_ms: NOON_MS, tenants: vec![tenant] }
}

#[test]
fn a_status_fits_80_and_120_columns() {
    let screen = |width| {
        let shown = status(&output(width), &reply());
        let tables = shown.lines().filter(|line| !line.contains(": "));
        let widest = tables.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::from(width), "{widest} columns:\n{shown}");
        format!("{width} columns\n{shown}\n")
    };
    insta::assert_snapshot!([screen(80), screen(120)].join("\n"));
}

#[test]
fn an_explanation_names_every_reason() {
    insta::assert_snapshot!(explain(&output(80), &reply(), None));
}

#[test]
fn a_long_list_of_changes_is_cut_in_the_history() {
    let changes = (0..30).map(|n| Change {
        kind: "add".into(),
        node: "app-1".into(),
        component: format!("c{n}"),
        to: "1".into(),
        ..Change::default()
    });
    let revision = Revision { number: 1, changes: changes.collect(), ..Revision::default() };
    let look = Look { width: None, coloured: false };
    let output = Output { look, ..output(80) };
    let shown = history(&output, &[revision]);
    assert!(shown.contains("add app-1 c7 1; and 22 more"), "{shown}");
}

#[test]
fn a_new_tenant_says_what_comes_first() {
    let tenants = vec![TenantStatus { tenant: "acme".into(), ..TenantStatus::default() }];
    let shown = status(&output(80), &StatusReply { now_ms: NOON_MS, tenants });
    assert_eq!(shown, "acme: nothing applied yet\nno nodes yet; see omlctl node token tenant=acme");
}
