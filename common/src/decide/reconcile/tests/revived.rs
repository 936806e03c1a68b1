//! The version in use runs on while a change waits, and a stop by hand is not undone.

use super::*;

/// Version 1 of asterisk has ended, and systemd gave up on it that long ago.
fn ended(world: &mut World, ago_ms: u64) {
    let (now, since) = (world.now, Timestamp(world.now.0 - ago_ms));
    let place = world.place("asterisk");
    let unit = place.unit.as_mut().unwrap();
    (unit.active, unit.since, unit.restarts) = (ActiveState::Failed, since, 30);
    for container in place.containers.iter_mut().filter(|container| container.is_running()) {
        container.state = ContainerState::Exited { code: 1, at: now, out_of_memory: false };
    }
}

#[test]
fn the_version_in_use_is_started_while_the_change_waits_for_a_dependency_and_both_are_reported() {
    let mut world = waiting_for_a_dependency();
    ended(&mut world, 1_000);
    let decision = world.decide().remove(&name("asterisk")).unwrap();
    assert_eq!((decision.step, decision.beside), (None, None), "not at once: it would flap");
    assert!(decision.wake_at.is_some());
    ended(&mut world, 61_000);
    let decision = world.decide().remove(&name("asterisk")).unwrap();
    assert_eq!((decision.step, decision.beside), (None, Some(Step::Start)));
    assert_eq!(decision.phase, Phase::Pending);
    let reported = decision.reason.to_string();
    assert!(
        reported.starts_with("waits for postgres; meanwhile the version in use, 1,"),
        "{reported}"
    );
}

#[test]
fn a_version_in_use_that_runs_or_was_stopped_by_hand_is_left_as_it_is() {
    let mut world = waiting_for_a_dependency();
    let runs = world.decide().remove(&name("asterisk")).unwrap();
    assert_eq!((runs.beside, runs.reason.to_string()), (None, "waits for postgres".to_owned()));
    let now = world.now;
    world.place("asterisk").stop_by_hand(now);
    let stopped = world.decide().remove(&name("asterisk")).unwrap();
    assert_eq!((stopped.step, stopped.beside), (None, None));
}
