//! When a change has ended, and how.

use oml_proto::v1::{InstanceReport, NodeStatus, Report};

use super::*;

fn watched() -> Watched {
    let change = |component: &str, kind: &str, to: &str| Change {
        node: "voice-1".into(),
        component: component.into(),
        kind: kind.into(),
        to: to.into(),
        ..Change::default()
    };
    let changes = vec![change("asterisk", "replace", "2"), change("redis", "remove", "")];
    Watched { tenant: "acme".into(), revision: 8, changes }
}

fn tenant(to: u64, state: &str, instances: &[(&str, &str)]) -> TenantStatus {
    let instances = instances.iter().map(|(name, version)| {
        let report = InstanceReport { version: (*version).into(), ..InstanceReport::default() };
        ((*name).to_owned(), report)
    });
    let report = Report { instances: instances.collect(), ..Report::default() };
    let node = NodeStatus { node: "voice-1".into(), report: Some(report), ..NodeStatus::default() };
    let rollout = Rollout { from: 7, to, state: state.into(), ..Rollout::default() };
    TenantStatus { nodes: vec![node], rollout: Some(rollout), ..TenantStatus::default() }
}

fn ending(tenant: &TenantStatus) -> Option<Ending> {
    judge(&watched(), tenant, 0).map(|ended| ended.ending)
}

#[test]
fn states_that_go_on_are_waited_for() {
    for state in ["progressing", "rolling-back", "superseded"] {
        assert_eq!(ending(&tenant(8, state, &[])), None);
    }
    assert_eq!(ending(&TenantStatus::default()), None);
}

#[test]
fn the_rollout_before_says_nothing_of_this_one() {
    for state in ["completed", "rolled-back", "paused"] {
        assert_eq!(ending(&tenant(7, state, &[])), None);
    }
}

#[test]
fn states_that_end_end() {
    assert_eq!(ending(&tenant(8, "completed", &[])), Some(Ending::Done));
    assert_eq!(ending(&tenant(8, "rolled-back", &[])), Some(Ending::RolledBack));
    assert_eq!(ending(&tenant(8, "paused", &[])), Some(Ending::Failed));
    assert_eq!(ending(&tenant(8, "a-state-of-later", &[])), Some(Ending::Failed));
}

#[test]
fn a_later_revision_counts_by_what_runs() {
    assert_eq!(ending(&tenant(9, "completed", &[("asterisk", "2")])), Some(Ending::Done));
    assert_eq!(ending(&tenant(9, "completed", &[("asterisk", "1")])), Some(Ending::Failed));
    assert_eq!(ending(&tenant(9, "completed", &[])), Some(Ending::Failed));
    let redis_is_back = tenant(9, "completed", &[("asterisk", "2"), ("redis", "1")]);
    assert_eq!(ending(&redis_is_back), Some(Ending::Failed));
}
