//! Sessions that come and go, and who is woken.

use oml_common::document::report::HostUsage;
use oml_common::id::{Generation, RevisionNumber};

use super::*;

fn app1() -> NodeId {
    NodeId { tenant: "acme".parse().unwrap(), name: "app1".parse().unwrap() }
}

fn report(number: u64) -> Report {
    Report {
        applied: Some(Generation { epoch: 1, number }),
        revision: RevisionNumber(1),
        at: Timestamp(number),
        agent_version: "1".into(),
        errors: Vec::new(),
        instances: BTreeMap::new(),
        host: HostUsage::default(),
    }
}

#[test]
fn the_end_of_a_replaced_session_changes_nothing() {
    let (presence, node) = (Presence::default(), app1());
    let (older, mut replaced) = presence.connect(&node, Timestamp(1));
    assert!(replaced.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Empty));
    let (newer, _wakes) = presence.connect(&node, Timestamp(2));
    assert!(replaced.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Closed));
    presence.disconnect(&node, older);
    assert!(presence.of_node(&node).connected);
    presence.disconnect(&node, newer);
    let presence = presence.of_node(&node);
    assert!(!presence.connected);
    assert_eq!(presence.last_seen, Some(Timestamp(2)));
}

#[test]
fn only_what_differs_in_substance_wakes_the_tasks() {
    let (presence, node) = (Presence::default(), app1());
    let (id, _wakes) = presence.connect(&node, Timestamp(1));
    let (mut actionable, mut all) = (presence.actionable(), presence.changed(Some(&node.tenant)));
    assert!(presence.record_report(&node, id, report(1), Timestamp(1)));
    assert!(actionable.has_changed().unwrap() && all.has_changed().unwrap());
    actionable.mark_unchanged();
    all.mark_unchanged();
    let later = Report { at: Timestamp(99), ..report(1) };
    assert!(!presence.record_report(&node, id, later, Timestamp(5)));
    assert!(!actionable.has_changed().unwrap());
    assert!(all.has_changed().unwrap());
    assert_eq!(presence.of_node(&node).last_seen, Some(Timestamp(5)));
    assert!(presence.record_report(&node, id, report(2), Timestamp(6)));
}

#[test]
fn one_tenants_nodes_wake_nobody_of_another() {
    let (presence, node) = (Presence::default(), app1());
    let other = presence.changed(Some(&"beta".parse().unwrap()));
    let (id, _wakes) = presence.connect(&node, Timestamp(1));
    presence.record_report(&node, id, report(1), Timestamp(1));
    assert!(!other.has_changed().unwrap());
    assert!(presence.of_tenant(&"beta".parse().unwrap()).is_empty());
}

#[test]
fn a_forgotten_node_was_never_seen_and_its_session_is_woken() {
    let (presence, node) = (Presence::default(), app1());
    let (id, mut wakes) = presence.connect(&node, Timestamp(1));
    presence.record_report(&node, id, report(1), Timestamp(1));
    presence.forget(&node);
    assert!(wakes.try_recv().is_err_and(|e| e == oneshot::error::TryRecvError::Closed));
    let presence = presence.of_node(&node);
    assert!(presence.last_seen.is_none() && presence.report.is_none());
}

#[test]
fn a_node_is_recorded_once_a_second_however_many_sessions_it_has() {
    let (presence, node) = (Presence::default(), app1());
    let now = Instant::now();
    let persist = |at| presence.next_persist(&node, at);
    assert!(matches!(persist(now), Persist::Nothing), "it said nothing yet");
    let (id, _wakes) = presence.connect(&node, Timestamp(1));
    presence.record_report(&node, id, report(1), Timestamp(1));
    assert!(matches!(persist(now), Persist::Now(_, Timestamp(1))));
    for _ in 0..5 {
        let (id, _wakes) = presence.connect(&node, Timestamp(2));
        presence.disconnect(&node, id);
        assert!(matches!(persist(now), Persist::Nothing), "only its age differs");
    }
    let (id, _wakes) = presence.connect(&node, Timestamp(3));
    presence.record_report(&node, id, report(2), Timestamp(3));
    assert!(matches!(persist(now), Persist::At(later) if later == now + SAVE_INTERVAL));
    assert!(matches!(persist(now + SAVE_INTERVAL), Persist::Now(_, Timestamp(3))));
}

#[test]
fn what_was_said_in_an_earlier_session_does_not_count_as_said_in_this_one() {
    let (presence, node) = (Presence::default(), app1());
    let has_reported = || presence.of_node(&node).has_reported;
    let (older, _wakes) = presence.connect(&node, Timestamp(1));
    assert!(!has_reported());
    presence.record_report(&node, older, report(1), Timestamp(1));
    assert!(has_reported());
    let (newer, _wakes) = presence.connect(&node, Timestamp(2));
    assert!(!has_reported());
    // Left over in the older session's stream.
    assert!(!presence.record_report(&node, older, report(2), Timestamp(3)));
    assert!(!has_reported());
    assert_eq!(presence.of_node(&node).report.unwrap().at, Timestamp(1));
    // The tasks look again, though nothing differs.
    assert!(presence.record_report(&node, newer, report(1), Timestamp(4)));
    assert!(has_reported());
    presence.disconnect(&node, newer);
    assert!(!has_reported());
}
