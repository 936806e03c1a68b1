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
    let (id, _wakes) = live.connect(&tenant, &node, Timestamp(1));
    let (mut substance, mut all) = (live.substance(), live.changed(Some(&tenant)));
    assert!(live.heard(&tenant, &node, id, (report(1), Timestamp(1))));
    assert!(substance.has_changed().unwrap() && all.has_changed().unwrap());
    substance.mark_unchanged();
    all.mark_unchanged();
    let later = Report { at: Timestamp(99), ..report(1) };
    assert!(!live.heard(&tenant, &node, id, (later, Timestamp(5))));
    assert!(!substance.has_changed().unwrap());
    assert!(all.has_changed().unwrap());
    assert_eq!(live.of_node(&tenant, &node).last_seen, Some(Timestamp(5)));
    assert!(live.heard(&tenant, &node, id, (report(2), Timestamp(6))));
}

#[test]
fn one_tenants_nodes_wake_nobody_of_another() {
    let (live, (tenant, node)) = (Live::default(), names());
    let other = live.changed(Some(&"beta".parse().unwrap()));
    let (id, _wakes) = live.connect(&tenant, &node, Timestamp(1));
    live.heard(&tenant, &node, id, (report(1), Timestamp(1)));
    assert!(!other.has_changed().unwrap());
    assert!(live.of_tenant(&"beta".parse().unwrap()).is_empty());
}

#[test]
fn a_forgotten_node_was_never_seen_and_its_session_is_woken() {
    let (live, (tenant, node)) = (Live::default(), names());
    let (id, mut wakes) = live.connect(&tenant, &node, Timestamp(1));
    live.heard(&tenant, &node, id, (report(1), Timestamp(1)));
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
    let (id, _wakes) = live.connect(&tenant, &node, Timestamp(1));
    live.heard(&tenant, &node, id, (report(1), Timestamp(1)));
    assert!(matches!(keeping(now), Keeping::Now(_, Timestamp(1))));
    for _ in 0..5 {
        let (id, _wakes) = live.connect(&tenant, &node, Timestamp(2));
        live.disconnect(&tenant, &node, id);
        assert!(matches!(keeping(now), Keeping::Nothing), "only its age differs");
    }
    let (id, _wakes) = live.connect(&tenant, &node, Timestamp(3));
    live.heard(&tenant, &node, id, (report(2), Timestamp(3)));
    assert!(matches!(keeping(now), Keeping::At(later) if later == now + KEEP_INTERVAL));
    assert!(matches!(keeping(now + KEEP_INTERVAL), Keeping::Now(_, Timestamp(3))));
}

#[test]
fn what_was_said_in_an_earlier_session_does_not_count_as_said_in_this_one() {
    let (live, (tenant, node)) = (Live::default(), names());
    let heard = || live.of_node(&tenant, &node).heard;
    let (older, _wakes) = live.connect(&tenant, &node, Timestamp(1));
    assert!(!heard());
    live.heard(&tenant, &node, older, (report(1), Timestamp(1)));
    assert!(heard());
    let (newer, _wakes) = live.connect(&tenant, &node, Timestamp(2));
    assert!(!heard());
    // Left over in the older session's stream.
    assert!(!live.heard(&tenant, &node, older, (report(2), Timestamp(3))));
    assert!(!heard());
    assert_eq!(live.of_node(&tenant, &node).report.unwrap().at, Timestamp(1));
    // The tasks look again, though nothing differs.
    assert!(live.heard(&tenant, &node, newer, (report(1), Timestamp(4))));
    assert!(heard());
    live.disconnect(&tenant, &node, newer);
    assert!(!heard());
}
