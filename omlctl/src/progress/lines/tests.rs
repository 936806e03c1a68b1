//! Tests that every transition has one line.

use std::collections::BTreeMap;

use oml_proto::v1::{Change, Health, Phase, PhaseName, Report, Rollout};

use super::*;
use crate::clock::Clock;

fn change() -> Change {
    Change {
        node: "voice-1".into(),
        component: "asterisk".into(),
        from: "1".into(),
        to: "2".into(),
        ..Change::default()
    }
}

fn transitions() -> Transitions {
    Transitions::new(Labels::new(Clock::utc(), 2, &[change()]))
}

fn instance(phase: PhaseName, reason: &str) -> InstanceReport {
    InstanceReport {
        phase: Some(Phase { name: phase.into(), ..Phase::default() }),
        reason: reason.into(),
        reason_key: reason.replace(|c: char| c.is_ascii_digit(), ""),
        health: Health::Healthy.into(),
        ..InstanceReport::default()
    }
}

fn tenant(instances: &[(&str, InstanceReport)]) -> TenantStatus {
    let instances: BTreeMap<String, InstanceReport> =
        instances.iter().map(|(name, report)| ((*name).to_owned(), report.clone())).collect();
    let node = NodeStatus {
        node: "voice-1".into(),
        state: NodeState::Connected.into(),
        target: 2,
        report: Some(Report { instances, ..Report::default() }),
        ..NodeStatus::default()
    };
    let rollout = Rollout {
        from: 1,
        to: 2,
        state: RolloutState::Progressing.into(),
        waves: 1,
        ..Rollout::default()
    };
    TenantStatus { nodes: vec![node], rollout: Some(rollout), ..TenantStatus::default() }
}

#[test]
fn a_changed_number_is_not_a_transition() {
    let mut shown = transitions();
    let waits = |seconds: u64| {
        let reason = format!("docker does not answer since {seconds}s");
        tenant(&[("asterisk", instance(PhaseName::Pending, &reason))])
    };
    assert_eq!(shown.update(0, &waits(1)).len(), 2);
    assert_eq!(shown.update(0, &waits(2)), Vec::<String>::new());
    assert_eq!(shown.update(0, &waits(13)), Vec::<String>::new());
}

#[test]
fn a_changed_reason_is_a_transition() {
    let mut shown = transitions();
    let blocked = |reason: &str| tenant(&[("asterisk", instance(PhaseName::Blocked, reason))]);
    assert_eq!(shown.update(0, &blocked("port 80 is taken")).len(), 2);
    let lines = shown.update(0, &blocked("the disk is full"));
    assert_eq!(lines, ["00:00:00 voice-1 asterisk 2: blocked: the disk is full"]);
}

#[test]
fn a_state_from_before_the_change_is_not_shown() {
    let mut shown = transitions();
    let held = tenant(&[
        ("nginx", instance(PhaseName::StoppedByHand, "")),
        ("asterisk", instance(PhaseName::Ready, "")),
    ]);
    assert_eq!(shown.update(0, &held), ["00:00:00 revision 1 → 2: progressing"]);
    let recovered = tenant(&[
        ("nginx", instance(PhaseName::Ready, "")),
        ("asterisk", instance(PhaseName::Ready, "")),
    ]);
    assert_eq!(shown.update(0, &recovered), ["00:00:00 voice-1 nginx: ready"]);
}

#[test]
fn a_node_that_rolls_back_shows_the_earlier_version() {
    let mut shown = transitions();
    shown.update(0, &tenant(&[("asterisk", instance(PhaseName::Ready, ""))]));
    let mut back = tenant(&[("asterisk", instance(PhaseName::Starting, ""))]);
    back.nodes[0].target = 1;
    assert_eq!(shown.update(0, &back), ["00:00:00 voice-1 asterisk 1: starting"]);
}

#[test]
fn a_node_that_changes_to_a_later_revision_shows_no_version() {
    let mut shown = transitions();
    shown.update(0, &tenant(&[("asterisk", instance(PhaseName::Ready, ""))]));
    let mut later = tenant(&[("asterisk", instance(PhaseName::Starting, ""))]);
    later.nodes[0].target = 3;
    later.rollout = later.rollout.map(|rollout| Rollout { to: 3, ..rollout });
    assert_eq!(
        shown.update(0, &later),
        ["00:00:00 revision 1 → 3: progressing", "00:00:00 voice-1 asterisk: starting"]
    );
}

#[test]
fn a_node_that_rolls_back_beyond_a_superseded_revision_shows_no_version() {
    let mut shown = Transitions::new(Labels::new(Clock::utc(), 3, &[change()]));
    let mut back = tenant(&[("asterisk", instance(PhaseName::Starting, ""))]);
    back.nodes[0].target = 1;
    back.rollout = back.rollout.map(|rollout| Rollout { to: 3, ..rollout });
    let lines = shown.update(0, &back);
    assert_eq!(lines[1], "00:00:00 voice-1 asterisk: starting");
}

#[test]
fn a_node_that_disconnects_and_reconnects_is_shown() {
    let mut shown = transitions();
    let with = |state: NodeState| {
        let mut tenant = tenant(&[]);
        tenant.nodes[0].state = state.into();
        tenant.nodes[0].last_seen_ms = 1;
        tenant
    };
    assert_eq!(shown.update(0, &with(NodeState::Connected)).len(), 1);
    let lines = shown.update(5001, &with(NodeState::Unreachable));
    assert_eq!(lines, ["00:00:05 voice-1: unreachable, last seen 5s ago"]);
    assert_eq!(shown.update(9001, &with(NodeState::Unreachable)), Vec::<String>::new());
    assert_eq!(shown.update(9001, &with(NodeState::Connected)), ["00:00:09 voice-1: connected"]);
}

#[test]
fn the_key_decides_and_not_the_text() {
    let mut shown = transitions();
    let mut see = |reason: &str, key: &str| {
        let reason_key = key.to_owned();
        let draining = InstanceReport { reason_key, ..instance(PhaseName::Draining, reason) };
        shown.update(0, &tenant(&[("asterisk", draining)])).len()
    };
    assert_eq!(see("2 calls are up", "calls-up"), 2);
    assert_eq!(see("1 call is up", "calls-up"), 0);
    assert_eq!(see("the number of calls cannot be read", "unreadable"), 1);
    assert_eq!(see("the number of calls cannot be read", "other"), 0, "the line would be the same");
}

#[test]
fn without_a_key_only_phases_are_transitions() {
    let mut shown = transitions();
    let mut see = |phase: PhaseName, reason: &str| {
        let reason_key = String::new();
        let report = InstanceReport { reason_key, ..instance(phase, reason) };
        shown.update(0, &tenant(&[("asterisk", report)])).len()
    };
    assert_eq!(see(PhaseName::Draining, "2 calls are up"), 2);
    assert_eq!(see(PhaseName::Draining, "1 call is up"), 0);
    assert_eq!(see(PhaseName::Blocked, "port 80 is taken"), 1);
}
