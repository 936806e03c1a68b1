//! Sessions that come and go, and who is woken.

use oml_common::id::{Generation, RevisionNumber};
use oml_common::report::HostUsage;

use super::*;

fn names() -> (TenantId, NodeName) {
    ("acme".parse().unwrap(), "app1".parse().unwrap())
}

fn report(number: u64) -> Report {
    Report {
        applied: Some(Generation { epoch: 1, number }),
        revision: RevisionNumber(1),
        at: Timestamp(number),
        agent_version: "1".into(),
        troubles: Vec::new(),
        instances: BTreeMap::new(),
        host: HostUsage::default(),
    }
}

#[test]
fn the_end_of_a_replaced_session_changes_nothing() {
    let (live, (tenant, node)) = (Live::default(), names());
    let (older, mut replaced) = live.connect(&tenant, &node, Timestamp(1));
    assert!(replaced.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Empty));
    let (newer, _wakes) = live.connect(&tenant, &node, Timestamp(2));
    assert!(replaced.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Closed));
    live.disconnect(&tenant, &node, older);
    assert!(live.of_node(&tenant, &node).connected);
    live.disconnect(&tenant, &node, newer);
    let presence = live.of_node(&tenant, &node);
    assert!(!presence.connected);
    assert_eq!(presence.last_seen, Some(Timestamp(2)));
}

#[test]
fn only_what_differs_in_substance_wakes_the_tasks() {
    let (live, (tenant, node)) = (Live::default(), names());
    let (mut substance, mut all) = (live.substance(), live.changed(Some(&tenant)));
    assert!(live.heard(&tenant, &node, report(1), Timestamp(1)));
    assert!(substance.has_changed().unwrap() && all.has_changed().unwrap());
    substance.mark_unchanged();
    all.mark_unchanged();
    let later = Report { at: Timestamp(99), ..report(1) };
    assert!(!live.heard(&tenant, &node, later, Timestamp(5)));
    assert!(!substance.has_changed().unwrap());
    assert!(all.has_changed().unwrap());
    assert_eq!(live.of_node(&tenant, &node).last_seen, Some(Timestamp(5)));
    assert!(live.heard(&tenant, &node, report(2), Timestamp(6)));
}

#[test]
fn one_tenants_nodes_wake_nobody_of_another() {
    let (live, (tenant, node)) = (Live::default(), names());
    let other = live.changed(Some(&"beta".parse().unwrap()));
    live.heard(&tenant, &node, report(1), Timestamp(1));
    assert!(!other.has_changed().unwrap());
    assert!(live.of_tenant(&"beta".parse().unwrap()).is_empty());
}

#[test]
fn a_forgotten_node_was_never_seen_and_its_session_is_woken() {
    let (live, (tenant, node)) = (Live::default(), names());
    let (_, mut wakes) = live.connect(&tenant, &node, Timestamp(1));
    live.heard(&tenant, &node, report(1), Timestamp(1));
    live.forget(&tenant, &node);
    assert!(wakes.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Closed));
    let presence = live.of_node(&tenant, &node);
    assert!(presence.last_seen.is_none() && presence.report.is_none());
}

#[test]
fn a_node_is_recorded_once_a_second_however_many_sessions_it_has() {
    let (live, (tenant, node)) = (Live::default(), names());
    let now = Instant::now();
    let keeping = |at| live.keeping(&tenant, &node, at);
    assert!(matches!(keeping(now), Keeping::Nothing), "it said nothing yet");
    live.heard(&tenant, &node, report(1), Timestamp(1));
    assert!(matches!(keeping(now), Keeping::Now(_, Timestamp(1))));
    for _ in 0..5 {
        let (id, _wakes) = live.connect(&tenant, &node, Timestamp(2));
        live.disconnect(&tenant, &node, id);
        assert!(matches!(keeping(now), Keeping::Nothing), "only its age differs");
    }
    live.heard(&tenant, &node, report(2), Timestamp(3));
    assert!(matches!(keeping(now), Keeping::At(later) if later == now + KEEP_INTERVAL));
    assert!(matches!(keeping(now + KEEP_INTERVAL), Keeping::Now(_, Timestamp(3))));
}
