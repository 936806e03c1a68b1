//! When a change has ended, and how.

use oml_proto::v1::{ChangeKind, ChangeReply};

use super::*;

fn watched() -> Watched {
    let changes = vec![change("voice-1", "asterisk"), change("voice-1", "redis")];
    Watched { tenant: "acme".into(), revision: 8, changes }
}

fn change(node: &str, component: &str) -> Change {
    Change { node: node.into(), component: component.into(), ..Change::default() }
}

fn tenant(from: u64, to: u64, state: RolloutState) -> TenantStatus {
    let rollout = Rollout { from, to, state: state.into(), ..Rollout::default() };
    TenantStatus { rollout: Some(rollout), ..TenantStatus::default() }
}

fn ending(tenant: &TenantStatus) -> Option<ExitOutcome> {
    judge(&watched(), tenant, 0).map(|verdict| match verdict {
        Verdict::Ended(ended) => ended.ending,
        Verdict::Overtaken(overtaken) => panic!("{overtaken:?}"),
    })
}

fn overtaken(tenant: &TenantStatus) -> Overtaken {
    match judge(&watched(), tenant, 0) {
        Some(Verdict::Overtaken(overtaken)) => overtaken,
        other => panic!("{other:?}"),
    }
}

#[test]
fn states_that_go_on_are_waited_for() {
    for state in [RolloutState::Progressing, RolloutState::RollingBack, RolloutState::Superseded] {
        for to in [8, 9] {
            assert_eq!(ending(&tenant(7, to, state)), None);
        }
    }
    assert_eq!(ending(&TenantStatus::default()), None);
}

#[test]
fn the_rollout_before_says_nothing_of_this_one() {
    for state in [RolloutState::Completed, RolloutState::RolledBack, RolloutState::Paused] {
        assert_eq!(ending(&tenant(6, 7, state)), None);
    }
}

#[test]
fn states_that_end_end() {
    assert_eq!(ending(&tenant(7, 8, RolloutState::Completed)), Some(ExitOutcome::Done));
    assert_eq!(ending(&tenant(7, 8, RolloutState::RolledBack)), Some(ExitOutcome::RolledBack));
    assert_eq!(ending(&tenant(7, 8, RolloutState::Paused)), Some(ExitOutcome::Failed));
    assert_eq!(ending(&tenant(7, 8, RolloutState::Unspecified)), Some(ExitOutcome::Failed));
}

#[test]
fn no_status_says_whether_a_later_revision_contains_the_change() {
    assert_eq!(overtaken(&tenant(7, 9, RolloutState::Completed)).by, 9);
    assert_eq!(overtaken(&tenant(9, 10, RolloutState::RolledBack)).by, 9);
}

#[test]
fn a_later_revision_that_did_not_hold_leaves_what_it_came_from() {
    assert_eq!(ending(&tenant(7, 9, RolloutState::RolledBack)), Some(ExitOutcome::RolledBack));
    assert_eq!(ending(&tenant(8, 9, RolloutState::RolledBack)), Some(ExitOutcome::Done));
    assert_eq!(ending(&tenant(7, 9, RolloutState::Paused)), Some(ExitOutcome::Failed));
}

#[test]
fn a_later_revision_contains_the_change_where_going_back_would_touch_nothing_of_it() {
    let overtaken = overtaken(&tenant(7, 9, RolloutState::Completed));
    let concluded = |revision, changes: &[Change]| {
        let changes = changes.to_vec();
        let plan = ChangeReply { revision, changed: revision > 9, changes, tenant: "acme".into() };
        overtaken.conclude(&watched(), &plan).map(|ended| ended.ending)
    };
    assert_eq!(concluded(9, &[]), Some(ExitOutcome::Done));
    let text = Change { kind: ChangeKind::Spec.into(), ..Change::default() };
    assert_eq!(concluded(10, &[text]), Some(ExitOutcome::Done));
    let elsewhere = [change("voice-2", "asterisk"), change("voice-1", "nginx")];
    assert_eq!(concluded(10, &elsewhere), Some(ExitOutcome::Done));
    assert_eq!(concluded(10, &[change("voice-1", "redis")]), Some(ExitOutcome::Failed));
    assert_eq!(concluded(11, &[]), None, "this is about revision 10");
}
